"""Arithmetic coder: intervals of cumulative counts <-> bytes.

The paper takes an adaptive arithmetic coder for granted (section on entropy coding); this is a
range coder of 48 bits that carries into bytes already written. Its state is an int64 array.
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
"""In the decoder's state, where the encoder has LOW."""

State = NDArray[np.int64]
Bytes = NDArray[np.uint8]


@compiled
def new_state() -> State:
    """Of an encoder that has written nothing, or a decoder that is still to be started."""
    return np.array([0, TOP - 1, 0], np.int64)


@compiled
def push(state: State, out: Bytes, start: int, count: int, total: int) -> None:
    """Narrow the interval to [start, start + count) of total. Beyond ``out`` nothing is written,
    but POSITION goes on: the caller compares it with the length."""
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
    """Move the uppermost byte of LOW out."""
    if state[POSITION] < len(out):
        out[state[POSITION]] = state[LOW] >> (STATE_BITS - 8)
    state[POSITION] += 1
    state[LOW] = (state[LOW] << 8) & (TOP - 1)


@compiled
def finish(state: State, out: Bytes) -> None:
    """Write the roundest number of the interval: zeros at its end need not be kept."""
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
    """Zeros follow the end; POSITION tells how many were read."""
    byte = int(data[state[POSITION]]) if state[POSITION] < len(data) else 0
    state[POSITION] += 1
    state[CODE] = (state[CODE] << 8) | byte


@compiled
def target(state: State, total: int) -> int:
    """Where in [0, total) the next interval lies; ``total`` where no encoder can have been."""
    return int(min(state[CODE] // (state[RANGE] // total), total))


@compiled
def pop(state: State, data: Bytes, start_: int, count: int, total: int) -> None:
    """The inverse of push, for the interval that holds the target."""
    step = state[RANGE] // total
    state[CODE] -= step * start_
    state[RANGE] = step * count
    while state[RANGE] < BOTTOM:
        read_byte(state, data)
        state[RANGE] <<= 8
