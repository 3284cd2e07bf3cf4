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

from .compiled import compiled
from .dct import COSINES, Float, inverse_dct
from .sphere import factorise, invert, k_best
from .tables import Steps
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

UNKNOWN_NEIGHBOUR_VARIANCE = 16.0
"""Of the difference of a sample to the next one, of which nothing is known."""

GUESS_VARIANCE = 0.4
"""Of the error of an estimated sample."""

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
    most = np.int64(efforts[:, 0].max())
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
        best = np.int64(1 << 30)
        for e in range(efforts.shape[0]):
            s = 0 if e == 0 else 1
            noise = efforts[e, 2]
            if shift == 0:
                precision = _direct(low[n], high[n], known[n], index, noise, values)
            else:
                seen = _upsampled(
                    low[n], high[n], known[n], rings[n], guesses[n], index, weight, bias, shift,
                    rounding, noise, values,
                )
            if e > 0 or n == 0 or not _look_alike(low, high, known, rings, guesses, n):
                if shift == 0:
                    _of_samples(precision, products, information)
                else:
                    _of_pixels(seen, cosines, smoothing[s], information)
                _posterior(information, steps, deviation, efforts[e, 1], covariance[s])
                information[:] = covariance[s]
                factorise(information, order[s], gains[s], variances[s])
            weighted[:] = 0
            for i in range(64):
                if shift == 0:
                    weighted[i, 0] = values[i]
                else:
                    for a in range(64):
                        weighted[a, 0] += smoothing[s, a, i] * values[i]
            _rows(weighted, cosines, weighted)
            mean[:] = 0
            for b in range(64):
                value = weighted[b, 0] * steps[b]
                for a in range(64):
                    mean[a] += covariance[s, b, a] * value
            n_candidates = k_best(
                mean, order[s], gains[s], variances[s], np.int64(efforts[e, 0]), candidates
            )
            for c in range(n_candidates):
                wrong = count_wrong(
                    candidates[c], steps, low[n], high[n], known[n], rings[n], index, weight,
                    offset, shift, best,
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
def _direct(
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
def _of_samples(precision: Float, products: Float, information: Float) -> None:
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
def _upsampled(
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
def _of_pixels(seen: Float, cosines: Float, smoothing: Float, information: Float) -> None:
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
    _rows(product, cosines, half)
    _rows(half.T.copy(), cosines, information)


@compiled
def _rows(source: Float, cosines: Float, target: Float) -> None:
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
def _posterior(
    information: Float, steps: Steps, deviation: Float, spread: float, covariance: Float
) -> None:
    """Covariance of the quantised coefficients, with their usual sizes as the prior."""
    for a in range(64):
        for b in range(64):
            covariance[a, b] = information[a, b] * steps[a] * steps[b]
        size = max(deviation[a] * spread, 0.12 if spread > 1 else 0.0)
        covariance[a, a] += 1.0 / (size * size)
    invert(covariance)


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
