"""What samples tell of a block's coefficients, as a Gaussian.

Of a sample at 0 or 255 only one side is told: what was clamped to it may lie anywhere beyond. What
these tell is added after the others, one after the other, each by the mean and the variance of a
Gaussian that is cut off there (assumed density filtering).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled
from .dct import Float

UNKNOWN = 200
"""A sample that may have more values than this is not seen."""

SMALLEST = 1e-9
"""Variance of a sample that rounding errors may have made 0."""


SMALLEST_SHARE = 0.02
"""Of a variance that is left where a Gaussian is cut off far from its mean."""


@compiled
def _precision(low: int, high: int, noise: float) -> float:
    """Of a sample: each integer stands for an interval of width 1; 0 if it may be clamped."""
    width = high - low + 1.0
    if low <= 0 or high >= 255 or width > UNKNOWN:
        return 0.0
    return 12.0 / (noise * width * width)


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
        n_whole += low[i] == high[i] and 0 < low[i] < 255
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


@compiled
def cut_off(
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    effects: Float,
    covariance: Float,
    mean: Float,
) -> None:
    """Change the covariance (64, 64) and the mean (64,) by samples that may be clamped."""
    change = np.empty(64)
    for i in range(64):
        is_below, is_above = low[i] <= 0, high[i] >= 255
        if is_below == is_above:
            continue
        level, variance = 128.0, 0.0
        for a in range(64):
            level += effects[i, a] * mean[a]
            change[a] = 0.0
            for b in range(64):
                change[a] += effects[i, b] * covariance[b, a]
            variance += effects[i, a] * change[a]
        if variance < SMALLEST:
            continue
        deviation = np.sqrt(variance)
        side = -1.0 if is_below else 1.0
        bound = high[i] + 0.5 if is_below else low[i] - 0.5
        # Standard deviations by which the mean is on the wrong side.
        away = side * (bound - level) / deviation
        hazard = _hazard(away)
        if hazard < SMALLEST:
            continue
        share = 1.0 - hazard * (hazard - away)
        share = max(min(share, 1.0), SMALLEST_SHARE)
        shift = side * hazard / deviation
        scale = (1.0 - share) / variance
        for a in range(64):
            mean[a] += shift * change[a]
            factor = scale * change[a]
            for b in range(64):
                covariance[a, b] -= factor * change[b]


@compiled
def _hazard(x: float) -> float:
    """About the density of a standard Gaussian at x, of the share that lies beyond."""
    size = abs(x)
    # Between two bounds of Mills' ratio (Birnbaum 1942, Sampford 1953).
    ratio = 1 / (size + np.sqrt(size * size + 4)) + 2 / (3 * size + np.sqrt(size * size + 8))
    if x >= 0:
        return float(1 / ratio)
    density = np.exp(-0.5 * size * size) / np.sqrt(2 * np.pi)
    return float(density / (1 - density * ratio))
