"""Where the grid of blocks lies: at the true phase more coefficients were quantised to 0.

Which frequencies tell it depends on the table, which is not known yet. So each frequency counts its
small coefficients at all 64 phases, and says by how many standard deviations each phase has more
than the mean of all; the sum over frequencies ranks the phases.

Where that misleads, as in smooth pictures and in those that were a JPEG on another grid before, the
steps are looked at: at the true phase, and only there, coefficients are multiples of something.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled
from .solve.dct import BLOCK, COSINES, N_COEFFICIENTS, error_inflation, forward_dct
from .tables import step_likelihoods

N_PHASES = BLOCK * BLOCK

SMALL = 0.6
"""A coefficient quantised to 0 is measured within this: the error of rounded samples is 0.29."""

LARGEST_WINDOW = 224
"""Rows and columns that are looked at, the middle of a larger picture."""

ACTIVE_BLOCKS = 16
"""Of each phase, those that vary most, by which its steps are told."""

LARGEST_STEP = 32
"""Where coarser steps are all that there is, their zeros tell the phase already."""


def rank_phases(
    samples: NDArray[np.uint8], known: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Phases, the likeliest first.

    Parameters
    ----------
    samples
        uint8 (y, x).
    known
        bool (y, x): samples that are exact; blocks with others are not looked at.

    Returns
    -------
    tuple
        Phases with at least one whole block, int64 (n,), and their scores (n,); phase 8 r + c is
        that where the first whole block begins at row r and column c.
    """
    first = [max(0, (side - LARGEST_WINDOW) // 2 // BLOCK * BLOCK) for side in samples.shape]
    window = tuple(slice(start, start + LARGEST_WINDOW) for start in first)
    samples, known = samples[window], known[window]
    if min(samples.shape) < BLOCK:
        return np.zeros(0, np.int64), np.zeros(0)
    n_small = np.zeros((N_PHASES, N_PHASES), np.int64)
    n_blocks = np.zeros(N_PHASES, np.int64)
    centred = samples.astype(np.float32) - np.float32(128)
    _count_small(centred, whole_windows(known), COSINES.astype(np.float32), n_small, n_blocks)
    (ranked,) = np.nonzero(n_blocks)
    if not len(ranked):
        return ranked, np.zeros(0)
    shares = n_small[ranked, 1:] / n_blocks[ranked, None]
    deviations = shares.std(axis=0)
    tells = deviations > 0
    scores = ((shares - shares.mean(axis=0))[:, tells] / deviations[tells]).sum(axis=1)
    order = np.argsort(-scores, kind="stable")
    return ranked[order], scores[order]


def rank_by_steps(
    samples: NDArray[np.uint8], known: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The same, by how much likelier coefficients are with the best steps than with steps of 1.

    Takes some twenty times as long.

    Parameters
    ----------
    samples, known
        See ``rank_phases``.
    """
    if min(samples.shape) < BLOCK:
        return np.zeros(0, np.int64), np.zeros(0)
    whole = whole_windows(known)
    windows = np.lib.stride_tricks.sliding_window_view(samples, (BLOCK, BLOCK))
    phases, scores = [], []
    for phase in range(N_PHASES):
        corner = np.array(divmod(phase, BLOCK))
        rows, columns = np.nonzero(whole[corner[0] :: BLOCK, corner[1] :: BLOCK])
        if not len(rows):
            continue
        blocks = windows[corner[0] + BLOCK * rows, corner[1] + BLOCK * columns].astype(np.float64)
        activity = sum(np.abs(np.diff(blocks, axis=axis)).sum((1, 2)) for axis in (1, 2))
        most = np.argsort(-np.asarray(activity), kind="stable")[:ACTIVE_BLOCKS]
        active = blocks[most].reshape(-1, N_COEFFICIENTS)
        fits = step_likelihoods(
            forward_dct(active)[:, 1:],
            error_inflation(active),
            has_means=False,
            largest_step=LARGEST_STEP,
        )
        phases.append(phase)
        scores.append(np.maximum(fits[:, 2:].max(axis=1) - fits[:, 1], 0).sum())
    order = np.argsort(-np.array(scores), kind="stable")
    return np.array(phases, np.int64)[order], np.array(scores)[order]


def whole_windows(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a block of 8 x 8 known samples begins, bool (y - 7, x - 7)."""
    sums = np.zeros((known.shape[0] + 1, known.shape[1] + 1), np.int64)
    sums[1:, 1:] = known.astype(np.int64).cumsum(axis=0).cumsum(axis=1)
    inside = sums[BLOCK:, BLOCK:] - sums[:-BLOCK, BLOCK:] - sums[BLOCK:, :-BLOCK]
    whole: NDArray[np.bool_] = inside + sums[:-BLOCK, :-BLOCK] == BLOCK * BLOCK
    return whole


@compiled
def _count_small(
    samples: NDArray[np.float32],
    whole: NDArray[np.bool_],
    cosines: NDArray[np.float32],
    n_small: NDArray[np.int64],
    n_blocks: NDArray[np.int64],
) -> None:
    """Small coefficients of the blocks that begin at every pixel, by phase and frequency."""
    n_rows, n_columns = whole.shape
    across = np.zeros((8, samples.shape[0], n_columns), np.float32)
    for v in range(8):
        for y in range(samples.shape[0]):
            for i in range(8):
                for x in range(n_columns):
                    across[v, y, x] += cosines[v, i] * samples[y, x + i]
    for y in range(n_rows):
        for x in range(n_columns):
            if whole[y, x]:
                n_blocks[(y % 8) * 8 + x % 8] += 1
    value = np.empty(n_columns, np.float32)
    halves = np.empty((2, 4, n_columns), np.float32)
    for v in range(8):
        for y in range(n_rows):
            # Rows from both ends: even frequencies see their sums, odd ones their differences.
            for i in range(4):
                for x in range(n_columns):
                    first, last = across[v, y + i, x], across[v, y + 7 - i, x]
                    halves[0, i, x] = first + last
                    halves[1, i, x] = first - last
            # Half of the frequencies tell enough.
            for u in range(v % 2, 8, 2):
                value[:] = 0
                for i in range(4):
                    for x in range(n_columns):
                        value[x] += cosines[u, i] * halves[u % 2, i, x]
                for x in range(n_columns):
                    if whole[y, x] and abs(value[x]) < SMALL:
                        n_small[(y % 8) * 8 + x % 8, 8 * u + v] += 1
