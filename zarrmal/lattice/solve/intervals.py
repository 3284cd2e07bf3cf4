"""What each sample of an interpolated plane may be, exactly.

A pixel between two samples a and b is (3 a + b + offset) >> shift, so that each pixel bounds a sum,
and two pixels lie between any two neighbours: 3 a + b and a + 3 b are both bounded. Bounds go along
a row forwards and backwards until each sample has the values that all pixels of its row allow. Of
4:2:2 most samples are then known; of 4:2:0 rows give sums of two samples of a column, and columns
the samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.jpeg.upsampling import FANCY, Ratio

from ..compiled import compiled

Bounds = NDArray[np.int32]

WIDE, NEAR = 8, 3
"""Bounds that are wider are narrowed to so much around the nearest pixels, as a guess."""

ANYTHING = 1 << 14
"""No bound of a sum."""

MOST_WRONG = 0.1
"""Share of contradictory sums of samples beyond which nothing more is looked at."""

N_PASSES = 2
"""Times that rows and columns of 4:2:0 tell each other what they know."""


def sample_bounds(
    low: NDArray[np.uint8],
    high: NDArray[np.uint8],
    known: NDArray[np.bool_],
    ratio: Ratio,
    *,
    fancy: bool,
) -> tuple[Bounds, Bounds, NDArray[np.bool_]]:
    """Least and greatest value of each sample behind a plane of pixels.

    Parameters
    ----------
    low, high
        uint8 (y, x): what each pixel may be; sides are multiples of the ratio.
    known
        bool (y, x); other pixels bound nothing.
    ratio, fancy
        Of the plane's upsampling.

    Returns
    -------
    tuple
        Bounds int32 (row, column), 0 and 255 where nothing is known, and bool: the sample is part
        of a contradiction, so that the assumption on the upsampling is wrong or a pixel is not the
        decoder's.
    """
    least = np.where(known, low, 0).astype(np.int32)
    most = np.where(known, high, 255).astype(np.int32)
    down, across = ratio
    shape = low.shape[0] // down, low.shape[1] // across
    is_wrong = np.zeros(shape, np.bool_)
    if not (fancy and ratio in FANCY):
        square = shape[0], down, shape[1], across
        low_samples = least.reshape(square).max(axis=(1, 3))
        high_samples = most.reshape(square).min(axis=(1, 3))
        is_wrong = low_samples > high_samples
        return (
            np.where(is_wrong, 0, low_samples).astype(np.int32),
            np.where(is_wrong, 255, high_samples).astype(np.int32),
            is_wrong,
        )
    if ratio == (1, 2):
        bounds = np.zeros(shape, np.int32), np.full(shape, 255, np.int32)
        _rows(least, most, known, 2, 1, 2, *bounds, is_wrong)
        return *bounds, is_wrong
    if ratio == (2, 1):
        bounds = np.zeros(shape[::-1], np.int32), np.full(shape[::-1], 255, np.int32)
        flipped = (least.T.copy(), most.T.copy(), known.T.copy())
        wrong = is_wrong.T.copy()
        _rows(*flipped, 2, 1, 2, *bounds, wrong)
        return bounds[0].T.copy(), bounds[1].T.copy(), wrong.T.copy()
    sums = low.shape[0], shape[1]
    low_sums, high_sums = np.zeros(sums, np.int32), np.full(sums, 4 * 255, np.int32)
    wrong = np.zeros(sums, np.bool_)
    bounds = np.zeros(shape[::-1], np.int32), np.full(shape[::-1], 255, np.int32)
    wrong_columns = is_wrong.T.copy()
    everywhere = np.ones(sums[::-1], np.bool_)
    for number in range(N_PASSES):
        _rows(least, most, known, 4, 8, 7, low_sums, high_sums, wrong)
        if wrong.mean() > MOST_WRONG:
            return bounds[0].T.copy(), bounds[1].T.copy(), np.ones(shape, np.bool_)
        columns = low_sums.T.copy(), high_sums.T.copy()
        _rows(*columns, everywhere, 0, 0, 0, *bounds, wrong_columns)
        if number + 1 < N_PASSES:
            _tell_sums(*bounds, low_sums, high_sums)
    is_wrong = wrong_columns.T | wrong.reshape(shape[0], 2, shape[1]).any(axis=1)
    return bounds[0].T.copy(), bounds[1].T.copy(), is_wrong


def likely_bounds(
    low: NDArray[np.uint8],
    high: NDArray[np.uint8],
    known: NDArray[np.bool_],
    ratio: Ratio,
    least: Bounds,
    most: Bounds,
) -> tuple[Bounds, Bounds]:
    """Bounds of samples, narrower where they are wide: a sample is about as its nearest pixels.

    Parameters
    ----------
    low, high, known, ratio
        See ``sample_bounds``.
    least, most
        What that returned.
    """
    if ratio == (1, 1):
        return least, most
    likely = least.copy(), most.copy()
    _likely(low, high, known, ratio, *likely)
    return likely


@compiled
def _likely(
    low: NDArray[np.uint8],
    high: NDArray[np.uint8],
    known: NDArray[np.bool_],
    ratio: Ratio,
    least: Bounds,
    most: Bounds,
) -> None:
    down, across = ratio
    for i in range(least.shape[0]):
        for j in range(least.shape[1]):
            if most[i, j] - least[i, j] <= WIDE:
                continue
            from_pixels, to_pixels = 255, 0
            for y in range(down * i, down * i + down):
                for x in range(across * j, across * j + across):
                    if known[y, x]:
                        from_pixels = min(from_pixels, int(low[y, x]))
                        to_pixels = max(to_pixels, int(high[y, x]))
            if from_pixels <= to_pixels:
                least[i, j] = min(max(least[i, j], from_pixels - NEAR), most[i, j])
                most[i, j] = max(min(most[i, j], to_pixels + NEAR), least[i, j])


@compiled
def _rows(
    least: Bounds,
    most: Bounds,
    known: NDArray[np.bool_],
    shift: int,
    first_offset: int,
    second_offset: int,
    low: Bounds,
    high: Bounds,
    is_wrong: NDArray[np.bool_],
) -> None:
    """Narrow the bounds (row, column) by pixels (row, 2 column); the offsets of even, odd ones."""
    n_columns = low.shape[1]
    first = np.empty((2, n_columns), np.int32)
    second = np.empty((2, n_columns), np.int32)
    span = (1 << shift) - 1
    for y in range(low.shape[0]):
        for j in range(n_columns - 1):
            # 3 a + b, and a + 3 b.
            first[0, j], first[1, j] = -ANYTHING, ANYTHING
            second[0, j], second[1, j] = -ANYTHING, ANYTHING
            if known[y, 2 * j + 1]:
                first[0, j] = (least[y, 2 * j + 1] << shift) - second_offset
                first[1, j] = (most[y, 2 * j + 1] << shift) + span - second_offset
            if known[y, 2 * j + 2]:
                second[0, j] = (least[y, 2 * j + 2] << shift) - first_offset
                second[1, j] = (most[y, 2 * j + 2] << shift) + span - first_offset
        for j in range(n_columns - 1):
            if first[1, j] < ANYTHING or second[1, j] < ANYTHING:
                found, b_low, b_high = _narrowed(
                    low[y, j], high[y, j], low[y, j + 1], high[y, j + 1],
                    first[0, j], first[1, j], second[0, j], second[1, j],
                )  # fmt: skip
                if found:
                    low[y, j + 1], high[y, j + 1] = b_low, b_high
                else:
                    is_wrong[y, j] = is_wrong[y, j + 1] = True
        for j in range(n_columns - 2, -1, -1):
            if first[1, j] < ANYTHING or second[1, j] < ANYTHING:
                found, a_low, a_high = _narrowed(
                    low[y, j + 1], high[y, j + 1], low[y, j], high[y, j],
                    second[0, j], second[1, j], first[0, j], first[1, j],
                )  # fmt: skip
                if found:
                    low[y, j], high[y, j] = a_low, a_high
                else:
                    is_wrong[y, j] = is_wrong[y, j + 1] = True


@compiled
def _narrowed(
    a_low: int, a_high: int, b_low: int, b_high: int,
    first_low: int, first_high: int, second_low: int, second_high: int,
) -> tuple[bool, int, int]:  # fmt: skip
    """Bounds of b, where 3 a + b and a + 3 b are bounded; False if there is no such b."""
    # 8 a = 3 (3 a + b) - (a + 3 b)
    start = max(a_low, -((second_high - 3 * first_low) // 8))
    stop = min(a_high, (3 * first_high - second_low) // 8)
    low, high = 1 << 14, -1
    for a in range(start, stop + 1):
        b_from = max(b_low, first_low - 3 * a, -((a - second_low) // 3))
        b_to = min(b_high, first_high - 3 * a, (second_high - a) // 3)
        if b_from <= b_to:
            low, high = min(low, b_from), max(high, b_to)
    return low <= high, low, high


@compiled
def _tell_sums(low: Bounds, high: Bounds, low_sums: Bounds, high_sums: Bounds) -> None:
    """Narrow sums 3 a + b of neighbours in a column by bounds of the samples (column, row)."""
    n_columns, n_rows = low.shape
    for i in range(n_rows):
        for side in range(2):
            other = i + (1 if side else -1)
            if not 0 <= other < n_rows:
                continue
            for j in range(n_columns):
                least = 3 * low[j, i] + low[j, other]
                most = 3 * high[j, i] + high[j, other]
                y = 2 * i + side
                # A contradiction is told by the samples, and leaves the sums as they are.
                if max(least, low_sums[y, j]) <= min(most, high_sums[y, j]):
                    low_sums[y, j] = max(least, low_sums[y, j])
                    high_sums[y, j] = min(most, high_sums[y, j])
