"""The same colour, marker and dashes for a coder in every figure.

The palette is that of Okabe and Ito, told apart by readers who see colours differently; dashes and
markers tell the lines apart in grey print.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any

from ..measured import ModelResults
from ..results import StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 9.0
"""Of every figure, in inches: a page's text is about as wide."""

POINT_MARKS = {"labels": "o", "classifier": "*", "shortest": "P"}
POINT_NAMES = {"labels": "true labels", "classifier": "classifier", "shortest": "shorter code"}
QUIET = "#555555"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How the lines of one coder are drawn."""

    color: str
    marker: str
    dashes: Any = "-"


MODELS = {
    "paper": (Look(color="#D55E00", marker="o"), Look(color="#CC79A7", marker="s")),
    "hybrid": (Look(color="#0072B2", marker="D"), Look(color="#56B4E9", marker="v")),
}
RIVALS = {
    "JPEG XL": Look(color="#000000", marker="^", dashes=(0, (6, 2))),
    "CALIC": Look(color="#009E73", marker="<", dashes=(0, (6, 2, 1, 2))),
    "JPEG-LS": Look(color="#B07800", marker=">", dashes=(0, (3, 1.5))),
    "WebP": Look(color="#7A5195", marker="p", dashes=(0, (1, 1))),
    "JPEG2000": Look(color="#777777", marker="h", dashes=(0, (4, 1.5, 1, 1.5, 1, 1.5))),
}
OTHER = Look(color="#999999", marker="x", dashes=(0, (2, 3)))


def model_look(results: StudyResults, model: ModelResults) -> Look:
    """Of a model: by its profile, and which of that profile it is."""
    alike = [one.name for one in results.models if one.profile == model.profile]
    looks = MODELS.get(model.profile, (OTHER,))
    return looks[alike.index(model.name) % len(looks)]


def rival_look(family: str) -> Look:
    """Of another coder."""
    return RIVALS.get(family, OTHER)


def spread(values: Sequence[float], gap: float) -> list[float]:
    """Places for labels, in the order of the values, a gap apart, moved as little as can be.

    Least squares under p[k + 1] - p[k] >= gap is an isotonic regression of v[k] - k gap.
    """
    order = sorted(range(len(values)), key=values.__getitem__)
    pools: list[tuple[float, int]] = []  # mean, size
    for k, at in enumerate(order):
        mean, size = values[at] - k * gap, 1
        while pools and pools[-1][0] > mean:
            before, n = pools.pop()
            mean, size = (mean * size + before * n) / (size + n), size + n
        pools.append((mean, size))
    flat = [mean for mean, size in pools for _ in range(size)]
    places = [0.0] * len(values)
    for k, at in enumerate(order):
        places[at] = flat[k] + k * gap
    return places


def label_ends(
    axes: Axes, ends: Sequence[tuple[float, str, str]], gap: float = 0.055, size: float = 9
) -> None:
    """Name lines at the right edge of their panel, with a thin leader where a name had to move.

    Parameters
    ----------
    ends
        (height in data units, text, colour).
    gap
        Between two names, as a share of the panel's height.
    """
    low, high = axes.get_ylim()
    scale = log if axes.get_yscale() == "log" else float
    share = [(scale(y) - scale(low)) / (scale(high) - scale(low)) for y, _, _ in ends]
    for at, to, (_, text, color) in zip(share, spread(share, gap), ends, strict=True):
        if -1e-9 <= at <= 1 + 1e-9:
            axes.plot(
                [1, 1.025],
                [at, to],
                transform=axes.transAxes,
                color=color,
                linewidth=0.8,
                clip_on=False,
            )
            axes.text(
                1.03, to, text, transform=axes.transAxes, color=color, fontsize=size, va="center"
            )


def percent(rates: Sequence[float]) -> list[float]:
    """Rates as they stand on an axis."""
    return [100 * rate for rate in rates]


def mark_point(axes: Axes, point: str, rate: float, height: float, edge: float, color: str) -> bool:
    """An operating point; one beyond the axis stands at its edge. Whether it does.

    Parameters
    ----------
    rate, edge
        Probabilities; the axis is in per cent and ends at the edge.
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
