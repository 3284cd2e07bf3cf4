"""One chunk: any array of items of a fixed size <-> bytes (FORMAT 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constants import (
    CELL_PIXELS_PER_BYTE,
    MAX_CHUNK_PIXELS,
    MAX_PLANES,
    MAX_RANK,
    MODE_CELLS,
    MODE_MASKS,
)
from ..errors import CorruptionError, TruncatedError
from ..lattice.cell import JpegCell
from ..paper.golomb_rice import RiceChoice
from ..scales import Pixels
from ..silhouette.silhouettes import Silhouettes
from .cells import encode_cells
from .coder import Coder
from .crc32 import crc32
from .fallback import decode_fallback, encode_fallback
from .header import Header, cell_shape_of, header_bytes, parse_header
from .index.cell_index import CellIndex
from .items import as_dtype, items_of, octets_of, stored_dtype
from .mask_cells import MaskIndex, decode_masks, encode_masks
from .reduction import Reduction, reduce
from .streams import BLOCK_CELLS, cell_streams, matching_coder

# Length of a first ranged read that holds most headers: per cell two bytes of check and 16 bits of
# stream length, or those, a size, a silhouette's spacing and a phase. A longer header only costs a
# second read.
FIRST_READ_FIXED_BYTES = 256
FIRST_READ_BYTES_PER_CELL = 5

SMALL_CHUNK_BYTES = 1024
"""A chunk of so few bytes is kept in cells even where its pixels would be shorter."""


def encode_chunk(
    array: NDArray[Any],
    coder: Coder | None,
    *,
    classes: NDArray[np.integer[Any]] | None = None,
    rice: RiceChoice = "mean",
    keep_cells: bool = False,
    fortran_order: bool = False,
    silhouettes: Silhouettes | None = None,
    jpeg: Sequence[JpegCell | None] | None = None,
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
    crc = crc32(octets)
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
            index, payload = encode_cells(
                values, coder, classes, rice, silhouettes, reduction, jpeg
            )
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
        if has_channels and self.items.shape[-1] > MAX_PLANES:
            return None, None  # more reductions than a reader takes
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
    expect_dtype(header, dtype)
    if header.index is not None:
        rows = np.arange(header.shape[0])
        octets = octets_of(decode_cells(header, rows, lambda a, b: payload[a:b], coder))
    elif header.masks is not None:
        octets = octets_of(decode_masks(header.masks, header.shape, payload))
    else:
        octets = decode_fallback(header, payload)
    if crc32(octets) != header.pixel_crc32:
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


def expect_dtype(header: Header, dtype: np.dtype[Any] | None) -> None:
    """CorruptionError unless items were stored from the expected dtype, or None is expected."""
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
    coder = matching_coder(header, coder)
    items = np.zeros((len(rows), *header.shape[1:]), header.dtype.newbyteorder("="))
    cells = items.transpose(0, 2, 3, 1) if header.channels_first else items
    for run in cell_streams(header, rows, fetch, coder):
        for start in range(0, len(run.members), BLOCK_CELLS):
            block = slice(start, start + BLOCK_CELLS)
            run.decode_into(cells, coder, block)
    return items


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
    coder = matching_coder(header, coder)
    masks: list[NDArray[np.bool_] | None] = [None] * len(rows)
    for run in cell_streams(header, rows, fetch, coder):
        assert run.outlines is not None
        of_run = coder.cells(run.index).masks(run.streams(), run.outlines)
        for i, mask in zip(run.members.tolist(), of_run, strict=True):
            masks[i] = mask
    return Silhouettes(masks=masks, resampling=index.outlines.resampling)
