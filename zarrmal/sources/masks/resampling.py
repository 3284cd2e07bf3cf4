"""How the pixels of cells were resampled after they had been cut out along masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.silhouette.coverage import FULL, RESAMPLINGS, Resampling, coverage

from ..sizes import Pixels

Mask = NDArray[np.bool_]


def find_resampling(
    cells: Pixels, masks: Sequence[Mask | None], sizes: NDArray[np.uint16] | None
) -> Resampling:
    """How pixels were resampled after they had been cut out along the masks.

    Pixels at the edge are about as bright as those within the cell beside them, times the coverage.
    That which says so best is taken.

    Parameters
    ----------
    cells
        (cell, y, x[, channel]).
    sizes
        Height and width of each; None where all have those of the array.
    """
    shape = cells.shape[1:3]
    own = [shape if sizes is None else tuple(sizes[i].tolist()) for i in range(len(cells))]
    present = [(i, mask) for i, mask in enumerate(masks) if mask is not None]
    if all(mask.shape == own[i] for i, mask in present):
        return "same"
    grey = cells.reshape(*cells.shape[:3], -1).mean(axis=3)
    errors = np.zeros(len(RESAMPLINGS) - 1)
    for i, mask in present:
        errors += _edge_errors(grey[i, : own[i][0], : own[i][1]], mask)
    return RESAMPLINGS[1:][int(errors.argmin())]


def _edge_errors(cell: NDArray[np.float64], mask: Mask) -> NDArray[np.float64]:
    """How far the pixels at the edge are from what each resampling would make of the cell.

    That is their coverage times the brightness of the pixels about them that are within the mask
    by each resampling. float64 (resampling,): sums of differences, in the order of RESAMPLINGS.
    """
    shape = (cell.shape[0], cell.shape[1])
    covered = np.stack([coverage(mask, shape, each) for each in RESAMPLINGS[1:]])
    whole = (covered == FULL).all(axis=0)
    padded, inside = np.pad(cell * whole, 2), np.pad(whole.astype(float), 2)
    sums, counts = np.zeros(shape), np.zeros(shape)
    for y in range(5):
        for x in range(5):
            part = (slice(y, y + shape[0]), slice(x, x + shape[1]))
            sums += padded[part]
            counts += inside[part]
    edge = ~whole & (counts > 0)
    expected = covered[:, edge] / FULL * (sums[edge] / counts[edge])
    differences: NDArray[np.float64] = np.abs(cell[edge] - expected).sum(axis=1)
    return differences
