"""What samples tell of a block's coefficients, as a Gaussian."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled
from .dct import Float

UNKNOWN = 200
"""A sample that may have more values than this is not seen."""

SMALLEST = 1e-9
"""Variance of a sample that rounding errors may have made 0."""


@compiled
def _precision(low: int, high: int, noise: float) -> float:
    """Of a sample: each integer stands for an interval of width 1."""
    width = high - low + 1.0
    return 0.0 if width > UNKNOWN else 12.0 / (noise * width * width)


@compiled
def condition(
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    noise: float,
    spread: float,
    deviation: Float,
    effects: Float,
    covariance: Float,
) -> None:
    """Covariance (64, 64) of the quantised coefficients, given bounds of samples.

    If all samples were known alike, or none, it would be diagonal; each that is not is one change
    of rank 1 (Sherman and Morrison). `effects` is what a level of each coefficient does to each
    sample, (sample, coefficient).
    """
    whole = 12.0 / noise
    n_whole = 0
    for i in range(64):
        n_whole += low[i] == high[i]
    base = whole if n_whole >= 32 else 0.0
    covariance[:] = 0.0
    for j in range(64):
        size = deviation[j] * spread
        told = 0.0
        for i in range(64):
            told += effects[i, j] * effects[i, j]
        covariance[j, j] = 1.0 / (base * told + 1.0 / (size * size))
    change = np.empty(64)
    for i in range(64):
        more = _precision(low[i], high[i], noise) - base
        if more == 0.0:
            continue
        change[:] = 0.0
        for a in range(64):
            factor = effects[i, a]
            for b in range(64):
                change[b] += factor * covariance[a, b]
        told = 0.0
        for j in range(64):
            told += effects[i, j] * change[j]
        divisor = 1.0 / more + told
        if more < 0 and divisor > -SMALLEST:
            divisor = -SMALLEST
        scale = 1.0 / divisor
        for a in range(64):
            factor = scale * change[a]
            for b in range(64):
                covariance[a, b] -= factor * change[b]


@compiled
def expected(
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    noise: float,
    effects: Float,
    covariance: Float,
    mean: Float,
) -> None:
    """Mean (64,) of the quantised coefficients, given bounds of samples."""
    weighted = np.zeros(64)
    for i in range(64):
        value = _precision(low[i], high[i], noise) * (0.5 * (low[i] + high[i]) - 128)
        for j in range(64):
            weighted[j] += effects[i, j] * value
    mean[:] = 0.0
    for b in range(64):
        for a in range(64):
            mean[a] += covariance[b, a] * weighted[b]
