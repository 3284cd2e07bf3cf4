"""A plane cut into the blocks of a camera's grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.upsampling import Ratio

from ..preimage import Planes
from .dct import BLOCK

Phase = tuple[int, int]
"""Row and column of the first pixel in its group of blocks."""


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
    """

    low: NDArray[np.uint8]
    high: NDArray[np.uint8]
    known: NDArray[np.bool_]

    @property
    def n_known(self) -> NDArray[np.int64]:
        """Number of known pixels of each block, int64 (row, column)."""
        return np.asarray(self.known.sum(axis=2), np.int64)

    @property
    def is_whole(self) -> NDArray[np.bool_]:
        """Blocks all of whose pixels are known, bool (row, column)."""
        return np.asarray(self.known.all(axis=2))

    @property
    def is_exact(self) -> NDArray[np.bool_]:
        """Whole blocks without a clamped pixel, bool (row, column)."""
        return np.asarray(self.is_whole & (self.low == self.high).all(axis=2))


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
    sides = [BLOCK * side for side in ratio]
    shape = planes.visible.shape
    counts = [-(-(n + start) // side) for n, start, side in zip(shape, phase, sides, strict=True)]
    area = tuple(slice(start, start + n) for start, n in zip(phase, shape, strict=True))

    def cut(values: NDArray[np.generic], outside: int) -> NDArray[np.generic]:
        padded = np.full((counts[0] * sides[0], counts[1] * sides[1]), outside, values.dtype)
        padded[area] = values
        blocks = padded.reshape(counts[0], sides[0], counts[1], sides[1]).transpose(0, 2, 1, 3)
        return blocks.reshape(counts[0], counts[1], sides[0] * sides[1])

    return PlaneBlocks(
        low=cut(planes.low[plane], 0).astype(np.uint8, copy=False),
        high=cut(planes.high[plane], 255).astype(np.uint8, copy=False),
        known=cut(planes.has_preimage, 0).astype(np.bool_, copy=False),
    )
