"""Samples of a plane that are known, with which blocks next to each other are checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled
from ..series import Steps
from .blocks import Where
from .dct import BLOCK, inverse_dct
from .taps import RINGED
from .views import PlaneView

_RING = np.divmod(np.arange(RINGED * RINGED), RINGED)


class KnownSamples:
    """Samples of a plane, known by their bounds alone or from solved blocks.

    Parameters
    ----------
    view
        Of the plane.
    steps
        int64 (64,).
    """

    def __init__(self, view: PlaneView, steps: Steps) -> None:
        self.view, self.steps = view, steps
        rows, columns = view.doubt.shape
        known = np.where(view.low == view.high, view.low, -1)
        square = known.reshape(rows, columns, BLOCK, BLOCK).transpose(0, 2, 1, 3)
        self._bounded = np.full((BLOCK * rows + 2, BLOCK * columns + 2), -1, np.int32)
        self._bounded[1:-1, 1:-1] = square.reshape(BLOCK * rows, BLOCK * columns)
        self.samples = self._bounded.copy()
        """int32 (8 row + 2, 8 column + 2), -1 where not known."""

    def fill(self, levels: NDArray[np.int16], where: Where) -> None:
        """Take the samples of blocks from their coefficients (row, column, 64)."""
        _fill(self.samples, levels, *where, self.steps)

    def clear(self, where: Where) -> None:
        """Forget what coefficients told of blocks."""
        for row, column in zip(*where, strict=True):
            y, x = 1 + BLOCK * row, 1 + BLOCK * column
            area = slice(y, y + BLOCK), slice(x, x + BLOCK)
            self.samples[area] = self._bounded[area]

    def rings(self, where: Where) -> NDArray[np.int32]:
        """Blocks with the samples around them, int32 (block, 100)."""
        rows = BLOCK * where[0][:, None] + _RING[0]
        columns = BLOCK * where[1][:, None] + _RING[1]
        return self.samples[rows, columns]

    def n_wrong(self, where: Where) -> NDArray[np.int64]:
        """Visible pixels of blocks that the samples, if all are known, do not give."""
        blocks, taps = self.view.blocks, self.view.taps
        count = np.zeros(len(where[0]), np.int64)
        _count(
            self.samples, *where, blocks.low, blocks.high, blocks.known,
            taps.index, taps.weight, taps.offset, taps.shift, count,
        )  # fmt: skip
        return count


@compiled
def _fill(
    plane: NDArray[np.int32],
    levels: NDArray[np.int16],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    steps: Steps,
) -> None:
    values = np.empty(64, np.int64)
    samples = np.empty(64, np.int64)
    for n in range(len(rows)):
        row, column = rows[n], columns[n]
        for j in range(64):
            values[j] = levels[row, column, j] * steps[j]
        inverse_dct(values, samples)
        for i in range(64):
            plane[1 + 8 * row + i // 8, 1 + 8 * column + i % 8] = samples[i]


@compiled
def _count(
    plane: NDArray[np.int32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    low: NDArray[np.uint8],
    high: NDArray[np.uint8],
    known: NDArray[np.bool_],
    index: NDArray[np.int64],
    weight: NDArray[np.int64],
    offset: NDArray[np.int64],
    shift: int,
    count: NDArray[np.int64],
) -> None:
    for n in range(len(rows)):
        row, column = rows[n], columns[n]
        for p in range(known.shape[2]):
            if not known[row, column, p]:
                continue
            total = offset[p]
            complete = True
            for k in range(4):
                if weight[p, k] != 0:
                    y = 8 * row + index[p, k] // 10
                    x = 8 * column + index[p, k] % 10
                    complete = complete and plane[y, x] >= 0
                    total += weight[p, k] * plane[y, x]
            if complete:
                pixel = total >> shift
                if pixel < low[row, column, p] or pixel > high[row, column, p]:
                    count[n] += 1
