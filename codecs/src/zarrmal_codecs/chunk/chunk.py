"""One chunk: any array of items of a fixed size <-> bytes (FORMAT 4)."""

from __future__ import annotations

import zlib
from binascii import crc_hqx
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constants import (
    BLANK_CLASS,
    CELL_PIXELS_PER_BYTE,
    CHECK_INITIAL,
    DIGEST_PREFIX_BYTES,
    MAX_CHUNK_PIXELS,
    MAX_RANK,
    MODE_CELLS,
    MODE_MASKS,
)
from ..errors import CorruptionError, ModelError, TruncatedError
from ..paper.golomb_rice import RiceChoice
from ..scales import Pixels
from ..silhouette.outlined import Outlines
from ..silhouette.silhouettes import Silhouettes
from .cells import encode_cells, used_classes
from .coder import Coder
from .fallback import decode_fallback, encode_fallback
from .header import CellIndex, Header, cell_shape_of, header_bytes, parse_header
from .items import as_dtype, items_of, octets_of, stored_dtype
from .mask_cells import MaskIndex, decode_masks, encode_masks
from .reduction import Reduction, reduce

# Length of a first ranged read that holds most headers: per cell two bytes of check and 16 bits of
# stream length. A longer header only costs a second read.
FIRST_READ_FIXED_BYTES = 256
FIRST_READ_BYTES_PER_CELL = 4

SMALL_CHUNK_BYTES = 1024
"""A chunk of so few bytes is kept in cells even where its pixels would be shorter."""

BLOCK_CELLS = 4096
"""Streams in memory at a time. Each is an object of 200 bytes, though its cell may be one pixel."""


def encode_chunk(
    array: NDArray[Any],
    coder: Coder | None,
    *,
    classes: NDArray[np.integer[Any]] | None = None,
    rice: RiceChoice = "mean",
    keep_cells: bool = False,
    fortran_order: bool = False,
    silhouettes: Silhouettes | None = None,
) -> bytes:
    """Encode one array.

    Parameters
    ----------
    array
        Any rank up to 32, any shape and memory order, at most 2**31 - 1 bytes. Items of any dtype
        but objects; uint8 and uint16 are coded with a model, bool (cell, y, x) as masks.
    coder
        The coder of the model to use. Items are stored or deflated instead if it is None or can
        only decode, if the array is not uint8 or uint16 (cell, \\*cell_shape) or (cell, channel, y,
        x), if it has more than 255 levels and the model is of depth 8, or if coded cells would take
        more bytes than their pixels.
    classes
        Class of each cell, an index into the model's classes. By default the class that codes the
        cell in the fewest bits.
    rice
        How Rice parameters are chosen.
    keep_cells
        Code cells even if they take more bytes than their pixels, so that each can be read alone.
    fortran_order
        Memory order that decode_chunk gives the array, C by default. Nothing else depends on it:
        equal arrays give equal bytes, whatever their own memory order.
    silhouettes
        Of the cells. A cell that contradicts its own is coded without. None: those that the pixels
        show, where the model codes silhouettes.

    Raises
    ------
    TypeError, ValueError
        If the items are objects, the array is too large, or ``classes`` or ``silhouettes`` do not
        fit it.
    """
    dtype = stored_dtype(array.dtype)
    n_bytes = dtype.itemsize * prod(n for n in array.shape if n)
    if n_bytes > MAX_CHUNK_PIXELS or array.ndim > MAX_RANK:
        raise ValueError(
            f"a chunk may have {MAX_CHUNK_PIXELS} bytes in {MAX_RANK} dimensions, "
            f"not shape {array.shape} of {array.dtype}: choose smaller chunks"
        )
    octets = octets_of(array)
    crc = zlib.crc32(octets.data)
    native = dtype.newbyteorder("=")  # whatever the byte order, the values are the same
    cells = _as_cells(items_of(octets, native).reshape(array.shape), coder)

    def chunk(
        mode: int,
        payload: bytes,
        index: CellIndex | None = None,
        masks: MaskIndex | None = None,
    ) -> bytes:
        header = Header(
            mode=mode,
            dtype=dtype,
            shape=array.shape,
            fortran_order=fortran_order,
            pixel_crc32=crc,
            payload_bytes=len(payload),
            index=index,
            masks=masks,
            channels_first=index is not None and cells is not None and cells.channels_first,
        )
        return header.to_bytes() + payload

    if coder is not None and cells is not None and coder.can_encode and array.size:
        values, reduction = cells.reduced(coder.depth)
        if values is not None:
            index, payload = encode_cells(values, coder, classes, rice, silhouettes, reduction)
            coded = chunk(MODE_CELLS, payload, index)
            worth_it = keep_cells or len(coded) <= max(n_bytes, SMALL_CHUNK_BYTES)
            n_mask_pixels = 0 if index.outlines is None else index.outlines.n_pixels
            if worth_it and max(array.size, n_mask_pixels) <= CELL_PIXELS_PER_BYTE * len(coded):
                return coded
    elif classes is not None and cells is None:
        raise ValueError(
            f"classes need an array of the model's cells, not {array.dtype} {array.shape}"
        )
    if dtype == np.bool_ and array.ndim == 3 and array.size:
        masks = encode_masks(octets.view(bool).reshape(array.shape)) if octets.max() < 2 else None
        if masks is not None:
            coded = chunk(MODE_MASKS, masks[1], masks=masks[0])
            if array.size <= CELL_PIXELS_PER_BYTE * len(coded):
                fallback = chunk(*encode_fallback(octets, dtype.itemsize))
                return min(coded, fallback, key=len)
    return chunk(*encode_fallback(octets, dtype.itemsize))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cells:
    """An array as cells of a model.

    Parameters
    ----------
    items
        uint8 or uint16 (cell, \\*cell_shape), with channels last.
    channels_first
        Whether the array is (cell, channel, y, x).
    """

    items: Pixels
    channels_first: bool

    def reduced(self, depth: int) -> tuple[Pixels | None, Reduction | None]:
        """What a model of this depth codes; None if it cannot, and of uint8 the items."""
        if self.items.dtype == np.uint8:
            return self.items, None
        has_channels = self.items.ndim == 4
        reduced = reduce(self.items if has_channels else self.items[..., None], depth)
        if reduced is None:
            return None, None
        return reduced[0].reshape(self.items.shape), reduced[1]


