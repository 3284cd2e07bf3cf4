"""Headers of chunks: where the streams of cells are."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarrmal_codecs.chunk.chunk import expect_shape, first_read_bytes
from zarrmal_codecs.chunk.header import Header, header_bytes, parse_header
from zarrmal_codecs.plugins.zarr import header_limit

from ...format import Grid
from ...shard import read_shard_index, shard_index_bytes
from ...storage.objects import join_key
from ...storage.ranges import ByteRange, read_ranges

MAX_CACHED_CELLS = 2_000_000
"""Headers of so many cells stay in memory, 9 bytes a cell."""

Rows = NDArray[np.int64]


class NotSelectableError(Exception):
    """These cells cannot be read by byte ranges: zarr reads them, or says what is wrong."""


class MissingObjectError(Exception):
    """A stored object is not there."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Head:
    """Where the streams of a chunk are.

    Parameters
    ----------
    header
        With an index of the cells.
    payload
        Position of the payload in the stored object.
    data
        Bytes from which this was read: the shard's index and the chunk's header.
    """

    header: Header
    payload: int
    data: bytes


class ChunkHeads:
    """Headers of the chunks of one state of an archive. Thread-safe.

    They stay in memory, but for those of the last object of the array, which an append may replace.

    Parameters
    ----------
    array
        The cells; chunks hold whole cells.
    n_cells
        Of the archive.
    """

    def __init__(self, array: zarr.Array[Any], n_cells: int) -> None:
        self._array, self._n_cells = array, n_cells
        self._grid = Grid.of(array)
        self._heads: OrderedDict[int, Head] = OrderedDict()
        self._indexes: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Read everything again: the archive may have been replaced."""
        with self._lock:
            self._heads.clear()
            self._indexes.clear()

    def is_final(self, number: int) -> bool:
        """The chunk's object is full: no append replaces it."""
        k = number // self._grid.chunks_per_object
        return (k + 1) * self._grid.object_cells <= self._n_cells

    def key(self, number: int) -> str:
        """Of the object that holds a chunk."""
        k = number // self._grid.chunks_per_object
        return join_key(self._array.path, self._grid.key(self._array, k))

    def fetch(self, ranges: Sequence[ByteRange]) -> list[memoryview]:
        """The bytes of some ranges.

        Raises
        ------
        MissingObjectError
            If an object is not there.
        NotSelectableError
            If the store does not read by ranges.
        """
        parts = read_ranges(self._array.store, ranges)
        for piece, data in zip(ranges, parts, strict=True):
            if data is None:
                raise MissingObjectError(f"chunk {piece.key} is missing: see `zarrmal verify`")
            if len(data) > piece.stop - piece.start:  # a web server without byte ranges
                raise NotSelectableError
        return [memoryview(data) for data in parts if data is not None]

    def read(self, numbers: Sequence[int]) -> dict[int, Head]:
        """The head of each of these chunks."""
        with self._lock:
            heads = {n: self._heads[n] for n in numbers if n in self._heads}
            for n in heads:
                self._heads.move_to_end(n)
        missing = [n for n in dict.fromkeys(numbers) if n not in heads]
        if missing:
            read = self._fetched(missing)
            heads |= read
            with self._lock:
                self._heads |= {n: head for n, head in read.items() if self.is_final(n)}
                n_cached = max(1, MAX_CACHED_CELLS // self._grid.chunk_cells)
                while len(self._heads) > n_cached:
                    self._heads.popitem(last=False)
        return heads

    def _fetched(self, numbers: Sequence[int]) -> dict[int, Head]:
        starts, indexes = self._chunk_starts(numbers)
        shape = self._array.chunks
        n_first = first_read_bytes(shape[0])
        ranges = [ByteRange(self.key(n), starts[n], starts[n] + n_first) for n in numbers]
        data = dict(zip(numbers, self.fetch(ranges), strict=True))
        longer = {
            n: header_bytes(head) for n, head in data.items() if header_bytes(head) > len(head)
        }
        if any(n_bytes > n_first + header_limit(shape) for n_bytes in longer.values()):
            raise NotSelectableError
        more = [ByteRange(self.key(n), starts[n], starts[n] + b) for n, b in longer.items()]
        data |= zip(longer, self.fetch(more), strict=True)
        heads = {}
        for number, start in data.items():
            header, n_header = parse_header(start), header_bytes(start)
            expect_shape(header, shape)
            # Pixels that are stored or deflated, or of another dtype, which zarr has to judge.
            if header.index is None or header.dtype != self._array.dtype:
                raise NotSelectableError
            read_from = indexes.get(number, b"") + bytes(start[:n_header])
            heads[number] = Head(header=header, payload=starts[number] + n_header, data=read_from)
        return heads

    def _chunk_starts(self, numbers: Sequence[int]) -> tuple[dict[int, int], dict[int, bytes]]:
        """Position of each chunk in its object; of shards also the bytes of their index."""
        if not self._grid.sharded:
            return dict.fromkeys(numbers, 0), {}
        n_chunks = self._grid.chunks_per_object
        n_bytes = shard_index_bytes(n_chunks)
        objects = list(dict.fromkeys(n // n_chunks for n in numbers))
        with self._lock:
            indexes = {k: self._indexes[k] for k in objects if k in self._indexes}
        missing = [k for k in objects if k not in indexes]
        first, last = (0, n_bytes) if self._grid.index_location == "start" else (-n_bytes, 0)
        ranges = [ByteRange(self.key(k * n_chunks), first, last) for k in missing]
        read = {k: bytes(d) for k, d in zip(missing, self.fetch(ranges), strict=True)}
        indexes |= read
        with self._lock:
            self._indexes |= {k: d for k, d in read.items() if self.is_final(k * n_chunks)}
            while len(self._indexes) > max(1, MAX_CACHED_CELLS // self._grid.object_cells):
                self._indexes.popitem(last=False)
        entries = {k: read_shard_index(data, n_chunks) for k, data in indexes.items()}
        starts = {}
        for n in numbers:
            entry = entries[n // n_chunks][n % n_chunks]
            if entry is None:
                raise MissingObjectError(f"chunk {n} of `{self._array.basename}` is missing in its "
                                         f"shard: see `zarrmal verify`")  # fmt: skip
            starts[n] = entry[0]
        return starts, {n: indexes[n // n_chunks] for n in numbers}
