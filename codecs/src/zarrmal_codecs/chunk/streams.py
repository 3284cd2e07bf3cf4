"""Streams of some cells of a chunk, checked against its index (FORMAT 4.3, 4.4)."""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..constants import BLANK_CLASS, CHECK_INITIAL, DIGEST_PREFIX_BYTES
from ..errors import CorruptionError, ModelError, TruncatedError
from ..lattice.cell import JpegCell
from ..lattice.place import Place
from ..rans import Streams
from ..scales import Pixels
from ..silhouette.outlined import Outlines
from .cells import used_classes
from .coder import Coder
from .header import Header, header_bytes, parse_header
from .index.cell_index import CellIndex
from .lattice_cells import LatticeCells, least_bytes
from .reduction import Reduction

BLOCK_CELLS = 4096
"""Streams in memory at a time. Each is an object of 200 bytes, though its cell may be one pixel."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StreamRun:
    """Streams of one class of a chunk that have passed the checks that need no decoding.

    Parameters
    ----------
    index
        Of the class.
    coding
        The class's coding byte. Streams of several chunks can be decoded at once where class and
        coding byte are the same.
    members
        int64 (stream,): which of the rows asked for each stream belongs to.
    fetch
        Returns the stream of one of those rows, checked by its CRC-16 where the header has one.
    fetch_all
        Returns those of some of the rows, if they lie in one buffer and have no CRC-16; else None.
    sizes
        uint16 (stream, 2): height and width of each cell; None where all have the array's.
    outlines
        Of the silhouettes; None without.
    reduction
        Of the items to values; None where the items are uint8.
    places
        Where the cells lie in JPEG pictures, if they are coded as coefficients; None where their
        pixels are coded.
    """

    index: int
    coding: int
    members: NDArray[np.int64]
    fetch: Callable[[int], memoryview]
    fetch_all: Callable[[NDArray[np.int64]], Streams | None]
    sizes: NDArray[np.uint16] | None
    outlines: Outlines | None
    reduction: Reduction | None
    places: list[Place] | None = None

    def streams(self, block: slice = slice(None)) -> Sequence[memoryview]:
        """Some of the streams; CorruptionError or TruncatedError if one is damaged."""
        members = self.members[block]
        together = self.fetch_all(members)
        return [self.fetch(i) for i in members.tolist()] if together is None else together

    def decode_into(self, cells: Pixels, coder: Coder, block: slice) -> None:
        """Items of some of the streams, to their members of ``cells``, zeros (row, \\*cell_shape).

        Channels are last.
        """
        members, cell_shape = self.members[block], cells.shape[1:]
        sizes = None if self.sizes is None else self.sizes[block]
        outlines = (
            None
            if self.outlines is None
            else self.outlines.take(np.arange(len(self.members))[block])
        )
        streams = self.streams(block)
        if self.places is not None:
            lattice, places = lattice_of(coder, self.index), self.places[block]
            if cells.flags.c_contiguous:
                lattice.decode_into(cells, members, streams, places, sizes, outlines)
                return
            items = lattice.decode(streams, places, cell_shape, sizes, outlines)
        else:
            scales = None if self.reduction is None else self.reduction.scales
            values = coder.cells(self.index).decode(
                streams, self.coding, cell_shape, sizes, outlines, scales
            )
            items = restored(values, self.reduction)
        cells[_span(members)] = items


def _span(rows: NDArray[np.int64]) -> NDArray[np.int64] | slice:
    """Ascending rows, as a slice where none is left out: that is copied faster."""
    first, last = int(rows[0]), int(rows[-1])
    return slice(first, last + 1) if last - first + 1 == len(rows) else rows


def cell_streams(
    header: Header,
    rows: NDArray[np.int64],
    fetch: Callable[[int, int], memoryview],
    coder: Coder | None,
) -> list[StreamRun]:
    """The streams of some cells of a chunk, by class; blank cells have none, and are zeros.

    Parameters and errors are those of decode_cells.
    """
    index = header.index
    assert index is not None
    coder = matching_coder(header, coder)
    lengths, kinds = index.lengths[rows], _kinds(index, rows)
    stops = np.cumsum(index.lengths)[rows]
    sizes = None if index.sizes is None else index.sizes[rows]
    outlines = None if index.outlines is None else index.outlines.take(rows)
    for k, members, places in kinds:
        own = None if sizes is None else sizes[members]
        lines = None if outlines is None else outlines.take(members)
        if places is None:
            least = coder.cells(k).least_bytes(index.codings[k], header.cell_shape, own, lines)
        else:
            lattice_of(coder, k)
            coder.cells(k).least_bytes(index.codings[k], header.cell_shape)  # is there the coding?
            least = least_bytes(len(members), lines)
        short = lengths[members] < least
        if short.any():
            needed = int(np.broadcast_to(least, short.shape)[short][0])
            raise TruncatedError(f"a cell of class {k} has fewer than the {needed} bytes it needs")

    def stream(i: int) -> memoryview:
        row, stop, length = int(rows[i]), int(stops[i]), int(lengths[i])
        data = fetch(stop - length, stop)
        if len(data) != length:
            raise TruncatedError(
                f"cell {row} of the chunk has {len(data)} of {length} bytes: fetch it again"
            )
        if index.checks is not None and crc_hqx(data, CHECK_INITIAL) != index.checks[row]:
            raise CorruptionError(f"cell {row} of the chunk is damaged: its CRC-16 does not match")
        return data

    def all_streams(members: NDArray[np.int64]) -> Streams | None:
        if index.checks is not None or not len(members):
            return None
        ends = stops[members]
        starts = ends - lengths[members]
        first, last = int(starts[0]), int(ends[-1])
        data = fetch(first, last)
        return (
            Streams.within(data, starts - first, ends - first)
            if len(data) == last - first
            else None
        )

    blank = rows[index.classes[rows] == BLANK_CLASS]
    if index.checks is not None and (index.checks[blank] != CHECK_INITIAL).any():
        raise CorruptionError("a blank cell of the chunk is damaged: its CRC-16 does not match")
    runs = []
    for k, members, places in kinds:
        run = StreamRun(
            index=k,
            coding=index.codings[k],
            members=members,
            fetch=stream,
            fetch_all=all_streams,
            sizes=None if sizes is None else sizes[members],
            outlines=None if outlines is None else outlines.take(members),
            reduction=index.reduction,
            places=places,
        )
        runs.append(run)
    return runs


Kind = tuple[int, NDArray[np.int64], list[Place] | None]


def _kinds(index: CellIndex, rows: NDArray[np.int64]) -> list[Kind]:
    """Class, members and places of cells that are coded alike."""
    classes, kinds = index.classes[rows], list[Kind]()
    is_lattice = np.zeros(len(rows), bool)
    if index.lattice is not None:
        is_lattice = index.lattice.is_lattice[rows]
    for k in used_classes(classes):
        members = np.flatnonzero((classes == k) & ~is_lattice)
        if len(members):
            kinds.append((k, members, None))
        members = np.flatnonzero((classes == k) & is_lattice)
        if len(members):
            assert index.lattice is not None
            kinds.append((k, members, index.lattice.places(rows[members])))
    return kinds


def lattice_of(coder: Coder, index: int) -> LatticeCells:
    """The coder of coefficients of a class; CorruptionError if it has none."""
    lattice = coder.lattice(index)
    if lattice is None:
        raise CorruptionError(f"the chunk declares coefficients, but class {index} codes none")
    return lattice


def restored(values: Pixels, reduction: Reduction | None) -> Pixels:
    """Items of values (cell, *cell_shape), with channels last."""
    if reduction is None:  # of uint8, also where a model of depth 16 coded them
        return values if values.dtype == np.uint8 else _as_bytes(values)
    has_channels = values.ndim == 4
    items = reduction.restore(values if has_channels else values[..., None])
    return items.reshape(values.shape)


def _as_bytes(values: Pixels) -> Pixels:
    if values.size and int(values.max()) > 255:
        raise CorruptionError("a cell holds a value of more than 8 bits")
    return values.astype(np.uint8)


def matching_coder(header: Header, coder: Coder | None) -> Coder:
    """The coder, if a chunk of cells was written with its model.

    Raises
    ------
    ModelError
        There is none, or it is of another model.
    CorruptionError
        The index does not suit the model.
    """
    index = header.index
    assert index is not None
    if coder is None:
        raise ModelError(
            f"the chunk needs the model {index.digest_prefix.hex()}…, but the codec has none"
        )
    model = coder.model
    if bytes.fromhex(model.digest)[:DIGEST_PREFIX_BYTES] != index.digest_prefix:
        raise ModelError(
            f"the chunk was written with model {index.digest_prefix.hex()}…, not with "
            f"{model.digest[:16]}…: read it with the metadata of its own array"
        )
    if not coder.fits(header.cell_shape) or len(index.codings) != len(model.classes):
        raise CorruptionError(
            f"the chunk has cells {header.cell_shape} in {len(index.codings)} "
            f"classes, but its model has {model.cell_shape} in {len(model.classes)}"
        )
    if coder.has_checks != (index.checks is not None) or (
        (index.sizes is not None and not coder.takes_sizes)
        or (index.outlines is not None and not coder.takes_silhouettes)
        or (index.reduction is not None and not index.reduction.suits(coder.depth))
    ):
        raise CorruptionError(f"the chunk's index does not suit profile {model.profile!r}")
    return coder


def jpeg_cells(
    data: bytes | memoryview, coder: Coder | None, rows: NDArray[np.int64]
) -> list[JpegCell | None]:
    """The coefficients of some cells of a chunk; None for those whose pixels are coded as such.

    Parameters
    ----------
    data
        All bytes of the chunk.
    coder
        The coder of the model named in the header.
    rows
        Which cells, int64.

    Raises
    ------
    IndexError
        The chunk has no such cell.
    ZarrmalError
        A stream is damaged; see errors.py.
    """
    view = memoryview(data).cast("B")
    header, payload = parse_header(view), view[header_bytes(view) :]
    n_cells = (header.shape or (1,))[0]
    if len(rows) and not 0 <= rows.min() <= rows.max() < n_cells:
        raise IndexError(f"a chunk of shape {header.shape} has no cells {rows.min()}..{rows.max()}")
    result: list[JpegCell | None] = [None] * len(rows)
    if header.index is None or header.index.lattice is None:
        return result
    coded_so = np.flatnonzero(header.index.lattice.is_lattice[rows])
    for run in cell_streams(header, rows[coded_so], lambda a, b: payload[a:b], coder):
        assert run.places is not None
        lattice = lattice_of(matching_coder(header, coder), run.index)
        cells = lattice.decoded(
            run.streams(), run.places, header.cell_shape, run.sizes, run.outlines
        )
        members = coded_so[run.members].tolist()
        for i, place, (_, coefficients, coded) in zip(members, run.places, cells, strict=True):
            result[i] = JpegCell(
                camera=place.camera,
                phase=place.phase,
                coefficients=tuple(coefficients),
                coded=tuple(coded),
                is_file=place.is_file,
            )
    return result
