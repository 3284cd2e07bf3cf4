"""Distributions of coefficients and of last diagonals, and their symbols (FORMAT-lattice 6).

A coefficient is a bin, and rarely more: where the distribution is wide, its place within the bin;
beyond the bins, its distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..numbers import (
    CURVE,
    CURVE_BITS,
    CURVE_LIMIT,
    EXP,
    LEAST_SCALE_LOG2,
    LOCATION_BITS,
    N_DIAGONALS,
    N_LOGITS,
    N_SCALES,
    SCALE_BITS,
    SHARE,
    SLOPE,
    SLOPE_BITS,
    clipped,
)

Ints = NDArray[np.int64]

TOTAL: Final = 1 << 16
REACH: Final = 32
"""Bins on each side of the middle."""
N_SYMBOLS: Final = 2 * REACH + 2
"""Below all bins, the bins, above all bins."""
LARGEST_LOCATION: Final = (1 << 11) - 1
"""Of a network's output, in 32nds of a step."""
DISTANCE_BITS: Final = 4
"""Bits of the size of a distance beyond the bins."""
LARGEST_COEFFICIENT: Final = (1 << 15) - 1
_CURVE_SHIFT: Final = SLOPE_BITS + LOCATION_BITS - CURVE_BITS
_HALF: Final = CURVE_LIMIT << CURVE_BITS


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """Two logistics for each lane, over coefficients.

    Parameters
    ----------
    middle
        int64 (2, lane): 32nds of a step.
    slope
        int64 (2, lane).
    share
        int64 (lane,): of the first, of 1024.
    lowest
        int64 (lane,): lower edge of the first bin.
    width_log2
        int64 (lane,): binary logarithm of the width of bins.
    """

    middle: Ints
    slope: Ints
    share: Ints
    lowest: Ints
    width_log2: Ints

    @classmethod
    def of(cls, outputs: Ints, predicted: Ints) -> Mixture:
        """The mixture of a network's outputs (5, lane) and the prediction (lane,), in 32nds."""
        middle = predicted + clipped(outputs[0:2], -LARGEST_LOCATION, LARGEST_LOCATION)
        scale = clipped(outputs[2:4], 0, N_SCALES - 1)
        share = SHARE[clipped(outputs[4], -N_LOGITS // 2, N_LOGITS // 2 - 1) + N_LOGITS // 2]
        narrow = scale.min(axis=0)
        width_log2 = np.maximum(0, (narrow >> SCALE_BITS) + LEAST_SCALE_LOG2 - 1)
        centre = (middle[0] + (1 << (LOCATION_BITS - 1))) >> LOCATION_BITS
        return cls(middle, SLOPE[scale], share, centre - (REACH << width_log2), width_log2)

    def cumulative(self, symbol: Ints) -> Ints:
        """Frequencies below ``symbol`` of each lane, int64 (lane,); symbol 0..N_SYMBOLS."""
        edge = self.lowest + ((symbol - 1) << self.width_log2)
        distance = (edge << LOCATION_BITS) - (1 << (LOCATION_BITS - 1)) - self.middle
        places = clipped(((distance * self.slope) >> _CURVE_SHIFT) + _HALF, 0, 2 * _HALF - 1)
        first, second = CURVE[places]
        mixed = (self.share * first + (1024 - self.share) * second) >> 10
        inside = symbol + (((TOTAL - N_SYMBOLS) * mixed) >> 16)
        return np.where(symbol == 0, 0, np.where(symbol == N_SYMBOLS, TOTAL, inside))

    def symbol_of(self, values: Ints) -> Ints:
        """The symbol of each lane's coefficient."""
        return clipped((values - self.lowest >> self.width_log2) + 1, 0, N_SYMBOLS - 1)

    def find(self, slots: Ints) -> tuple[Ints, Ints, Ints]:
        """Symbol whose interval covers the slot, its start and its frequency, int64 (lane,)."""
        low, high = np.zeros_like(slots), np.full_like(slots, N_SYMBOLS)
        while (high - low > 1).any():
            middle = (low + high) >> 1
            covers = self.cumulative(middle) <= slots
            low, high = np.where(covers, middle, low), np.where(covers, high, middle)
        start = self.cumulative(low)
        return low, start, self.cumulative(low + 1) - start

    def bin_edge(self, symbol: Ints) -> Ints:
        """The least coefficient of each lane's symbol, which is a bin."""
        return self.lowest + ((symbol - 1) << self.width_log2)

    def beyond(self, symbol: Ints) -> NDArray[np.bool_]:
        """Which lanes' symbols are no bins."""
        result: NDArray[np.bool_] = (symbol == 0) | (symbol == N_SYMBOLS - 1)
        return result

    def distance_of(self, values: Ints) -> Ints:
        """Of coefficients beyond the bins, how far from the nearest that has none; at least 1."""
        top = self.lowest + (2 * REACH << self.width_log2)
        return np.where(values < self.lowest, self.lowest - values, values - top + 1)

    def value_beyond(self, symbol: Ints, distance: Ints) -> Ints:
        """Inverse of ``distance_of``."""
        top = self.lowest + (2 * REACH << self.width_log2)
        return np.where(symbol == 0, self.lowest - distance, top + distance - 1)


def uniform(values: Ints, bits: Ints) -> tuple[Ints, Ints]:
    """Start and frequency of numbers of ``bits`` bits, 0..16, all as likely."""
    return values << (16 - bits), np.left_shift(1, 16 - bits)


def size_of(distance: Ints) -> Ints:
    """Bits of a distance below its highest, 0..15."""
    bits: Ints = np.frexp(distance.astype(np.float64))[1].astype(np.int64)
    return bits - 1


def diagonal_cumulative(outputs: Ints) -> Ints:
    """Cumulative frequencies of the last diagonals, int64 (16, lane), of outputs (15, lane)."""
    logits = clipped(outputs, -N_LOGITS + 1, N_LOGITS - 1)
    parts = EXP[logits.max(axis=0) - logits]
    edges = np.zeros((N_DIAGONALS + 1, outputs.shape[1]), np.int64)
    np.cumsum(parts, axis=0, out=edges[1:])
    scaled: Ints = edges * (TOTAL - N_DIAGONALS) // edges[-1]
    return scaled + np.arange(N_DIAGONALS + 1)[:, None]
