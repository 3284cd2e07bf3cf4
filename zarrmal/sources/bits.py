"""Cells that are equal bit for bit, also where they hold NaN or a negative zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .sizes import Pixels


def differing(cells: Pixels, others: Pixels) -> NDArray[np.bool_]:
    """bool (cell,): which of as many cells of the same shape have other bits, or another dtype."""
    n = len(cells)
    if cells.dtype != others.dtype or cells.shape != others.shape:
        return np.ones(n, np.bool_)
    if not cells.size:
        return np.zeros(n, np.bool_)
    rows = [np.ascontiguousarray(each).reshape(n, -1).view(np.uint8) for each in (cells, others)]
    different: NDArray[np.bool_] = (rows[0] != rows[1]).any(axis=1)
    return different
