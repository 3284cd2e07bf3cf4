"""Arrays of masks, bool (cell, y, x) <-> index and streams (FORMAT 4.8).

They need no model: the table by which the points are coded is counted on the chunk's own masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import rans
from ..constants import (
    FREQUENCY_TOTAL,
    MASK_POINTS_PER_BYTE,
    MAX_CHUNK_PIXELS,
    MAX_LATTICE_SPACING,
    MAX_SILHOUETTE_PIXELS,
    MAX_SILHOUETTE_SIDE,
    MAX_TEMPLATE,
    RANS_STATE_BYTES,
)
from ..errors import CorruptionError, TruncatedError
from ..hybrid.engine import chosen_level
from ..rans import Streams
from ..silhouette.lattice import expand
from ..silhouette.mask_table import mask_table
from ..silhouette.masks import MaskCoder
from ..silhouette.outlined import Mask, spacing_of
from ..wire import Reader, Writer
from .index.columns import read_column, read_lengths, write_column, write_lengths

BLOCK_CELLS = 1024


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskIndex:
    """What the header of a chunk of masks tells.

    Parameters
    ----------
    table
        int8 (2**n,): see mask_coder.by_window.
    sizes
        uint16 (cell, 2): height and width of each mask, from the array's first row and column; all
        beyond is False.
    spacings
        uint8 (cell,): of the lattice on which each was drawn; 0 for a mask without pixels, which
        has no stream.
    lengths
        int64 (cell,): bytes of each stream.
    """

    table: NDArray[np.int8]
    sizes: NDArray[np.uint16]
    spacings: NDArray[np.uint8]
    lengths: NDArray[np.int64]

    @property
    def shapes(self) -> NDArray[np.uint16]:
        """Rows and columns of lattice points, uint16 (cell, 2); 0 of a mask without pixels."""
        step = np.maximum(self.spacings, 1)[:, None].astype(np.int64)
        points = (self.sizes.astype(np.int64) - 1) // step + 1
        points[self.spacings == 0] = 0
        return points.astype(np.uint16)

    def write(self, out: Writer) -> None:
        """The index of FORMAT 4.8; ``read`` is the inverse."""
        out.uint(len(self.table).bit_length() - 1, 1)
        out.block(self.table.tobytes())
        has = self.spacings > 0
        for sizes in self.sizes.T:
            write_column(out, sizes, has)
        write_column(out, self.spacings, np.ones(len(has), bool))
        write_lengths(out, self.lengths, words=True)

    @classmethod
    def read(cls, reader: Reader, shape: tuple[int, ...]) -> MaskIndex:
        """Parse the index of an array (cell, y, x), and check it against the limits."""
        if len(shape) != 3 or not shape[0]:
            raise CorruptionError(f"the chunk declares masks, but has shape {shape}")
        n = reader.uint(1)
        if n > MAX_TEMPLATE:
            raise CorruptionError(f"the chunk declares a table of 2**{n} values")
        table = np.frombuffer(reader.block(1 << n), np.int8)
        # Each mask takes a bit of length at least.
        if shape[0] > 8 * len(reader.data):
            raise TruncatedError(f"the chunk's header is too short for {shape[0]} masks")
        columns = [read_column(reader, shape[0]) for _ in range(2)]
        spacings = read_column(reader, shape[0])
        lengths = read_lengths(reader, shape[0], words=True)
        sizes = np.stack(columns, axis=1)
        has, step = spacings > 0, np.maximum(spacings, 1)[:, None]
        if int(spacings.max()) > MAX_LATTICE_SPACING or lengths[~has].any():
            raise CorruptionError(
                f"the chunk declares masks on lattices of up to {spacings.max()}, or a stream of "
                f"one without pixels"
            )
        own = sizes[has]
        if len(own) and (
            own.min() < 1
            or (own > np.array(shape[1:])).any()
            or ((own - 1) % step[has]).any()
            or own.max() > MAX_SILHOUETTE_SIDE
            or own.prod(axis=1).max() > MAX_SILHOUETTE_PIXELS
        ):
            raise CorruptionError("the chunk declares masks of sizes that do not fit it")
        sizes[~has] = 1
        index = cls(
            table=table,
            sizes=sizes.astype(np.uint16),
            spacings=spacings.astype(np.uint8),
            lengths=lengths,
        )
        n_points = index.shapes.astype(np.int64).prod(axis=1)
        if int(n_points.sum()) > MAX_CHUNK_PIXELS:
            raise CorruptionError(f"the chunk's masks have more than {MAX_CHUNK_PIXELS} points")
        least = np.maximum(RANS_STATE_BYTES, n_points // MASK_POINTS_PER_BYTE)
        if (lengths < least)[has].any():
            raise TruncatedError("the chunk declares a stream too short for its mask")
        return index


def encode_masks(masks: Mask) -> tuple[MaskIndex, bytes] | None:
    """Index and payload of masks bool (cell, y, x); None if a chunk cannot hold them as masks."""
    n, height, width = masks.shape
    if not masks.any() or max(height, width) > MAX_SILHOUETTE_SIDE:
        return None
    sizes = np.ones((n, 2), np.uint16)
    has = masks.reshape(n, -1).any(axis=1)
    for i, axis in ((0, 2), (1, 1)):
        along: Mask = np.logical_or.reduce(masks, axis=axis)
        sizes[:, i] = np.where(has, along.shape[1] - along[:, ::-1].argmax(axis=1), 1)
    if int(sizes.astype(np.int64).prod(axis=1).max()) > MAX_SILHOUETTE_PIXELS:
        return None
    native = chosen_level() != "numpy"
    spacings = np.zeros(n, np.uint8)
    points: list[Mask] = [np.zeros((0, 0), bool)] * n
    for i in np.flatnonzero(has).tolist():
        mask = np.ascontiguousarray(masks[i, : sizes[i, 0], : sizes[i, 1]])
        spacings[i] = spacing_of(mask, native=native)
        points[i] = np.ascontiguousarray(mask[:: spacings[i], :: spacings[i]])
    members = np.flatnonzero(has).tolist()
    table = mask_table([points[i] for i in members], len(members))
    coder, streams = MaskCoder(table), [b""] * n
    for start in range(0, len(members), BLOCK_CELLS):
        rows = members[start : start + BLOCK_CELLS]
        own = [points[i] for i in rows]
        prefix = coder.prefix(own, native=native).astype(np.int64)
        starts, frequencies = prefix.transpose(2, 1, 0)
        frequencies = np.where(frequencies == 0, FREQUENCY_TOTAL, frequencies)
        for i, body in zip(rows, rans.encode(starts, frequencies, _last(own)), strict=True):
            streams[i] = body
    lengths = np.array([len(s) for s in streams], np.int64)
    index = MaskIndex(table=table, sizes=sizes, spacings=spacings, lengths=lengths)
    return index, b"".join(streams)


def decode_masks(index: MaskIndex, shape: tuple[int, ...], payload: memoryview) -> Mask:
    """Inverse of encode_masks: bool (cell, y, x).

    Raises
    ------
    TruncatedError, CorruptionError
        If a stream is not exactly one mask.
    """
    native, coder = chosen_level() != "numpy", MaskCoder(index.table)
    out = np.zeros(shape, bool)
    stops, shapes = np.cumsum(index.lengths), index.shapes
    members = np.flatnonzero(index.spacings)
    for start in range(0, len(members), BLOCK_CELLS):
        rows = members[start : start + BLOCK_CELLS].tolist()
        streams = Streams([payload[stops[i] - index.lengths[i] : stops[i]] for i in rows])
        decoder = streams.decoder()
        points = coder.decode(decoder, shapes[rows], native=native)
        status = decoder.status(_last(points))
        if status.any():
            if (status == 1).any():
                raise TruncatedError("a mask's stream ends before its last point")
            raise CorruptionError("a mask's stream is damaged: its last state does not match")
        for i, each in zip(rows, points, strict=True):
            height, width = index.sizes[i].tolist()
            out[i, :height, :width] = expand(each, int(index.spacings[i]))
    return out


def _last(points: Sequence[Mask]) -> NDArray[np.int64]:
    """The state in which each stream ends, by the lattice points of its mask."""
    states = [rans.last_states(each.view(np.uint8)[None, None])[0] for each in points]
    return np.array(states, np.int64)
