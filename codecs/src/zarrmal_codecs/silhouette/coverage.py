"""How much of each pixel a silhouette covers (FORMAT 4.7.2).

A cell that was cut out along its silhouette and then resampled has at its edge pixels (cell ×
coverage). The coverage is the silhouette, resampled as the pixels were, in exact integers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Resampling = Literal["same", "triangle", "box", "area", "linear", "nearest"]
"""How the pixels were resampled. In the words of others:

same: not at all, the silhouette has the size of the pixels; triangle: Pillow's BILINEAR, which
widens its triangle where it shrinks; box: Pillow's BOX; area: OpenCV's INTER_AREA, where it
shrinks; linear: OpenCV's INTER_LINEAR; nearest: Pillow's NEAREST.
"""

RESAMPLINGS: Final[tuple[Resampling, ...]] = get_args(Resampling)
FULL: Final = 255
"""Coverage of a pixel that lies within the silhouette."""


@lru_cache(maxsize=1024)
def weights(n: int, n_from: int, resampling: Resampling) -> NDArray[np.int64]:
    """Weight of each row of the silhouette for each row of pixels, int64 (n, n_from), >= 0.

    The same for columns. Distances are in 1 / (2 * n) of the silhouette's rows.
    """
    to, source = np.arange(n)[:, None], np.arange(n_from)[None]
    distance = (2 * source + 1) * n - (2 * to + 1) * n_from
    widest = max(n, n_from)
    result: NDArray[np.int64]
    if resampling == "triangle":
        result = np.maximum(0, 2 * widest - np.abs(distance))
    elif resampling == "box":
        result = ((-widest < distance) & (distance <= widest)).astype(np.int64)
    elif resampling == "area":
        stop = np.minimum((to + 1) * n_from, (source + 1) * n)
        result = np.maximum(0, stop - np.maximum(to * n_from, source * n))
    elif resampling == "linear":
        # At the ends the nearest row alone has weight, wherever the middle of the pixel lies.
        inside = np.clip((2 * to + 1) * n_from, n, (2 * n_from - 1) * n)
        result = np.maximum(0, 2 * n - np.abs((2 * source + 1) * n - inside))
    else:
        result = (source == (2 * to + 1) * n_from // (2 * n)).astype(np.int64)
    return result


def coverage(
    mask: NDArray[np.bool_], shape: tuple[int, int], resampling: Resampling
) -> NDArray[np.uint8]:
    """Coverage of each pixel, uint8 (y, x), 0..255: 0 exactly where nothing of the mask reaches.

    Parameters
    ----------
    mask
        bool (y, x), of any size; of the cell's where the resampling is "same".
    shape
        Height and width of the cell.
    """
    if resampling == "same":
        return np.where(mask, np.uint8(FULL), np.uint8(0))
    down = weights(shape[0], mask.shape[0], resampling)
    across = weights(shape[1], mask.shape[1], resampling)
    # Sums below 2**53, so that a product of floats is exact: sides are at most 2**12.
    covered = (down.astype(float) @ mask.astype(float) @ across.T.astype(float)).astype(np.int64)
    whole = down.sum(axis=1)[:, None] * across.sum(axis=1)[None]
    rounded = (2 * FULL * covered + whole) // (2 * whole)
    return np.where(covered > 0, np.maximum(rounded, 1), 0).astype(np.uint8)
