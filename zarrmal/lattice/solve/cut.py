"""Blocks that the silhouette cuts, and others that rounding and a few changes do not solve.

What the samples tell of a block's coefficients, with how large each usually is, is a Gaussian; the
integers near its mean are tried with the exact decoder. What is not visible of a block is free: of
the vectors that give what is visible, the one is taken that costs about the fewest bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled
from ..series import Steps
from .dct import Float, effects_of, inverse_dct
from .gaussian import condition, cut_off, expected
from .sphere import factorise, k_best
from .taps import Taps

EFFORTS = np.array(
    [
        # K, factors of the usual sizes, of the variance of rounding
        [64, 0.6, 1.0],
        [60, 2.0, 1.0],
        [256, 0.6, 1.0],
        [400, 2.0, 1.0],
        [60, 2.0, 16.0],  # smooth blocks, whose samples are rounded alike
        [1000, 3.0, 1.0],
    ]
)
"""Tried one after the other, until one gives a block that decodes exactly."""

SMOOTH_COEFFICIENTS = 8
"""Of a smooth block at most so many are not 0."""

LEAST_DEVIATION = 0.25
"""Of a coefficient that is nearly always 0: a Gaussian makes the others too unlikely."""


BITS_OF_SIGN, BITS_OF_DEVIATION = 1.0, 1.5
"""What an integer takes, by its size in deviations: a Laplacian, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
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
        deviation = np.maximum(deviation, LEAST_DEVIATION)
        deviation[0] = 2048.0  # the mean of a block may be anything
        return cls(deviation=deviation)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """What is known of some blocks.

    Attributes
    ----------
    low, high
        int32 (block, 64): what each sample may be, 0 and 255 where nothing is known.
    likely_low, likely_high
        The same, narrower where only a pixel nearby tells a sample.
    pixel_low, pixel_high
        int32 (block, pixel): what each pixel of an interpolated plane may be.
    known
        bool (block, pixel): visible.
    rings
        int32 (block, 100): samples of the block's neighbours around it, -1 where not known.
    """

    low: NDArray[np.int32]
    high: NDArray[np.int32]
    likely_low: NDArray[np.int32]
    likely_high: NDArray[np.int32]
    pixel_low: NDArray[np.int32]
    pixel_high: NDArray[np.int32]
    known: NDArray[np.bool_]
    rings: NDArray[np.int32]


def solve_cut_blocks(
    seen: Seen, steps: Steps, sizes: Sizes, taps: Taps, n_efforts: int = len(EFFORTS)
) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """Likely coefficients of blocks, of which some pixels are visible.

    Parameters
    ----------
    seen
        What is known of them.
    steps, sizes, taps
        Of the plane.
    n_efforts
        How many of EFFORTS are tried; bounds the time for a block.

    Returns
    -------
    tuple
        Coefficients int16 (block, 64) and the number of visible pixels (of a plane that is not
        interpolated: samples) that they do not give, int64 (block,).
    """
    levels = np.zeros((len(seen.low), 64), np.int64)
    n_wrong = np.zeros(len(seen.low), np.int64)
    _solve_all(
        seen.low, seen.high, seen.likely_low, seen.likely_high, seen.pixel_low, seen.pixel_high,
        seen.known, seen.rings, steps, sizes.deviation,
        taps.index, taps.weight, taps.offset, taps.shift,
        EFFORTS[:n_efforts], effects_of(steps), levels, n_wrong,
    )  # fmt: skip
    return levels.astype(np.int16), n_wrong


