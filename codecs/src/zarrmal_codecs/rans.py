"""Range asymmetric numeral systems, one state per lane (FORMAT 4.6).

Duda (arXiv:1311.2540). States lie in 2**16 <= x < 2**32, words have 16 bits, frequencies add up to
2**16, so coding a symbol moves at most one word.
"""

from __future__ import annotations

from binascii import crc_hqx
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

from .constants import CHECK_INITIAL, RANS_LOWEST, RANS_STATE_BYTES
from .errors import CorruptionError

Ints = NDArray[np.int64]


def last_states(
    pixels: NDArray[np.uint8] | NDArray[np.uint16], sizes: NDArray[np.uint16] | None = None
) -> Ints:
    """State in which each cell's stream must end, int64 (cell,): 2**16 + CRC-16 of its pixels.

    Parameters
    ----------
    pixels
        uint8 or uint16 (cell, plane, y, x).
    sizes
        Height and width of each cell, (cell, 2); None where all are those of the array.
    """
    little = pixels.dtype.newbyteorder("<")
    cells = list(pixels.astype(little, copy=False).transpose(0, 2, 3, 1))  # channels last
    if sizes is not None:
        own = zip(cells, sizes.tolist(), strict=True)
        cells = [cell[:height, :width] for cell, (height, width) in own]
    checks = [crc_hqx(cell.tobytes(), CHECK_INITIAL) for cell in cells]
    return RANS_LOWEST + np.array(checks, np.int64)


def encode(starts: Ints, frequencies: Ints, last: Ints) -> list[bytes]:
    """One stream per lane.

    Parameters
    ----------
    starts, frequencies
        int64 (symbol, lane), in the decoder's order; every frequency is at least 1, and
        start + frequency at most 2**16. A frequency of 2**16 leaves the state as it is.
    last
        int64 (lane,): the state after the last decoded symbol, below 2**17; see last_states.
    """
    n_symbols, n_lanes = starts.shape
    state = last.copy()
    words = np.empty((n_symbols, n_lanes), "<u2")
    used = np.empty((n_symbols, n_lanes), bool)
    for k in range(n_symbols - 1, -1, -1):
        frequency = frequencies[k]
        full = (state >> 16) >= frequency
        used[k] = full
        words[k] = state & 0xFFFF
        state = np.where(full, state >> 16, state)
        high = state // frequency
        state = (high << 16) + (state - high * frequency) + starts[k]
    heads = state.astype("<u4")
    return [heads[lane].tobytes() + words[used[:, lane], lane].tobytes() for lane in range(n_lanes)]


