"""Points of masks <-> symbols of the cells' streams, in NumPy: the reference (FORMAT 4.7.3).

Each point is coded with a probability that a table of the model gives for the points around it.
All cells advance together, point by point; a cell that has no point there stands still.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .. import rans
from ..constants import FREQUENCY_TOTAL, MAX_TEMPLATE

Mask = NDArray[np.bool_]

TEMPLATE: Final = (
    *((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-1, 2), (-1, -2)),
    *((-2, -1), (-2, 1), (0, -3), (-1, 3), (-1, -3), (-2, 2), (-2, -2), (-3, 0)),
)
"""(y, x) of the points around one; the first n of them are the context of a table of 2**n."""

WINDOW: Final = (
    *((0, -1), (0, -2), (0, -3)),
    *((-1, 3), (-1, 2), (-1, 1), (-1, 0), (-1, -1), (-1, -2), (-1, -3)),
    *((-2, 2), (-2, 1), (-2, 0), (-2, -1), (-2, -2)),
    (-3, 0),
)
"""The same row by row, so that a row's part of a context is its neighbour's, shifted by one."""

ABOVE, BESIDE = 3, 3

FREQUENCY: Final = np.clip(
    np.floor(FREQUENCY_TOTAL / (1 + np.exp(-np.arange(-128, 128) / 12)) + 0.5).astype(np.int32),
    4,
    FREQUENCY_TOTAL - 4,
)
"""int32 (256,): frequency of a point in the mask, indexed by its logit in twelfths + 128."""


def by_window(table: NDArray[np.int8]) -> NDArray[np.uint16]:
    """Frequency of a point in the mask for each window, uint16 (2**16,).

    Parameters
    ----------
    table
        int8 (2**n,), 0 <= n <= 16: logits in twelfths; bit i of the index is the point TEMPLATE[i].
    """
    n = len(table).bit_length() - 1
    windows = np.arange(1 << MAX_TEMPLATE)
    contexts = np.zeros_like(windows)
    for i, place in enumerate(TEMPLATE[:n]):
        contexts |= ((windows >> WINDOW.index(place)) & 1) << i
    return FREQUENCY[table[contexts].astype(np.int16) + 128].astype(np.uint16)


def windows(points: Mask) -> NDArray[np.uint16]:
    """The window of each point, uint16 (…, rows, columns) of bool (…, rows, columns)."""
    rows, columns = points.shape[-2:]
    border = ((0, 0),) * (points.ndim - 2) + ((ABOVE, 0), (BESIDE, BESIDE))
    bordered = np.pad(points, border).astype(np.uint16)
    out = np.zeros(points.shape, np.uint16)
    for i, (dy, dx) in enumerate(WINDOW):
        top, left = ABOVE + dy, BESIDE + dx
        out |= bordered[..., top : top + rows, left : left + columns] << np.uint16(i)
    return out


def intervals(points: Mask, frequencies: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Start and frequency of each point, uint16 (point, 2), of bool (rows, columns).

    Parameters
    ----------
    frequencies
        See by_window.
    """
    inside = frequencies[windows(points)].ravel()
    outside = (FREQUENCY_TOTAL - inside.astype(np.int32)).astype(np.uint16)
    flat = points.ravel()
    starts, lengths = np.where(flat, outside, 0), np.where(flat, inside, outside)
    return np.stack([starts, lengths], axis=1).astype(np.uint16)


def decode(
    decoder: rans.Decoder, shapes: NDArray[np.int64], frequencies: NDArray[np.uint16]
) -> list[Mask]:
    """The points of each lane, bool (rows, columns).

    Parameters
    ----------
    shapes
        int64 (lane, 2): rows and columns, both 0 for a lane that has no mask.
    frequencies
        See by_window.
    """
    rows, columns = shapes.max(axis=0).tolist()
    bordered = np.zeros((rows + ABOVE, columns + 2 * BESIDE, len(shapes)), np.int64)
    dy, dx = np.array(WINDOW).T
    weights = 1 << np.arange(len(WINDOW))
    for y in range(rows):
        width = int(shapes[:, 1].max(where=shapes[:, 0] > y, initial=0))
        for x in range(width):
            if decoder.short.all():
                break
            has = (shapes[:, 0] > y) & (shapes[:, 1] > x)
            window = weights @ bordered[y + ABOVE + dy, x + BESIDE + dx]
            inside = frequencies[window].astype(np.int64)
            outside = FREQUENCY_TOTAL - inside
            bit = decoder.slots() >= outside
            decoder.advance(np.where(bit, outside, 0), np.where(bit, inside, outside), has)
            bordered[y + ABOVE, x + BESIDE] = bit & has
    return [
        bordered[ABOVE : ABOVE + h, BESIDE : BESIDE + w, lane] > 0
        for lane, (h, w) in enumerate(shapes.tolist())
    ]
