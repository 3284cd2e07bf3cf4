"""Symbols ↔ streams, one a cell, and numbers without a model (FORMAT-lattice 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ... import rans
from ...constants import RANS_LOWEST, RANS_STATE_BYTES
from ...errors import CorruptionError, TruncatedError
from .distributions import uniform

Ints = NDArray[np.int64]

SIZE_BITS: Final = 5
"""Bits of the size of a number."""


def number_symbols(value: int) -> list[tuple[int, int]]:
    """Start and frequency of the symbols of a whole number, 0 .. 2**32 - 2.

    The bits of value + 1 below its highest, as a number of 5 bits, and then those bits: the ones
    above the sixteenth first.
    """
    size = (value + 1).bit_length() - 1
    rest = value + 1 - (1 << size)
    parts = [(size, SIZE_BITS), (rest >> 16, max(size - 16, 0)), (rest & 0xFFFF, min(size, 16))]
    return [(part << (16 - bits), 1 << (16 - bits)) for part, bits in parts]


def streams_of(pairs: Sequence[Ints], checks: Sequence[int]) -> list[bytes]:
    """One stream a cell of its symbols (symbol, 2), whose last state holds its check."""
    streams = []
    for own, check in zip(pairs, checks, strict=True):
        last = np.array([RANS_LOWEST + check], np.int64)
        streams += rans.encode(own[:, :1], own[:, 1:], last)
    return streams


def refuse(status: NDArray[np.uint8]) -> None:
    """Raise what a status (cell,) other than 0 means: 1 words were missing, 2 the check fails."""
    if (status == 1).any():
        raise TruncatedError(f"the stream of cell {int(np.argmax(status == 1))} ends early")
    if status.any():
        raise CorruptionError(f"cell {int(np.argmax(status))} is damaged: its check fails")


class Streams:
    """All cells' streams while they are read.

    Parameters
    ----------
    streams
        One a cell.

    Raises
    ------
    TruncatedError
        A stream is shorter than the coder's state.
    CorruptionError
        It begins with a state that no encoder leaves.
    """

    def __init__(self, streams: Sequence[bytes | memoryview]) -> None:
        located = rans.Streams.of(streams)
        if (located.stops - located.starts < RANS_STATE_BYTES).any():
            raise TruncatedError("a cell's stream is shorter than the coder's state")
        self._rans = located.decoder()
        self._n = len(located)

    def __len__(self) -> int:
        return self._n

    @property
    def decoder(self) -> rans.Decoder:
        """The same, for coders of symbols that come before."""
        return self._rans

    @property
    def dry(self) -> NDArray[np.bool_]:
        """Which have ended early, (cell,): nothing more is read from them."""
        return self._rans.short

    @property
    def are_dry(self) -> bool:
        """Whether all have ended early, so that there is nothing left to read."""
        return bool(self._rans.short.all())

    def tapes(self) -> dict[str, NDArray[Any]]:
        """For the kernel: bytes, where each stream's next word lies, its end, and its state."""
        return {
            "data": np.frombuffer(self._rans.data, np.uint8),
            "positions": self._rans.positions,
            "stops": self._rans.stops,
            "states": self._rans.states.astype(np.uint32),
        }

    def go_on(
        self, states: NDArray[np.uint32], positions: NDArray[np.int64], dry: NDArray[np.uint8]
    ) -> None:
        """The kernel has read on, to these states and positions; 1 where words were missing."""
        self._rans.states = states.astype(np.int64)
        self._rans.positions = positions
        self._rans.short |= dry.astype(bool)

    def slots(self, cells: Ints) -> Ints:
        """Of each of ``cells``, the number that identifies its symbol."""
        return self._rans.slots()[cells]

    def advance(self, cells: Ints, start: Ints, frequency: Ints) -> None:
        """Consume a symbol of each of ``cells``."""
        starts, frequencies = np.zeros(self._n, np.int64), np.ones(self._n, np.int64)
        has = np.zeros(self._n, bool)
        starts[cells], frequencies[cells], has[cells] = start, frequency, True
        self._rans.advance(starts, frequencies, has)

    def uniform(self, cells: Ints, bits: Ints) -> Ints:
        """A number of ``bits`` bits for each of ``cells``."""
        values = self.slots(cells) >> (16 - bits)
        self.advance(cells, *uniform(values, bits))
        return values

    def number(self, cells: Ints) -> Ints:
        """A whole number for each of ``cells``; see ``number_symbols``."""
        size = self.uniform(cells, np.full(len(cells), SIZE_BITS))
        high = self.uniform(cells, np.maximum(size - 16, 0))
        low = self.uniform(cells, np.minimum(size, 16))
        return (1 << size) + (high << 16) + low - 1

    def refusal(self, message: str) -> CorruptionError:
        """The error to raise where what was read cannot be: perhaps words were missing before."""
        if self._rans.short.any():
            return TruncatedError("a cell's stream ends early")
        return CorruptionError(message)

    def expect_words(self) -> None:
        """Raise if words were missing."""
        refuse(self._rans.short.astype(np.uint8))

    def expect_end(self, checks: Ints) -> None:
        """Raise unless each stream ended with its check, int64 (cell,)."""
        refuse(self._rans.status(RANS_LOWEST + checks))
