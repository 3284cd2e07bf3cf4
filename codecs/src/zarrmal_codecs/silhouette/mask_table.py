"""The table by which points of masks are coded, counted on some masks (FORMAT 4.7.3)."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..constants import FREQUENCY_TOTAL, MAX_TEMPLATE
from .mask_coder import FREQUENCY, TEMPLATE, WINDOW, by_window, intervals, windows

Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]

TEMPLATES = (0, 6, 8, 10, 12)
"""Numbers of points around one that may be its context; more hardly tell more."""

PRIOR = 2.0
"""How many points the shorter context counts for in the longer one."""


def mask_table(masks: Sequence[Mask], n_cells: int) -> NDArray[np.int8]:
    """The table with the smallest total of itself and of the masks of so many cells.

    Parameters
    ----------
    masks
        The lattice points of some, at least one, each bool (rows, columns).
    n_cells
        How many the table will be used for.
    """
    halves = np.zeros((2, 1 << MAX_TEMPLATE, 2), np.int64)
    for i, points in enumerate(masks):
        index = 2 * windows(points).ravel().astype(np.int64) + points.ravel()
        halves[i % 2] += np.bincount(index, minlength=2 << MAX_TEMPLATE).reshape(-1, 2)
    # Each half is measured with the table of the other, so that rare contexts do not look cheap.
    measured = halves if halves[1].any() else halves[[0, 0]]
    share = n_cells / len(masks)

    def total(n: int) -> float:
        bits = sum(_bits(measured[1 - k], n, _table(measured[k], n)) for k in range(2))
        return share * bits + 8 * len(zlib.compress(_table(halves.sum(axis=0), n).tobytes(), 9))

    return _table(halves.sum(axis=0), min(TEMPLATES, key=total))


def mask_bits(masks: Sequence[Mask], table: NDArray[np.int8]) -> float:
    """Bits of the lattice points of some masks."""
    frequencies = by_window(table)
    each = (intervals(points, frequencies)[:, 1] / FREQUENCY_TOTAL for points in masks)
    return -float(sum(np.log2(shares).sum() for shares in each))


def _by_context(counts: Counts, n: int) -> Counts:
    """Points outside and inside, int64 (2**n, 2), of those by window."""
    index = np.arange(1 << MAX_TEMPLATE)
    contexts = np.zeros_like(index)
    for i, place in enumerate(TEMPLATE[:n]):
        contexts |= ((index >> WINDOW.index(place)) & 1) << i
    return np.stack(
        [np.bincount(contexts, each, 1 << n).astype(np.int64) for each in counts.T], axis=1
    )


def _table(counts: Counts, n: int) -> NDArray[np.int8]:
    """Logits in twelfths; a context that is rare takes after the one that is shorter by a point."""
    share = np.array([0.5])
    for k in range(n + 1):
        own = _by_context(counts, k)
        before = np.tile(share, len(own) // len(share))
        share = (own[:, 1] + PRIOR * before) / (own.sum(axis=1) + PRIOR)
    share = np.clip(share, 1e-5, 1 - 1e-5)
    logits: NDArray[np.int8] = np.clip(np.rint(12 * np.log(share / (1 - share))), -128, 127).astype(
        np.int8
    )
    return logits


def _bits(counts: Counts, n: int, table: NDArray[np.int8]) -> float:
    own = _by_context(counts, n)
    inside = FREQUENCY[table.astype(np.int64) + 128] / FREQUENCY_TOTAL
    return float(-(own[:, 1] * np.log2(inside) + own[:, 0] * np.log2(1 - inside)).sum())
