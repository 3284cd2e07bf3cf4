"""Blocks: the cells of a class that are coded together, of like sizes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..silhouette.outlined import Outlines
from .known import Sizes

BLOCK_CELLS = 1024
BLOCK_PIXELS = 1 << 23
"""Coded at a time, so that working memory stays small; a third of it of depth 16."""
LANES = 64
"""Cells that the widest engine codes at once."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """Cells that are coded together.

    Parameters
    ----------
    members
        Which cells of all.
    shape
        (y, x) of the largest.
    sizes
        Height and width of each, uint16 (cell, 2); None where all are ``shape``.
    """

    members: NDArray[np.int64]
    shape: tuple[int, int]
    sizes: Sizes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocking:
    """How the cells of a class are put into blocks.

    Parameters
    ----------
    block_values
        Values of a block's cells, at most.
    widest
        Values that a network of a cell's autoencoder holds at most; 1 without one.
    """

    block_values: int
    widest: int

    def blocks(
        self,
        n_cells: int,
        shape: tuple[int, int, int],
        sizes: Sizes | None,
        outlines: Outlines | None,
    ) -> list[Block]:
        """Blocks of cells, of few enough pixels and points of masks."""
        blocks = self._by_size(n_cells, shape, sizes)
        if outlines is None:
            return blocks
        n_points = outlines.shapes.astype(np.int64).prod(axis=1)
        return [part for block in blocks for part in _split(block, n_points)]

    def _by_size(
        self, n_cells: int, shape: tuple[int, int, int], sizes: Sizes | None
    ) -> list[Block]:
        """Cells in blocks of like sizes."""
        rows = np.arange(n_cells)
        if sizes is None:
            n = max(1, min(BLOCK_CELLS, self.block_values // max(prod(shape), self.widest)))
            starts = range(0, n_cells, n)
            return [Block(members=rows[s : s + n], shape=(shape[1], shape[2])) for s in starts]
        own = sizes.astype(np.int64)
        order = np.lexsort([own.min(axis=1), own.max(axis=1)])
        blocks, rows, own = [], rows[order], own[order]
        while len(rows):
            largest = np.maximum.accumulate(own[:BLOCK_CELLS], axis=0)
            n_values = np.maximum(shape[0] * largest.prod(axis=1), self.widest)
            fitting = np.arange(1, len(largest) + 1) * n_values <= self.block_values
            n = max(1, int(fitting.sum()))
            n = n // LANES * LANES or n
            height, width = largest[n - 1].tolist()
            block = Block(members=rows[:n], shape=(height, width), sizes=sizes[rows[:n]])
            blocks.append(block)
            rows, own = rows[n:], own[n:]
        return blocks


def _split(block: Block, n_points: NDArray[np.int64]) -> list[Block]:
    """Parts of a block whose masks have few enough points, given those of all cells."""
    total = np.cumsum(n_points[block.members])
    edges = np.flatnonzero(np.diff(total // BLOCK_PIXELS)) + 1
    if not len(edges):
        return [block]
    members = np.split(block.members, edges)
    sizes = [None] * len(members) if block.sizes is None else np.split(block.sizes, edges)
    return [
        Block(members=some, shape=block.shape, sizes=own)
        for some, own in zip(members, sizes, strict=True)
    ]
