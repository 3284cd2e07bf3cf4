"""What visible pixels tell of a block's coefficients, as a Gaussian."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled
from ..tables import Steps
from .dct import Float
from .sphere import invert

UNKNOWN_NEIGHBOUR_VARIANCE = 16.0
"""Of the difference of a sample to the next one, of which nothing is known."""

GUESS_VARIANCE = 0.4
"""Of the error of an estimated sample."""


@compiled
def sampled(
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    known: NDArray[np.bool_],
    index: NDArray[np.int64],
    noise: float,
    values: Float,
) -> Float:
    """Each sample is seen itself, in one pixel or several: how precisely, and weighted values."""
    least = np.zeros(64, np.int64)
    most = np.full(64, 255, np.int64)
    seen = np.zeros(64, np.bool_)
    for p in range(known.shape[0]):
        if known[p]:
            i = (index[p, 0] // 10 - 1) * 8 + index[p, 0] % 10 - 1
            seen[i] = True
            least[i] = max(least[i], low[p])
            most[i] = min(most[i], high[p])
    precision = np.zeros(64)
    for i in range(64):
        values[i] = 0.0
        if seen[i]:
            width = max(most[i] - least[i], 0) + 1.0
            precision[i] = 12.0 / (noise * width * width)
            values[i] = precision[i] * (0.5 * (least[i] + most[i]) - 128)
    return precision


@compiled
def of_samples(precision: Float, products: Float, information: Float) -> None:
    """Information on coefficients, of that on single samples."""
    across = np.zeros((8, 8, 8))  # (v, v', y)
    for v in range(8):
        for w in range(8):
            for y in range(8):
                total = 0.0
                for x in range(8):
                    total += precision[8 * y + x] * products[v, w, x]
                across[v, w, y] = total
    for u in range(8):
        for t in range(8):
            for v in range(8):
                for w in range(8):
                    total = 0.0
                    for y in range(8):
                        total += across[v, w, y] * products[u, t, y]
                    information[8 * u + v, 8 * t + w] = total


@compiled
def upsampled(
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    known: NDArray[np.bool_],
    ring: NDArray[np.int64],
    guess: Float,
    index: NDArray[np.int64],
    weight: NDArray[np.int64],
    bias: Float,
    shift: int,
    rounding: float,
    noise: float,
    values: Float,
) -> Float:
    """Pixels are rounded means of samples: information on samples (64, 64), weighted values."""
    seen = np.zeros((64, 64))
    values[:] = 0
    inside = np.empty(4, np.int64)
    share = np.empty(4)
    unit = 1.0 / (1 << shift)
    for p in range(known.shape[0]):
        if not known[p]:
            continue
        width = high[p] - low[p] + 1.0
        variance = rounding + (width * width - 1) / 12
        target = 0.5 * (low[p] + high[p]) - bias[p]
        own = (index[p, 0] // 10 - 1) * 8 + index[p, 0] % 10 - 1
        n_inside = 0
        for k in range(4):
            if weight[p, k] == 0:
                continue
            part = weight[p, k] * unit
            row, column = index[p, k] // 10 - 1, index[p, k] % 10 - 1
            if 0 <= row < 8 and 0 <= column < 8:
                inside[n_inside] = 8 * row + column
                share[n_inside] = part
                n_inside += 1
                target -= part * 128
            elif ring[index[p, k]] >= 0:
                target -= part * ring[index[p, k]]
            elif not np.isnan(guess[index[p, k]]):
                target -= part * guess[index[p, k]]
                variance += part * part * GUESS_VARIANCE
            else:
                # About as the nearest sample of the block.
                inside[n_inside] = own
                share[n_inside] = part
                n_inside += 1
                target -= part * 128
                variance += part * part * UNKNOWN_NEIGHBOUR_VARIANCE
        precision = 1.0 / (variance * noise)
        for a in range(n_inside):
            values[inside[a]] += share[a] * precision * target
            for b in range(n_inside):
                seen[inside[a], inside[b]] += share[a] * share[b] * precision
    return seen


@compiled
def of_pixels(seen: Float, cosines: Float, smoothing: Float, information: Float) -> None:
    """Information on coefficients, of that on rounded samples.

    With H the information on samples, that on their values before rounding, whose error has the
    variance 1/12, is (1 + H / 12)^-1 H. `smoothing` is filled with the first factor.
    """
    smoothing[:] = seen / 12
    for i in range(64):
        smoothing[i, i] += 1.0
    invert(smoothing)
    product = np.zeros((64, 64))
    for a in range(64):
        for i in range(64):
            factor = smoothing[a, i]
            if factor != 0.0:
                for b in range(64):
                    product[a, b] += factor * seen[i, b]
    half = np.empty((64, 64))
    transform_rows(product, cosines, half)
    transform_rows(half.T.copy(), cosines, information)


@compiled
def transform_rows(source: Float, cosines: Float, target: Float) -> None:
    """Forward transform down the first axis (64 samples) of a matrix."""
    n = source.shape[1]
    middle = np.zeros((64, n))
    for y in range(8):
        for v in range(8):
            for x in range(8):
                factor = cosines[v, x]
                for b in range(n):
                    middle[8 * y + v, b] += factor * source[8 * y + x, b]
    target[:] = 0
    for u in range(8):
        for y in range(8):
            factor = cosines[u, y]
            for v in range(8):
                for b in range(n):
                    target[8 * u + v, b] += factor * middle[8 * y + v, b]


@compiled
def posterior(
    information: Float, steps: Steps, deviation: Float, spread: float, covariance: Float
) -> None:
    """Covariance of the quantised coefficients, with their usual sizes as the prior."""
    for a in range(64):
        for b in range(64):
            covariance[a, b] = information[a, b] * steps[a] * steps[b]
        size = max(deviation[a] * spread, 0.12 if spread > 1 else 0.0)
        covariance[a, a] += 1.0 / (size * size)
    invert(covariance)
