"""Draw the figures of a study as files.

matplotlib is imported when the first figure is drawn, and never through pyplot, which would leave
state in the process.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import InputError
from ..results.study_results import StudyResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = {
    "conditional-entropy": "conditional",
    "joint-entropy": "joint",
    "codeword-length": "codewords",
    "bit-rates": "bit_rates",
    "amortisation": "amortisation",
    "cells": "cells",
}
"""Name of each figure and of its files -> the module that draws it."""

KINDS = ("svg", "png")
DPI = 200
STYLE = {
    "svg.hashsalt": "zarrmal",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 4,
    "figure.facecolor": "white",
}


def draw_all(results: StudyResults, folder: Path) -> list[Path]:
    """Draw every figure that the results have numbers for, as PNG and as SVG.

    The same results give the same bytes of SVG.

    Parameters
    ----------
    folder
        Folder of the study. Figures are written to ``figures`` in it.

    Returns
    -------
    list
        Paths of the files.

    Raises
    ------
    InputError
        If matplotlib is not installed.
    """
    figures_folder = folder / "figures"
    figures_folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in FIGURES:
        for kind, image in zip(KINDS, _render(results, name, KINDS), strict=True):
            if image is not None:
                path = figures_folder / f"{name}.{kind}"
                path.write_bytes(image)
                written.append(path)
    return written


def drawing(results: StudyResults, name: str, kind: str = "svg") -> bytes | None:
    """Render one figure as "png" or "svg"; None if the results lack its numbers."""
    return _render(results, name, (kind,))[0]


def _render(results: StudyResults, name: str, kinds: tuple[str, ...]) -> list[bytes | None]:
    try:
        from matplotlib import rc_context
    except ModuleNotFoundError:
        raise InputError(
            "figures need matplotlib, which is not installed: pip install 'zarrmal[plot]'"
        ) from None
    module = import_module(f".{FIGURES[name]}", __package__)
    draw: Callable[[StudyResults], Figure | None] = module.draw
    images: list[bytes | None] = []
    with rc_context(STYLE):  # type: ignore[arg-type]
        figure = draw(results)
        for kind in kinds:
            if figure is None:
                images.append(None)
                continue
            out = BytesIO()
            metadata = {"Date": None} if kind == "svg" else None
            figure.savefig(out, format=kind, dpi=DPI, metadata=metadata)
            images.append(out.getvalue())
    return images
