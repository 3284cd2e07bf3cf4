"""Zigzag map, Golomb and Rice codes, and the choice of the Rice parameter (FORMAT 4.5).

The paper (Entropy 2019, 21(11), 1062, section 2) writes a residue e as n = 2e or -2e - 1 and n as
``n div m`` ones, a zero, and ``n mod m``; with m = 2**s that is the Rice code. ``golomb_encode`` is
that code for any m. Streams in chunks hold the same bits as the Rice code in another order: first
the bit planes of all remainders, then all unary parts. So NumPy packs and unpacks whole arrays.
"""

from __future__ import annotations

from math import ceil
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..constants import MAX_RICE_PARAMETER
from ..errors import CorruptionError, TruncatedError
from ..wire import packed_bytes

Bytes = NDArray[np.uint8]

RiceChoice = Literal["mean", "best", "best-per-cell"]
"""How the Rice parameter is chosen: by the paper's formula from the mean of the class's values in
the chunk, as the exact optimum for them, or as the optimum for each cell (8 more bits per cell)."""

RICE_CHOICES: tuple[RiceChoice, ...] = get_args(RiceChoice)


def checked_rice(choice: str) -> RiceChoice:
    """The choice; ValueError if there is none of this name."""
    for known in RICE_CHOICES:
        if choice == known:
            return known
    raise ValueError(f"rice must be one of {', '.join(RICE_CHOICES)}, not {choice!r}")


def zigzag(residues: NDArray[np.int8]) -> Bytes:
    """n = 2e for e >= 0, -2e - 1 for e < 0; e in -128..127, n in 0..255."""
    return ((residues << 1) ^ (residues >> 7)).view(np.uint8)


def unzigzag(values: Bytes) -> NDArray[np.int8]:
    """Inverse of zigzag."""
    return ((values >> 1) ^ (0 - (values & 1)).astype(np.uint8)).view(np.int8)


def rice_parameter(mean: float) -> int:
    """s = max(0, ceil(log2(E[n] / 2))), the paper's choice for a geometric source of mean E[n]."""
    # ceil(log2 x) of x > 1 is the bit length of ceil(x) - 1. A logarithm could differ in its last
    # digit between machines, and then encoders would not agree byte for byte.
    return min(max(ceil(mean / 2) - 1, 0).bit_length(), MAX_RICE_PARAMETER)


def rice_bits(values: Bytes) -> NDArray[np.int64]:
    """Exact code length of each row for every Rice parameter.

    Parameters
    ----------
    values
        uint8, shape (row, value).

    Returns
    -------
    ndarray
        int64 bits, shape (row, MAX_RICE_PARAMETER + 1). The last parameter has no unary part.
    """
    n_rows, n_values = values.shape
    keys = values + (np.arange(n_rows, dtype=np.int32) << 8)[:, None]
    counts = np.bincount(keys.ravel(), minlength=n_rows << 8).reshape(n_rows, 256)
    parameters = np.arange(MAX_RICE_PARAMETER + 1)
    quotients = np.arange(256)[:, None] >> parameters
    fixed = parameters + (parameters < MAX_RICE_PARAMETER)
    bits: NDArray[np.int64] = counts @ quotients + n_values * fixed
    return bits


def remainder_bytes(n_values: int, parameter: int) -> int:
    """Bytes of the remainder part of a stream of n_values values."""
    return packed_bytes(n_values, parameter)


def rice_encode(values: Bytes, parameter: int) -> list[bytes]:
    """One Rice stream per row (FORMAT 4.5).

    Parameters
    ----------
    values
        uint8, shape (row, value).
    parameter
        s, 0 <= s <= 8.
    """
    n_rows, n_values = values.shape
    planes = np.empty((n_rows, parameter, n_values), np.uint8)
    for k in range(parameter):  # most significant plane first
        planes[:, k] = (values >> (parameter - 1 - k)) & 1
    remainders = np.packbits(planes.reshape(n_rows, -1), axis=1)
    if parameter == MAX_RICE_PARAMETER:
        return [row.tobytes() for row in remainders]
    ends = np.cumsum((values >> parameter) + np.int64(1), axis=1)  # one past each terminator
    n_bytes = (ends[:, -1] + 7) // 8 if n_values else np.zeros(n_rows, np.int64)
    starts = np.concatenate([[0], np.cumsum(n_bytes)])
    bits = np.ones(int(starts[-1]) * 8, np.uint8)
    bits[(ends - 1 + starts[:-1, None] * 8).ravel()] = 0
    unary = np.packbits(bits).tobytes()
    return [
        remainders[row].tobytes() + unary[starts[row] : starts[row + 1]] for row in range(n_rows)
    ]


