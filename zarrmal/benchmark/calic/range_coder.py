"""Range coder: intervals of cumulative counts <-> bytes.

The paper assumes an adaptive arithmetic coder (section on entropy coding). This one has 48 bits
and carries into bytes already written. Its state is an int64 array.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled

STATE_BITS = 48
N_FLUSHED = STATE_BITS // 8
TOP = 1 << STATE_BITS
BOTTOM = 1 << (STATE_BITS - 8)

LOW, RANGE, POSITION = 0, 1, 2
CODE = 0
"""The decoder's state holds the code where the encoder's holds LOW."""

State = NDArray[np.int64]
Bytes = NDArray[np.uint8]


@compiled
def new_state() -> State:
    """State of an encoder that has written nothing, or of a decoder before ``start``."""
    return np.array([0, TOP - 1, 0], np.int64)


@compiled
def push(state: State, out: Bytes, start: int, count: int, total: int) -> None:
    """Narrow the interval to [start, start + count) of total.

    Nothing is written beyond ``out``, but POSITION advances: the caller compares it with the
    length.
    """
    step = state[RANGE] // total
    state[LOW] += step * start
    state[RANGE] = step * count
    if state[LOW] >= TOP:
        state[LOW] -= TOP
        carry(state, out)
    while state[RANGE] < BOTTOM:
        write_top(state, out)
        state[RANGE] <<= 8


@compiled
def carry(state: State, out: Bytes) -> None:
    """Add one to the number written so far."""
    i = min(state[POSITION], len(out)) - 1
    while i >= 0:
        out[i] += np.uint8(1)
        if out[i] != 0:
            break
        i -= 1


@compiled
def write_top(state: State, out: Bytes) -> None:
    """Write the highest byte of LOW."""
    if state[POSITION] < len(out):
        out[state[POSITION]] = state[LOW] >> (STATE_BITS - 8)
    state[POSITION] += 1
    state[LOW] = (state[LOW] << 8) & (TOP - 1)


@compiled
def finish(state: State, out: Bytes) -> None:
    """Write the number of the interval with the most trailing zeros, which need not be stored."""
    low, bits = state[LOW], STATE_BITS - 1
    while ((low + (1 << bits) - 1) >> bits << bits) >= low + state[RANGE]:
        bits -= 1
    state[LOW] = (low + (1 << bits) - 1) >> bits << bits
    if state[LOW] >= TOP:
        state[LOW] -= TOP
        carry(state, out)
    for _ in range(N_FLUSHED):
        write_top(state, out)


@compiled
def start(state: State, data: Bytes) -> None:
    """Read the first bytes."""
    for _ in range(N_FLUSHED):
        read_byte(state, data)


@compiled
def read_byte(state: State, data: Bytes) -> None:
    """Read a byte, zero after the end; POSITION counts all of them."""
    byte = int(data[state[POSITION]]) if state[POSITION] < len(data) else 0
    state[POSITION] += 1
    state[CODE] = (state[CODE] << 8) | byte


@compiled
def target(state: State, total: int) -> int:
    """Position in [0, total) that the next interval contains; ``total`` for damaged data."""
    return int(min(state[CODE] // (state[RANGE] // total), total))


@compiled
def pop(state: State, data: Bytes, start_: int, count: int, total: int) -> None:
    """Inverse of push, for the interval that contains the target."""
    step = state[RANGE] // total
    state[CODE] -= step * start_
    state[RANGE] = step * count
    while state[RANGE] < BOTTOM:
        read_byte(state, data)
        state[RANGE] <<= 8
