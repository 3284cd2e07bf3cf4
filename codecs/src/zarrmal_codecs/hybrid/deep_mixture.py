"""The distribution over 0..65535 of models of depth 16, in two symbols (FORMAT 6.3.2).

The first tells that the pixel is 0 or in which bin of 256 levels it lies, the second where in that
bin. Both come from the same mixture, so a pixel takes one evaluation of the network. The lowest
bits of a value, which are noise, follow as they are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .. import rans
from ..constants import FREQUENCY_TOTAL, KNOT_TOTAL, LEVEL_BIN
from ..scales import value_of
from .mixture import Mixture, logistic

Ints = NDArray[np.int64]
Interval = tuple[Ints, Ints]

WHOLE = KNOT_TOTAL << 10
"""The cumulative of a mixture beyond its last level."""
SHARED = FREQUENCY_TOTAL - LEVEL_BIN
"""Of a bin's frequencies, what is shared among its levels after each has one."""


class DeepMixture:
    """A mixture over the levels of one plane.

    Parameters
    ----------
    mixture
        Of each lane.
    n_raw, n_bins
        See Scales.
    """

    def __init__(self, mixture: Mixture, n_raw: int, n_bins: int) -> None:
        self._mixture, self._n_raw, self._n_bins = mixture, n_raw, n_bins

    def _below(self, level: Ints) -> Ints:
        """X(level): the share of lower levels, 0..WHOLE."""
        m = self._mixture
        below: Ints = (m.weight * logistic(16 * level - 8 - m.middle, m.slope)).sum(axis=0)
        return below

    def _edge(self, index: Ints) -> Ints:
        """Share of the levels before a bin of each lane, index 0..n_bins."""
        inner = self._below(1 + LEVEL_BIN * index)
        return np.where(index == 0, 0, np.where(index == self._n_bins, WHOLE, inner))

    def _first(self, index: Ints) -> Ints:
        """C of a bin of each lane, index 0..n_bins: the frequencies of 0 and of all bins before."""
        blank = self._mixture.blank
        rest = FREQUENCY_TOTAL - self._n_bins - blank
        return blank + index + ((rest * (self._edge(index) >> 9)) >> 16)

    def _second(self, index: Ints, place: Ints) -> Ints:
        """C of a place 0..256 in a bin of each lane."""
        low, high = self._edge(index), self._edge(index + 1)
        share = SHARED * (self._below(1 + LEVEL_BIN * index + place) - low)
        share = np.where(high > low, share // np.maximum(high - low, 1), (LEVEL_BIN - 1) * place)
        ends = np.where(place == LEVEL_BIN, FREQUENCY_TOTAL, place + share)
        return np.where(place == 0, 0, ends)

    def intervals(self, values: Ints) -> list[Interval]:
        """Start and frequency of each symbol of values, int64 (lane,) each.

        Lanes without a symbol have the frequency 2**16.
        """
        blank = values == 0
        level = np.maximum(values - 1, 0) >> self._n_raw
        index, place = level // LEVEL_BIN, level % LEVEL_BIN
        start = np.where(blank, 0, self._first(index))
        stop = np.where(blank, self._mixture.blank, self._first(index + 1))
        symbols = [(start, stop - start)]
        start, stop = self._second(index, place), self._second(index, place + 1)
        symbols.append((start, stop - start))
        if self._n_raw:
            raw = np.maximum(values - 1, 0) & ((1 << self._n_raw) - 1)
            symbols.append(self._raw(raw))
        return [
            symbols[0],
            *(
                (np.where(blank, 0, start), np.where(blank, FREQUENCY_TOTAL, frequency))
                for start, frequency in symbols[1:]
            ),
        ]

    def _raw(self, raw: Ints) -> Interval:
        shift = 16 - self._n_raw
        return raw << shift, np.full_like(raw, 1 << shift)

    def decode(self, decoder: rans.Decoder, has: NDArray[np.bool_] | bool) -> Ints:
        """Read the value of each lane, int64 (lane,); without meaning where a lane has no pixel."""
        slots = decoder.slots()
        blank = slots < self._mixture.blank
        index = self._search(slots, self._first, self._n_bins)
        start = np.where(blank, 0, self._first(index))
        stop = np.where(blank, self._mixture.blank, self._first(index + 1))
        decoder.advance(start, stop - start, has)
        has = has & ~blank
        slots = decoder.slots()
        place = self._search(slots, lambda place: self._second(index, place), LEVEL_BIN)
        start, stop = self._second(index, place), self._second(index, place + 1)
        decoder.advance(start, stop - start, has)
        raw = np.zeros_like(slots)
        if self._n_raw:
            raw = decoder.slots() >> (16 - self._n_raw)
            decoder.advance(*self._raw(raw), has)
        values = value_of(1 + LEVEL_BIN * index + place, raw, self._n_raw)
        return np.where(blank, 0, values)

    @staticmethod
    def _search(slots: Ints, edge: Callable[[Ints], Ints], n: int) -> Ints:
        """The last of 0..n - 1 whose edge is not above the slot, bit by bit; edges grow."""
        found = np.zeros_like(slots)
        for bit in (128, 64, 32, 16, 8, 4, 2, 1):
            if bit < n:
                tried = np.minimum(found + bit, n - 1)
                found = np.where((found + bit < n) & (edge(tried) <= slots), tried, found)
        return found
