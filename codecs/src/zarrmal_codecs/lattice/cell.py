"""What is known of a cell that was cut out of a JPEG picture, or is one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .picture import Camera


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JpegCell:
    """The quantised coefficients behind a cell's pixels, and where they lie.

    Parameters
    ----------
    camera
        Tables of steps, sampling, colour.
    phase
        Row and column of the cell's first pixel in its group of blocks; (0, 0) for a file.
    coefficients
        For each plane int16 (row, column, 8, 8), as many blocks as
        ``camera.n_blocks(shape, phase)``; of a file as many as its scan holds.
    coded
        For each plane bool (row, column): blocks for which there are coefficients.
    is_file
        The cell is a whole JPEG picture: blocks that only fill its last groups are kept as well.
    """

    camera: Camera
    phase: tuple[int, int]
    coefficients: tuple[NDArray[np.int16], ...]
    coded: tuple[NDArray[np.bool_], ...]
    is_file: bool = False
