"""Blocks that the silhouette cuts, and blocks of planes of fewer samples than pixels.

What the visible pixels tell of a block's coefficients, with how large each usually is, is a
Gaussian; the integers near its mean are tried, the likeliest first, with the exact decoder. A pixel
that also depends on a sample of a neighbouring block counts fully if that block is known, and is
not checked if it is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled
from ..tables import Steps
from .dct import COSINES, Float, inverse_dct
from .gaussian import of_pixels, of_samples, posterior, sampled, transform_rows, upsampled
from .sphere import factorise, k_best
from .taps import Taps

EFFORTS = np.array(
    [
        # K, factors of the usual sizes, of the variance of rounding
        [12, 1.0, 1.0],
        [100, 2.0, 1.0],
        [60, 1.0, 16.0],  # smooth blocks, whose samples are rounded alike
        [500, 2.0, 1.0],
        [1500, 2.0, 1.0],
    ]
)
"""Tried one after the other, until one gives a block that decodes exactly."""

_PRODUCTS = np.einsum("ux,vx->uvx", COSINES, COSINES)
"""(frequency, frequency, position)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sizes:
    """How large quantised coefficients usually are, as their standard deviation, (64,)."""

    deviation: Float

    @classmethod
    def of(cls, levels: NDArray[np.integer], steps: Steps) -> Sizes:
        """From blocks (block, 64) of the same plane, few or none will do."""
        u, v = np.divmod(np.arange(64), 8)
        # Photographs: amplitudes fall about as the inverse of the frequency.
        usual = 40.0 / (1 + u + v) ** 1.5 / steps
        squares = (levels.astype(np.float64) ** 2).sum(axis=0) + 4 * usual**2
        deviation = np.sqrt(squares / (len(levels) + 4))
        deviation = np.maximum(deviation, 0.06)
        deviation[0] = 2048.0  # the mean of a block may be anything
        return cls(deviation=deviation)


def solve_cut_blocks(
    low: NDArray[np.uint8],
    high: NDArray[np.uint8],
    known: NDArray[np.bool_],
    rings: NDArray[np.int64],
    guesses: Float,
    steps: Steps,
    sizes: Sizes,
    taps: Taps,
    n_efforts: int = len(EFFORTS),
) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """Likely coefficients of blocks, of which some pixels are visible.

    Parameters
    ----------
    low, high
        uint8 (block, pixel): what each pixel of the plane may be.
    known
        bool (block, pixel): visible.
    rings
        int64 (block, 100): samples of neighbouring blocks around this one's, -1 where not known.
    guesses
        float64 (block, 100): estimates of the same samples, NaN where there is none.
    steps, sizes, taps
        Of the plane.
    n_efforts
        How many of EFFORTS are tried; bounds the time for a block.

    Returns
    -------
    tuple
        Coefficients int16 (block, 64) and the number of visible pixels that they do not give,
        int64 (block,).
    """
    levels = np.zeros((len(low), 64), np.int64)
    n_wrong = np.zeros(len(low), np.int64)
    _solve_all(
        low.astype(np.int64), high.astype(np.int64), known, rings, guesses, steps,
        sizes.deviation,
        taps.index, taps.weight, taps.offset, taps.shift, taps.bias, taps.variance,
        EFFORTS[:n_efforts], COSINES, _PRODUCTS, levels, n_wrong,
    )  # fmt: skip
    return levels.astype(np.int16), n_wrong


