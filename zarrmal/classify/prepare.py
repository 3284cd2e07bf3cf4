"""Cells as the classifier sees them: how dark against the cell's own middle, on a square."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

SOFT = 12
"""Added to both sides of the ratio, so that near black a step of one stays a small step."""

LIMIT = 2.0


def prepared(cells: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """What does not change from slide to slide.

    Staining and exposure differ between slides more than between infected and healthy cells, so
    each plane is told as the logarithm of its ratio to the median of the cell's own foreground
    (what is not exact black). The last plane is the foreground itself: darkness at the rim is not
    a parasite.

    Parameters
    ----------
    cells
        uint8 (cell, y, x) or (cell, y, x, channel); y, x >= 1.
    size
        Height and width that comes out; other cells are resampled by area, linearly.

    Returns
    -------
    NDArray
        float32 (cell, size, size, channel + 1); positive is darker than the median.
    """
    planes = cells[..., None] if cells.ndim == 3 else cells
    n, height, width, channels = planes.shape
    inside = planes.max(axis=3) > 0
    # Background is the smallest value in every plane, so it stands first in each sorted plane.
    ranked = np.sort(planes.reshape(n, height * width, channels), axis=1)
    n_inside = np.maximum(inside.sum(axis=(1, 2)), 1)
    middle = ranked[np.arange(n), height * width - (n_inside + 1) // 2].astype(np.float32)
    dark = np.log(middle + SOFT)[:, None, None] - _LOG[planes]
    dark = np.clip(dark, -LIMIT, LIMIT) * inside[..., None]
    out = np.concatenate([dark, inside[..., None].astype(np.float32)], axis=3)
    if (height, width) == (size, size):
        return out
    out = np.einsum("Yy,nyxc->nYxc", shares(height, size), out, optimize=True)
    out = np.einsum("Xx,nyxc->nyXc", shares(width, size), out, optimize=True)
    return np.ascontiguousarray(out, np.float32)


_LOG = np.log(np.arange(256, dtype=np.float32) + SOFT)


@cache
def shares(old: int, new: int) -> NDArray[np.float32]:
    """float32 (new, old): how much of each new pixel each old one makes up; rows sum to 1.

    By area where pixels become fewer, by linear interpolation where they become more.
    """
    if new <= old:
        edges = np.arange(new + 1) * (old / new)
        at = np.arange(old)
        cover = np.minimum(edges[1:, None], at + 1) - np.maximum(edges[:-1, None], at)
        table = np.clip(cover, 0, None)
    else:
        centre = np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, old - 1)
        table = np.clip(1 - np.abs(centre[:, None] - np.arange(old)), 0, None)
    share: NDArray[np.float32] = (table / table.sum(axis=1, keepdims=True)).astype(np.float32)
    share.setflags(write=False)
    return share
