"""Adaptive counts of symbols: the range coder's model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled
from .contexts import N_BIASES, N_ENERGIES

SYMBOLS = (18, 26, 34, 50, 66, 82, 114, 256)
"""Symbols of each energy level's histogram. The last one escapes to the next level, except in the
top level."""
INCREMENT = 2
LIMIT = 1 << 14
"""Counts are halved when their sum exceeds this. The paper leaves both numbers open; these follow
the authors' sizes of small images."""
BINARY_CONTEXTS = 32
BINARY_SYMBOLS = 3
BINARY_INCREMENT = 1
BINARY_LIMIT = 1 << 10

Counts = NDArray[np.int64]
"""int64 (histogram, symbol + 1); the last column is the sum."""


def error_counts() -> Counts:
    """One histogram for each level of bias and energy, every count 1."""
    counts = np.zeros((N_BIASES * N_ENERGIES, 257), np.int64)
    for row in range(len(counts)):
        counts[row, : SYMBOLS[row % N_ENERGIES]] = 1
    counts[:, -1] = counts.sum(1)
    return counts


def binary_counts() -> Counts:
    """One histogram of three symbols for each context of the binary mode."""
    counts = np.ones((BINARY_CONTEXTS, BINARY_SYMBOLS + 1), np.int64)
    counts[:, -1] = BINARY_SYMBOLS
    return counts


@compiled
def below(counts: Counts, row: int, symbol: int) -> int:
    """Sum of the counts of smaller symbols."""
    total = 0
    for i in range(symbol):
        total += counts[row, i]
    return total


@compiled
def learn_symbol(
    counts: Counts, row: int, symbol: int, n_symbols: int, increment: int, limit: int
) -> None:
    """Count a symbol; halve all counts, none to zero, when their sum exceeds the limit."""
    counts[row, symbol] += increment
    counts[row, -1] += increment
    if counts[row, -1] > limit:
        total = 0
        for i in range(n_symbols):
            counts[row, i] = (counts[row, i] + 1) >> 1
            total += counts[row, i]
        counts[row, -1] = total
