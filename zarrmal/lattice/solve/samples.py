"""Samples of a plane, estimated from the pixels that were interpolated between them.

Least squares, by Gauss and Seidel: each sample in turn takes the value that its pixels want, given
the other samples. The true samples are integers within about one of the estimate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.upsampling import FANCY, Ratio

from ..compiled import compiled
from .dct import BLOCK, Float

N_SWEEPS = 12
PIXEL_VARIANCE = 1 / 12
SAMPLE_VARIANCE = 1 / 12


def sample_variances(ratio: Ratio, *, fancy: bool) -> Float:
    """Variance of the error of each frequency, of estimates inside a plane; (64,).

    Interpolation damps high frequencies, so its inverse amplifies the rounding of pixels there. The
    samples were rounded before that.
    """
    powers = []
    for side in ratio:
        angles = np.pi * np.arange(BLOCK) / BLOCK
        interpolated = fancy and ratio in FANCY and side == 2
        powers.append((10 + 6 * np.cos(angles)) / 8 if interpolated else np.full(BLOCK, np.inf))
    if not np.isfinite(powers[0]).all() and not np.isfinite(powers[1]).all():
        return np.full(BLOCK * BLOCK, SAMPLE_VARIANCE)
    powers = [np.where(np.isfinite(power), power, 1.0) for power in powers]
    errors = PIXEL_VARIANCE / np.multiply.outer(powers[0], powers[1])
    variances: Float = (SAMPLE_VARIANCE + errors).reshape(-1)
    return variances


def estimate_samples(
    low: NDArray[np.uint8],
    high: NDArray[np.uint8],
    known: NDArray[np.bool_],
    ratio: Ratio,
    *,
    fancy: bool,
) -> tuple[Float, NDArray[np.bool_]]:
    """Samples behind a plane of pixels.

    Parameters
    ----------
    low, high
        uint8 (y, x): what each pixel may be; sides are multiples of the ratio.
    known
        bool (y, x).
    ratio, fancy
        Of the plane's upsampling.

    Returns
    -------
    tuple
        Samples float64 (row, column), and bool: all pixels nearest to the sample are known. Other
        samples may be anything.
    """
    down, across = ratio
    rows, columns = low.shape[0] // down, low.shape[1] // across
    values = np.where(known, (low.astype(np.float64) + high) / 2, 0)
    count = known.reshape(rows, down, columns, across).sum((1, 3))
    total = values.reshape(rows, down, columns, across).sum((1, 3))
    estimate = np.where(count > 0, total / np.maximum(count, 1), 128.0)
    if ratio != (1, 1) and fancy and ratio in FANCY:
        _sweep(values, known, count > 0, down, across, estimate)
    return estimate, count == down * across


@compiled
def _sweep(
    values: Float,
    known: NDArray[np.bool_],
    seen: NDArray[np.bool_],
    down: int,
    across: int,
    estimate: Float,
) -> None:
    rows, columns = estimate.shape
    height, width = values.shape
    weight_2 = np.array([0.25, 0.75, 0.75, 0.25])
    weight_1 = np.array([1.0])
    vertical = weight_2 if down == 2 else weight_1
    horizontal = weight_2 if across == 2 else weight_1
    first_row = 1 if down == 2 else 0
    first_column = 1 if across == 2 else 0
    # What pixels lack; a sample not seen takes no part, its neighbour stands for it.
    lack = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            if known[y, x]:
                lack[y, x] = values[y, x]
    for i in range(rows):
        for j in range(columns):
            if not seen[i, j]:
                continue
            for a in range(len(vertical)):
                y = i * down - first_row + a
                for b in range(len(horizontal)):
                    x = j * across - first_column + b
                    if 0 <= y < height and 0 <= x < width and known[y, x]:
                        lack[y, x] -= vertical[a] * horizontal[b] * estimate[i, j]
    # Pixels with a neighbour not seen are explained by what is seen, in proportion.
    share = np.zeros((height, width))
    for i in range(rows):
        for j in range(columns):
            if seen[i, j]:
                for a in range(len(vertical)):
                    y = i * down - first_row + a
                    for b in range(len(horizontal)):
                        x = j * across - first_column + b
                        if 0 <= y < height and 0 <= x < width:
                            share[y, x] += vertical[a] * horizontal[b]
    for y in range(height):
        for x in range(width):
            if known[y, x] and share[y, x] < 0.999:
                lack[y, x] -= values[y, x] * (1 - share[y, x])
    for _ in range(N_SWEEPS):
        for i in range(rows):
            for j in range(columns):
                if not seen[i, j]:
                    continue
                wanted, power = 0.0, 0.0
                for a in range(len(vertical)):
                    y = i * down - first_row + a
                    for b in range(len(horizontal)):
                        x = j * across - first_column + b
                        if 0 <= y < height and 0 <= x < width and known[y, x]:
                            weight = vertical[a] * horizontal[b]
                            wanted += weight * lack[y, x]
                            power += weight * weight
                change = wanted / power
                estimate[i, j] += change
                for a in range(len(vertical)):
                    y = i * down - first_row + a
                    for b in range(len(horizontal)):
                        x = j * across - first_column + b
                        if 0 <= y < height and 0 <= x < width and known[y, x]:
                            lack[y, x] -= vertical[a] * horizontal[b] * change
