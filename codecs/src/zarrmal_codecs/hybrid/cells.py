"""The profile `hybrid`: cells of one class <-> one stream per cell (FORMAT 6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from .. import rans
from ..constants import (
    FREQUENCY_TOTAL,
    HYBRID_PIXELS_PER_BYTE,
    LATENT_GAIN,
    MASK_POINTS_PER_BYTE,
    MAX_HYBRID_CELL_PIXELS,
    MAX_HYBRID_CELL_SIDE,
    MAX_PLANES,
    RANS_STATE_BYTES,
    WORD_BYTES,
)
from ..errors import CorruptionError, ModelError, TruncatedError
from ..model.model import Model
from ..paper.golomb_rice import RiceChoice
from ..rans import Streams
from ..scales import Pixels, Scales
from ..silhouette.masks import MaskCoder
from ..silhouette.outlined import Mask, Outlined, Outlines
from .blocks import BLOCK_CELLS, BLOCK_PIXELS, Block, Blocking
from .context import steps_of
from .depth import SHALLOW, depth_of
from .engine import Engine, chosen_level, make_engine
from .known import First, Known, Sizes
from .prediction import Prediction, n_planes
from .prediction import pool as pool

FEW_CELLS = 4
"""So few are read one by one."""


class HybridCells:
    """Coder of one class. Thread-safe: only engines are added after construction.

    Parameters
    ----------
    model, index
        The class is ``model.classes[index]``.

    Raises
    ------
    ModelError
        If its networks and tensors do not fit.
    """

    has_checks = False  # the state in which a stream ends is its check
    takes_sizes = True

    @property
    def takes_silhouettes(self) -> bool:
        """Whether the model can code masks."""
        return self._masks is not None

    def __init__(self, model: Model, index: int) -> None:
        class_model, shape = model.classes[index], model.cell_shape
        if len(shape) < 2 or n_planes(shape) > MAX_PLANES:
            raise ModelError(
                f"the profile hybrid codes (y, x) or (y, x, 1..{MAX_PLANES}), not {shape}"
            )
        self._cell_shape, self._depth = shape, depth_of(model.depth)
        self._prediction = (
            Prediction(class_model, n_planes(shape))
            if class_model.networks.get("decoder")
            else None
        )
        n_latents = self._prediction.n_latents if self._prediction else 0
        self._steps = steps_of(class_model, n_planes(shape), n_latents)
        self._masks = MaskCoder.of(class_model)
        self._blocking = Blocking(
            block_values=BLOCK_PIXELS // (1 if self._depth is SHALLOW else 3),
            widest=self._prediction.widest if self._prediction else 1,
        )
        self._engines: dict[str, Engine] = {}

    @property
    def can_encode(self) -> bool:
        """Always true: where the model has no encoder, latents are zero."""
        return True

    def fits(self, cell_shape: tuple[int, ...]) -> bool:
        """Whether cells of this shape can be coded: of any size, with the model's channels."""
        return (
            len(cell_shape) == len(self._cell_shape)
            and cell_shape[2:] == self._cell_shape[2:]
            and 0 < prod(cell_shape) <= MAX_HYBRID_CELL_PIXELS
            and max(cell_shape[:2]) <= MAX_HYBRID_CELL_SIDE
        )

    def _engine(self) -> Engine:
        level = chosen_level()
        engine = self._engines.get(level)
        if engine is None:
            engine = make_engine(self._steps, self._prediction is not None, self._depth, level)
            self._engines[level] = engine
        return engine

    def _known(
        self,
        block: Block,
        latents: NDArray[np.int8] | None,
        covered: NDArray[np.uint8] | None,
        scales: Scales | None,
    ) -> Known:
        """What both sides know of a block's cells once the latents are known."""
        n = len(block.members)
        predicted = None
        if latents is not None:
            assert self._prediction is not None
            predicted = self._prediction.decode(latents, block.shape, block.sizes)
        return Known(
            shape=(n, len(self._steps), *block.shape),
            first=self._first(latents, n),
            sizes=block.sizes,
            coverage=covered,
            predicted=predicted,
            scales=scales,
        )

    def _latents(
        self, block: Block, pixels: Pixels, scales: Scales | None
    ) -> NDArray[np.int8] | None:
        """int8 (cell, latent) of pixels (cell, plane, y, x); None where the class has none."""
        if self._prediction is None:
            return None
        if self._depth is not SHALLOW:
            levels = (scales or Scales.of_bytes(pixels.shape[1])).levels(pixels)
            pixels = self._depth.grid_value(levels).astype(np.uint8)
        return self._prediction.encode(pixels, block.sizes)

    def _first(self, latents: NDArray[np.int8] | None, n: int) -> First:
        """First sums of each step, int32 (cell, unit): the bias and the latents' part."""
        out = []
        for step in self._steps:
            sums = np.broadcast_to(step.layers[0].bias, (n, len(step.layers[0].bias)))
            if latents is not None and step.latent is not None:
                added = latents.astype(np.int32) @ step.latent.astype(np.int32).T
                sums = sums + LATENT_GAIN * added
            # For one cell they may be a view of the model's bytes, which are not aligned.
            out.append(np.require(sums, np.int32, ["C", "A"]))
        return out

    def _prefix(self, latents: NDArray[np.int8] | None, n: int) -> NDArray[np.uint16]:
        """Start and frequency of each latent, uint16 (cell, latent, 2)."""
        if latents is None:
            return np.zeros((n, 0, 2), np.uint16)
        assert self._prediction is not None
        symbols = latents.astype(np.int64) + 128
        edges, latent = self._prediction.latent_edges, np.arange(latents.shape[1])
        start, stop = edges[symbols, latent], edges[symbols + 1, latent]
        return np.stack([start, stop - start], axis=-1).astype(np.uint16)

    def bits(
        self,
        pixels: Pixels,
        sizes: Sizes | None = None,
        outlined: Outlined | None = None,
        scales: Scales | None = None,
    ) -> NDArray[np.float64]:
        """Bits of each cell, float64 (cell,), of pixels (cell, *cell_shape)."""
        out = np.empty(len(pixels))
        for block, cells in self._pixels_of_blocks(pixels, sizes, outlined):
            known, prefix = self._prepared(block, cells, outlined, scales)
            frequencies = prefix[..., 1] / FREQUENCY_TOTAL
            before = -np.log2(frequencies, where=frequencies > 0, out=np.zeros(frequencies.shape))
            # The first state holds 16 bits of the symbols.
            head = 8 * RANS_STATE_BYTES - 16 + before.sum(axis=1)
            out[block.members] = head + self._engine().bits(cells, known)
        return out

    def _prepared(
        self, block: Block, cells: Pixels, outlined: Outlined | None, scales: Scales | None
    ) -> tuple[Known, NDArray[np.uint16]]:
        """What is known before the pixels, and the symbols that tell it."""
        latents = self._latents(block, cells, scales)
        prefix, covered = self._prefix(latents, len(cells)), None
        if outlined is not None:
            assert self._masks is not None
            own = outlined.take(block.members)
            covered = np.ascontiguousarray(own.coverage[:, : block.shape[0], : block.shape[1]])
            before = self._masks.prefix(own.points, native=self._is_native())
            prefix = np.ascontiguousarray(np.concatenate([before, prefix], axis=1))
        return self._known(block, latents, covered, scales), prefix

    def _is_native(self) -> bool:
        return chosen_level() != "numpy"

    def encode(
        self,
        pixels: Pixels,
        rice: RiceChoice,
        sizes: Sizes | None = None,
        outlined: Outlined | None = None,
        scales: Scales | None = None,
    ) -> tuple[int, list[bytes]]:
        """Encode cells (cell, *cell_shape): the coding byte, 0, and one stream per cell."""
        out = [b""] * len(pixels)
        for block, cells in self._pixels_of_blocks(pixels, sizes, outlined):
            known, prefix = self._prepared(block, cells, outlined, scales)
            streams = self._engine().encode(cells, known, prefix)
            for i, stream in zip(block.members.tolist(), streams, strict=True):
                out[i] = stream
        return 0, out

    def _pixels_of_blocks(
        self, pixels: Pixels, sizes: Sizes | None, outlined: Outlined | None
    ) -> Iterator[tuple[Block, Pixels]]:
        """Blocks, and their pixels (cell, plane, y, x)."""
        planes = _planes_first(pixels).astype(self._depth.dtype, copy=False)
        outlines = None if outlined is None else outlined.outlines
        for block in self._blocking.blocks(len(planes), planes.shape[1:], sizes, outlines):
            height, width = block.shape
            yield block, np.ascontiguousarray(planes[block.members, :, :height, :width])

    def decode(
        self,
        streams: Sequence[memoryview],
        coding: int,
        cell_shape: tuple[int, ...],
        sizes: Sizes | None = None,
        outlines: Outlines | None = None,
        scales: Scales | None = None,
    ) -> Pixels:
        """Inverse of encode: pixels (cell, *cell_shape).

        Raises
        ------
        TruncatedError, CorruptionError
            If a stream is not exactly one cell.
        """
        self.least_bytes(coding, cell_shape)
        shape = (n_planes(cell_shape), cell_shape[0], cell_shape[1])
        blocks = self._blocking.blocks(len(streams), shape, sizes, outlines)
        if len(blocks) == 1 and blocks[0].shape == shape[1:] and blocks[0].sizes is None:
            everything = _opened(streams, blocks[0].members)
            pixels = self._decode(everything, blocks[0], outlines, scales)
            return pixels[:, 0] if len(cell_shape) == 2 else pixels.transpose(0, 2, 3, 1)
        # Memory beyond the cells' own sizes is never touched.
        out: Pixels = np.zeros((len(streams), *cell_shape), self._depth.dtype)
        planes = _planes_first(out)
        for block in blocks:
            height, width = block.shape
            own = None if outlines is None else outlines.take(block.members)
            of_block = _opened(streams, block.members)
            planes[block.members, :, :height, :width] = self._decode(of_block, block, own, scales)
        return out

    def masks(self, streams: Sequence[memoryview], outlines: Outlines) -> list[Mask | None]:
        """The silhouette of each cell, bool (y, x) of its own size, or None.

        Raises
        ------
        TruncatedError
            If a stream ends before its last point.
        """
        points: list[Mask] = []
        for start in range(0, len(streams), BLOCK_CELLS):
            rows = np.arange(start, min(start + BLOCK_CELLS, len(streams)))
            decoder = _opened(streams, rows).decoder()
            points += self._read_points(decoder, outlines.take(rows))
            if decoder.short.any():
                raise TruncatedError("a cell's stream ends before its last point")
        return outlines.masks(points)

    def _read_points(self, decoder: rans.Decoder, outlines: Outlines) -> Sequence[Mask]:
        if self._masks is None:
            raise CorruptionError("the chunk declares silhouettes, but its model cannot code masks")
        return self._masks.decode(decoder, outlines.shapes, native=self._is_native())

    def _decode(
        self,
        streams: Streams,
        block: Block,
        outlines: Outlines | None,
        scales: Scales | None,
    ) -> Pixels:
        decoder = streams.decoder()
        latents, covered = None, None
        if outlines is not None:
            points = self._read_points(decoder, outlines)
            covered = outlines.coverage(points, block.shape, block.sizes, native=self._is_native())
        if self._prediction is not None:
            latents = self._read_latents(decoder)
        known = self._known(block, latents, covered, scales)
        pixels, status = self._engine().decode(decoder, streams, known)
        bad = np.flatnonzero(status)
        if len(bad):
            if status[bad[0]] == 1:
                raise TruncatedError("a cell's stream ends before its last pixel")
            raise CorruptionError("a cell's stream is damaged: its last state does not match")
        return pixels

    def _read_latents(self, decoder: rans.Decoder) -> NDArray[np.int8]:
        assert self._prediction is not None
        edges = self._prediction.latent_edges
        latents = np.empty((len(decoder.states), edges.shape[1]), np.int8)
        if len(latents) <= FEW_CELLS:
            for lane in range(len(latents)):
                symbols = decoder.read(lane, self._prediction.latent_columns)
                latents[lane] = np.array(symbols) - 128
            return latents
        for k in range(edges.shape[1]):
            symbol = np.searchsorted(edges[:, k], decoder.slots(), side="right") - 1
            decoder.advance(edges[symbol, k], edges[symbol + 1, k] - edges[symbol, k])
            latents[:, k] = symbol - 128
        return latents

    def least_bytes(
        self,
        coding: int,
        cell_shape: tuple[int, ...],
        sizes: Sizes | None = None,
        outlines: Outlines | None = None,
    ) -> int | NDArray[np.int64]:
        """Bytes of the shortest possible stream, checked before pixels are allocated.

        No frequency is above 65281, so even the likeliest value makes a state grow by 1/513 or
        more, and a byte holds fewer than 2,850 pixels. Of cells with a silhouette only the points
        of its mask are sure to be coded, of which a byte holds fewer than 2**17.

        Raises
        ------
        CorruptionError
            If there is no such coding byte.
        """
        if coding:
            raise CorruptionError(f"the chunk declares coding {coding}, profile hybrid has only 0")
        if sizes is None and outlines is None:
            return max(RANS_STATE_BYTES, prod(cell_shape) // HYBRID_PIXELS_PER_BYTE)
        if sizes is None:
            assert outlines is not None
            sizes = np.broadcast_to(np.array(cell_shape[:2], np.uint16), outlines.shapes.shape)
        n_values = n_planes(cell_shape) * sizes.astype(np.int64).prod(axis=1)
        least = n_values // HYBRID_PIXELS_PER_BYTE
        if outlines is not None:
            n_points = outlines.shapes.astype(np.int64).prod(axis=1)
            least = np.where(outlines.spacings > 0, n_points // MASK_POINTS_PER_BYTE, least)
        result: NDArray[np.int64] = np.maximum(RANS_STATE_BYTES, least)
        return result


def _opened(streams: Sequence[memoryview], rows: NDArray[np.int64]) -> Streams:
    """Some of the streams, ready to be read."""
    if isinstance(streams, Streams):
        opened = streams.take(rows)
    else:
        opened = Streams([streams[row] for row in rows.tolist()])
    lengths = opened.stops - opened.starts
    if (lengths < RANS_STATE_BYTES).any() or (lengths % WORD_BYTES).any():
        raise TruncatedError("a cell's stream must have 4 bytes of state and whole words of 2")
    return opened


def _planes_first(pixels: Pixels) -> Pixels:
    if pixels.ndim == 3:
        return pixels[:, None]
    return pixels.transpose(0, 3, 1, 2)
