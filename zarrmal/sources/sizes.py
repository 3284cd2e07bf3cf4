"""Cells of different sizes: each lies in the upper left corner of a canvas that holds them all.

Beyond a cell, at the bottom and right, its canvas is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

Sizes = NDArray[np.uint16]
"""uint16 (cell, 2): height and width of each cell in pixels, at least 1."""

Pixels = NDArray[Any]
"""Of cells: bool, integers, floating or complex numbers."""

MAX_SIDE = 65_535
"""Rows or columns of a cell whose size is stored: uint16."""

BLOCK_CELLS = 1024
BLOCK_BYTES = 64 * 2**20


def block_cells(cell_shape: tuple[int, ...], item_bytes: int = 1) -> int:
    """Cells that are read at a time: at most 1,024, and 64 MiB; at least 1."""
    return max(1, min(BLOCK_CELLS, BLOCK_BYTES // max(prod(cell_shape) * item_bytes, 1)))


def checked_sizes(
    heights: NDArray[Any], widths: NDArray[Any], canvas: tuple[int, ...], location: str
) -> Sizes | None:
    """Sizes of cells on a canvas; None where each cell fills it.

    Parameters
    ----------
    heights, widths
        Integers (cell,), as they are stored.
    canvas
        (y, x) or longer.
    location
        Begins the message.

    Raises
    ------
    InputError
        If one is below 1, or larger than the canvas.
    """
    for name, values, side in (("height", heights, canvas[0]), ("width", widths, canvas[1])):
        what = f"{location}: `{name}`"
        advice = (
            f"`height` and `width` are the size of each cell, which lies at the upper left of its "
            f"{canvas[0]} x {canvas[1]} pixels: correct them, or give them other names"
        )
        wrong = np.flatnonzero((values < 1) | (values > min(side, MAX_SIDE)))
        if len(wrong):
            raise InputError(f"{what} of cell {wrong[0]} is {values[wrong[0]]}: {advice}")
    sizes = np.stack([heights, widths], axis=1).astype(np.uint16)
    return None if (sizes == canvas[:2]).all() else sizes


def beyond(cells: Pixels, sizes: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """bool (cell,): a pixel outside the cell's size is not zero.

    Parameters
    ----------
    cells
        (cell, y, x[, channel]), on their canvas.
    sizes
        Integers (cell, 2).
    """
    return np.array(
        [
            bool(cell[height:].any() or cell[:height, width:].any())
            for cell, (height, width) in zip(cells, sizes.tolist(), strict=True)
        ],
        np.bool_,
    )


def on_canvas(cells: Pixels, canvas: tuple[int, ...]) -> Pixels:
    """Cells on another canvas (y, x[, channel]), which each of them fits."""
    if cells.shape[1:] == canvas:
        return cells
    moved = np.zeros((len(cells), *canvas), cells.dtype)
    height, width = (min(a, b) for a, b in zip(cells.shape[1:3], canvas[:2], strict=True))
    moved[:, :height, :width] = cells[:, :height, :width]
    return moved


class PaddedCells:
    """Reads single arrays, of different sizes, as cells on one canvas.

    Parameters
    ----------
    cells
        Each (y, x) or (y, x, channel), at least 1 pixel; all of one dtype and number of channels.
    location
        Begins messages.
    channel_first
        They are (channel, y, x).

    Attributes
    ----------
    shape
        (cell, y, x[, channel]) of all cells.
    dtype
        Of all cells.
    heights, widths
        int64 (cell,).

    Raises
    ------
    InputError
        If they are something else.
    """

    def __init__(
        self, cells: Sequence[NDArray[Any]], location: str, *, channel_first: bool = False
    ) -> None:
        if channel_first:
            cells = [cell if cell.ndim != 3 else np.moveaxis(cell, 0, 2) for cell in cells]
        self.dtype = cells[0].dtype
        for k, cell in enumerate(cells):
            if cell.dtype != self.dtype:
                raise InputError(
                    f"{location}: array {k} holds {cell.dtype}, array 0 {self.dtype}: cells of one "
                    f"archive have one dtype: convert them first"
                )
            if cell.ndim not in (2, 3) or 0 in cell.shape:
                raise InputError(f"{location}: array {k} has shape {cell.shape}, a cell is (y, x) "
                                 f"or (y, x, channel)")  # fmt: skip
            if cell.shape[2:] != cells[0].shape[2:]:
                raise InputError(
                    f"{location}: array {k} has shape {cell.shape}, array 0 {cells[0].shape}: "
                    f"cells of one archive have the same channels"
                )
        self._cells = tuple(cells)
        sizes = np.array([cell.shape[:2] for cell in cells])
        canvas = sizes.max(axis=0)
        self.shape: tuple[int, ...] = (len(cells), *canvas.tolist(), *cells[0].shape[2:])
        self.heights, self.widths = sizes.T

    def __call__(self, indices: NDArray[np.int64]) -> Pixels:
        """See Fetch."""
        out = np.zeros((len(indices), *self.shape[1:]), self.dtype)
        for row, index in enumerate(indices.tolist()):
            cell = self._cells[index]
            out[row, : cell.shape[0], : cell.shape[1]] = cell
        return out


def sizes_text(cell_shape: tuple[int, ...], sizes: NDArray[np.integer[Any]] | None) -> str:
    """``46 to 394 x 49 to 394 x 3``, for messages."""
    if sizes is None or not len(sizes):
        return " x ".join(map(str, cell_shape))
    sides = [
        f"{low}" if low == high else f"{low} to {high}"
        for low, high in zip(sizes.min(axis=0).tolist(), sizes.max(axis=0).tolist(), strict=True)
    ]
    return " x ".join([*sides, *map(str, cell_shape[2:])])
