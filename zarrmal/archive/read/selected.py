"""Some cells of an archive: their streams are fetched by byte range, and decoded together.

zarr decodes each chunk by itself, and cells that lie in many chunks one by one; of a shard it
fetches whole chunks. Here cells of one class, out of any number of chunks, are decoded at once,
which is up to sixteen times faster: the kernel decodes as many cells side by side as a vector has
lanes.
"""

from __future__ import annotations

import os
import threading
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BytesCodec, Crc32cCodec, ShardingCodec
from zarrmal_codecs import CorruptionError, NumcodecsZarrmal, ZarrmalCodec, ZarrmalError
from zarrmal_codecs.chunk.chunk import expect_shape, first_read_bytes
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.chunk.header import Header, header_bytes, parse_header
from zarrmal_codecs.chunk.reduction import Reduction
from zarrmal_codecs.chunk.streams import StreamRun, cell_streams, lattice_of, restored
from zarrmal_codecs.constants import BLANK_CLASS
from zarrmal_codecs.lattice.place import Place
from zarrmal_codecs.plugins.zarr import MAX_GAP_BYTES, header_limit
from zarrmal_codecs.silhouette.outlined import Outlines

from ..format import Grid
from ..shard import read_shard_index, shard_index_bytes
from ..storage.objects import join_key
from ..storage.ranges import ByteRange, read_ranges

MAX_WORKERS = 4
MAX_CACHED_CELLS = 2_000_000
"""Headers of so many cells stay in memory, 9 bytes a cell."""
LANES = 32
"""Cells that the kernel decodes side by side, at most; a block is a multiple of it."""
BLOCK_CELLS = 1024

Pixels = NDArray[np.unsignedinteger[Any]]
Rows = NDArray[np.int64]
Sizes = NDArray[np.uint16]


class NotSelectableError(Exception):
    """These cells cannot be read by byte ranges: zarr reads them, or says what is wrong."""


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """The cells of one chunk that are asked for.

    Parameters
    ----------
    number
        Of the chunk.
    rows
        int64 (cell,), ascending, in the chunk.
    out
        Where they belong among all cells asked for.
    """

    number: int
    rows: Rows
    out: slice


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StreamPart:
    """Some streams: which cells they are, their bytes, and what their headers tell of them."""

    members: Rows
    data: list[memoryview]
    sizes: Sizes | None
    outlines: Outlines | None
    reduction: Reduction | None
    places: list[Place] | None


Kind = tuple[int, int, str | None, bytes, bool]
"""Class, coding byte, how silhouettes were resampled, how items were reduced to values, and whether
the cells are coded as JPEG coefficients: streams that can be decoded at once."""


class Streams:
    """Streams of one kind out of several chunks.

    Parameters
    ----------
    cell_size
        Height and width of cells that have no size of their own.
    reduction
        Of their items to values; None where these are uint8.
    """

    def __init__(self, cell_size: tuple[int, ...], reduction: Reduction | None) -> None:
        self._cell_size, self._reduction = cell_size, reduction
        self._members: list[Rows] = []
        self._sizes: list[Sizes | None] = []
        self._outlines: list[Outlines] = []
        self._places: list[Place] = []
        self.data: list[memoryview] = []

    def add(self, run: StreamRun, first: int) -> None:
        """Add the streams of a chunk; its first cell is number ``first`` of all asked for."""
        self._members.append(first + run.members)
        self._sizes.append(run.sizes)
        if run.outlines is not None:
            self._outlines.append(run.outlines)
        self._places += run.places or []
        self.data += run.streams()

    def part(self, block: slice) -> StreamPart:
        """Some of the streams."""
        members = np.concatenate(self._members)
        sizes = None
        if any(each is not None for each in self._sizes):
            whole = np.array(self._cell_size, np.uint16)
            sizes = np.concatenate([
                np.tile(whole, (len(own), 1)) if each is None else each
                for own, each in zip(self._members, self._sizes, strict=True)
            ])[block]  # fmt: skip
        outlines = None
        if self._outlines:
            outlines = Outlines.joined(self._outlines).take(np.arange(len(members))[block])
        return StreamPart(
            members=members[block],
            data=self.data[block],
            sizes=sizes,
            outlines=outlines,
            reduction=self._reduction,
            places=self._places[block] if self._places else None,
        )


