"""A task: one stored object to be written, and what came of it.

A task is small and can be sent to another machine. The object's bytes depend only on the cells,
their classes, the model and the cells that the object holds already.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.paper.golomb_rice import RiceChoice

from ...contents import Contents
from ...format import JPEG_FRAME, MASK
from .lattice import LatticeSearch


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """One object to be written.

    Parameters
    ----------
    number
        Index of the object in the array.
    n_stored
        Cells at its start that are stored already; their pixels stay.
    rows
        int64 (cell,): indices in the source of its other cells.
    classes
        uint8 (cell,): classes of all its cells.
    lattice
        How coefficients of JPEG pictures behind the other cells are had; None: they are not used.
    rice
        How Rice parameters are chosen.
    """

    number: int
    n_stored: int
    rows: NDArray[np.int64]
    classes: NDArray[np.uint8]
    lattice: LatticeSearch | None = None
    rice: RiceChoice = "mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """The outcome of a task.

    Parameters
    ----------
    number
        Index of the object in the array.
    sha256
        Of the object's bytes, hexadecimal.
    mask_sha256, frame_sha256
        Of those of the masks, and of what surrounds coefficients in JPEG files; None in an archive
        without.
    n_cells
        New cells in it.
    reused
        An earlier run had stored it.
    contents
        What the headers of its chunks tell.
    """

    number: int
    sha256: str
    mask_sha256: str | None
    frame_sha256: str | None
    n_cells: int
    reused: bool
    contents: Contents

    def sha256_of(self, array: str) -> str:
        """Of the object of an array of WITH_CELLS."""
        others = {MASK: self.mask_sha256, JPEG_FRAME: self.frame_sha256}
        digest = others.get(array, self.sha256)
        assert digest is not None
        return digest
