"""The chunk's header: mode, shape, checks; the index of its cells is in cell_index.py (FORMAT 4).

Reading a header allocates only in proportion to its bytes.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from ..constants import (
    CELL_PIXELS_PER_BYTE,
    CHUNK_MAGIC,
    CHUNK_PRELUDE_BYTES,
    DTYPE_BOOL,
    DTYPE_CODES,
    DTYPE_OTHER,
    DTYPE_UINT8,
    DTYPE_UINT16,
    FLAG_BIG_ENDIAN,
    FLAG_CHANNELS_FIRST,
    FLAG_FORTRAN_ORDER,
    FLAG_LATTICE,
    FLAG_SILHOUETTES,
    FLAG_SIZES,
    FLAG_WORD_STREAMS,
    FORMAT_VERSION,
    MAX_CHUNK_PIXELS,
    MAX_RANK,
    MODE_CELLS,
    MODE_DEFLATE,
    MODE_MASKS,
    MODE_STORED,
)
from ..errors import CompatibilityError, CorruptionError
from ..wire import Reader, Writer
from .index.cell_index import CellIndex, read_index, write_index
from .items import dtype_code, dtype_of, has_byte_order, is_big_endian
from .mask_cells import MaskIndex

MODE_NAMES = {
    MODE_STORED: "stored",
    MODE_DEFLATE: "deflate",
    MODE_CELLS: "cells",
    MODE_MASKS: "masks",
}
MAX_KNOWN_BYTES = 1 << 16
"""Of a header that is kept in memory."""
KNOWN_DTYPES = {*DTYPE_CODES.values(), DTYPE_OTHER}
DTYPES_OF = {MODE_CELLS: {DTYPE_UINT8, DTYPE_UINT16}, MODE_MASKS: {DTYPE_BOOL}}
FLAGS_OF_CELLS = FLAG_WORD_STREAMS | FLAG_SIZES | FLAG_SILHOUETTES | FLAG_CHANNELS_FIRST
FLAGS_OF_BYTES = FLAG_LATTICE
"""Of cells of uint8 alone."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Header:
    """The part of a chunk before the payload.

    Parameters
    ----------
    mode
        0 stored, 1 deflate, 2 cells, 3 masks.
    dtype
        Of the decoded items: a number, in the byte order of the decoded array, or void. Items are
        coded in little-endian order in either case.
    shape
        Shape of the array.
    fortran_order
        Memory order of the decoded array. Items are coded in C order in either case.
    pixel_crc32
        CRC-32 of all items in C order, in little-endian byte order.
    payload_bytes
        Bytes of the payload.
    index
        The index of the cells; None unless mode is 2.
    masks
        The index of the masks; None unless mode is 3.
    channels_first
        Whether cells are (channel, y, x).
    """

    mode: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran_order: bool
    pixel_crc32: int
    payload_bytes: int
    index: CellIndex | None = None
    masks: MaskIndex | None = None
    channels_first: bool = False

    @property
    def cell_shape(self) -> tuple[int, ...]:
        """Shape of a cell of mode 2, with channels last, as models have it."""
        return cell_shape_of(self.shape, channels_first=self.channels_first)

    @property
    def _words(self) -> bool:
        return self.index is not None and self.index.checks is None

    @property
    def _sized(self) -> bool:
        return self.index is not None and self.index.sizes is not None

    @property
    def _outlined(self) -> bool:
        return self.index is not None and self.index.outlines is not None

    @property
    def _flags(self) -> int:
        flags = FLAG_FORTRAN_ORDER * self.fortran_order | FLAG_WORD_STREAMS * self._words
        flags |= FLAG_SILHOUETTES * self._outlined | FLAG_CHANNELS_FIRST * self.channels_first
        flags |= FLAG_LATTICE * (self.index is not None and self.index.lattice is not None)
        return flags | FLAG_BIG_ENDIAN * is_big_endian(self.dtype) | FLAG_SIZES * self._sized

    def to_bytes(self) -> bytes:
        """The header layout of FORMAT 4.1; parse_header is the inverse."""
        rest = Writer()
        rest.uint(len(self.shape), 1)
        for n in self.shape:
            rest.uint(n, 4)
        code = dtype_code(self.dtype)
        if code == DTYPE_OTHER:
            rest.uint(self.dtype.itemsize, 4)
        if self.index is not None:
            write_index(rest, self.index)
        if self.masks is not None:
            self.masks.write(rest)
        tail = rest.getvalue()
        head = Writer()
        head.block(CHUNK_MAGIC)
        head.uint(FORMAT_VERSION, 1)
        head.uint(self.mode, 1)
        head.uint(code, 1)
        head.uint(self._flags, 1)
        head.uint(CHUNK_PRELUDE_BYTES + len(tail) + 4, 4)
        head.uint(self.payload_bytes, 8)
        head.uint(self.pixel_crc32, 4)
        head.block(tail)
        head.uint(zlib.crc32(head.getvalue()), 4)
        return head.getvalue()


def cell_shape_of(shape: tuple[int, ...], *, channels_first: bool) -> tuple[int, ...]:
    """Shape of the cells of an array, with channels last."""
    return (*shape[2:], shape[1]) if channels_first else shape[1:]


