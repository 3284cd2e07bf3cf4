"""Columns of a chunk's header: one number of each cell (FORMAT 4.3)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...constants import WORD_BYTES
from ...errors import CorruptionError
from ...wire import Reader, Writer, pack_bits, packed_bytes, unpack_bits

MAX_LENGTH_BITS = 32
MAX_COLUMN_BITS = 16


def write_column(out: Writer, values: NDArray[np.integer[Any]], present: NDArray[np.bool_]) -> None:
    """One number a cell, below 2**16, as the least and what each has more; none where absent."""
    values = values.astype(np.int64)
    least = int(values[present].min())
    extra = np.where(present, values - least, 0)
    n_bits = int(extra.max()).bit_length()
    out.uint(least, 2)
    out.uint(n_bits, 1)
    out.block(pack_bits(extra, n_bits))


def read_column(reader: Reader, n_cells: int) -> NDArray[np.int64]:
    """Inverse of write_column; absent cells have the least value."""
    least, n_bits = reader.uint(2), reader.uint(1)
    if n_bits > MAX_COLUMN_BITS:
        raise CorruptionError(f"the chunk declares numbers of {n_bits} bits for its cells")
    extra = reader.block(packed_bytes(n_cells, n_bits))
    return least + unpack_bits(extra, n_cells, n_bits)


def write_lengths(out: Writer, lengths: NDArray[np.int64], *, words: bool) -> None:
    """Bytes of each stream, counted in words of two bytes or in bytes."""
    lengths = lengths // WORD_BYTES if words else lengths
    least = int(lengths.min())
    extra = lengths - least
    n_bits = max(int(words), int(extra.max()).bit_length())
    out.uint(least, 4)
    out.uint(n_bits, 1)
    out.block(pack_bits(extra, n_bits))


def read_lengths(reader: Reader, n_cells: int, *, words: bool) -> NDArray[np.int64]:
    """Inverse of write_lengths."""
    least, n_bits = reader.uint(4), reader.uint(1)
    if not int(words) <= n_bits <= MAX_LENGTH_BITS:
        raise CorruptionError(f"the chunk declares stream lengths of {n_bits} bits")
    lengths = least + unpack_bits(reader.block(packed_bytes(n_cells, n_bits)), n_cells, n_bits)
    return lengths * WORD_BYTES if words else lengths