@compiled
def _solve_all(
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    known: NDArray[np.bool_],
    rings: NDArray[np.int64],
    guesses: Float,
    steps: Steps,
    deviation: Float,
    index: NDArray[np.int64],
    weight: NDArray[np.int64],
    offset: NDArray[np.int64],
    shift: int,
    bias: Float,
    rounding: float,
    efforts: Float,
    cosines: Float,
    products: Float,
    levels: NDArray[np.int64],
    n_wrong: NDArray[np.int64],
) -> None:
    most = int(efforts[:, 0].max())
    candidates = np.empty((most, 64), np.int64)
    # Two sets: what the first effort computes is used again by blocks that look the same.
    smoothing = np.zeros((2, 64, 64))
    covariance = np.empty((2, 64, 64))
    gains = np.empty((2, 64, 64), np.float32)
    order = np.empty((2, 64), np.int64)
    variances = np.empty((2, 64))
    information = np.empty((64, 64))
    weighted = np.empty((64, 1))
    values = np.empty(64)
    mean = np.empty(64)
    for n in range(low.shape[0]):
        best = 1 << 30
        for e in range(efforts.shape[0]):
            s = 0 if e == 0 else 1
            noise = efforts[e, 2]
            if shift == 0:
                precision = sampled(low[n], high[n], known[n], index, noise, values)
            else:
                seen = upsampled(
                    low[n],
                    high[n],
                    known[n],
                    rings[n],
                    guesses[n],
                    index,
                    weight,
                    bias,
                    shift,
                    rounding,
                    noise,
                    values,
                )
            if e > 0 or n == 0 or not _look_alike(low, high, known, rings, guesses, n):
                if shift == 0:
                    of_samples(precision, products, information)
                else:
                    of_pixels(seen, cosines, smoothing[s], information)
                posterior(information, steps, deviation, efforts[e, 1], covariance[s])
                information[:] = covariance[s]
                factorise(information, order[s], gains[s], variances[s])
            weighted[:] = 0
            for i in range(64):
                if shift == 0:
                    weighted[i, 0] = values[i]
                else:
                    for a in range(64):
                        weighted[a, 0] += smoothing[s, a, i] * values[i]
            transform_rows(weighted, cosines, weighted)
            mean[:] = 0
            for b in range(64):
                value = weighted[b, 0] * steps[b]
                for a in range(64):
                    mean[a] += covariance[s, b, a] * value
            n_candidates = k_best(
                mean, order[s], gains[s], variances[s], int(efforts[e, 0]), candidates
            )
            for c in range(n_candidates):
                wrong = count_wrong(
                    candidates[c],
                    steps,
                    low[n],
                    high[n],
                    known[n],
                    rings[n],
                    index,
                    weight,
                    offset,
                    shift,
                    best,
                )
                if wrong < best:
                    best = wrong
                    levels[n] = candidates[c]
                if best == 0:
                    break
            if best == 0:
                break
        n_wrong[n] = best


@compiled
def _look_alike(
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    known: NDArray[np.bool_],
    rings: NDArray[np.int64],
    guesses: Float,
    n: int,
) -> bool:
    """Whether the same is known of a block as of the one before, whatever its values."""
    for p in range(known.shape[1]):
        if known[n, p] != known[n - 1, p]:
            return False
        if known[n, p] and high[n, p] - low[n, p] != high[n - 1, p] - low[n - 1, p]:
            return False
    for i in range(rings.shape[1]):
        if (rings[n, i] < 0) != (rings[n - 1, i] < 0):
            return False
        if np.isnan(guesses[n, i]) != np.isnan(guesses[n - 1, i]):
            return False
    return True


@compiled
def count_wrong(
    levels: NDArray[np.int64],
    steps: Steps,
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    known: NDArray[np.bool_],
    ring: NDArray[np.int64],
    index: NDArray[np.int64],
    weight: NDArray[np.int64],
    offset: NDArray[np.int64],
    shift: int,
    enough: int,
) -> int:
    """Visible pixels that coefficients do not give, counted until there are `enough`.

    Pixels that need a sample of a block not known are not counted.
    """
    values = np.empty(64, np.int64)
    samples = np.empty(64, np.int64)
    for j in range(64):
        values[j] = levels[j] * steps[j]
    inverse_dct(values, samples)
    wrong = 0
    for p in range(known.shape[0]):
        if not known[p]:
            continue
        total = offset[p]
        complete = True
        for k in range(4):
            if weight[p, k] == 0:
                continue
            row, column = index[p, k] // 10 - 1, index[p, k] % 10 - 1
            if 0 <= row < 8 and 0 <= column < 8:
                total += weight[p, k] * samples[8 * row + column]
            elif ring[index[p, k]] >= 0:
                total += weight[p, k] * ring[index[p, k]]
            else:
                complete = False
        if complete:
            pixel = total >> shift
            if pixel < low[p] or pixel > high[p]:
                wrong += 1
                if wrong >= enough:
                    return wrong
    return wrong
