"""How much of a cell the border of the slide cuts off."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .shape import Labels, on_border

MOST_CUT = 0.19
"""A cell of which no more is cut off is nearly whole: whoever marks cells by hand marks most of
these, and hardly any others. The estimate is some 0.02 too high there."""


def cut_share(mask: NDArray[np.bool_], sides: tuple[bool, bool, bool, bool]) -> float:
    """Share of a cell that lies beyond the border of the slide, as its outline tells; below 1.

    The cell is taken for an ellipse. Of all its parallel chords the middle one is the longest, and
    how long another one is beside it tells how far out it lies, and so which share of the area is
    beyond, whatever the ellipse's axes. Where a side cuts a cell beyond its middle, half of it is
    taken for cut off.

    Parameters
    ----------
    mask
        bool (y, x): the cell in its box.
    sides
        Whether the border cuts it above, below, on the left and on the right.
    """
    rows, columns = np.count_nonzero(mask, axis=1), np.count_nonzero(mask, axis=0)
    chords = (rows[0], rows[-1], columns[0], columns[-1])
    longest = (rows.max(), rows.max(), columns.max(), columns.max())
    left = 1.0
    for is_cut, chord, middle in zip(sides, chords, longest, strict=True):
        if is_cut:
            half = float(chord / middle)
            far = math.sqrt(1 - half * half)  # in radii of the circle that the ellipse may be
            left *= 1 - (math.acos(far) - far * half) / math.pi
    return 1 - left


def cut_shares(labels: Labels, n_regions: int) -> NDArray[np.float64]:
    """``cut_share`` of the regions of an image by its border; float64 (region,)."""
    out = np.zeros(n_regions + 1)
    at_border = np.flatnonzero(on_border(labels, n_regions))
    boxes = ndimage.find_objects(labels, n_regions) if len(at_border) else []
    height, width = labels.shape
    for k in at_border.tolist():
        y, x = boxes[k - 1]
        sides = (y.start == 0, y.stop == height, x.start == 0, x.stop == width)
        out[k] = cut_share(labels[y, x] == k, sides)
    return out
