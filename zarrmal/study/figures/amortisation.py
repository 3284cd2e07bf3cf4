"""What a pixel costs with the model counted, over the number of cells that share the model."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..measured import Amortised, ModelResults
from ..results import UNSEEN, StudyResults
from ..select import best_rivals, set_names
from .look import POINT_NAMES, WIDTH, label_ends, model_look, rival_look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHES: dict[str, Any] = {"labels": "-", "classifier": (0, (5, 1.5)), "shortest": (0, (1, 1.2))}
TICKS = (0.25, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64)
TALLEST = 16.0
"""The axis goes to here, in bits per pixel: twice as much as no compression."""

FEWEST = 50
"""Cells at the left edge."""

CLOSE = 0.13
"""In decades: break-evens nearer than this would write over each other."""


def draw(results: StudyResults) -> Figure | None:
    """Both axes logarithmic; break-evens with the smallest of each rival marked."""
    from matplotlib.figure import Figure

    models = [one for one in results.models if one.side.amortised and one.side.n_cells]
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
        look, bits = rival_look(rival.family), rival.bits_per_pixel
        axes.axhline(bits, color=look.color, linestyle=look.dashes, linewidth=1.3)
        ends.append((bits, f"{rival.family} {bits:.2f}", look.color))
    left, right = FEWEST, max(max(model.side.n_cells) for model in models)
    for model in models:
        look = model_look(results, model)
        for one in model.side.amortised:
            sizes = np.geomspace(left, right, 200)
            axes.plot(
                sizes,
                spread_over(results, model, one, sizes),
                color=look.color,
                linestyle=DASHES.get(one.assignment, "-"),
            )
        last = model.side.amortised[0].bits_per_pixel[-1]
        ends.append((last, f"{model.name} {last:.2f}", look.color))
    levels = [height for height, _, _ in ends]
    axes.set_xlim(left, right)
    axes.set_ylim(0.72 * min(levels), max(TALLEST, 1.5 * max(levels)))
    low, high = axes.get_ylim()
    ticks = [tick for tick in TICKS if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_yticks([], minor=True)
    for model in models:
        _break_evens(axes, results, model, {(one.name, one.arrangement) for one in rivals})
    label_ends(axes, ends, gap=0.05)
    axes.xaxis.set_major_formatter(lambda n, _: f"{n:,.0f}")
    axes.set_xlabel("cells in the archive")
    axes.set_ylabel("bits/pixel, everything counted")
    _legend(figure, models)
    return figure


def spread_over(
    results: StudyResults, model: ModelResults, one: Amortised, sizes: Any
) -> NDArray[np.float64]:
    """Bits per pixel at any size: what grows with the cells, and what is stored once."""
    side = model.side
    once = 8 * (side.base64_bytes + side.metadata_bytes) / prod(results.cell_shape)
    found: NDArray[np.float64] = (
        one.bits_per_pixel[-1] + once / np.asarray(sizes, float) - once / side.n_cells[-1]
    )
    return found


def _break_evens(
    axes: Axes, results: StudyResults, model: ModelResults, rivals: set[tuple[str, str]]
) -> None:
    """Of the first assignment: the place on its curve, and a line down to the number of cells."""
    look, first = model_look(results, model), model.side.amortised[0]
    low, high = axes.get_ylim()
    left, right = axes.get_xlim()
    marked: list[float] = []
    for one in sorted(model.side.break_even, key=lambda one: -(one.n_cells or 0)):
        n = one.n_cells
        if n is None or one.assignment != first.assignment:
            continue
        if (one.rival, one.arrangement) not in rivals:
            continue
        # Where two stand too close for their names, that with the smaller rival stays.
        if not left <= n <= right or any(abs(np.log10(n / other)) < CLOSE for other in marked):
            continue
        marked.append(n)
        y = float(spread_over(results, model, first, n))
        if y <= high:
            axes.plot([n], [y], marker="o", markersize=8, mfc="white", mec=look.color, mew=2)
            axes.plot([n, n], [low, y], color=look.color, linewidth=0.8, linestyle=(0, (2, 2)))
            axes.annotate(
                f"{n:,}",
                (n, low),
                xytext=(2, 4),
                textcoords="offset points",
                color=look.color,
                fontsize=9,
                rotation=90,
                ha="left",
                va="bottom",
            )


def _legend(figure: Figure, models: list[ModelResults]) -> None:
    from matplotlib.lines import Line2D

    shown = {one.assignment for model in models for one in model.side.amortised}
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