class CellReader:
    """Reads cells of one state of an archive. Thread-safe.

    The headers of chunks stay in memory, but for the last object of the array: an append may
    replace that one, so its headers are compared after its streams were read.

    Parameters
    ----------
    array
        The cells; chunks hold whole cells.
    n_cells
        Of the archive.
    coder
        Of its model.
    """

    def __init__(self, array: zarr.Array[Any], n_cells: int, coder: Coder | None) -> None:
        self._array, self._n_cells, self._coder = array, n_cells, coder
        self._grid = Grid.of(array)
        self._heads: OrderedDict[int, Head] = OrderedDict()
        self._indexes: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, rows: Rows, workers: int | None = None) -> Pixels:
        """Pixels of cells, of the array's dtype and axes.

        Parameters
        ----------
        rows
            int64 (cell,), ascending, each once.
        workers
            Threads that decode; by default one per core, at most 4.

        Raises
        ------
        NotSelectableError
            If zarr has to read them.
        ZarrmalError
            If an object is missing.
        """
        out = np.zeros((len(rows), *self._array.shape[1:]), self._array.dtype)
        if not len(rows):
            return out
        if self._coder is None or not is_selectable(self._array):
            raise NotSelectableError
        try:
            self._read(self._parts(rows), out, workers or default_workers())
        except MissingObjectError as error:
            raise CorruptionError(str(error)) from None
        except (ZarrmalError, ValueError) as error:
            with self._lock:  # the archive may have been replaced
                self._heads.clear()
                self._indexes.clear()
            raise NotSelectableError from error
        return out

    def _parts(self, rows: Rows) -> list[Part]:
        numbers = rows // self._grid.chunk_cells
        edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(rows)]
        return [
            Part(number=number, rows=rows[a:b] - number * self._grid.chunk_cells, out=slice(a, b))
            for a, b in zip(edges, edges[1:])
            for number in (int(numbers[a]),)
        ]

    def _read(self, parts: Sequence[Part], out: Pixels, workers: int) -> None:
        heads = self._read_heads([part.number for part in parts])
        ranges: list[ByteRange] = []
        counts = []
        for part in parts:
            spans = stream_ranges(heads[part.number], part.rows)
            key = self._key(part.number)
            ranges += [ByteRange(key, start, stop) for start, stop in spans]
            counts.append(len(spans))
        fetched = iter(zip(ranges, self._fetch(ranges), strict=True))
        groups: dict[Kind, Streams] = {}
        for part, n_ranges in zip(parts, counts, strict=True):
            head = heads[part.number]
            pieces = [
                (piece.start, data) for piece, data in (next(fetched) for _ in range(n_ranges))
            ]
            payload = Payload(head.payload, pieces)
            for run in cell_streams(head.header, part.rows, payload.read, self._coder):
                how = None if run.outlines is None else run.outlines.resampling
                reduced = b"" if run.reduction is None else run.reduction.key
                kind = run.index, run.coding, how, reduced, run.places is not None
                size = head.header.cell_shape[:2]
                streams = groups.setdefault(kind, Streams(size, run.reduction))
                streams.add(run, part.out.start)
        self._expect_same_ends(parts, heads)
        assert self._coder is not None or not groups
        channels_first = any(heads[part.number].header.channels_first for part in parts)
        self._decode(groups, np.moveaxis(out, 1, 3) if channels_first else out, workers)
        for part in parts:
            expect_pixels(heads[part.number].header, part.rows, out[part.out])

    def _decode(self, groups: dict[Kind, Streams], out: Pixels, workers: int) -> None:
        n_streams = sum(len(streams.data) for streams in groups.values())
        per_worker = -(-n_streams // (workers * LANES)) * LANES
        block_cells = max(LANES, min(BLOCK_CELLS, per_worker))
        shape, coder = out.shape[1:], self._coder
        tasks = [
            (index, coding, streams.part(slice(a, a + block_cells)))
            for (index, coding, *_), streams in groups.items()
            for a in range(0, len(streams.data), block_cells)
        ]

        def run(task: tuple[int, int, StreamPart]) -> None:
            index, coding, part = task
            assert coder is not None
            if part.places is not None:
                lattice = lattice_of(coder, index)
                out[part.members] = lattice.decode(
                    part.data, part.places, shape, part.sizes, part.outlines
                )
                return
            cells = coder.cells(index)
            scales = None if part.reduction is None else part.reduction.scales
            values = cells.decode(part.data, coding, shape, part.sizes, part.outlines, scales)
            out[part.members] = restored(values, part.reduction)

        if len(tasks) < 2 or workers < 2:
            for task in tasks:
                run(task)
            return
        # A pool of its own: one that a process inherits by a fork has no threads.
        with ThreadPoolExecutor(min(workers, len(tasks))) as pool:
            list(pool.map(run, tasks))

    def _expect_same_ends(self, parts: Sequence[Part], heads: dict[int, Head]) -> None:
        """NotSelectableError if an append has replaced the last object meanwhile."""
        ends = [part.number for part in parts if not self._is_final(part.number)]
        if not ends:
            return
        again = self._read_heads(ends)
        if any(again[number].data != heads[number].data for number in ends):
            raise NotSelectableError

    def _is_final(self, number: int) -> bool:
        """The chunk's object is full: no append replaces it."""
        k = number // self._grid.chunks_per_object
        return (k + 1) * self._grid.object_cells <= self._n_cells

    def _key(self, number: int) -> str:
        k = number // self._grid.chunks_per_object
        return join_key(self._array.path, self._grid.key(self._array, k))

    def _fetch(self, ranges: Sequence[ByteRange]) -> list[memoryview]:
        parts = read_ranges(self._array.store, ranges)
        for piece, data in zip(ranges, parts, strict=True):
            if data is None:
                raise MissingObjectError(f"chunk {piece.key} is missing: see `zarrmal verify`")
            if len(data) > piece.stop - piece.start:  # a web server without byte ranges
                raise NotSelectableError
        return [memoryview(data) for data in parts if data is not None]

    def _read_heads(self, numbers: Sequence[int]) -> dict[int, Head]:
        with self._lock:
            heads = {n: self._heads[n] for n in numbers if n in self._heads}
            for n in heads:
                self._heads.move_to_end(n)
        missing = [n for n in dict.fromkeys(numbers) if n not in heads]
        if missing:
            read = self._fetch_heads(missing)
            heads |= read
            with self._lock:
                self._heads |= {n: head for n, head in read.items() if self._is_final(n)}
                n_cached = max(1, MAX_CACHED_CELLS // self._grid.chunk_cells)
                while len(self._heads) > n_cached:
                    self._heads.popitem(last=False)
        return heads

    def _fetch_heads(self, numbers: Sequence[int]) -> dict[int, Head]:
        starts, indexes = self._chunk_starts(numbers)
        shape = self._array.chunks
        n_first = first_read_bytes(shape[0])
        ranges = [ByteRange(self._key(n), starts[n], starts[n] + n_first) for n in numbers]
        data = dict(zip(numbers, self._fetch(ranges), strict=True))
        longer = {
            n: header_bytes(head) for n, head in data.items() if header_bytes(head) > len(head)
        }
        if any(n_bytes > n_first + header_limit(shape) for n_bytes in longer.values()):
            raise NotSelectableError
        more = [ByteRange(self._key(n), starts[n], starts[n] + b) for n, b in longer.items()]
        data |= zip(longer, self._fetch(more), strict=True)
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
        ranges = [ByteRange(self._key(k * n_chunks), first, last) for k in missing]
        read = {k: bytes(d) for k, d in zip(missing, self._fetch(ranges), strict=True)}
        indexes |= read
        with self._lock:
            self._indexes |= {k: d for k, d in read.items() if self._is_final(k * n_chunks)}
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


class MissingObjectError(Exception):
    """A stored object is not there."""


class Payload:
    """Ranges of a chunk's payload in memory.

    Parameters
    ----------
    start
        Position of the payload in its object.
    pieces
        Position in the object, and bytes; ascending.
    """

    def __init__(self, start: int, pieces: list[tuple[int, memoryview]]) -> None:
        self._offsets = np.array([offset - start for offset, _ in pieces], np.int64)
        self._pieces = [data for _, data in pieces]

    def read(self, start: int, stop: int) -> memoryview:
        """Payload bytes [start, stop), or fewer if fewer are stored."""
        k = int(np.searchsorted(self._offsets, start, side="right")) - 1
        if k < 0:
            return memoryview(b"")
        offset = int(self._offsets[k])
        return self._pieces[k][start - offset : stop - offset]


def stream_ranges(head: Head, rows: Rows) -> list[tuple[int, int]]:
    """Few byte ranges of the object that cover the streams of some cells."""
    index = head.header.index
    assert index is not None
    lengths = index.lengths[rows]
    stops = np.cumsum(index.lengths)[rows]
    starts = stops - lengths
    used = lengths > 0  # blank cells have empty streams, and stores refuse empty ranges
    starts, stops = starts[used] + head.payload, stops[used] + head.payload
    if not len(starts):
        return []
    breaks = np.flatnonzero(starts[1:] - stops[:-1] > MAX_GAP_BYTES) + 1
    first = starts[[0, *breaks.tolist()]]
    last = stops[[*(breaks - 1).tolist(), -1]]
    return list(zip(first.tolist(), last.tolist(), strict=True))


def expect_pixels(header: Header, rows: Rows, pixels: Pixels) -> None:
    """CorruptionError if all cells of a chunk are there, and their CRC-32 does not match."""
    assert header.index is not None
    n_rest = header.shape[0] - len(rows)
    if n_rest and (
        rows[-1] >= len(rows) or (header.index.classes[len(rows) :] != BLANK_CLASS).any()
    ):
        return
    check = zlib.crc32(pixels.data)
    check = zlib.crc32(bytes(n_rest * prod(header.shape[1:]) * header.dtype.itemsize), check)
    if check != header.pixel_crc32:
        raise CorruptionError("the chunk's pixels are damaged: their CRC-32 does not match")


def is_selectable(array: zarr.Array[Any]) -> bool:
    """Stored objects are our chunks, or shards of them."""
    if array.chunks[1:] != array.shape[1:] or array.dtype not in ("uint8", "uint16"):
        return False
    if array.metadata.zarr_format == 2:
        codecs = (*(array.filters or ()), *array.compressors)
        return len(codecs) == 1 and isinstance(codecs[0], NumcodecsZarrmal) and array.order == "C"
    stored = tuple(array.metadata.codecs)
    if len(stored) != 1:
        return False
    if not isinstance(stored[0], ShardingCodec):
        return isinstance(stored[0], ZarrmalCodec)
    shard = stored[0]
    kinds = [type(codec) for codec in shard.index_codecs]
    return [type(codec) for codec in shard.codecs] == [ZarrmalCodec] and kinds == [
        BytesCodec,
        Crc32cCodec,
    ]


def default_workers() -> int:
    """One per core, at most 4."""
    has_affinity = hasattr(os, "sched_getaffinity")
    n_cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    return min(MAX_WORKERS, n_cores)
