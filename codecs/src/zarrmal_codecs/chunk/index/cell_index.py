"""The index of a chunk's cells: class, size, silhouette and stream of each (FORMAT 4.3).

Reading it allocates only in proportion to its bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...constants import (
    BLANK_CLASS,
    DIGEST_PREFIX_BYTES,
    FLAG_LATTICE,
    FLAG_SILHOUETTES,
    FLAG_SIZES,
    FLAG_WORD_STREAMS,
    MAX_CHUNK_PIXELS,
    MAX_CLASSES,
    MAX_LATTICE_SPACING,
    MAX_PLANES,
    MAX_SILHOUETTE_PIXELS,
    MAX_SILHOUETTE_SIDE,
)
from ...errors import CompatibilityError, CorruptionError, TruncatedError
from ...scales import Scales, is_codable
from ...silhouette.coverage import RESAMPLINGS
from ...silhouette.outlined import Outlines
from ...wire import Reader, Writer
from ..reduction import Reduction
from .columns import read_column, read_lengths, write_column, write_lengths
from .lattice_index import LatticeIndex


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


def write_index(out: Writer, index: CellIndex) -> None:
    """The layout of FORMAT 4.3; read_index is the inverse."""
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


def read_index(reader: Reader, shape: tuple[int, ...], flags: int, is_deep: bool) -> CellIndex:
    """Read and check the index of the cells.

    Parameters
    ----------
    shape
        Of the array, (cell, y, x[, channel]).
    flags
        Of the header.
    is_deep
        Whether items have 16 bits, not 8.

    Raises
    ------
    TruncatedError, CorruptionError, CompatibilityError
    """
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


def _write_outlines(out: Writer, outlines: Outlines) -> None:
    out.uint(RESAMPLINGS.index(outlines.resampling), 1)
    write_column(out, outlines.spacings, outlines.spacings >= 0)
    if outlines.resampling != "same":
        for shapes in outlines.shapes.T:
            write_column(out, shapes, outlines.spacings > 0)


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
