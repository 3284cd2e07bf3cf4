"""Contexts of a prediction error: energy, texture, and the mean of earlier errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled
from .predictor import FRACTION_LOG2, Neighbours

ENERGY_LEVELS = (5, 15, 25, 42, 60, 85, 140)
"""Upper bounds of the first seven energy levels (coding context selection and quantization)."""
N_ENERGIES = 8
N_MEANS = 4 * 256
"""Half the energy levels, times eight bits of texture; 576 of these occur (error feedback)."""
FULL = 128
"""Number of errors at which a mean's sum and count are halved (error feedback)."""
OUTLIER = 24 << FRACTION_LOG2
BIAS_LEVELS = (4, 12, 48)
"""Lower bounds of the levels of a mean error, in eighths. Not in the paper."""
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
    """Eight bits, set for neighbours and extrapolations below the prediction.

    Section on context modelling of prediction errors.
    """
    n, w, nw, ne, nn, ww, _ = around
    bits = 0
    for value in (n, w, nw, ne, nn, ww, 2 * n - nn, 2 * w - ww):
        bits = 2 * bits + int(value << FRACTION_LOG2 < prediction)
    return bits


@compiled
def mean_error(sums: NDArray[np.int64], counts: NDArray[np.int64], context: int) -> int:
    """Mean error of a compound context so far, in eighths, rounded (error feedback)."""
    n = counts[context]
    return (2 * sums[context] + n) // (2 * n) if n else 0


@compiled
def learn_error(
    sums: NDArray[np.int64], counts: NDArray[np.int64], context: int, error: int
) -> None:
    """Add an error of the uncorrected prediction, in eighths; old errors fade (error feedback).

    Outliers are left out: one edge of the black background would shift a hundred smooth pixels.
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
    """Level 0 ... 3 of the size of a mean error: errors scatter where it is large."""
    level = 0
    while level < N_BIASES - 1 and abs(mean) >= BIAS_LEVELS[level]:
        level += 1
    return level