def _as_cells(items: NDArray[Any], coder: Coder | None) -> _Cells | None:
    """Items as cells that the model of a coder codes; None if they are not."""
    if coder is None or items.dtype not in (np.uint8, np.uint16) or items.ndim < 2:
        return None
    if coder.fits(items.shape[1:]):
        return _Cells(items=items, channels_first=False)
    if items.ndim == 4 and coder.fits(cell_shape_of(items.shape, channels_first=True)):
        return _Cells(items=items.transpose(0, 2, 3, 1), channels_first=True)
    return None


def decode_chunk(
    data: bytes | memoryview,
    coder: Coder | None,
    *,
    shape: tuple[int, ...] | None = None,
    dtype: np.dtype[Any] | None = None,
) -> NDArray[Any]:
    """Decode one chunk to exactly the array that was encoded, or raise an error.

    Parameters
    ----------
    data
        All bytes of the chunk.
    coder
        The coder of the model named in the header; not needed in the fallback modes.
    shape
        The expected shape; CorruptionError if the chunk has another.
    dtype
        The expected dtype, which the array gets; CorruptionError if it was not stored from this
        dtype in one or the other byte order. By default the array has the stored dtype: the
        encoded array's own, but int64 for times and void for other items than numbers.

    Raises
    ------
    ZarrmalError
        See errors.py for its kinds.
    """
    view = memoryview(data).cast("B")
    header = parse_header(view)
    start = header_bytes(view)
    payload = view[start:]
    if len(payload) < header.payload_bytes:
        raise TruncatedError(
            f"the chunk ends after {len(payload)} of {header.payload_bytes} bytes "
            f"of payload: fetch it again"
        )
    if len(payload) > header.payload_bytes:
        raise CorruptionError(f"{len(payload) - header.payload_bytes} bytes follow the chunk's end")
    expect_shape(header, shape)
    _expect_dtype(header, dtype)
    if header.index is not None:
        rows = np.arange(header.shape[0])
        octets = octets_of(decode_cells(header, rows, lambda a, b: payload[a:b], coder))
    elif header.masks is not None:
        octets = octets_of(decode_masks(header.masks, header.shape, payload))
    else:
        octets = decode_fallback(header, payload)
    if zlib.crc32(octets.data) != header.pixel_crc32:
        raise CorruptionError("the chunk decodes to pixels that do not match their CRC-32")
    items = items_of(octets, header.dtype).reshape(header.shape)
    items = items if dtype is None else as_dtype(items, dtype)
    return np.array(items, order="F", copy=None) if header.fortran_order else items


def expect_shape(header: Header, shape: tuple[int, ...] | None) -> None:
    """CorruptionError unless the header has the expected shape, or None is expected."""
    if shape is not None and header.shape != tuple(shape):
        raise CorruptionError(
            f"the chunk holds shape {header.shape}, but the array's metadata say {tuple(shape)}"
        )


def _expect_dtype(header: Header, dtype: np.dtype[Any] | None) -> None:
    if dtype is None:
        return
    stored, expected = (d.newbyteorder("<") for d in (header.dtype, stored_dtype(dtype)))
    if stored != expected:
        raise CorruptionError(
            f"the chunk holds items of dtype {header.dtype}, but the array's metadata say {dtype}"
        )


def first_read_bytes(n_cells: int) -> int:
    """Bytes to fetch of a chunk so that they very likely contain its header."""
    return FIRST_READ_FIXED_BYTES + FIRST_READ_BYTES_PER_CELL * n_cells


