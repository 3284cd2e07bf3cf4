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


N_BINS = 512
"""Of distances, to find about the least of them without sorting."""


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
    # Of each path the means of what is not decided, by the order of decisions: in two sets, the
    # paths and their children. Decisions are followed back from the end.
    paths = np.empty((2, n_kept, n), np.float32)
    distances = np.empty((2, n_kept))
    decided = np.empty((n, n_kept), np.int32)
    parents = np.empty((n, n_kept), np.int32)
    child_distance = np.empty(3 * n_kept)
    child_parent = np.empty(3 * n_kept, np.int32)
    child_level = np.empty(3 * n_kept, np.int32)
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
            child_level[n_children] = np.int32(nearest)
            n_children += 1
            side = 1.0 if away > 0 else -1.0
            for _ in range(2):
                away = expected - (nearest + side)
                extra = away * away * precision
                if extra - first > FARTHEST:
                    break
                child_distance[n_children] = distances[now, p] + extra
                child_parent[n_children] = p
                child_level[n_children] = np.int32(nearest + side)
                n_children += 1
                side = -side
        if n_children > n_kept:
            n_children = _keep_least(child_distance, child_parent, child_level, n_children, n_kept)
        after = 1 - now
        for c in range(n_children):
            parent = child_parent[c]
            innovation = np.float32(child_level[c]) - paths[now, parent, t]
            for s in range(t + 1, n):
                paths[after, c, s] = paths[now, parent, s] + gains[t, s] * innovation
            distances[after, c] = child_distance[c]
            decided[t, c], parents[t, c] = child_level[c], parent
        n_paths, now = n_children, after
    ranked = np.argsort(distances[now, :n_paths])
    for p in range(n_paths):
        c = ranked[p]
        for t in range(n - 1, -1, -1):
            levels[p, order[t]] = decided[t, c]
            c = parents[t, c]
    return n_paths


@compiled
def _keep_least(
    distance: Float,
    parent: NDArray[np.int32],
    level: NDArray[np.int32],
    n_children: int,
    n_kept: int,
) -> int:
    """Move n_kept children of about the least distance to the front, in their order; their number.

    They are sorted into N_BINS, and of the last bin that is kept the first children are taken.
    """
    least, most = distance[0], distance[0]
    for c in range(n_children):
        least, most = min(least, distance[c]), max(most, distance[c])
    scale = (N_BINS - 1) / max(most - least, 1e-9)
    counts = np.zeros(N_BINS, np.int32)
    for c in range(n_children):
        counts[np.int64((distance[c] - least) * scale)] += 1
    last, n_left = 0, n_kept
    while last < N_BINS - 1 and counts[last] <= n_left:
        n_left -= counts[last]
        last += 1
    position = 0
    for c in range(n_children):
        number = np.int64((distance[c] - least) * scale)
        keeps = bool(number < last)
        if number == last and n_left > 0:
            keeps = True
            n_left -= 1
        if keeps:
            distance[position] = distance[c]
            parent[position] = parent[c]
            level[position] = level[c]
            position += 1
    return position
