"""Pixels of blocks whose coefficients are not coded, in luma and chroma (FORMAT-lattice 8).

At the rim of a cell a block may have so few visible pixels that they cost less than its
coefficients. They are coded one by one, from what is known around them on all sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..jpeg.transform import MIDDLE
from ..numbers import LOCATION_BITS, LOG_STEP, clipped

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

BORDER: Final = 3
NEAR: Final = tuple(
    sorted(
        ((y, x) for y in range(-3, 4) for x in range(-3, 4) if 0 < y * y + x * x <= 10),
        key=lambda o: (o[0] ** 2 + o[1] ** 2, o),
    )
)
"""(y, x) of the 36 pixels around one, nearest first."""
WEIGHT: Final = np.array([64 // (y * y + x * x) for y, x in NEAR], np.int64)
"""int64 (36,): their weights in the base."""
N_INPUTS: Final = 64
N_FLAGS: Final = 12
"""Pixels around of which an input tells whether they are known."""
N_LUMA: Final = 8
"""Pixels around of which later planes see the first one's difference."""
KNOWN: Final = -1
"""Order of pixels known from coefficients."""
NEVER: Final = 1 << 40
"""Order of pixels that are never known."""


@dataclass(slots=True, eq=False)
class Canvas:
    """A plane of all cells, each with a border, one after the other.

    Parameters
    ----------
    values
        int64 (pixel,): 0..255; 0 where not known.
    order
        int64 (pixel,): KNOWN, NEVER, or the pixel's turn among those of its cell.
    turns
        For each cell int64 (pixel,): indices of its pixels to be coded, in order.
    strides
        int64 (cell,): pixels of a row with its border.
    firsts
        int64 (cell,): index of each cell's first pixel in its border.
    """

    values: Ints
    order: Ints
    turns: list[Ints]
    strides: Ints
    firsts: Ints

    @classmethod
    def of(
        cls, planes: Sequence[NDArray[np.uint8]], visible: Sequence[Flags], coded: Sequence[Flags]
    ) -> Canvas:
        """Of each cell a plane, uint8 (y, x), what is visible, and what coefficients tell of it.

        Where a pixel is visible and not told by coefficients, the plane is read when encoding,
        and to be filled in when decoding.
        """
        sides = np.array([plane.shape for plane in planes], np.int64) + 2 * BORDER
        sizes = sides.prod(axis=1)
        firsts = np.cumsum(sizes) - sizes
        values = np.zeros(int(sizes.sum()), np.int64)
        order = np.full(len(values), NEVER, np.int64)
        turns = []
        for plane, seen, told, side, first in zip(
            planes, visible, coded, sides, firsts.tolist(), strict=True
        ):
            own = slice(first, first + int(side.prod()))
            inner = (slice(BORDER, -BORDER), slice(BORDER, -BORDER))
            values[own].reshape(side)[inner] = np.where(seen, plane, 0)
            mine = order[own].reshape(side)
            mine[inner] = np.where(seen & told, KNOWN, NEVER)
            to_code = np.zeros(tuple(side), bool)
            to_code[inner] = seen & ~told
            index = np.flatnonzero(to_code)
            mine.reshape(-1)[index] = np.arange(len(index))
            turns.append(index + first)
        return cls(values, order, turns, sides[:, 1].copy(), firsts)

    def plane(self, cell: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """A cell's values, uint8 of ``shape``."""
        side = (shape[0] + 2 * BORDER, shape[1] + 2 * BORDER)
        first = int(self.firsts[cell])
        whole = self.values[first : first + side[0] * side[1]].reshape(side)
        return whole[BORDER:-BORDER, BORDER:-BORDER].astype(np.uint8)


def _means(canvas: Canvas, near: Ints, known: Flags) -> Ints:
    """Weighted means of the known pixels around, in 32nds, int64 (lane,)."""
    weights = np.where(known, WEIGHT, 0)
    total = weights.sum(axis=1)
    sums = (weights * canvas.values[near]).sum(axis=1)
    some = np.maximum(total, 1)
    return np.where(total > 0, ((sums << LOCATION_BITS) + (some >> 1)) // some, MIDDLE << 5)


def inputs_of(
    canvases: Sequence[Canvas], index: Ints, cell: Ints, steps: Ints
) -> tuple[Ints, Ints]:
    """Inputs of the network, int64 (lane, 64) within -128..127, and the base, in 32nds.

    Parameters
    ----------
    canvases
        Of the plane (the last), and of those before it.
    index, cell
        int64 (lane,): the pixels, and their cells.
    steps
        int64 (cell, 64): of the plane's quantiser.
    """
    canvas = canvases[-1]
    stride = canvas.strides[cell]
    near = np.stack([index + y * stride + x for y, x in NEAR], axis=1)
    known = canvas.order[near] < canvas.order[index][:, None]
    base = _means(canvas, near, known)
    inputs = np.zeros((len(index), N_INPUTS), np.int64)
    around = (canvas.values[near] << LOCATION_BITS) - base[:, None] >> 3
    inputs[:, :36] = np.where(known, around, 0)
    inputs[:, 36:48] = 64 * known[:, :N_FLAGS]
    inputs[:, 48] = 3 * known.sum(axis=1)
    inputs[:, 49] = (base >> LOCATION_BITS) - MIDDLE >> 1
    inputs[:, 50], inputs[:, 51] = LOG_STEP[steps[cell, 0]], LOG_STEP[steps[cell, 9]]
    if len(canvases) > 1:
        luma = canvases[0].values
        here = luma[index]
        difference = 4 * (here[:, None] - luma[near[:, :N_LUMA]])
        inputs[:, 52:60] = np.where(known[:, :N_LUMA], difference, 0)
        for k, earlier in enumerate(canvases[:-1]):
            mean = _means(earlier, near, known)
            inputs[:, 60 + k] = np.where(
                known.any(axis=1), (earlier.values[index] << LOCATION_BITS) - mean >> 3, 0
            )
    return clipped(inputs, -128, 127), base
