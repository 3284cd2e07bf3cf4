"""Cells of one class as coefficients of JPEG pictures <-> one stream per cell (FORMAT-lattice)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..constants import MASK_POINTS_PER_BYTE, RANS_STATE_BYTES, WORD_BYTES
from ..errors import TruncatedError
from ..hybrid.engine import chosen_level
from ..lattice import pixels as lattice_pixels
from ..lattice.cell import JpegCell
from ..lattice.engine import Engine
from ..lattice.frame import Frame
from ..lattice.pixels import check_of_pixels
from ..lattice.place import Place
from ..lattice.stored import lattice_of
from ..lattice.symbols.streams import Streams
from ..lattice.weights import Weights
from ..lattice.whole import Read, read_into
from ..model.class_model import ClassModel
from ..rans import Streams as Located
from ..scales import Pixels
from ..silhouette.masks import MaskCoder
from ..silhouette.outlined import Mask, Outlines, flat
from .profiles import Sizes

Ints = NDArray[np.int64]

BLOCK_PIXELS = 1 << 19
"""Coded at a time, so that working memory stays small."""
READ_PIXELS = 4 * BLOCK_PIXELS
"""The same of the kernel where only pixels are wanted: it takes a few bytes for each."""


class LatticeCells:
    """Coder of one class. Thread-safe: only engines are added after construction.

    Parameters
    ----------
    weights
        Of coefficients.
    masks
        Of silhouettes; None where the class has no table of them.
    """

    def __init__(self, weights: Weights, masks: MaskCoder | None) -> None:
        self._weights, self._masks = weights, masks
        self._engines: dict[str, Engine] = {}

    @classmethod
    def of(cls, model: ClassModel) -> LatticeCells | None:
        """That of a class; None if it codes no coefficients.

        Raises
        ------
        ModelError
            If its tensors do not fit.
        """
        weights = lattice_of(model)
        return None if weights is None else cls(weights, MaskCoder.of(model))

    def _engine(self) -> Engine:
        level = chosen_level()
        engine = self._engines.get(level)
        if engine is None:
            engine = self._engines[level] = Engine(self._weights, level)
        return engine

    def encode(
        self,
        pixels: Sequence[NDArray[np.uint8]],
        places: Sequence[Place],
        jpeg: Sequence[JpegCell],
        points: Sequence[Mask | None],
        masks: Sequence[Mask | None],
    ) -> list[bytes]:
        """One stream per cell.

        Parameters
        ----------
        pixels
            Of each cell (y, x, channel), of its own size.
        places
            Where the cells lie.
        jpeg
            Their coefficients, of as many blocks as the cells' own sizes have.
        points, masks
            Of each silhouette the lattice points, which are coded, and the mask, bool (y, x); None
            where a cell has none.
        """
        engine, out = self._engine(), []
        for block in _parts([cell.size for cell in pixels]):
            rows = range(block.start, block.stop)
            frames = [places[i].frame(pixels[i].shape[:2], masks[i]) for i in rows]
            symbols = lattice_pixels.symbols_of(
                engine, frames, pixels[block],
                [cell.coefficients for cell in jpeg[block]], [cell.coded for cell in jpeg[block]],
            )  # fmt: skip
            before = self._mask_symbols(points[block])
            pairs = [np.concatenate(both) for both in zip(before, symbols, strict=True)]
            out += engine.streams(pairs, [check_of_pixels(cell) for cell in pixels[block]])
        return out

    def _mask_symbols(self, points: Sequence[Mask | None]) -> list[Ints]:
        """Start and frequency of each point, int64 (point, 2)."""
        if self._masks is None or all(own is None for own in points):
            return [np.zeros((0, 2), np.int64) for _ in points]
        some = [np.zeros((0, 0), bool) if own is None else own for own in points]
        prefix = self._masks.prefix(some, native=chosen_level() != "numpy").astype(np.int64)
        return [prefix[i, : own.size] for i, own in enumerate(some)]

    def decode(
        self,
        streams: Sequence[memoryview],
        places: Sequence[Place],
        cell_shape: tuple[int, ...],
        sizes: Sizes | None,
        outlines: Outlines | None,
    ) -> Pixels:
        """Inverse of encode: pixels uint8 (cell, \\*cell_shape), 0 beyond each cell's size.

        Raises
        ------
        TruncatedError, CorruptionError
            If a stream is not exactly one cell.
        """
        out = np.zeros((len(streams), *cell_shape), np.uint8)
        self.decode_into(out, np.arange(len(out)), streams, places, sizes, outlines)
        return out

    def decode_into(
        self,
        out: Pixels,
        members: Ints,
        streams: Sequence[memoryview],
        places: Sequence[Place],
        sizes: Sizes | None,
        outlines: Outlines | None,
    ) -> None:
        """The same into ``members``, int64 (stream,), of a contiguous array (cell, …) of zeros."""
        engine, cell_shape = self._engine(), out.shape[1:]
        if not engine.is_native:
            own = out if out.ndim == 4 else out[..., None]
            cells = self.decoded(streams, places, cell_shape, sizes, outlines)
            for i, (pixels, _, _) in zip(members.tolist(), cells, strict=True):
                own[i, : pixels.shape[0], : pixels.shape[1]] = pixels
            return
        located, pixels = Located.of(streams), out.reshape(-1)
        shapes = _shapes(located, cell_shape, sizes)
        for block in _blocks(shapes, cell_shape, READ_PIXELS):
            reader = Streams(located[block])
            n = len(reader)
            seen = np.zeros(0, np.uint8), np.zeros((n, 2), np.uint16), np.zeros(n, np.uint8)
            if outlines is not None and self._masks is not None:
                lattices = np.ascontiguousarray(outlines.shapes[block])
                points = self._masks.decode(reader.decoder, lattices, native=True)
                seen = flat(points), lattices, np.ascontiguousarray(outlines.spacings[block])
            first, row = members[block] * out.strides[0], np.full(n, out.strides[1])
            rows = np.stack([first, row], axis=1)
            read_into(pixels, rows, engine, places[block], shapes[block], seen, reader)

    def decoded(
        self,
        streams: Sequence[memoryview],
        places: Sequence[Place],
        cell_shape: tuple[int, ...],
        sizes: Sizes | None,
        outlines: Outlines | None,
    ) -> Iterator[Read]:
        """The same one after the other, with their coefficients; of their own sizes."""
        located, engine = Located.of(streams), self._engine()
        shapes = _shapes(located, cell_shape, sizes)
        for block in _blocks(shapes, cell_shape):
            reader = Streams(located[block])
            rows = np.arange(block.start, block.stop)
            masks = self._read_masks(reader, None if outlines is None else outlines.take(rows))
            frames: list[Frame] = []
            for i in rows.tolist():
                height, width = shapes[i].tolist()
                frames.append(places[i].frame((height, width), masks[i - block.start]))
            yield from lattice_pixels.read(engine, frames, reader)

    def _read_masks(self, reader: Streams, outlines: Outlines | None) -> Sequence[Mask | None]:
        """The silhouettes, which come first in the streams."""
        if outlines is None or self._masks is None or not outlines.spacings.any():
            return [None] * len(reader)
        native = chosen_level() != "numpy"
        return outlines.masks(self._masks.decode(reader.decoder, outlines.shapes, native=native))


def least_bytes(n_cells: int, outlines: Outlines | None) -> NDArray[np.int64]:
    """Bytes of the shortest possible stream of each cell (cell,).

    Only the points of masks are sure to be coded one by one, of which a byte holds fewer than
    MASK_POINTS_PER_BYTE; of blocks without coefficients it holds more than a cell may have.
    """
    least = np.full(n_cells, RANS_STATE_BYTES)
    if outlines is None:
        return least
    n_points = outlines.shapes.astype(np.int64).prod(axis=1)
    result: NDArray[np.int64] = np.maximum(least, n_points // MASK_POINTS_PER_BYTE)
    return result


def _shapes(streams: Located, cell_shape: tuple[int, ...], sizes: Sizes | None) -> Ints:
    """Height and width of each cell, int64 (cell, 2), if its stream can be one."""
    lengths = streams.stops - streams.starts
    if (lengths < RANS_STATE_BYTES).any() or (lengths % WORD_BYTES).any():
        raise TruncatedError("a cell's stream must have 4 bytes of state and whole words of 2")
    own = np.broadcast_to(cell_shape[:2], (len(streams), 2)) if sizes is None else sizes
    return own.astype(np.int64)


def _blocks(shapes: Ints, cell_shape: tuple[int, ...], most: int = BLOCK_PIXELS) -> Iterator[slice]:
    """Cells that are decoded at a time."""
    n_channels = cell_shape[2] if len(cell_shape) == 3 else 1
    return _parts((shapes.prod(axis=1) * n_channels).tolist(), most)


def _parts(n_values: Sequence[int], most: int = BLOCK_PIXELS) -> Iterator[slice]:
    """Cells of no more than ``most`` values together, or one, given the values of each."""
    start, total = 0, 0
    for i, n in enumerate(n_values):
        if i > start and total + n > most:
            yield slice(start, i)
            start, total = i, 0
        total += n
    if len(n_values):
        yield slice(start, len(n_values))
