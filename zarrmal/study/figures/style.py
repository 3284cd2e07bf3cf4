"""Colour, marker and dashes of each coder, the same in every figure, and the placing of labels.

The palette of Okabe and Ito is distinct for readers with colour blindness; dashes and markers
distinguish the lines in grey print.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any

from ..results.model_results import ModelResults
from ..results.study_results import StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 9.0
"""Width of every figure in inches, about that of the page's text."""

POINT_MARKS = {"labels": "o", "classifier": "*", "shortest": "P"}
POINT_NAMES = {"labels": "true labels", "classifier": "classifier", "shortest": "shorter code"}
QUIET = "#555555"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoderStyle:
    """Style of one coder's lines and marks."""

    color: str
    marker: str
    dashes: Any = "-"


MODELS = {
    "paper": (CoderStyle(color="#D55E00", marker="o"), CoderStyle(color="#CC79A7", marker="s")),
    "hybrid": (CoderStyle(color="#0072B2", marker="D"), CoderStyle(color="#56B4E9", marker="v")),
}
RIVALS = {
    "JPEG XL": CoderStyle(color="#000000", marker="^", dashes=(0, (6, 2))),
    "CALIC": CoderStyle(color="#009E73", marker="<", dashes=(0, (6, 2, 1, 2))),
    "JPEG-LS": CoderStyle(color="#B07800", marker=">", dashes=(0, (3, 1.5))),
    "WebP": CoderStyle(color="#7A5195", marker="p", dashes=(0, (1, 1))),
    "JPEG2000": CoderStyle(color="#777777", marker="h", dashes=(0, (4, 1.5, 1, 1.5, 1, 1.5))),
}
OTHER = CoderStyle(color="#999999", marker="x", dashes=(0, (2, 3)))


def model_style(results: StudyResults, model: ModelResults) -> CoderStyle:
    """Style of a model, by its profile and its position among the models of that profile."""
    names = [m.name for m in results.models if m.profile == model.profile]
    styles = MODELS.get(model.profile, (OTHER,))
    return styles[names.index(model.name) % len(styles)]


def rival_style(family: str) -> CoderStyle:
    """Style of another coder."""
    return RIVALS.get(family, OTHER)


def separate_labels(values: Sequence[float], gap: float) -> list[float]:
    """Positions of labels, in the order of the values, at least a gap apart, moved least.

    Least squares under p[k + 1] - p[k] >= gap is an isotonic regression of v[k] - k gap.
    """
    order = sorted(range(len(values)), key=values.__getitem__)
    pools: list[tuple[float, int]] = []  # mean, size
    for k, index in enumerate(order):
        mean, size = values[index] - k * gap, 1
        while pools and pools[-1][0] > mean:
            before, n = pools.pop()
            mean, size = (mean * size + before * n) / (size + n), size + n
        pools.append((mean, size))
    flat = [mean for mean, size in pools for _ in range(size)]
    positions = [0.0] * len(values)
    for k, index in enumerate(order):
        positions[index] = flat[k] + k * gap
    return positions


def label_ends(
    axes: Axes, ends: Sequence[tuple[float, str, str]], gap: float = 0.055, size: float = 9
) -> None:
    """Label lines at the right edge of their panel, with a thin leader to a label that moved.

    Parameters
    ----------
    ends
        (height in data units, text, colour).
    gap
        Between two labels, as a share of the panel's height.
    """
    low, high = axes.get_ylim()
    scale = log if axes.get_yscale() == "log" else float
    share = [(scale(y) - scale(low)) / (scale(high) - scale(low)) for y, _, _ in ends]
    for height, label_height, (_, text, color) in zip(
        share, separate_labels(share, gap), ends, strict=True
    ):
        if -1e-9 <= height <= 1 + 1e-9:
            axes.plot(
                [1, 1.025],
                [height, label_height],
                transform=axes.transAxes,
                color=color,
                linewidth=0.8,
                clip_on=False,
            )
            axes.text(
                1.03,
                label_height,
                text,
                transform=axes.transAxes,
                color=color,
                fontsize=size,
                va="center",
            )


def percent(rates: Sequence[float]) -> list[float]:
    """Rates in per cent, as on an axis."""
    return [100 * rate for rate in rates]


def mark_point(axes: Axes, point: str, rate: float, height: float, edge: float, color: str) -> bool:
    """Draw an operating point; a point beyond the axis is drawn at its edge.

    Parameters
    ----------
    rate, edge
        Probabilities. The axis is in per cent and ends at ``edge``.

    Returns
    -------
    bool
        Whether the point lies beyond the axis.
    """
    axes.plot(
        [100 * min(rate, edge)],
        [height],
        marker=POINT_MARKS.get(point, "X"),
        markersize=14 if point == "classifier" else 9,
        color=color,
        markeredgecolor="black",
        linestyle="none",
        zorder=5,
    )
    return rate > edge
