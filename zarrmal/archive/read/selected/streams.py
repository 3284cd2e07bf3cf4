"""Streams of cells out of several chunks, which can be decoded at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.chunk.reduction import Reduction
from zarrmal_codecs.chunk.streams import StreamRun
from zarrmal_codecs.lattice.place import Place
from zarrmal_codecs.plugins.zarr import MAX_GAP_BYTES
from zarrmal_codecs.silhouette.outlined import Outlines

from .heads import Head, Rows

Sizes = NDArray[np.uint16]


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
