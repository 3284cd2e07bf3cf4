"""Integers near the mean of a Gaussian: the K best, decided one after the other.

The integer whose variance is smallest is decided first; the others' means move with it. Of the
partial decisions those with the smallest sum of squares are kept, K at every step (the M-algorithm;
"K-best sphere decoding" in the literature on antennas).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled
from .dct import Float

FARTHEST = 36.0
"""Squared distance, in variances, beyond which a second integer is not looked at."""


@compiled
def invert(matrix: Float) -> None:
    """Inverse of a symmetric positive definite matrix, in place (Gauss and Jordan)."""
    n = matrix.shape[0]
    row = np.empty(n)
    for k in range(n):
        pivot = 1.0 / matrix[k, k]
        matrix[k, k] = 1.0
        for b in range(n):
            matrix[k, b] *= pivot
            row[b] = matrix[k, b]
        for a in range(n):
            if a != k:
                factor = matrix[a, k]
                if factor != 0.0:
                    matrix[a, k] = 0.0
                    for b in range(n):
                        matrix[a, b] -= factor * row[b]


@compiled
def factorise(covariance: Float, order: NDArray[np.int64], gains: Float, variances: Float) -> None:
    """Order of decisions, the variance of each given the earlier, and what it tells of the rest.

    Parameters
    ----------
    covariance
        float64 (n, n); destroyed.
    order
        int64 (n,), filled.
    gains
        float64 (n, n), filled: change of the mean of integer a by a unit of the innovation of
        decision t at [a, t].
    variances
        float64 (n,), filled.
    """
    n = covariance.shape[0]
    is_open = np.ones(n, np.bool_)
    row = np.empty(n)
    for t in range(n):
        chosen, least = -1, np.inf
        for a in range(n):
            if is_open[a] and covariance[a, a] < least:
                chosen, least = a, covariance[a, a]
        is_open[chosen] = False
        order[t] = chosen
        variances[t] = max(least, 1e-12)
        for b in range(n):
            row[b] = covariance[chosen, b]
        for a in range(n):
            gains[a, t] = 0.0
            if is_open[a]:
                gain = row[a] / variances[t]
                gains[a, t] = gain
                for b in range(n):
                    covariance[a, b] -= gain * row[b]


@compiled
def k_best(
    mean: Float,
    order: NDArray[np.int64],
    gains: Float,
    variances: Float,
    n_kept: int,
    levels: NDArray[np.int64],
) -> int:
    """Fill `levels` (>= n_kept, n) with the best vectors of integers, the best first; their number.

    Parameters
    ----------
    mean
        float64 (n,), before any decision.
    order, gains, variances
        See ``factorise``.
    n_kept
        K.
    """
    n = mean.shape[0]
    innovations = np.zeros((n, n_kept))
    decided = np.zeros((n, n_kept), np.int64)
    distances = np.zeros(n_kept)
    expected = np.empty(n_kept)
    child_distance = np.empty(3 * n_kept)
    child_parent = np.empty(3 * n_kept, np.int64)
    child_level = np.empty(3 * n_kept, np.int64)
    kept = np.empty(n_kept, np.int64)
    old_row = np.empty(n_kept)
    old_levels = np.empty(n_kept, np.int64)
    n_paths = 1
    for t in range(n):
        a = order[t]
        for p in range(n_paths):
            expected[p] = mean[a]
        for s in range(t):
            gain = gains[a, s]
            for p in range(n_paths):
                expected[p] += gain * innovations[s, p]
        n_children = 0
        precision = 1.0 / variances[t]
        for p in range(n_paths):
            nearest = np.floor(expected[p] + 0.5)
            side = 1.0 if expected[p] > nearest else -1.0
            first = (nearest - expected[p]) * (nearest - expected[p]) * precision
            for k in range(3):
                level = nearest if k == 0 else (nearest + side if k == 1 else nearest - side)
                away = level - expected[p]
                extra = away * away * precision
                if k > 0 and extra - first > FARTHEST:
                    break
                child_distance[n_children] = distances[p] + extra
                child_parent[n_children] = p
                child_level[n_children] = np.int64(level)
                n_children += 1
        n_new = min(n_children, n_kept)
        if n_children > n_kept:
            limit = np.partition(child_distance[:n_children], n_kept - 1)[n_kept - 1]
            n_below = 0
            for c in range(n_children):
                if child_distance[c] < limit:
                    n_below += 1
            n_equal, position = n_kept - n_below, 0
            for c in range(n_children):
                if child_distance[c] < limit:
                    kept[position] = c
                    position += 1
                elif child_distance[c] == limit and n_equal > 0:
                    kept[position] = c
                    position += 1
                    n_equal -= 1
        else:
            for c in range(n_children):
                kept[c] = c
        same = n_new == n_paths
        for p in range(n_new):
            same = same and child_parent[kept[p]] == p
        if not same:
            for s in range(t):
                old_row[:n_paths] = innovations[s, :n_paths]
                old_levels[:n_paths] = decided[s, :n_paths]
                for p in range(n_new):
                    innovations[s, p] = old_row[child_parent[kept[p]]]
                    decided[s, p] = old_levels[child_parent[kept[p]]]
        for p in range(n_new):
            old_row[p] = expected[child_parent[kept[p]]]
        for p in range(n_new):
            decided[t, p] = child_level[kept[p]]
            innovations[t, p] = child_level[kept[p]] - old_row[p]
            distances[p] = child_distance[kept[p]]
        n_paths = n_new
    ranked = np.argsort(distances[:n_paths])
    for p in range(n_paths):
        for t in range(n):
            levels[p, order[t]] = decided[t, ranked[p]]
    return n_paths
