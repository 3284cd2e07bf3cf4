"""The chunk's header: mode, shape, checks, and the index of the cells' streams (FORMAT 4).

Reading a header allocates only in proportion to its bytes.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constants import (
    BLANK_CLASS,
    CELL_PIXELS_PER_BYTE,
    CHUNK_MAGIC,
    CHUNK_PRELUDE_BYTES,
    DIGEST_PREFIX_BYTES,
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
    MAX_CLASSES,
    MAX_LATTICE_SPACING,
    MAX_PLANES,
    MAX_RANK,
    MAX_SILHOUETTE_PIXELS,
    MAX_SILHOUETTE_SIDE,
    MODE_CELLS,
    MODE_DEFLATE,
    MODE_MASKS,
    MODE_STORED,
)
from ..errors import CompatibilityError, CorruptionError, TruncatedError
from ..scales import Scales, is_codable
from ..silhouette.coverage import RESAMPLINGS
from ..silhouette.outlined import Outlines
from ..wire import Reader, Writer
from .columns import read_column, read_lengths, write_column, write_lengths
from .items import dtype_code, dtype_of, has_byte_order, is_big_endian
from .lattice_index import LatticeIndex
from .mask_cells import MaskIndex
from .reduction import Reduction

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
class CellIndex:
    """Class and stream length of each cell (FORMAT 4.3).

    Parameters
    ----------
    digest_prefix
        First 8 bytes of the model's sha256.
    codings
        For each class of the model one byte, which its coder interprets.
    classes
        uint8 (cell,); 255 is a blank cell, all zeros, with an empty stream.
    lengths
        int64 (cell,): bytes of each stream. Streams follow one another without gaps.
    checks
        uint16 (cell,): CRC-16 of each stream. None where streams consist of 16-bit words, since
        the CRC-16 of the pixels is then in the state in which a stream ends.
    sizes
        uint16 (cell, 2): height and width of each cell, from its first row and column; all other
        pixels are 0. None where all cells have the size of the array.
    outlines
        Of the cells' silhouettes; None where no cell has one.
    reduction
        Of items of 16 bits to values; None where the items are uint8.
    lattice
        Of the cells that are coded as coefficients of JPEG pictures; None where no cell is.
    """

    digest_prefix: bytes
    codings: bytes
    classes: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    checks: NDArray[np.uint16] | None
    sizes: NDArray[np.uint16] | None = None
    outlines: Outlines | None = None
    reduction: Reduction | None = None
    lattice: LatticeIndex | None = None


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
            _write_index(rest, self.index)
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
    index = _read_index(reader, canonical, flags, is_deep) if mode == MODE_CELLS else None
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


def _write_index(out: Writer, index: CellIndex) -> None:
    out.block(index.digest_prefix)
    out.uint(len(index.codings), 1)
    out.block(index.codings)
    changes = np.flatnonzero(np.diff(index.classes)) + 1
    edges = [0, *changes.tolist(), len(index.classes)]
    out.varint(len(edges) - 1)
    for start, stop in zip(edges, edges[1:]):
        out.uint(int(index.classes[start]), 1)
        out.varint(stop - start)
    if index.reduction is not None:
        _write_reduction(out, index.reduction)
    if index.sizes is not None:
        for sizes in index.sizes.T:
            write_column(out, sizes, index.classes != BLANK_CLASS)
    if index.outlines is not None:
        _write_outlines(out, index.outlines)
    if index.lattice is not None:
        index.lattice.write(out)
    write_lengths(out, index.lengths, words=index.checks is None)
    if index.checks is not None:
        out.block(index.checks.astype("<u2").tobytes())


def _write_reduction(out: Writer, reduction: Reduction) -> None:
    scales = reduction.scales
    columns = (reduction.least, reduction.step, scales.n_raw, scales.n_bins)
    for least, step, n_raw, n_bins in zip(*(c.tolist() for c in columns), strict=True):
        out.uint(least, 2)
        out.uint(step, 2)
        out.uint(n_raw, 1)
        out.uint(n_bins - 1, 1)


def _read_reduction(reader: Reader, shape: tuple[int, ...]) -> Reduction:
    """Of each channel of an array (cell, y, x[, channel])."""
    n = shape[3] if len(shape) == 4 else 1
    if not 1 <= n <= MAX_PLANES:
        raise CorruptionError(f"the chunk declares {n} channels, 1..{MAX_PLANES} are allowed")
    rows = []
    for _ in range(n):
        least, step = reader.uint(2), reader.uint(2)
        n_raw, n_bins = reader.uint(1), reader.uint(1) + 1
        if least < 1 or step < 1 or not is_codable(n_raw, n_bins):
            raise CorruptionError(
                f"the chunk declares items from {least} in steps of {step}, in {n_bins} bins of "
                f"{n_raw} bits more: they need 16 bits, and steps of 1 or more"
            )
        rows.append((least, step, n_raw, n_bins))
    least, step, n_raw, n_bins = np.array(rows, np.uint16).T
    return Reduction(
        least=least, step=step, scales=Scales(n_raw=n_raw.astype(np.uint8), n_bins=n_bins)
    )


def _write_outlines(out: Writer, outlines: Outlines) -> None:
    out.uint(RESAMPLINGS.index(outlines.resampling), 1)
    write_column(out, outlines.spacings, outlines.spacings >= 0)
    if outlines.resampling != "same":
        for shapes in outlines.shapes.T:
            write_column(out, shapes, outlines.spacings > 0)


def _read_index(reader: Reader, shape: tuple[int, ...], flags: int, is_deep: bool) -> CellIndex:
    """The index of an array (cell, y, x[, channel]), of items of 16 bits or of 8."""
    words = bool(flags & FLAG_WORD_STREAMS)
    digest_prefix = bytes(reader.block(DIGEST_PREFIX_BYTES))
    n_classes = reader.uint(1)
    if not 1 <= n_classes <= MAX_CLASSES:
        raise CorruptionError(f"the chunk declares {n_classes} classes, not 1..{MAX_CLASSES}")
    codings = bytes(reader.block(n_classes))
    n_cells = shape[0] if shape else 0
    # The rest of the header has two bytes of check per cell, or at least one bit of length.
    if n_cells > 8 * len(reader.data) or (not words and 2 * n_cells > len(reader.data)):
        raise TruncatedError(f"the chunk's header is too short for {n_cells} cells")
    n_runs = reader.varint()
    if not 1 <= n_runs <= n_cells:
        raise CorruptionError(f"the chunk declares {n_runs} class runs for {n_cells} cells")
    classes = np.empty(n_cells, np.uint8)
    start = 0
    for _ in range(n_runs):
        k, count = reader.uint(1), reader.varint()
        if (k >= n_classes and k != BLANK_CLASS) or not 1 <= count <= n_cells - start:
            raise CorruptionError(f"a class run of {count} cells of class {k} does not fit")
        classes[start : start + count] = k
        start += count
    if start != n_cells:
        raise CorruptionError(f"the class runs hold {start} of {n_cells} cells")
    reduction = _read_reduction(reader, shape) if is_deep else None
    sizes = _read_sizes(reader, shape) if flags & FLAG_SIZES else None
    outlines = _read_outlines(reader, shape, classes, sizes) if flags & FLAG_SILHOUETTES else None
    lattice = None
    if flags & FLAG_LATTICE:
        lattice = LatticeIndex.read(reader, shape, classes, outlines)
    lengths = read_lengths(reader, n_cells, words=words)
    if lengths[classes == BLANK_CLASS].any():
        raise CorruptionError("the chunk declares a blank cell that has a stream")
    checks = None
    if not words:
        checks = np.frombuffer(reader.block(2 * n_cells), "<u2").astype(np.uint16)
    return CellIndex(
        digest_prefix=digest_prefix,
        codings=codings,
        classes=classes,
        lengths=lengths,
        checks=checks,
        sizes=sizes,
        outlines=outlines,
        reduction=reduction,
        lattice=lattice,
    )


def _read_sizes(reader: Reader, shape: tuple[int, ...]) -> NDArray[np.uint16]:
    """Height and width of each cell, at least 1 and within the array."""
    if len(shape) < 3:
        raise CorruptionError(f"the chunk declares sizes of cells, but has shape {shape}")
    columns = []
    for most in shape[1:3]:
        sizes = read_column(reader, shape[0])
        if int(sizes.min()) < 1 or int(sizes.max()) > most:
            raise CorruptionError(f"the chunk declares cells of {sizes.min()} to {sizes.max()} "
                                  f"rows or columns in an array of {most}")  # fmt: skip
        columns.append(sizes.astype(np.uint16))
    return np.stack(columns, axis=1)


def _read_outlines(
    reader: Reader,
    shape: tuple[int, ...],
    classes: NDArray[np.uint8],
    sizes: NDArray[np.uint16] | None,
) -> Outlines:
    """Each mask is within the limits, and where it has the size of its cell it fits that."""
    if len(shape) < 3:
        raise CorruptionError(f"the chunk declares silhouettes, but has shape {shape}")
    code = reader.uint(1)
    if code >= len(RESAMPLINGS):
        raise CompatibilityError(
            f"the chunk's silhouettes were resampled by method {code}, unknown to this software: "
            f"upgrade zarrmal-codecs"
        )
    spacings = read_column(reader, shape[0])
    has = spacings > 0
    if int(spacings.max()) > MAX_LATTICE_SPACING or has[classes == BLANK_CLASS].any():
        raise CorruptionError(f"the chunk declares silhouettes on lattices of up to "
                              f"{spacings.max()}, or of blank cells")  # fmt: skip
    step = np.maximum(spacings, 1)[:, None]
    if code:
        points = np.stack([read_column(reader, shape[0]) for _ in range(2)], axis=1)
    else:
        own = np.array(shape[1:3]) if sizes is None else sizes.astype(np.int64)
        own = np.broadcast_to(own, (shape[0], 2))
        points = (own - 1) // step + 1
        if (step * (points - 1) + 1 != own)[has].any():
            raise CorruptionError("the chunk declares a silhouette on a lattice that its cell "
                                  "does not fit")  # fmt: skip
    full = step * (points - 1) + 1
    full[~has] = 1
    if (
        full.min() < 1
        or full.max() > MAX_SILHOUETTE_SIDE
        or (full.prod(axis=1).max() > MAX_SILHOUETTE_PIXELS)
    ):
        raise CorruptionError(
            f"the chunk declares a silhouette of {full.max()} rows or columns, or of no size: at "
            f"most {MAX_SILHOUETTE_SIDE} and {MAX_SILHOUETTE_PIXELS} pixels are allowed"
        )
    points[~has] = 0
    if int(points.prod(axis=1).sum()) > MAX_CHUNK_PIXELS:
        raise CorruptionError(f"the chunk's silhouettes have more than {MAX_CHUNK_PIXELS} points")
    return Outlines(
        resampling=RESAMPLINGS[code],
        spacings=spacings.astype(np.uint8),
        shapes=points.astype(np.uint16),
    )
