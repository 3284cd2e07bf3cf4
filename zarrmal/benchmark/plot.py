"""One picture of a benchmark: how small, and how fast to read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from .measure import Measurement
from .ours import UNSEEN
from .run import BenchmarkResult

ENDINGS = (".png", ".svg")
OURS_COLOUR, THEIR_COLOUR = "#D55E00", "#0072B2"
"""Vermilion and blue of Okabe and Ito: told apart by any eye, and in grey; the markers differ too.
"""

LABEL_WIDTH, LABEL_HEIGHT = 130.0, 14.0
"""In dots of a figure that is not saved yet."""


def refuse_unplottable(place: Path) -> None:
    """InputError before a long run: another ending, no such folder, or no matplotlib."""
    if place.suffix.lower() not in ENDINGS:
        raise InputError(f"--plot {place}: its ending must be one of {', '.join(ENDINGS)}")
    if place.is_dir():
        raise InputError(f"--plot {place} is a folder: name a file")
    fresh = not place.exists()
    try:
        with place.open("ab"):
            pass
        if fresh:
            place.unlink()
    except OSError as error:
        raise InputError(f"--plot {place} cannot be written: {error.strerror}") from None
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise InputError("--plot needs matplotlib: install zarrmal[plot]") from None


def plotted(result: BenchmarkResult) -> tuple[Measurement, ...]:
    """What stands in the picture: unseen cells, sheets of theirs, archives of ours with the model.

    Of ours the first way to give classes; a rate for a further cell stands in the tables.
    """
    names = {one.name for one in result.ours}
    chosen: dict[str, Measurement] = {}
    for m in result.measurements:
        mine = m.coder in names
        if m.cells != UNSEEN or not m.decode_mb_s or not (mine or m.arrangement == "sheet"):
            continue
        if m.model_counted:
            chosen.setdefault(m.coder, m)
    return tuple(chosen.values())


def draw(result: BenchmarkResult, place: Path) -> None:
    """Bits per pixel against decoding speed, one labelled marker a coder, ours highlighted.

    Parameters
    ----------
    place
        Ends in .png or .svg.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    names = {one.name for one in result.ours}
    rows = sorted(plotted(result), key=lambda m: m.bits_per_pixel)
    for m in rows:
        mine = m.coder in names
        axes.plot(
            m.decode_mb_s or 0.0,
            m.bits_per_pixel,
            marker="*" if mine else "o",
            markersize=15 if mine else 7,
            color=OURS_COLOUR if mine else THEIR_COLOUR,
            linestyle="none",
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.margins(x=0.2, y=0.1)  # room for the labels
    axes.grid(visible=True, which="both", alpha=0.2)
    axes.set_xlabel("decoding, MB of raw pixels a second, one thread (log)")
    axes.set_ylabel("bits per pixel, all side information counted")
    busy = "; the machine was busy: speeds are no measure" if result.machine["busy"] else ""
    axes.set_title(f"{result.n_cells[UNSEEN]:,} cells of unseen slides, lossless{busy}")
    figure.draw_without_rendering()  # places of the labels depend on the layout
    heights: list[tuple[float, float]] = []
    for label, m in zip(_labels(rows), rows, strict=True):
        x, y = axes.transData.transform((m.decode_mb_s or 1.0, m.bits_per_pixel))
        below = [h for at, h in heights if abs(at - x) < LABEL_WIDTH]
        shown = max([y, *(h + LABEL_HEIGHT for h in below)])
        heights.append((x, shown))
        axes.annotate(
            label,
            (m.decode_mb_s or 1.0, m.bits_per_pixel),
            xytext=(9, 72 / figure.dpi * (shown - y)),
            textcoords="offset points",
            verticalalignment="center",
            fontsize=8,
            fontweight="bold" if m.coder in names else "normal",
        )
    figure.savefig(place, format=place.suffix[1:].lower(), dpi=150)


def _labels(rows: Sequence[Measurement]) -> list[str]:
    """Names without settings, but the effort, where that tells them apart."""
    short = []
    for m in rows:
        kind, _, settings = m.coder.partition(":")
        long = m.coder.startswith("zarrmal:") or settings.startswith("effort=")
        short.append(m.coder if long else kind)
    return [
        name if short.count(name) == 1 else m.coder for name, m in zip(short, rows, strict=True)
    ]
