"""The order of cells in an archive: sorted by predicted class, stably."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...classify import Assigner, checked_assignment
from ...progress import Progress, silent
from ...sources import Source
from ...sources.sizes import block_cells


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellOrder:
    """Where each cell of a segment comes from, and its class.

    Parameters
    ----------
    source_index
        int64 (cell,): for each position in the segment, the cell's index in the source.
    predicted_class
        uint8 (cell,), ascending.
    probability
        float32 (cell,) of the predicted class, or None.
    n_classes
        Of the model.
    """

    source_index: NDArray[np.int64]
    predicted_class: NDArray[np.uint8]
    probability: NDArray[np.float32] | None
    n_classes: int

    @property
    def n_cells(self) -> int:
        """Cells of the segment."""
        return len(self.source_index)

    @property
    def class_offsets(self) -> tuple[int, ...]:
        """Position at which each class starts, and the number of cells at the end."""
        edges = np.searchsorted(self.predicted_class, np.arange(self.n_classes + 1))
        return tuple(edges.tolist())


def order_cells(
    source: Source, assigner: Assigner, n_classes: int, progress: Progress = silent
) -> CellOrder:
    """Assign every cell, a block at a time, and sort.

    Raises
    ------
    InputError
        If the assigner returns something that does not fit the cells.
    """
    n_cells = source.n_cells
    n_block = block_cells(source.cell_shape, source.dtype.itemsize)
    classes = np.empty(n_cells, np.uint8)
    probabilities: NDArray[np.float32] | None = None
    needs_pixels = getattr(assigner, "needs_pixels", True)
    for start in range(0, n_cells, n_block):
        rows = np.arange(start, min(start + n_block, n_cells))
        cells = source.read(rows) if needs_pixels else np.empty(0, np.uint8)
        block = checked_assignment(assigner(cells, rows), len(rows), n_classes)
        classes[rows] = block.predicted_class
        if block.probability is not None:
            if probabilities is None:
                probabilities = np.full(n_cells, np.nan, np.float32)
            probabilities[rows] = block.probability
        progress("assigning classes", int(rows[-1]) + 1, n_cells)
    order = np.argsort(classes, kind="stable")
    return CellOrder(
        source_index=order,
        predicted_class=classes[order],
        probability=None if probabilities is None else probabilities[order],
        n_classes=n_classes,
    )