@compiled
def _solve_all(
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    likely_low: NDArray[np.int32],
    likely_high: NDArray[np.int32],
    pixel_low: NDArray[np.int32],
    pixel_high: NDArray[np.int32],
    known: NDArray[np.bool_],
    rings: NDArray[np.int32],
    steps: Steps,
    deviation: Float,
    index: NDArray[np.int64],
    weight: NDArray[np.int64],
    offset: NDArray[np.int64],
    shift: int,
    efforts: Float,
    effects: Float,
    levels: NDArray[np.int64],
    n_wrong: NDArray[np.int64],
) -> None:
    most = int(efforts[:, 0].max())
    candidates = np.empty((most, 64), np.int64)
    covariance = np.empty((64, 64))
    gains = np.empty((64, 64), np.float32)
    order = np.empty(64, np.int64)
    variances = np.empty(64)
    mean = np.empty(64)
    for n in range(low.shape[0]):
        best, spread, noise = 1 << 30, 0.0, 0.0
        for e in range(efforts.shape[0]):
            if efforts[e, 2] > 1 and np.count_nonzero(levels[n]) > SMOOTH_COEFFICIENTS:
                continue
            if spread != efforts[e, 1] or noise != efforts[e, 2]:
                spread, noise = efforts[e, 1], efforts[e, 2]
                condition(
                    likely_low[n], likely_high[n], noise, spread, deviation, effects, covariance
                )
                expected(likely_low[n], likely_high[n], noise, effects, covariance, mean)
                cut_off(likely_low[n], likely_high[n], effects, covariance, mean)
                factorise(covariance, order, gains, variances)
            n_candidates = k_best(mean, order, gains, variances, int(efforts[e, 0]), candidates)
            best = try_vectors(
                candidates[:n_candidates], steps, low[n], high[n], pixel_low[n], pixel_high[n],
                known[n], rings[n], index, weight, offset, shift, deviation, best, levels[n],
            )  # fmt: skip
            if best == 0:
                break
        n_wrong[n] = best


@compiled
def try_vectors(
    candidates: NDArray[np.int64],
    steps: Steps,
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    pixel_low: NDArray[np.int32],
    pixel_high: NDArray[np.int32],
    known: NDArray[np.bool_],
    ring: NDArray[np.int32],
    index: NDArray[np.int64],
    weight: NDArray[np.int64],
    offset: NDArray[np.int64],
    shift: int,
    deviation: Float,
    enough: int,
    levels: NDArray[np.int64],
) -> int:
    """Find the cheapest vector that leaves fewest visible pixels wrong, and fewer than `enough`.

    It is copied to `levels`; returned is the number of pixels. Pixels that need a sample of a block
    not known are not counted. `deviation` is the usual size of each integer.
    """
    values = np.empty(64, np.int64)
    samples = np.empty(64, np.int64)
    best, fewest_bits = enough, -1.0
    for c in range(candidates.shape[0]):
        bits = _bits(candidates[c], deviation)
        if best == 0 and bits >= fewest_bits:
            continue
        for j in range(64):
            values[j] = candidates[c, j] * steps[j]
        inverse_dct(values, samples)
        wrong = 0
        for i in range(64):
            wrong += (samples[i] < low[i]) | (samples[i] > high[i])
        if shift != 0 and wrong <= best:
            # Each wrong sample makes a pixel wrong, but perhaps one of another block.
            least = min(wrong, 1)
            wrong = 0
            for p in range(known.shape[0]):
                if known[p] and not _gives(
                    samples, ring, index[p], weight[p], offset[p], shift, pixel_low[p],
                    pixel_high[p],
                ):  # fmt: skip
                    wrong += 1
            wrong = max(wrong, least)
        if wrong < best or (wrong == best and bits < fewest_bits):
            best, fewest_bits = wrong, bits
            levels[:] = candidates[c]
    return best


@compiled
def _bits(levels: NDArray[np.int64], deviation: Float) -> float:
    """About what a block's integers but the first take more than zeros."""
    bits = 0.0
    for j in range(1, 64):
        if levels[j] != 0:
            bits += BITS_OF_SIGN + BITS_OF_DEVIATION * abs(levels[j]) / deviation[j]
    return bits


@compiled
def _gives(
    samples: NDArray[np.int64],
    ring: NDArray[np.int32],
    index: NDArray[np.int64],
    weight: NDArray[np.int64],
    offset: int,
    shift: int,
    low: int,
    high: int,
) -> bool:
    """Whether a pixel comes out, or needs a sample that is not known."""
    total = offset
    for k in range(4):
        if weight[k] != 0:
            row, column = index[k] // 10 - 1, index[k] % 10 - 1
            if 0 <= row < 8 and 0 <= column < 8:
                total += weight[k] * samples[8 * row + column]
            elif ring[index[k]] >= 0:
                total += weight[k] * ring[index[k]]
            else:
                return True
    return low <= (total >> shift) <= high
