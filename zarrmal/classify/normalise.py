"""Normalisation of cells for the classifier: darkness against the cell's median, on a square."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

OFFSET = 12
"""Grey levels added to both sides of the ratio, so that one level near black changes it little."""

LIMIT = 2.0
"""Absolute values of the logarithm are clipped to it."""


def normalise(cells: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """The classifier's input: planes that staining and exposure change little.

    Staining and exposure differ more between slides than between infected and healthy cells. So
    each plane is the logarithm of its ratio to the median of the cell's own foreground (all but
    exact black). The last plane is the foreground itself, so that the network can tell a dark rim
    from a parasite.

    Parameters
    ----------
    cells
        uint8 (cell, y, x) or (cell, y, x, channel); y, x >= 1.
    size
        Height and width of the result; cells of another size are resampled.

    Returns
    -------
    NDArray
        float32 (cell, size, size, channel + 1); positive is darker than the median.
    """
    planes = cells[..., None] if cells.ndim == 3 else cells
    n, height, width, channels = planes.shape
    foreground = planes.max(axis=3) > 0
    # The background is the minimum of every plane, so it comes first in each sorted plane.
    ranked = np.sort(planes.reshape(n, height * width, channels), axis=1)
    n_foreground = np.maximum(foreground.sum(axis=(1, 2)), 1)
    median = ranked[np.arange(n), height * width - (n_foreground + 1) // 2].astype(np.float32)
    darkness = np.log(median + OFFSET)[:, None, None] - _LOG[planes]
    darkness = np.clip(darkness, -LIMIT, LIMIT) * foreground[..., None]
    out = np.concatenate([darkness, foreground[..., None].astype(np.float32)], axis=3)
    if (height, width) == (size, size):
        return out
    out = np.einsum("Yy,nyxc->nYxc", resampling_matrix(height, size), out, optimize=True)
    out = np.einsum("Xx,nyxc->nyXc", resampling_matrix(width, size), out, optimize=True)
    return np.ascontiguousarray(out, np.float32)


_LOG = np.log(np.arange(256, dtype=np.float32) + OFFSET)


@cache
def resampling_matrix(old: int, new: int) -> NDArray[np.float32]:
    """float32 (new, old): weight of each old pixel in each new one; rows sum to 1.

    By area where pixels become fewer, by linear interpolation where they become more.
    """
    if new <= old:
        edges = np.arange(new + 1) * (old / new)
        pixel = np.arange(old)
        overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
        table = np.clip(overlap, 0, None)
    else:
        centre = np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, old - 1)
        table = np.clip(1 - np.abs(centre[:, None] - np.arange(old)), 0, None)
    weights: NDArray[np.float32] = (table / table.sum(axis=1, keepdims=True)).astype(np.float32)
    weights.setflags(write=False)
    return weights
