"""Planes of fewer samples ↔ one sample a pixel, as libjpeg-turbo does it.

"Fancy" upsampling weighs the nearest sample 3 to 1 against the next nearest, the other kind
repeats the nearest. Where there is no next nearest, the nearest takes its part.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Ratio = tuple[int, int]
"""Rows and columns of pixels that one sample stands for."""
FANCY: Final[frozenset[Ratio]] = frozenset({(1, 2), (2, 1), (2, 2)})
"""Ratios for which libjpeg-turbo has a fancy upsampling."""
NARROW: Final = 2
"""Up to so many columns of samples (1, 2) and (2, 2) are repeated instead."""


def is_fancy(ratio: Ratio, n_columns: int, *, fancy: bool) -> bool:
    """Whether a plane ``n_columns`` samples wide is upsampled the fancy way."""
    return fancy and ratio in FANCY and (ratio[1] == 1 or n_columns > NARROW)


def _neighbour(
    values: NDArray[np.int32], known: NDArray[np.bool_] | None, axis: Literal[0, 1], step: int
) -> NDArray[np.int32]:
    """Of each sample the one before (step -1) or after it (1), or itself where there is none."""
    index = np.clip(np.arange(values.shape[axis]) + step, 0, values.shape[axis] - 1)
    result: NDArray[np.int32] = values.take(index, axis)
    return result if known is None else np.where(known.take(index, axis), result, values)


def _interleaved(
    even: NDArray[np.int32], odd: NDArray[np.int32], axis: Literal[0, 1]
) -> NDArray[np.int32]:
    both = np.stack([even, odd], axis=axis + 1)
    n_rows, n_columns = even.shape
    return both.reshape((2 * n_rows, n_columns) if axis == 0 else (n_rows, 2 * n_columns))


def upsampled(
    plane: NDArray[np.uint8],
    ratio: Ratio,
    *,
    fancy: bool = True,
    known: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """One sample a pixel, uint8 (rows * ratio[0], columns * ratio[1]).

    Parameters
    ----------
    plane
        uint8 (row, column). Its edges are those of the picture: they have no neighbours.
    ratio
        Rows and columns of pixels that a sample stands for, 1..4 each.
    fancy
        Whether the decoder of the picture interpolated where it can; see FANCY and NARROW.
    known
        bool (row, column): a sample not known is no neighbour of others.
    """
    if not is_fancy(ratio, plane.shape[1], fancy=fancy):
        return plane.repeat(ratio[0], axis=0).repeat(ratio[1], axis=1)
    values = plane.astype(np.int32)
    if ratio == (1, 2):
        even = (3 * values + _neighbour(values, known, 1, -1) + 1) >> 2
        odd = (3 * values + _neighbour(values, known, 1, 1) + 2) >> 2
        return _interleaved(even, odd, 1).astype(np.uint8)
    above = 3 * values + _neighbour(values, known, 0, -1)
    below = 3 * values + _neighbour(values, known, 0, 1)
    if ratio == (2, 1):
        return _interleaved((above + 1) >> 2, (below + 2) >> 2, 0).astype(np.uint8)
    rows = _interleaved(above, below, 0)
    known = None if known is None else known.repeat(2, axis=0)
    even = (3 * rows + _neighbour(rows, known, 1, -1) + 8) >> 4
    odd = (3 * rows + _neighbour(rows, known, 1, 1) + 7) >> 4
    return _interleaved(even, odd, 1).astype(np.uint8)