class Decoder:
    """Inverse of ``encode``: takes one symbol of each lane at a time.

    Parameters
    ----------
    states
        int64 (lane,).
    data
        All streams.
    starts, stops
        int64 (lane,): byte range of each lane's words in ``data``.
    """

    def __init__(self, states: Ints, data: memoryview, starts: Ints, stops: Ints) -> None:
        self.states = states.copy()
        self.data = data
        self.positions = starts.copy()
        self.short = np.zeros(len(states), bool)
        self.stops = stops

    @cached_property
    def _bytes(self) -> Ints:
        # Lanes without further words read the two zero bytes at the end.
        return np.frombuffer(bytes(self.data) + b"\0\0", np.uint8).astype(np.int64)

    def slots(self) -> Ints:
        """Number 0 .. 2**16 - 1 of each lane that identifies its symbol."""
        return self.states & 0xFFFF

    def advance(
        self, starts: Ints, frequencies: Ints, has: NDArray[np.bool_] | bool = True
    ) -> None:
        """Consume the symbols whose intervals cover the slots, int64 (lane,) each.

        Parameters
        ----------
        has
            bool (lane,): which lanes have a symbol; the others stay as they are.
        """
        state = frequencies * (self.states >> 16) + (self.states & 0xFFFF) - starts
        state = np.where(has, state, self.states)
        low = (state < RANS_LOWEST) & has
        if not low.any():
            self.states = state
            return
        dry = low & (self.positions + 2 > self.stops)
        self.short |= dry
        positions = np.where(dry, len(self._bytes) - 2, self.positions)
        positions = np.minimum(positions, len(self._bytes) - 2)
        word = self._bytes[positions] | (self._bytes[positions + 1] << 8)
        self.states = np.where(low, (state << 16) | word, state)
        self.positions += 2 * (low & ~dry)

    def read(self, lane: int, edges: list[list[int]]) -> list[int]:
        """Symbols of one lane: for few lanes this is faster than ``advance``.

        Parameters
        ----------
        edges
            Of each symbol the cumulative frequencies, from 0 to 2**16.
        """
        state, position = int(self.states[lane]), int(self.positions[lane])
        stop, symbols = int(self.stops[lane]), list[int]()
        for own in edges:
            slot = state & 0xFFFF
            symbol = bisect_right(own, slot) - 1
            state = (own[symbol + 1] - own[symbol]) * (state >> 16) + slot - own[symbol]
            symbols.append(symbol)
            if state >= RANS_LOWEST:
                continue
            state <<= 16
            if position + 2 > stop:
                self.short[lane] = True
            else:
                state |= self.data[position] | self.data[position + 1] << 8
                position += 2
        self.states[lane], self.positions[lane] = state, position
        return symbols

    def status(self, last: Ints) -> NDArray[np.uint8]:
        """0 where a lane ended in its last state, 1 where words were missing, else 2."""
        ended = (self.states == last) & (self.positions == self.stops)
        return np.where(self.short, 1, np.where(ended, 0, 2)).astype(np.uint8)


def read_states(data: memoryview, starts: Ints) -> Ints:
    """First state of each stream, int64 (lane,).

    Raises
    ------
    CorruptionError
        If a state is one that no encoder leaves. From there even a symbol of no bits takes a word.
    """
    raw = np.frombuffer(data, np.uint8)
    positions = starts[:, None] + np.arange(RANS_STATE_BYTES)
    heads = np.ascontiguousarray(raw[positions]).view("<u4").reshape(-1)
    states = heads.astype(np.int64)
    if (states < RANS_LOWEST).any():
        raise CorruptionError("a stream begins with a state that no encoder leaves")
    return states


class Streams(Sequence[memoryview]):
    """Streams in one buffer.

    Parameters
    ----------
    streams
        They are concatenated.
    """

    def __init__(self, streams: Sequence[bytes | memoryview]) -> None:
        self.data = memoryview(b"".join(streams))
        lengths = np.array([len(s) for s in streams], np.int64)
        self.stops = np.cumsum(lengths)
        self.starts = self.stops - lengths

    @classmethod
    def of(cls, streams: Sequence[bytes | memoryview]) -> Streams:
        """The same, unless they lie in one buffer already."""
        return streams if isinstance(streams, cls) else cls(streams)

    @classmethod
    def within(cls, data: memoryview, starts: Ints, stops: Ints) -> Self:
        """Those that lie in a buffer already, at these bytes, int64 (stream,)."""
        made = cls.__new__(cls)
        made.data, made.starts, made.stops = data, starts, stops
        return made

    def take(self, rows: Ints) -> Self:
        """Some of them."""
        return self.within(self.data, self.starts[rows], self.stops[rows])

    @overload
    def __getitem__(self, index: int) -> memoryview: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> memoryview | Self:
        """One, or some."""
        if isinstance(index, slice):
            return self.within(self.data, self.starts[index], self.stops[index])
        return self.data[int(self.starts[index]) : int(self.stops[index])]

    def __len__(self) -> int:
        return len(self.stops)

    def decoder(self) -> Decoder:
        """A decoder at the first symbol of each stream, which has 4 bytes or more."""
        states = read_states(self.data, self.starts)
        return Decoder(states, self.data, self.starts + RANS_STATE_BYTES, self.stops)
