"""As many drawn cells as one likes, made when they are read: for measuring what archiving takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .source import Source, checked_indices
from .synthetic import synthetic_cells

POOL_CELLS = 4096
BLOCK_CELLS = 256
"""Cells of one stream of random numbers; any of them can be made alone, a block at a time."""


class ManyCells(Source):
    """Drawn cells, each a turned or mirrored one of a pool with noise of its own.

    The same index gives the same cell, whatever else is read.

    Parameters
    ----------
    n_cells
        At least 1; memory does not grow with it but by a label a cell.
    size
        Pixels a side.
    seed
        The same seed gives the same cells.
    """

    def __init__(self, n_cells: int, *, size: int = 50, seed: int = 0) -> None:
        if n_cells < 1:
            raise InputError(f"at least 1 cell is needed, not {n_cells}")
        pool = synthetic_cells(POOL_CELLS, n_slides=64, size=size, seed=seed, channels=1)
        self.class_names = tuple(sorted(set(pool.label.tolist())))
        numbers = np.array([self.class_names.index(name) for name in pool.label])
        # One row a class, so that a cell's label says which pool it is from.
        n_each = int(np.bincount(numbers).min())
        self._pool = np.stack([pool.cells[numbers == k][:n_each] for k in range(2)])
        self._seed = seed
        self.n_cells = n_cells
        self.cell_shape = (size, size)
        self.labels = (np.arange(n_cells) % 2).astype(np.uint8)
        self.description = f"{n_cells:,} drawn cells"

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See Source.read."""
        rows = checked_indices(indices, self.n_cells)
        out = np.empty((len(rows), *self.cell_shape), np.uint8)
        blocks = rows // BLOCK_CELLS
        for block in np.unique(blocks).tolist():
            mine = np.flatnonzero(blocks == block)
            out[mine] = self._block(block, rows[mine] - block * BLOCK_CELLS)
        return out

    def _block(self, block: int, places: NDArray[np.int64]) -> NDArray[np.uint8]:
        rng = np.random.default_rng([self._seed, block])
        which = rng.integers(0, self._pool.shape[1], BLOCK_CELLS)
        turns = rng.integers(0, 8, BLOCK_CELLS)
        noise = rng.integers(-1, 2, (BLOCK_CELLS, *self.cell_shape), np.int8)[places]
        cells = self._pool[places % 2, which[places]]
        for k in range(8):
            chosen = turns[places] == k
            turned = np.rot90(cells[chosen], k % 4, axes=(1, 2))
            cells[chosen] = turned[:, ::-1] if k >= 4 else turned
        inside = (cells > 1) & (cells < 255)  # the background stays exactly 0
        return np.where(inside, cells + noise, cells).astype(np.uint8)