def rice_decode(streams: list[memoryview], n_values: int, parameter: int) -> Bytes:
    """Inverse of rice_encode.

    Parameters
    ----------
    streams
        One per row.
    n_values
        Values in each row.
    parameter
        s, 0 <= s <= 8.

    Returns
    -------
    ndarray
        uint8, shape (row, n_values).

    Raises
    ------
    TruncatedError, CorruptionError
        If a stream is shorter or longer than its values.
    """
    n_rows = len(streams)
    n_fixed = remainder_bytes(n_values, parameter)
    lengths = np.array([len(stream) for stream in streams], np.int64)
    if n_rows and int(lengths.min()) < n_fixed:
        raise TruncatedError(
            f"a cell's stream has {lengths.min()} bytes, but its remainders take {n_fixed}"
        )
    fixed = np.frombuffer(b"".join(s[:n_fixed] for s in streams), np.uint8).reshape(n_rows, n_fixed)
    planes = np.unpackbits(fixed, axis=1)
    if planes[:, n_values * parameter :].any():
        raise CorruptionError("a cell's remainders are not padded with zero bits")
    planes = planes[:, : n_values * parameter].reshape(n_rows, parameter, n_values)
    values = np.zeros((n_rows, n_values), np.uint8)
    for k in range(parameter):
        values |= planes[:, k] << (parameter - 1 - k)
    if parameter == MAX_RICE_PARAMETER:
        if n_rows and int(lengths.max()) > n_fixed:
            raise CorruptionError("a cell's stream continues after its remainders")
        return values
    quotients = _unary_decode([s[n_fixed:] for s in streams], n_values)
    if quotients.size and int(quotients.max()) > 255 >> parameter:
        raise CorruptionError("a cell's stream codes a value above 255")
    values |= quotients.astype(np.uint8) << parameter
    return values


def _unary_decode(streams: list[memoryview], n_values: int) -> NDArray[np.int64]:
    """Lengths of the runs of ones, int64 (row, n_values)."""
    n_rows = len(streams)
    joined = np.frombuffer(b"".join(streams), np.uint8)
    ends = np.cumsum([len(stream) for stream in streams], dtype=np.int64) * 8
    bits = np.unpackbits(~joined)
    n_codewords = int(np.count_nonzero(bits))
    if n_codewords != n_rows * n_values:  # before each one takes eight bytes
        raise CorruptionError(
            f"{n_rows} cells of {n_values} values hold {n_codewords} codewords instead of "
            f"{n_rows * n_values}"
        )
    zeros = np.flatnonzero(bits)
    terminators = zeros.reshape(n_rows, n_values)
    starts = np.concatenate([[0], ends[:-1]])[:n_rows]
    if n_values:
        padding = ends - 1 - terminators[:, -1]
        if (terminators[:, 0] < starts).any() or (padding < 0).any() or (padding > 7).any():
            raise CorruptionError("a cell's stream does not end with its last codeword")
    elif ends.size and int(ends[-1]):
        raise CorruptionError("a cell without pixels has a stream")
    return np.diff(terminators, axis=1, prepend=starts[:, None] - 1) - 1


def golomb_encode(values: NDArray[np.int64], m: int) -> bytes:
    """The Golomb code of the paper, for any parameter m >= 1, as one zero-padded bit stream.

    ``q = n div m`` ones and a zero, then r = n mod m: with A = ceil(log2 m), B = floor(log2 m),
    ``r < 2**A - m`` takes B bits, any other r is written as ``r + 2**A - m`` in A bits.
    """
    if m < 1:
        raise ValueError(f"a Golomb parameter must be at least 1, not {m}")
    a = (m - 1).bit_length()
    short = (1 << a) - m
    out: list[str] = []
    for n in values.tolist():
        if n < 0:
            raise ValueError(f"a Golomb code needs n >= 0, not {n}")
        q, r = divmod(n, m)
        out.append("1" * q + "0")
        if r < short:
            out.append(f"{r:0{a - 1}b}" if a > 1 else "")
        elif a:
            out.append(f"{r + short:0{a}b}")
    bits = "".join(out)
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0") or "0", 2).to_bytes(-(-len(bits) // 8))


def golomb_decode(data: bytes, n_values: int, m: int) -> NDArray[np.int64]:
    """Inverse of golomb_encode; TruncatedError if the stream ends before its last value."""
    if m < 1:
        raise ValueError(f"a Golomb parameter must be at least 1, not {m}")
    a = (m - 1).bit_length()
    short = (1 << a) - m
    bits = "".join(f"{byte:08b}" for byte in data)
    out = np.empty(n_values, np.int64)
    position = 0
    for k in range(n_values):
        end = bits.find("0", position)
        if end < 0:
            raise TruncatedError(f"a Golomb stream ends after {k} of {n_values} values")
        q, position = end - position, end + 1
        n_short = max(a - 1, 0)
        r = int(bits[position : position + n_short] or "0", 2)
        width = n_short
        if r >= short and a:
            width = a
            r = int(bits[position : position + a] or "0", 2) - short
        if position + width > len(bits):
            raise TruncatedError(f"a Golomb stream ends after {k} of {n_values} values")
        position += width
        out[k] = q * m + r
    return out


def golomb_bits(n: int, m: int) -> int:
    """Length in bits of the Golomb codeword of n."""
    a = (m - 1).bit_length()
    r = n % m
    return n // m + 1 + (max(a - 1, 0) if r < (1 << a) - m else a)
