"""Gradient-adjusted prediction of a pixel from seven neighbours, and the code of its error.

Sections on gradient-adjusted prediction and on entropy coding of errors. Predictions are in eighths
of a grey level until the error is folded.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled

FRACTION_LOG2 = 3
INITIAL_PIXEL = 128
SHARP, NORMAL, WEAK = 80, 32, 8
"""Thresholds of the gradients' difference for three kinds of edge, from the paper."""

Neighbours = tuple[int, int, int, int, int, int, int]


@compiled
def neighbours(image: NDArray[np.uint8], y: int, x: int) -> Neighbours:
    """Return (n, w, nw, ne, nn, ww, nne), all coded before (y, x).

    The nearest known pixel stands in for one outside the image; the paper leaves this open.
    """
    if y == 0:
        w = int(image[0, x - 1]) if x > 0 else INITIAL_PIXEL
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
    """Horizontal and vertical gradients, sums of differences (gradient-adjusted prediction)."""
    n, w, nw, ne, nn, ww, nne = around
    return (
        abs(w - ww) + abs(n - nw) + abs(n - ne),
        abs(w - nw) + abs(n - nn) + abs(ne - nne),
    )


@compiled
def predicted(around: Neighbours, horizontal: int, vertical: int) -> int:
    """Prediction in eighths: the neighbour along a sharp edge, else a mean weighted towards it.

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


@compiled
def fold_error(value: int, prediction: int, flip: bool) -> int:
    """Number 0 ... 255 of an error, likely errors first (entropy coding of errors).

    Errors are counted 0, +1, -1, +2, ... as far as both signs are possible, then along the longer
    side. ``flip`` turns the signs, where the mean error of the context is negative (error
    feedback).
    """
    error = prediction - value if flip else value - prediction
    both = min(prediction, 255 - prediction)
    if abs(error) > both:
        return both + abs(error)
    return 2 * error - 1 if error > 0 else -2 * error


@compiled
def unfold_error(number: int, prediction: int, flip: bool) -> int:
    """Pixel of a number 0 ... 255: inverse of ``fold_error``."""
    both = min(prediction, 255 - prediction)
    if number > 2 * both:
        size = number - both
        return prediction + size if both == prediction else prediction - size
    error = (number + 1) >> 1 if number & 1 else -(number >> 1)
    return prediction - error if flip else prediction + error
