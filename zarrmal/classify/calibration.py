"""Calibration of class probabilities: the expected error, and the temperature that reduces it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .layer import Floats
from .network import softmax

N_BINS = 15
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.1, 10.0
"""A classifier that needs a temperature beyond them has learnt nothing."""


def calibration_error(
    probabilities: Floats, true: NDArray[np.uint8], n_bins: int = N_BINS
) -> float:
    """Expected calibration error: mean distance of confidence and accuracy, 0..1.

    Cells are put into bins of equal width by the probability of their predicted class. In each
    bin the mean probability should be the share of right predictions (Guo et al. 2017,
    arXiv:1706.04599).

    Parameters
    ----------
    probabilities
        float32 (cell, class).
    true
        uint8 (cell,): class of each cell.
    n_bins
        Number of bins, at least 1.
    """
    if not len(true):
        return 0.0
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == true
    bins = np.clip(np.ceil(confidence * n_bins).astype(np.int64) - 1, 0, n_bins - 1)
    gap = np.bincount(bins, confidence - right, minlength=n_bins)
    return float(np.abs(gap).sum() / len(true))


def fitted_temperature(logits: Floats, true: NDArray[np.uint8]) -> float:
    """Divisor of the logits that makes the true classes most probable.

    Parameters
    ----------
    logits
        float32 (cell, class) of cells that were not trained on.
    true
        uint8 (cell,): class of each cell.
    """
    if not len(true):
        return 1.0

    def loss(log_temperature: float) -> float:
        p = softmax(logits / np.float32(np.exp(log_temperature)))
        return float(-np.log(np.maximum(p[np.arange(len(true)), true], 1e-12)).mean())

    # The loss is convex in 1 / temperature, so golden-section search finds its one minimum.
    low, high = np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE)
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(40):
        a, b = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, b) if loss(a) < loss(b) else (a, high)
    return float(np.exp((low + high) / 2))
