"""Cells of 8 or 16 bits -> the levels that the networks see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.chunk.reduction import Reduction, reduce
from zarrmal_codecs.hybrid.depth import DEEP, SHALLOW, Depth

from .cut_out import Planes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reduced:
    """How training sees cells. The codec does the same with each chunk.

    Parameters
    ----------
    depth
        16 where they have more than 255 different items above 0 in a plane.
    reduction
        Of their items; None where they are uint8.
    """

    depth: Depth
    reduction: Reduction | None

    @property
    def raw_bits(self) -> int:
        """Lowest bits of a pixel of all planes that are stored as they are."""
        return 0 if self.reduction is None else int(self.reduction.scales.n_raw.sum())

    def levels(self, cells: Planes) -> Planes:
        """Levels of cells (plane, y, x), uint8 or int32."""
        if self.reduction is None:
            return cells
        if isinstance(cells, np.ndarray):
            return self._levels(cells)
        return [self._levels(np.asarray(cell)[None])[0] for cell in cells]

    def _levels(self, cells: NDArray[Any]) -> NDArray[Any]:
        """Of (cell, plane, y, x). Items that the reduction has not seen become the nearest."""
        assert self.reduction is not None
        least, step = (
            part.astype(np.int64)[:, None, None]
            for part in (self.reduction.least, self.reduction.step)
        )
        values = np.where(cells > 0, np.maximum(cells - least, 0) // step + 1, 0)
        if self.depth is SHALLOW:
            return np.minimum(values, 255).astype(np.uint8)
        return self.reduction.scales.levels(values.astype(np.uint16)).astype(np.int32)


def reduce_all(cells: Planes) -> Reduced:
    """How cells (plane, y, x), of one size or not, are seen."""
    if np.asarray(cells[0]).dtype == np.uint8:
        return Reduced(depth=SHALLOW, reduction=None)
    n_planes = len(cells[0])
    flat = np.concatenate([np.asarray(cell).reshape(n_planes, -1) for cell in cells], axis=1)
    items = flat.T[None, None]
    for depth in (SHALLOW, DEEP):
        reduced = reduce(items, depth.bits)
        if reduced is not None:
            return Reduced(depth=depth, reduction=reduced[1])
    raise AssertionError("16 bits hold every item")
