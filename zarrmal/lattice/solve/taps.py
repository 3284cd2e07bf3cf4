"""Which samples of a plane a pixel is computed from, as numbers for compiled loops.

`zarrmal_codecs.lattice.jpeg.upsampling` is what decodes; here is its inverse's view, one block at a
time: the block's samples within a ring of its neighbours', 10 x 10, and for each pixel up to four
of them with integer weights. A test holds the two equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.jpeg.upsampling import FANCY, Ratio

from .dct import BLOCK

RINGED = BLOCK + 2
"""Rows and columns of a block with its ring."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taps:
    """pixel = (sum of weight * sample + offset) >> shift.

    Attributes
    ----------
    ratio
        Rows and columns of pixels that a sample stands for.
    index
        int64 (pixel, 4): samples in the ringed block.
    weight
        int64 (pixel, 4): 0 for a tap not used; the first tap is a sample of the block itself.
    offset
        int64 (pixel,).
    shift
        0, 2 or 4.
    """

    ratio: Ratio
    index: NDArray[np.int64]
    weight: NDArray[np.int64]
    offset: NDArray[np.int64]
    shift: int


@lru_cache(maxsize=16)
def taps_of(ratio: Ratio, *, fancy: bool) -> Taps:
    """Taps of a plane's upsampling.

    Raises
    ------
    ValueError
        If a sample stands for more than 2 rows or columns.
    """
    if max(ratio) > 2:
        raise ValueError(f"a sample stands for {ratio} pixels, at most (2, 2) is supported")
    interpolated = fancy and ratio in FANCY
    sides = [_one_direction(side, interpolated) for side in ratio]
    pairs = [
        [
            (RINGED * (row + 1) + column + 1, a * b)
            for row, a in sides[0][y]
            for column, b in sides[1][x]
        ]
        for y in range(BLOCK * ratio[0])
        for x in range(BLOCK * ratio[1])
    ]
    index = np.zeros((len(pairs), 4), np.int64)
    weight = np.zeros((len(pairs), 4), np.int64)
    for n, taps in enumerate(pairs):
        for k, (sample, w) in enumerate(taps):
            index[n, k], weight[n, k] = sample, w
    total = int(weight[0].sum())
    shift = total.bit_length() - 1
    offset = np.array(
        [
            _offset(ratio, y, x) if interpolated else 0
            for y in range(BLOCK * ratio[0])
            for x in range(BLOCK * ratio[1])
        ],
        np.int64,
    )
    return Taps(ratio=ratio, index=index, weight=weight, offset=offset, shift=shift)


def _one_direction(side: int, interpolated: bool) -> list[list[tuple[int, int]]]:
    """Of each pixel along one direction the samples and their weights, the nearest first."""
    if side == 1 or not interpolated:
        return [[(pixel // side, 1)] for pixel in range(BLOCK * side)]
    return [[(p // 2, 3), (p // 2 + (1 if p % 2 else -1), 1)] for p in range(2 * BLOCK)]


def _offset(ratio: Ratio, y: int, x: int) -> int:
    """What is added before the shift; libjpeg alternates it, so that the mean stays."""
    if ratio == (2, 2):
        return 7 if x % 2 else 8
    return 2 if (x if ratio == (1, 2) else y) % 2 else 1
