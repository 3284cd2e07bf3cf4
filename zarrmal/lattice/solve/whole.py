"""Whole blocks of a plane at full resolution: the coefficients that decode to exactly its samples.

Rounding the transform of the samples gives the camera's coefficients or something near. The changes
by one level that lengthen the rounding error least are tried first, in sets, best first, each with
the integer inverse transform.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled
from ..series import Steps
from .dct import BASIS, Float, forward_dct, inverse_dct

MAX_TRIES = 4000
"""Sets of changes tried for a block; 17 is the mean at quality 96."""

ERROR_ENERGY = 12.0
"""Greatest sum of squares of 64 rounding errors, each uniform in +-1/2: mean 5.3, deviation 0.6 if
they are independent, 1.7 if all rows are alike."""

FLAT_ERROR_ENERGY = 20.0
"""The same where few coefficients are non-zero, so that all samples may be rounded alike."""

FLAT_COEFFICIENTS = 3
MAX_CHANGES = 60


def solve_whole_blocks(
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    steps: Steps,
    max_tries: int = MAX_TRIES,
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Coefficients of blocks all of whose samples are known.

    Parameters
    ----------
    low, high
        int32 (block, 64): what each sample may be.
    steps
        int64 (64,).
    max_tries
        Bounds the time for a block.

    Returns
    -------
    tuple
        Quantised coefficients int16 (block, 64), and bool (block,): found; they decode to samples
        between low and high.
    """
    middles = (low.astype(np.float64) + high) / 2
    found = np.zeros(len(low), np.bool_)
    levels = np.zeros((len(low), 64), np.int64)
    _solve(
        low, high, forward_dct(middles), steps, BASIS, max_tries, levels, found
    )  # fmt: skip
    return levels.astype(np.int16), found


@compiled
def _solve(
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    transformed: Float,
    steps: Steps,
    basis: Float,
    max_tries: int,
    levels: NDArray[np.int64],
    found: NDArray[np.bool_],
) -> None:
    samples = np.empty(64, np.int64)
    values = np.empty(64, np.int64)
    error = np.empty(64)
    for n in range(low.shape[0]):
        energy, n_changed, slack = 0.0, 0, 0.0
        for j in range(64):
            level = np.int64(np.floor(transformed[n, j] / steps[j] + 0.5))
            levels[n, j] = level
            values[j] = level * steps[j]
            error[j] = transformed[n, j] - values[j]
            energy += error[j] * error[j]
            if level != 0:
                n_changed += 1
        for i in range(64):
            width = float(high[n, i] - low[n, i])
            slack += width * (width + 1) / 4
        limit = ERROR_ENERGY if n_changed > FLAT_COEFFICIENTS else FLAT_ERROR_ENERGY
        limit += slack - energy
        if limit < 0:
            continue
        inverse_dct(values, samples)
        if _between(samples, low[n], high[n]):
            found[n] = True
            continue
        found[n] = _best_first(
            low[n], high[n], error, steps, basis, limit, max_tries, values, samples
        )
        if found[n]:
            for j in range(64):
                levels[n, j] = values[j] // steps[j]


@compiled
def _between(samples: NDArray[np.int64], low: NDArray[np.int32], high: NDArray[np.int32]) -> bool:
    n_outside = 0
    for i in range(64):
        if samples[i] < low[i] or samples[i] > high[i]:
            n_outside += 1
    return n_outside == 0


@compiled
def _best_first(
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    error: Float,
    steps: Steps,
    basis: Float,
    limit: float,
    max_tries: int,
    values: NDArray[np.int64],
    samples: NDArray[np.int64],
) -> bool:
    """Sets of changes in the order of their cost; `values` holds the solution, if there is one."""
    # A change of sign s at j adds q^2 - 2 q s e to the energy; both signs are tried.
    cost = np.empty(128)
    for j in range(64):
        step = float(steps[j])
        cost[j] = step * step - 2 * step * abs(error[j])
        cost[64 + j] = step * step + 2 * step * abs(error[j])
    order = np.argsort(cost)
    n_changes = 0
    while n_changes < MAX_CHANGES and cost[order[n_changes]] < limit:
        n_changes += 1
    if n_changes == 0:
        return False
    where = np.empty(n_changes, np.int64)
    change = np.empty(n_changes, np.int64)
    for a in range(n_changes):
        where[a] = order[a] % 64
        sign = 1 if error[where[a]] >= 0 else -1
        change[a] = steps[where[a]] * (sign if order[a] < 64 else -sign)
    cost = cost[order[:n_changes]]
    residue = np.zeros(64)
    for j in range(64):
        for i in range(64):
            residue[i] += error[j] * basis[j, i]
    # The samples' rounding, and that of the integer transform.
    reach = np.empty(64)
    for i in range(64):
        reach[i] = 0.5 * float(high[i] - low[i]) + 0.62
    changed = np.empty(64)
    base = values.copy()
    one = np.int64(1)
    heap = [(cost[0], one, 0)]
    tries = 1
    while len(heap) > 0 and tries < max_tries:
        total, chosen, last = heapq.heappop(heap)
        if total > limit:
            return False
        tries += 1
        changed[:] = residue
        for a in range(last + 1):
            if (chosen >> a) & 1:
                for i in range(64):
                    changed[i] -= change[a] * basis[where[a], i]
        near = True
        for i in range(64):
            if abs(changed[i]) > reach[i]:
                near = False
                break
        if near:
            values[:] = base
            for a in range(last + 1):
                if (chosen >> a) & 1:
                    values[where[a]] += change[a]
            inverse_dct(values, samples)
            if _between(samples, low, high):
                return True
        if last + 1 < n_changes:
            following = cost[last + 1]
            heapq.heappush(heap, (total + following, chosen | (one << (last + 1)), last + 1))
            heapq.heappush(
                heap,
                (
                    total + following - cost[last],
                    (chosen ^ (one << last)) | (one << (last + 1)),
                    last + 1,
                ),
            )
    return False
