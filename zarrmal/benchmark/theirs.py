"""Their side of the benchmark: all rivals, one cell a file and in sheets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, silent
from ..sources import Source
from .kept import Kept, cells_digest
from .measure import Measurement, measure_rival
from .ours import UNSEEN, spread
from .rivals import Rival

MAX_CELLS_ONE_BY_ONE = 1000
"""One file a cell is slow for some coders and needs no large sample."""
ARRANGEMENTS: tuple[Literal["cell", "sheet"], ...] = ("cell", "sheet")


def measure_rivals(
    rivals: Sequence[Rival], unseen: Source, kept: Kept, progress: Progress = silent
) -> tuple[list[Measurement], dict[str, str]]:
    """Measurements, and the rivals that cannot run here with the reason.

    Parameters
    ----------
    unseen
        The cells: all in sheets, some of them one by one.
    kept
        Takes what an earlier run measured, and keeps the rest.

    Raises
    ------
    LossyError
        If any coder did not give back the exact pixels.
    """
    pixels, classes = _sorted(unseen)
    few = spread(np.arange(len(pixels)), MAX_CELLS_ONE_BY_ONE)
    parts: dict[str, tuple[NDArray[np.uint8], NDArray[Any] | None]] = {
        "cell": (pixels[few], None if classes is None else classes[few]),
        "sheet": (pixels, classes),
    }
    digests = {name: cells_digest(*part) for name, part in parts.items()}
    found: list[Measurement] = []
    missing: dict[str, str] = {}
    for k, rival in enumerate(rivals):
        for arrangement in ARRANGEMENTS:
            progress("other coders", k, len(rivals), f"{rival.name}, {arrangement}")
            cells, names = parts[arrangement]

            def measure(
                rival: Rival = rival,
                arrangement: Literal["cell", "sheet"] = arrangement,
                cells: NDArray[np.uint8] = cells,
                names: NDArray[Any] | None = names,
            ) -> Measurement:
                return measure_rival(rival, cells, arrangement, of=UNSEEN, classes=names)

            key = {
                "coder": rival.name,
                "columns": rival.columns,
                "arrangement": arrangement,
                "cells_sha256": digests[arrangement],
            }
            try:
                found.append(kept.measured(key, measure))
            except ImportError as error:
                missing[rival.name] = f"{error}: install zarrmal[bench]"
    progress("other coders", len(rivals), len(rivals))
    return found, missing


def _sorted(cells: Source) -> tuple[NDArray[np.uint8], NDArray[Any] | None]:
    """All pixels, class by class: the best order for sheets, and the archive's own; the classes."""
    if cells.labels is None:
        return cells.read(np.arange(cells.n_cells)), None
    order = np.argsort(cells.labels, kind="stable")
    return cells.read(order), np.asarray(cells.class_names)[cells.labels[order]]
