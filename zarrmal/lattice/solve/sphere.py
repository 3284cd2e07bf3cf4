"""Integers near the mean of a Gaussian: the K best, decided one after the other.

The integer whose variance is smallest is decided first; the others' means move with it. Of the
partial decisions those with the smallest sum of squares are kept, K at every step (the M-algorithm;
"K-best sphere decoding" in the literature on antennas).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled
from .dct import Float

FARTHEST = 16.0
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
def factorise(
    covariance: Float, order: NDArray[np.int64], gains: NDArray[np.float32], variances: Float
) -> None:
    """Order of decisions, the variance of each given the earlier, and what it tells of the rest.

    Parameters
    ----------
    covariance
        float64 (n, n); destroyed.
    order
        int64 (n,), filled.
    gains
        float32 (n, n), filled: change of the mean of the integer decided as number s by a unit of
        the innovation of decision t at [t, s]; 0 where s <= t.
    variances
        float64 (n,), filled.
    """
    n = covariance.shape[0]
    is_open = np.ones(n, np.bool_)
    row = np.empty(n)
    by_integer = np.empty((n, n))
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
            by_integer[t, a] = 0.0
            if is_open[a]:
                gain = row[a] / variances[t]
                by_integer[t, a] = gain
                for b in range(n):
                    covariance[a, b] -= gain * row[b]
    for t in range(n):
        for s in range(n):
            gains[t, s] = by_integer[t, order[s]]


@compiled
def k_best(
    mean: Float,
    order: NDArray[np.int64],
    gains: NDArray[np.float32],
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
    # Of each path, by the order of decisions: what was decided, then the means of the rest. In two
    # sets, the paths and their children.
    paths = np.empty((2, n_kept, n), np.float32)
    distances = np.empty((2, n_kept))
    child_distance = np.empty(3 * n_kept)
    child_parent = np.empty(3 * n_kept, np.int64)
    child_level = np.empty(3 * n_kept)
    for s in range(n):
        paths[0, 0, s] = mean[order[s]]
    distances[0, 0] = 0.0
    n_paths, now = 1, 0
    for t in range(n):
        n_children = 0
        precision = 1.0 / variances[t]
        for p in range(n_paths):
            expected = float(paths[now, p, t])
            nearest = np.floor(expected + 0.5)
            away = expected - nearest
            first = away * away * precision
            child_distance[n_children] = distances[now, p] + first
            child_parent[n_children] = p
            child_level[n_children] = nearest
            n_children += 1
            side = 1.0 if away > 0 else -1.0
            for _ in range(2):
                away = expected - (nearest + side)
                extra = away * away * precision
                if extra - first > FARTHEST:
                    break
                child_distance[n_children] = distances[now, p] + extra
                child_parent[n_children] = p
                child_level[n_children] = nearest + side
                n_children += 1
                side = -side
        if n_children > n_kept:
            n_children = _keep_least(child_distance, child_parent, child_level, n_children, n_kept)
        after = 1 - now
        for c in range(n_children):
            level = np.float32(child_level[c])
            _child(paths[now, child_parent[c]], paths[after, c], gains[t], level, t)
            distances[after, c] = child_distance[c]
        n_paths, now = n_children, after
    ranked = np.argsort(distances[now, :n_paths])
    for p in range(n_paths):
        for t in range(n):
            levels[p, order[t]] = np.int64(paths[now, ranked[p], t])
    return n_paths


@compiled
def _child(
    parent: NDArray[np.float32],
    child: NDArray[np.float32],
    gains: NDArray[np.float32],
    level: np.float32,
    t: int,
) -> None:
    """A path with one more decision."""
    innovation = level - parent[t]
    for s in range(len(child)):
        child[s] = parent[s] + gains[s] * innovation
    child[t] = level


@compiled
def _keep_least(
    distance: Float,
    parent: NDArray[np.int64],
    level: Float,
    n_children: int,
    n_kept: int,
) -> int:
    """Move the n_kept children of least distance to the front, in their order; their number."""
    limit = np.partition(distance[:n_children], n_kept - 1)[n_kept - 1]
    n_equal = n_kept
    for c in range(n_children):
        if distance[c] < limit:
            n_equal -= 1
    position = 0
    for c in range(n_children):
        keeps = distance[c] < limit
        if distance[c] == limit and n_equal > 0:
            keeps = True
            n_equal -= 1
        if keeps:
            distance[position] = distance[c]
            parent[position] = parent[c]
            level[position] = level[c]
            position += 1
    return position
