"""A plot of a benchmark: rate against decoding speed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from .measurement import UNSEEN, Measurement
from .run import BenchmarkResult

SUFFIXES = (".png", ".svg")
MODEL_COLOUR, RIVAL_COLOUR = "#D55E00", "#0072B2"
"""Vermilion and blue of Okabe and Ito, distinct for every reader and in grey; markers differ too.
"""

LABEL_WIDTH, LABEL_HEIGHT = 130.0, 14.0
"""In dots of the figure before it is saved."""


def refuse_unplottable(path: Path) -> None:
    """Check before a long run that the plot can be written.

    Raises
    ------
    InputError
        If the suffix is unknown, the file cannot be written, or matplotlib is missing.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"--plot {path}: its suffix must be one of {', '.join(SUFFIXES)}")
    if path.is_dir():
        raise InputError(f"--plot {path} is a folder: name a file")
    is_new = not path.exists()
    try:
        with path.open("ab"):
            pass
        if is_new:
            path.unlink()
    except OSError as error:
        raise InputError(f"--plot {path} cannot be written: {error.strerror}") from None
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise InputError("--plot needs matplotlib: install zarrmal[plot]") from None


def plotted(result: BenchmarkResult) -> tuple[Measurement, ...]:
    """Rows to plot, all on unseen cells: rivals in their best files, archives with their model.

    Each model has one row, the first assignment of classes.
    """
    names = {model.name for model in result.models}
    rows: dict[str, Measurement] = {}
    for m in result.measurements:
        comparable = m.coder in names or m.arrangement == result.rivals_in
        if m.cells == UNSEEN and m.decode_mb_s and comparable and m.model_counted:
            rows.setdefault(m.coder, m)
    return tuple(rows.values())


def draw(result: BenchmarkResult, path: Path) -> None:
    """Plot bits per pixel against decoding speed, one labelled marker per coder.

    Parameters
    ----------
    path
        Its suffix is .png or .svg.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    names = {model.name for model in result.models}
    rows = sorted(plotted(result), key=lambda m: m.bits_per_pixel)
    for m in rows:
        is_model = m.coder in names
        axes.plot(
            m.decode_mb_s or 0.0,
            m.bits_per_pixel,
            marker="*" if is_model else "o",
            markersize=15 if is_model else 7,
            color=MODEL_COLOUR if is_model else RIVAL_COLOUR,
            linestyle="none",
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.margins(x=0.2, y=0.1)  # room for the labels
    axes.grid(visible=True, which="both", alpha=0.2)
    axes.set_xlabel("decoding, MB of raw pixels a second, one thread (log)")
    axes.set_ylabel("bits per pixel, all side information counted")
    busy = "; the machine was busy: speeds are not reliable" if result.machine["busy"] else ""
    axes.set_title(f"{result.n_cells[UNSEEN]:,} cells of unseen slides, lossless{busy}")
    figure.draw_without_rendering()  # label positions depend on the layout
    labels: list[tuple[float, float]] = []
    for name, m in zip(_short_names(rows), rows, strict=True):
        x, y = axes.transData.transform((m.decode_mb_s or 1.0, m.bits_per_pixel))
        below = [label_y for label_x, label_y in labels if abs(label_x - x) < LABEL_WIDTH]
        height = max([y, *(label_y + LABEL_HEIGHT for label_y in below)])
        labels.append((x, height))
        axes.annotate(
            name,
            (m.decode_mb_s or 1.0, m.bits_per_pixel),
            xytext=(9, 72 / figure.dpi * (height - y)),
            textcoords="offset points",
            verticalalignment="center",
            fontsize=8,
            fontweight="bold" if m.coder in names else "normal",
        )
    figure.savefig(path, format=path.suffix[1:].lower(), dpi=150)


def _short_names(rows: Sequence[Measurement]) -> list[str]:
    """Names without settings; an effort stays, and so does what distinguishes two equal names."""
    short = []
    for m in rows:
        kind, _, settings = m.coder.partition(":")
        keep_settings = m.coder.startswith("zarrmal:") or settings.startswith("effort=")
        short.append(m.coder if keep_settings else kind)
    return [
        name if short.count(name) == 1 else m.coder for name, m in zip(short, rows, strict=True)
    ]
