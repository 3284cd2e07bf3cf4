"""Masks drawn on a lattice of every second, third, … row and column (FORMAT 4.7.1).

A pixel belongs to such a mask where all lattice points around it do. Of a mask drawn on every third
row and column a ninth of the pixels tells all. The lattice of spacing 1 is the mask itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..constants import MAX_LATTICE_SPACING

Mask = NDArray[np.bool_]


def expand(points: Mask, spacing: int) -> Mask:
    """The mask, bool (spacing * (rows - 1) + 1, …), of lattice points bool (rows, columns)."""
    if spacing == 1:
        return points
    along_rows = _between(points, spacing)
    return _between(along_rows.T, spacing).T


def _between(points: Mask, spacing: int) -> Mask:
    """Rows stretched by the spacing; a row between two of the lattice is their intersection."""
    rows = np.arange(spacing * (len(points) - 1) + 1)
    between: Mask = points[rows // spacing] & points[-(-rows // spacing)]
    return between


def find_spacing(mask: Mask) -> int:
    """The widest spacing whose lattice points give back the mask, 1..MAX_LATTICE_SPACING."""
    for spacing in range(MAX_LATTICE_SPACING, 1, -1):
        if (mask.shape[0] - 1) % spacing or (mask.shape[1] - 1) % spacing:
            continue
        if np.array_equal(expand(mask[::spacing, ::spacing], spacing), mask):
            return spacing
    return 1
