"""What encoder and decoder know of cells before their first pixel (FORMAT 6.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..scales import Scales

First = list[NDArray[np.int32]]
Sizes = NDArray[np.uint16]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """Cells that are coded together.

    Parameters
    ----------
    shape
        (cell, plane, y, x) of the array that holds them.
    first
        Of each step the first sums of its network, int32 (cell, unit).
    sizes
        Height and width of each cell, uint16 (cell, 2), whose other pixels are 0 and not coded;
        None where all have those of the array.
    coverage
        uint8 (cell, y, x); pixels where it is 0 are 0 and not coded. None where the silhouette of
        each cell covers all of it.
    predicted
        Cells that the autoencoder predicts, uint8 (cell, plane, y, x), beyond the size of each its
        last row and column again; None where the class has no autoencoder.
    scales
        Of the values, for a model of depth 16; else None.
    """

    shape: tuple[int, int, int, int]
    first: First
    sizes: Sizes | None = None
    coverage: NDArray[np.uint8] | None = None
    predicted: NDArray[np.uint8] | None = None
    scales: Scales | None = None