def header_bytes(prelude: memoryview) -> int:
    """Bytes of the whole header, read from its first 24 bytes or more.

    Raises
    ------
    TruncatedError, CorruptionError, CompatibilityError
    """
    reader = Reader(prelude, "the chunk")
    if bytes(reader.block(4)) != CHUNK_MAGIC:
        raise CorruptionError(
            f"not a zarrmal chunk: it starts with {bytes(prelude[:4])!r}, not {CHUNK_MAGIC!r}"
        )
    version = reader.uint(1)
    if version > FORMAT_VERSION:
        raise CompatibilityError(
            f"the chunk has format version {version}, this software reads up to "
            f"{FORMAT_VERSION}: upgrade zarrmal-codecs"
        )
    if version == 0:
        raise CorruptionError("the chunk declares format version 0, the first one is 1")
    reader.block(3)
    n_bytes = reader.uint(4)
    reader.block(12)
    if n_bytes < CHUNK_PRELUDE_BYTES + 5:
        raise CorruptionError(
            f"the chunk declares a header of {n_bytes} bytes, the shortest has "
            f"{CHUNK_PRELUDE_BYTES + 5}"
        )
    return n_bytes


def known_header(data: memoryview) -> Header:
    """The same as parse_header; a header of the same bytes as a recent one is not parsed again.

    So cells of a chunk that are read one after another need not wait for its index each time.
    """
    n_bytes = header_bytes(data)
    if n_bytes > min(MAX_KNOWN_BYTES, len(data)):
        return parse_header(data)
    return _parsed(bytes(data[:n_bytes]))


@lru_cache(maxsize=16)
def _parsed(data: bytes) -> Header:
    return parse_header(memoryview(data))


def parse_header(data: memoryview) -> Header:
    """Parse and check a header.

    Parameters
    ----------
    data
        The whole header, or more of the chunk.

    Raises
    ------
    TruncatedError, CorruptionError, CompatibilityError
    """
    n_bytes = header_bytes(data)
    whole = Reader(data, "the chunk's header").block(n_bytes)
    if zlib.crc32(whole[:-4]) != int.from_bytes(whole[-4:], "little"):
        raise CorruptionError("the chunk's header is damaged: its CRC-32 does not match")
    reader = Reader(whole[:-4], "the chunk's header")
    reader.block(5)
    mode, code, flags = reader.uint(1), reader.uint(1), reader.uint(1)
    known = FLAG_FORTRAN_ORDER | FLAGS_OF_CELLS * (mode == MODE_CELLS)
    known |= FLAGS_OF_BYTES * (mode == MODE_CELLS and code == DTYPE_UINT8)
    known |= FLAG_BIG_ENDIAN * has_byte_order(code)
    codable = code in DTYPES_OF.get(mode, KNOWN_DTYPES)
    if mode not in MODE_NAMES or not codable or flags & ~known:
        raise CompatibilityError(
            f"the chunk has mode {mode}, dtype {code}, flags {flags:#x}, unknown to this "
            f"software: upgrade zarrmal-codecs"
        )
    reader.block(4)
    payload_bytes, pixel_crc32 = reader.uint(8), reader.uint(4)
    rank = reader.uint(1)
    if rank > MAX_RANK:
        raise CorruptionError(f"the chunk declares rank {rank}, at most {MAX_RANK} is allowed")
    shape = tuple(reader.uint(4) for _ in range(rank))
    item_bytes = reader.uint(4) if code == DTYPE_OTHER else dtype_of(code).itemsize
    if item_bytes == 0:
        raise CorruptionError("the chunk declares items of 0 bytes, at least 1 is needed")
    if item_bytes * prod(n for n in shape if n) > MAX_CHUNK_PIXELS:
        raise CorruptionError(
            f"the chunk declares shape {shape} of items of {item_bytes} bytes, at most "
            f"{MAX_CHUNK_PIXELS} bytes are allowed"
        )
    channels_first = bool(flags & FLAG_CHANNELS_FIRST)
    if channels_first and len(shape) != 4:
        raise CorruptionError(f"the chunk declares cells (channel, y, x), but has shape {shape}")
    canonical = (*shape[:1], *cell_shape_of(shape, channels_first=channels_first))
    is_deep = code == DTYPE_UINT16
    index = read_index(reader, canonical, flags, is_deep) if mode == MODE_CELLS else None
    masks = MaskIndex.read(reader, shape) if mode == MODE_MASKS else None
    reader.finish()
    streams = index or masks
    if streams is not None and int(streams.lengths.sum()) != payload_bytes:
        raise CorruptionError("the chunk's stream lengths do not add up to its payload")
    if streams is not None and prod(shape) > CELL_PIXELS_PER_BYTE * (n_bytes + payload_bytes):
        raise CorruptionError(
            f"the chunk declares shape {shape} in {n_bytes + payload_bytes} bytes, at most "
            f"{CELL_PIXELS_PER_BYTE} pixels a byte are allowed in cells"
        )
    n_mask_pixels = 0 if index is None or index.outlines is None else index.outlines.n_pixels
    if n_mask_pixels > CELL_PIXELS_PER_BYTE * (n_bytes + payload_bytes):
        raise CorruptionError(
            f"the chunk declares silhouettes of {n_mask_pixels} pixels in "
            f"{n_bytes + payload_bytes} bytes, at most {CELL_PIXELS_PER_BYTE} a byte are allowed"
        )
    return Header(
        mode=mode,
        dtype=dtype_of(code, item_bytes, big_endian=bool(flags & FLAG_BIG_ENDIAN)),
        shape=shape,
        fortran_order=bool(flags & FLAG_FORTRAN_ORDER),
        pixel_crc32=pixel_crc32,
        payload_bytes=payload_bytes,
        index=index,
        masks=masks,
        channels_first=channels_first,
    )
