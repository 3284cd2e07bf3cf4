"""Fig. 8: bits per pixel over both misclassification rates, as a surface and as a map."""

from __future__ import annotations

from math import floor, log10
from typing import TYPE_CHECKING, Any

import numpy as np

from ..results.lookup import error_rates, find_entropy, find_model, find_point, find_set, set_names
from ..results.model_results import ModelResults, SetResults
from ..results.study_results import UNSEEN, StudyResults
from .style import POINT_MARKS, WIDTH, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = "cividis"
MIN_RANGE = 0.001
"""Smallest range of a map's colours, in bits per pixel."""


def draw(results: StudyResults) -> Figure | None:
    """One row per profile: the surface of each set of cells, and the map of the unseen ones."""
    from matplotlib.figure import Figure

    models = [find_model(results, profile) for profile in ("paper", "hybrid")]
    shown = [m for m in models if m is not None and any(find_entropy(m, s) for s in m.sets)]
    if not shown or len(results.rates) < 2:
        return None
    height = 4.0  # inches of a row: constrained layout ignores the labels of 3-D axes
    figure = Figure(figsize=(WIDTH, height * len(shown)))
    for k, model in enumerate(shown):
        low, share = 1 - (k + 1) / len(shown), 1 / len(shown)
        solid: Any = figure.add_axes((0.03, low + 0.02 * share, 0.41, 0.9 * share), projection="3d")
        flat: Any = figure.add_axes((0.57, low + 0.13 * share, 0.33, 0.33 * WIDTH / height * share))
        scale: Any = figure.add_axes((0.915, low + 0.17 * share, 0.014, 0.6 * share))
        _surfaces(solid, results, model)
        _map(figure, flat, scale, results, model)
    return figure


def _axes_names(results: StudyResults) -> tuple[str, str]:
    first, second = results.class_names[:2]
    return f"{first} as {second}, %", f"{second} as {first}, %"


def _surfaces(axes: Any, results: StudyResults, model: ModelResults) -> None:
    from matplotlib.ticker import MaxNLocator

    x, y = np.meshgrid(percent(results.rates), percent(results.rates), indexing="ij")
    for cells in set_names(results):
        measured = find_set(model, cells)
        quantity = None if measured is None else find_entropy(model, measured)
        if quantity is None:
            continue
        z = np.array(quantity.expectation.surface)
        plain = cells == UNSEEN
        axes.plot_surface(
            x,
            y,
            z,
            cmap=COLOURS if plain else None,
            color=None if plain else "#c8c8c8",
            edgecolor="#333333",
            linewidth=0.25,
            rstride=1,
            cstride=1,
            alpha=0.95,
            shade=False,
        )
        axes.text(x[-1, 0], y[-1, 0], z[-1, 0], f"  {cells}", fontsize=9)
    x_label, y_label = _axes_names(results)
    axes.set_xlabel(x_label, fontsize=9)
    axes.set_ylabel(y_label, fontsize=9)
    axes.set_zlabel("bits/pixel", fontsize=9, labelpad=9)
    axes.tick_params(labelsize=8.5)
    axes.tick_params(axis="z", pad=4)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_major_locator(MaxNLocator(5))
    axes.view_init(elev=22, azim=-128)
    axes.set_box_aspect(None, zoom=0.84)
    what = "joint entropy" if model.profile == "paper" else "code length"
    axes.set_title(f"{model.name}: {what}", y=0.94)


def _map(figure: Figure, axes: Any, scale: Any, results: StudyResults, model: ModelResults) -> None:
    cells = UNSEEN if find_set(model, UNSEEN) is not None else model.sets[0].cells
    measured = model.on(cells)
    quantity = find_entropy(model, measured)
    if quantity is None:
        return
    from matplotlib.ticker import MaxNLocator

    z = np.array(quantity.expectation.surface).T  # imshow wants (y, x)
    rates = percent(results.rates)
    step = (rates[-1] - rates[0]) / (len(rates) - 1)
    ends = (rates[0] - step / 2, rates[-1] + step / 2)
    image = axes.imshow(
        z, origin="lower", extent=(*ends, *ends), cmap=COLOURS, interpolation="none", aspect="equal"
    )
    axes.grid(False)
    low, high = float(z.min()), float(z.max())
    if high - low < MIN_RANGE:  # colours must not suggest a slope
        low, high = (low + high - MIN_RANGE) / 2, (low + high + MIN_RANGE) / 2
    image.set_clim(low, high)
    digits = _digits(high - low)
    room = 0.06 * float(z.max() - z.min())  # a contour at a corner would be a dot
    levels = [
        level
        for level in MaxNLocator(7).tick_values(low, high)
        if z.min() + room < level < z.max() - room
    ]
    if levels:
        colors = ["white" if level < (low + high) / 2 else "black" for level in levels]
        lines = axes.contour(rates, rates, z, levels=levels, linewidths=1, colors=colors)
        axes.clabel(lines, fmt=lambda level: f"{level:.{digits}f}", fontsize=8.5, inline_spacing=3)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))
    _mark(axes, measured, ends[1])
    x_label, y_label = _axes_names(results)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.set_title(f"{model.name}: {cells}")
    scale.set_title("bits/pixel", fontsize=9, loc="left")
    figure.colorbar(image, cax=scale, format=lambda v, _: f"{v:.{digits}f}")


def _digits(span: float) -> int:
    """Decimals that distinguish the levels of a scale."""
    return max(2, 1 - floor(log10(span)))


def _mark(axes: Any, measured: SetResults, end: float) -> None:
    point = find_point(measured, "classifier")
    if point is None:
        return
    x, y = percent(error_rates(point))[:2]
    if x <= end and y <= end:
        axes.plot(
            [x],
            [y],
            marker=POINT_MARKS["classifier"],
            markersize=15,
            color="white",
            markeredgecolor="black",
        )
        axes.annotate(
            "classifier",
            (x, y),
            xytext=(9, -3),
            textcoords="offset points",
            fontsize=9,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"},
        )
