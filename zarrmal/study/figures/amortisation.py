"""Bits per pixel with the model counted, over the number of cells that share it."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..results.lookup import best_rivals, set_names
from ..results.model_results import Amortised, ModelResults
from ..results.study_results import UNSEEN, StudyResults
from .style import POINT_NAMES, WIDTH, label_ends, model_style, rival_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHES: dict[str, Any] = {"labels": "-", "classifier": (0, (5, 1.5)), "shortest": (0, (1, 1.2))}
TICKS = (0.25, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64)
MAX_BITS = 16.0
"""Upper end of the axis in bits per pixel, twice an uncompressed pixel."""

MIN_CELLS = 50
"""Cells at the left edge."""

MIN_DISTANCE = 0.13
"""Distance in decades below which the labels of two break-evens overlap."""


def draw(results: StudyResults) -> Figure | None:
    """Both axes are logarithmic; break-evens with the smallest rival of each family are marked."""
    from matplotlib.figure import Figure

    models = [m for m in results.models if m.side.amortised and m.side.n_cells]
    if not models:
        return None
    figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("log")
    axes.set_yscale("log")
    names = set_names(results)
    rivals = best_rivals(results, UNSEEN if UNSEEN in names else names[0])
    ends = []
    for rival in rivals:
        style, bits = rival_style(rival.family), rival.bits_per_pixel
        axes.axhline(bits, color=style.color, linestyle=style.dashes, linewidth=1.3)
        ends.append((bits, f"{rival.family} {bits:.2f}", style.color))
    left, right = MIN_CELLS, max(max(model.side.n_cells) for model in models)
    for model in models:
        style = model_style(results, model)
        for amortised in model.side.amortised:
            sizes = np.geomspace(left, right, 200)
            axes.plot(
                sizes,
                total_rate(results, model, amortised, sizes),
                color=style.color,
                linestyle=DASHES.get(amortised.assignment, "-"),
            )
        last = model.side.amortised[0].bits_per_pixel[-1]
        ends.append((last, f"{model.name} {last:.2f}", style.color))
    levels = [height for height, _, _ in ends]
    axes.set_xlim(left, right)
    axes.set_ylim(0.72 * min(levels), max(MAX_BITS, 1.5 * max(levels)))
    low, high = axes.get_ylim()
    ticks = [tick for tick in TICKS if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_yticks([], minor=True)
    for model in models:
        _break_evens(axes, results, model, {(rival.name, rival.arrangement) for rival in rivals})
    label_ends(axes, ends, gap=0.05)
    axes.xaxis.set_major_formatter(lambda n, _: f"{n:,.0f}")
    axes.set_xlabel("cells in the archive")
    axes.set_ylabel("bits/pixel, everything counted")
    _legend(figure, models)
    return figure


def total_rate(
    results: StudyResults, model: ModelResults, amortised: Amortised, n_cells: Any
) -> NDArray[np.float64]:
    """Bits per pixel of any number of cells: streams, and the share of the fixed bytes."""
    side = model.side
    fixed_bits = 8 * (side.base64_bytes + side.metadata_bytes) / prod(results.cell_shape)
    streams = amortised.bits_per_pixel[-1] - fixed_bits / side.n_cells[-1]
    rate: NDArray[np.float64] = streams + fixed_bits / np.asarray(n_cells, float)
    return rate


def _break_evens(
    axes: Axes, results: StudyResults, model: ModelResults, rivals: set[tuple[str, str]]
) -> None:
    """Mark break-evens of the first assignment on its curve, with a line down to the axis."""
    style, first = model_style(results, model), model.side.amortised[0]
    low, high = axes.get_ylim()
    left, right = axes.get_xlim()
    marked: list[float] = []
    for even in sorted(model.side.break_even, key=lambda even: -(even.n_cells or 0)):
        n = even.n_cells
        if n is None or even.assignment != first.assignment:
            continue
        if (even.rival, even.arrangement) not in rivals:
            continue
        # Of two that are too close for their labels, the one with the smaller rival is marked.
        if not left <= n <= right or any(
            abs(np.log10(n / other)) < MIN_DISTANCE for other in marked
        ):
            continue
        marked.append(n)
        y = float(total_rate(results, model, first, n))
        if y <= high:
            axes.plot([n], [y], marker="o", markersize=8, mfc="white", mec=style.color, mew=2)
            axes.plot([n, n], [low, y], color=style.color, linewidth=0.8, linestyle=(0, (2, 2)))
            axes.annotate(
                f"{n:,}",
                (n, low),
                xytext=(2, 4),
                textcoords="offset points",
                color=style.color,
                fontsize=9,
                rotation=90,
                ha="left",
                va="bottom",
            )


def _legend(figure: Figure, models: list[ModelResults]) -> None:
    from matplotlib.lines import Line2D

    shown = {a.assignment for model in models for a in model.side.amortised}
    handles = [
        Line2D(
            [], [], color="#555555", linestyle=DASHES[name], label=f"class by {POINT_NAMES[name]}"
        )
        for name in DASHES
        if name in shown
    ]
    handles.append(
        Line2D([], [], marker="o", ls="none", mfc="white", mec="#555555", mew=2, label="break-even")
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=9)
