"""The seven neighbours of a pixel, and the gradient-adjusted prediction from them (the paper's
section on gradient-adjusted prediction).

Predictions are in eighths of a grey level.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled

FRACTION_LOG2 = 3
BEFORE_THE_FIRST = 128
SHARP, NORMAL, WEAK = 80, 32, 8
"""Differences of the gradients that tell edges from each other; the paper's."""

Neighbours = tuple[int, int, int, int, int, int, int]


@compiled
def neighbours(image: NDArray[np.uint8], y: int, x: int) -> Neighbours:
    """(n, w, nw, ne, nn, ww, nne), all of them coded before (y, x).

    Outside the image stands its nearest known pixel; the paper does not say.
    """
    if y == 0:
        w = int(image[0, x - 1]) if x > 0 else BEFORE_THE_FIRST
        ww = int(image[0, x - 2]) if x > 1 else w
        return w, w, w, w, w, ww, w
    width = image.shape[1]
    n = int(image[y - 1, x])
    ne = int(image[y - 1, x + 1]) if x + 1 < width else n
    w = int(image[y, x - 1]) if x > 0 else n
    nw = int(image[y - 1, x - 1]) if x > 0 else n
    ww = int(image[y, x - 2]) if x > 1 else w
    if y == 1:
        return n, w, nw, ne, n, ww, ne
    nn = int(image[y - 2, x])
    nne = int(image[y - 2, x + 1]) if x + 1 < width else nn
    return n, w, nw, ne, nn, ww, nne


@compiled
def gradients(around: Neighbours) -> tuple[int, int]:
    """Horizontal and vertical: sums of differences (gradient-adjusted prediction)."""
    n, w, nw, ne, nn, ww, nne = around
    return (
        abs(w - ww) + abs(n - nw) + abs(n - ne),
        abs(w - nw) + abs(n - nn) + abs(ne - nne),
    )


@compiled
def predicted(around: Neighbours, horizontal: int, vertical: int) -> int:
    """In eighths: along a sharp edge its side, else a mean drawn towards it.

    Section on gradient-adjusted prediction.
    """
    n, w, nw, ne, _, _, _ = around
    edge = vertical - horizontal
    if edge > SHARP:
        return w << FRACTION_LOG2
    if edge < -SHARP:
        return n << FRACTION_LOG2
    smooth = 4 * (w + n) + 2 * (ne - nw)
    if edge > NORMAL:
        return (smooth + 8 * w) >> 1
    if edge > WEAK:
        return (3 * smooth + 8 * w) >> 2
    if edge < -NORMAL:
        return (smooth + 8 * n) >> 1
    if edge < -WEAK:
        return (3 * smooth + 8 * n) >> 2
    return smooth
