"""Some cells of an archive: their streams are fetched by byte range, and decoded together.

zarr decodes each chunk by itself, and cells that lie in many chunks one by one; of a shard it
fetches whole chunks. Here cells of one class, out of any number of chunks, are decoded at once,
which is up to sixteen times faster: the kernel decodes as many cells side by side as a vector has
lanes.
"""

from __future__ import annotations

import os
import zlib
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
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.chunk.header import Header
from zarrmal_codecs.chunk.streams import cell_streams, lattice_of, restored
from zarrmal_codecs.constants import BLANK_CLASS

from ...format import Grid
from ...storage.ranges import ByteRange
from .heads import ChunkHeads, Head, MissingObjectError, NotSelectableError, Rows
from .streams import Kind, Payload, StreamPart, Streams, stream_ranges

MAX_WORKERS = 4
LANES = 32
"""Cells that the kernel decodes side by side, at most; a block is a multiple of it."""
BLOCK_CELLS = 1024

Pixels = NDArray[np.unsignedinteger[Any]]


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


class CellReader:
    """Reads cells of one state of an archive. Thread-safe.

    An append may replace the last object of the array, so its headers are compared after its
    streams were read.

    Parameters
    ----------
    array, n_cells
        See ChunkHeads.
    coder
        Of the archive's model.
    """

    def __init__(self, array: zarr.Array[Any], n_cells: int, coder: Coder | None) -> None:
        self._array, self._coder = array, coder
        self._grid, self._heads = Grid.of(array), ChunkHeads(array, n_cells)

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
            self._heads.forget()
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
        heads = self._heads.read([part.number for part in parts])
        ranges: list[ByteRange] = []
        counts = []
        for part in parts:
            spans = stream_ranges(heads[part.number], part.rows)
            key = self._heads.key(part.number)
            ranges += [ByteRange(key, start, stop) for start, stop in spans]
            counts.append(len(spans))
        fetched = iter(zip(ranges, self._heads.fetch(ranges), strict=True))
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
        ends = [part.number for part in parts if not self._heads.is_final(part.number)]
        if not ends:
            return
        again = self._heads.read(ends)
        if any(again[number].data != heads[number].data for number in ends):
            raise NotSelectableError


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
