"""A plane cut into the blocks of a camera's grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.jpeg.upsampling import Ratio

from ..compiled import compiled
from ..preimage import Planes
from .dct import BLOCK

Phase = tuple[int, int]
"""Row and column of the first pixel in its group of blocks."""

Where = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Rows and columns of some blocks."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaneBlocks:
    """What is seen of each block of one plane.

    Attributes
    ----------
    low, high
        uint8 (row, column, pixel): what each pixel of the plane may be; a block has 64 pixels, or
        as many times more as a sample stands for.
    known
        bool (row, column, pixel): pixels that are visible and have a preimage.
    n_known
        Number of known pixels of each block, int64 (row, column).
    is_whole
        Blocks all of whose pixels are known, bool (row, column).
    is_exact
        Whole blocks without a clamped pixel, bool (row, column).
    """

    low: NDArray[np.uint8]
    high: NDArray[np.uint8]
    known: NDArray[np.bool_]
    n_known: NDArray[np.int64]
    is_whole: NDArray[np.bool_]
    is_exact: NDArray[np.bool_]


def cut_into_blocks(planes: Planes, plane: int, ratio: Ratio, phase: Phase) -> PlaneBlocks:
    """Blocks of a plane, as many as `Camera.n_blocks` says.

    Parameters
    ----------
    planes
        Of a picture.
    plane
        Which of them.
    ratio
        Rows and columns of pixels that a sample of the plane stands for.
    phase
        Row and column of the first pixel in its group of blocks.
    """
    sides = BLOCK * ratio[0], BLOCK * ratio[1]
    shape = planes.visible.shape
    counts = tuple(-(-(n + start) // side) for n, start, side in zip(shape, phase, sides,
                                                                     strict=True))  # fmt: skip
    low = np.zeros((*counts, sides[0] * sides[1]), np.uint8)
    high = np.full(low.shape, 255, np.uint8)
    known = np.zeros(low.shape, np.bool_)
    n_known, n_clamped = np.zeros(counts, np.int64), np.zeros(counts, np.int64)
    _cut(
        planes.low[plane], planes.high[plane], planes.has_preimage, phase, sides,
        low, high, known, n_known, n_clamped,
    )  # fmt: skip
    is_whole = n_known == low.shape[2]
    return PlaneBlocks(
        low=low, high=high, known=known, n_known=n_known,
        is_whole=is_whole, is_exact=is_whole & (n_clamped == 0),
    )  # fmt: skip


@compiled
def _cut(
    plane_low: NDArray[np.uint8],
    plane_high: NDArray[np.uint8],
    plane_known: NDArray[np.bool_],
    phase: Phase,
    sides: Phase,
    low: NDArray[np.uint8],
    high: NDArray[np.uint8],
    known: NDArray[np.bool_],
    n_known: NDArray[np.int64],
    n_clamped: NDArray[np.int64],
) -> None:
    for y in range(plane_known.shape[0]):
        row, down = (y + phase[0]) // sides[0], (y + phase[0]) % sides[0]
        for x in range(plane_known.shape[1]):
            if not plane_known[y, x]:
                continue
            column, across = (x + phase[1]) // sides[1], (x + phase[1]) % sides[1]
            pixel = down * sides[1] + across
            low[row, column, pixel] = plane_low[y, x]
            high[row, column, pixel] = plane_high[y, x]
            known[row, column, pixel] = True
            n_known[row, column] += 1
            if plane_low[y, x] != plane_high[y, x]:
                n_clamped[row, column] += 1