def decode_cells(
    header: Header,
    rows: NDArray[np.int64],
    fetch: Callable[[int, int], memoryview],
    coder: Coder | None,
) -> Pixels:
    """Decode some cells of a chunk. Each is checked by a CRC-16, of its stream or of its pixels.

    Parameters
    ----------
    header
        A header of mode 2, which has an index.
    rows
        Indices of the cells, ascending, int64 (row,).
    fetch
        ``fetch(start, stop)`` returns these bytes of the payload.
    coder
        The coder of the model named in the header.

    Returns
    -------
    ndarray
        uint8 or uint16, shape (len(rows), \\*header.shape[1:]).

    Raises
    ------
    ZarrmalError
    """
    coder = _matching_coder(header, coder)
    items = np.zeros((len(rows), *header.shape[1:]), header.dtype.newbyteorder("="))
    cells = items.transpose(0, 2, 3, 1) if header.channels_first else items
    for run in cell_streams(header, rows, fetch, coder):
        for start in range(0, len(run.members), BLOCK_CELLS):
            block = slice(start, start + BLOCK_CELLS)
            cells[run.members[block]] = run.decode(coder, header.cell_shape, block)
    return items


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
    sizes
        uint16 (stream, 2): height and width of each cell; None where all have the array's.
    outlines
        Of the silhouettes; None without.
    reduction
        Of the items to values; None where the items are uint8.
    """

    index: int
    coding: int
    members: NDArray[np.int64]
    fetch: Callable[[int], memoryview]
    sizes: NDArray[np.uint16] | None
    outlines: Outlines | None
    reduction: Reduction | None

    def streams(self, block: slice = slice(None)) -> list[memoryview]:
        """Some of the streams; CorruptionError or TruncatedError if one is damaged."""
        return [self.fetch(i) for i in self.members[block].tolist()]

    def decode(self, coder: Coder, cell_shape: tuple[int, ...], block: slice) -> Pixels:
        """Items of some of the streams (stream, \\*cell_shape), with channels last."""
        sizes = None if self.sizes is None else self.sizes[block]
        members = np.arange(len(self.members))[block]
        outlines = None if self.outlines is None else self.outlines.take(members)
        scales = None if self.reduction is None else self.reduction.scales
        values = coder.cells(self.index).decode(
            self.streams(block), self.coding, cell_shape, sizes, outlines, scales
        )
        return restored(values, self.reduction)


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
    coder = _matching_coder(header, coder)
    classes, lengths = index.classes[rows], index.lengths[rows]
    stops = np.cumsum(index.lengths)[rows]
    sizes = None if index.sizes is None else index.sizes[rows]
    outlines = None if index.outlines is None else index.outlines.take(rows)
    _check_least_bytes(index, classes, lengths, coder, header.cell_shape, sizes, outlines)

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

    blank = rows[classes == BLANK_CLASS]
    if index.checks is not None and (index.checks[blank] != CHECK_INITIAL).any():
        raise CorruptionError("a blank cell of the chunk is damaged: its CRC-16 does not match")
    return [
        StreamRun(
            index=k,
            coding=index.codings[k],
            members=members,
            fetch=stream,
            sizes=None if sizes is None else sizes[members],
            outlines=None if outlines is None else outlines.take(members),
            reduction=index.reduction,
        )
        for k in used_classes(classes)
        for members in (np.flatnonzero(classes == k),)
    ]


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


def decode_silhouettes(
    header: Header,
    rows: NDArray[np.int64],
    fetch: Callable[[int, int], memoryview],
    coder: Coder | None,
) -> Silhouettes | None:
    """The silhouettes of some cells of a chunk; None if no cell of it has one.

    Parameters and errors are those of decode_cells. What is read of damaged streams is not checked
    against the pixels.
    """
    index = header.index
    if index is None or index.outlines is None:
        return None
    coder = _matching_coder(header, coder)
    masks: list[NDArray[np.bool_] | None] = [None] * len(rows)
    for run in cell_streams(header, rows, fetch, coder):
        assert run.outlines is not None
        of_run = coder.cells(run.index).masks(run.streams(), run.outlines)
        for i, mask in zip(run.members.tolist(), of_run, strict=True):
            masks[i] = mask
    return Silhouettes(masks=masks, resampling=index.outlines.resampling)


def _matching_coder(header: Header, coder: Coder | None) -> Coder:
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


def _check_least_bytes(
    index: CellIndex,
    classes: NDArray[np.uint8],
    lengths: NDArray[np.int64],
    coder: Coder,
    cell_shape: tuple[int, ...],
    sizes: NDArray[np.uint16] | None,
    outlines: Outlines | None,
) -> None:
    for k in used_classes(classes):
        members = np.flatnonzero(classes == k)
        own = None if sizes is None else sizes[members]
        lines = None if outlines is None else outlines.take(members)
        least = coder.cells(k).least_bytes(index.codings[k], cell_shape, own, lines)
        short = lengths[members] < least
        if short.any():
            needed = int(np.broadcast_to(least, short.shape)[short][0])
            raise TruncatedError(f"a cell of class {k} has fewer than the {needed} bytes it needs")
