"""Range asymmetric numeral systems, one state a lane (FORMAT 4.6.6).

Duda (arXiv:1311.2540). States lie in 2**16 <= x < 2**32, words have 16 bits, frequencies add up to
2**16: so a symbol moves at most one word.
"""

from __future__ import annotations

from binascii import crc_hqx

import numpy as np
from numpy.typing import NDArray

from .constants import CHECK_INITIAL, RANS_LOWEST, RANS_STATE_BYTES

Ints = NDArray[np.int64]


def last_states(pixels: NDArray[np.uint8]) -> Ints:
    """In which state each cell's stream ends, int64 (cell,): 2**16 and its pixels' CRC-16.

    Parameters
    ----------
    pixels
        uint8 (cell, plane, y, x).
    """
    channels_last = pixels.transpose(0, 2, 3, 1)
    checks = [crc_hqx(cell.tobytes(), CHECK_INITIAL) for cell in channels_last]
    return RANS_LOWEST + np.array(checks, np.int64)


def encode(starts: Ints, frequencies: Ints, last: Ints) -> list[bytes]:
    """One stream a lane.

    Parameters
    ----------
    starts, frequencies
        int64 (symbol, lane), in the order in which the decoder will meet them; every frequency is
        at least 1, and start + frequency at most 2**16.
    last
        int64 (lane,): the state after the last symbol, below 2**17; see last_states.
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
    """States and words of many lanes; the inverse of ``encode``, a symbol of each lane at a time.

    Parameters
    ----------
    states
        int64 (lane,).
    data
        All streams.
    starts, stops
        int64 (lane,): where each lane's words lie in ``data``, in bytes.
    """

    def __init__(self, states: Ints, data: memoryview, starts: Ints, stops: Ints) -> None:
        self.states = states.copy()
        self.positions = starts.copy()
        self.short = np.zeros(len(states), bool)
        self._stops = stops
        # Two zero bytes more: where a lane that has run dry reads.
        self._bytes = np.frombuffer(bytes(data) + b"\0\0", np.uint8).astype(np.int64)

    def slots(self) -> Ints:
        """For each lane the number 0 .. 2**16 - 1 that tells the symbol."""
        return self.states & 0xFFFF

    def advance(self, starts: Ints, frequencies: Ints) -> None:
        """Take the symbol that covers the slot, int64 (lane,) each."""
        state = frequencies * (self.states >> 16) + (self.states & 0xFFFF) - starts
        low = state < RANS_LOWEST
        dry = low & (self.positions + 2 > self._stops)
        self.short |= dry
        at = np.where(dry, len(self._bytes) - 2, self.positions)
        at = np.minimum(at, len(self._bytes) - 2)
        word = self._bytes[at] | (self._bytes[at + 1] << 8)
        self.states = np.where(low, (state << 16) | word, state)
        self.positions += 2 * (low & ~dry)

    def status(self, last: Ints) -> NDArray[np.uint8]:
        """0 for a lane that ended in its last state, 1 where words were missing, else 2."""
        ended = (self.states == last) & (self.positions == self._stops)
        return np.where(self.short, 1, np.where(ended, 0, 2)).astype(np.uint8)


def read_states(data: memoryview, starts: Ints) -> Ints:
    """The state with which each stream begins, int64 (lane,)."""
    raw = np.frombuffer(data, np.uint8)
    at = starts[:, None] + np.arange(RANS_STATE_BYTES)
    heads = np.ascontiguousarray(raw[at]).view("<u4").reshape(-1)
    return heads.astype(np.int64)
