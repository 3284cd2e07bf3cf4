"""What is known of an error before it is coded: energy, texture, and the mean of earlier errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled
from .predictor import FRACTION_LOG2, Neighbours

ENERGY_LEVELS = (5, 15, 25, 42, 60, 85, 140)
"""Upper ends of seven of the eight levels of energy (coding context selection and quantization)."""
N_ENERGIES = 8
N_MEANS = 4 * 256
"""Energy halved, times eight bits of texture; only 576 of these can happen (error feedback)."""
FULL = 128
"""Errors after which a mean's sum and count are halved (error feedback)."""
OUTLIER = 24 << FRACTION_LOG2
BIAS_LEVELS = (4, 12, 48)
"""Of a mean error, in eighths. Not in the paper."""
N_BIASES = 4


@compiled
def energy_level(horizontal: int, vertical: int, last_error: int) -> int:
    """Level 0 ... 7 of the error energy, with the weights 1, 1, 2.

    Section on coding context selection and quantization.
    """
    energy = horizontal + vertical + 2 * abs(last_error)
    level = 0
    while level < N_ENERGIES - 1 and energy > ENERGY_LEVELS[level]:
        level += 1
    return level


@compiled
def texture(around: Neighbours, prediction: int) -> int:
    """Eight bits: which neighbours and extrapolations lie below the prediction.

    Section on context modelling of prediction errors.
    """
    n, w, nw, ne, nn, ww, _ = around
    bits = 0
    for value in (n, w, nw, ne, nn, ww, 2 * n - nn, 2 * w - ww):
        bits = 2 * bits + int(value << FRACTION_LOG2 < prediction)
    return bits


@compiled
def mean_error(sums: NDArray[np.int64], counts: NDArray[np.int64], context: int) -> int:
    """Of a compound context so far, in eighths, rounded (error feedback)."""
    n = counts[context]
    return (2 * sums[context] + n) // (2 * n) if n else 0


@compiled
def learn_error(
    sums: NDArray[np.int64], counts: NDArray[np.int64], context: int, error: int
) -> None:
    """Add an error of the bare prediction, in eighths; old ones fade (error feedback).

    An outlier is left out: one edge of the black ground would shift a hundred smooth pixels.
    """
    if abs(error) > OUTLIER:
        return
    sums[context] += error
    counts[context] += 1
    if counts[context] >= FULL:
        counts[context] >>= 1
        sums[context] = sums[context] // 2


@compiled
def bias_level(mean: int) -> int:
    """Level 0 ... 3 of the size of a mean error: where it is large, errors scatter."""
    level = 0
    while level < N_BIASES - 1 and abs(mean) >= BIAS_LEVELS[level]:
        level += 1
    return level
