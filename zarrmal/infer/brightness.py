"""How bright each pixel would be if the cell covered it wholly, told by the pixels around it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..lattice.compiled import compiled

Field = NDArray[np.float64]

WIDTHS: Final = (1.0, 2.0, 4.0)
"""Standard deviations of the windows, in pixels: a wider one where a narrower sees little."""

LEAST_WEIGHT: Final = 0.15
"""That a window must see, of the sum of its weights."""

LEAST_COVERAGE: Final = 0.3
"""Of pixels that tell brightness: the less of one is covered, the less its quotient is worth."""

INSIDE_DISTANCE: Final = 3
"""Pixels from the background at which all of a pixel is covered, by whichever resampling."""

REACH: Final = 3 * int(WIDTHS[-1])


def _bells() -> Field:
    """Weights of each window by squared distance, rounded to be the same on all machines."""
    squared = np.arange(2 * REACH**2 + 1)
    bells = [np.exp(-squared / (2 * width**2)) / (2 * np.pi * width**2) for width in WIDTHS]
    return np.round(np.array(bells), 9).astype(np.float64)


BELLS: Final = _bells()


@compiled
def surely_inside(pixels: Field) -> Field:
    """1 for pixels that are INSIDE_DISTANCE from any of the background, else 0; (y, x)."""
    height, width = pixels.shape
    inside = np.ones((height, width))
    margin = INSIDE_DISTANCE - 1
    for y in range(height):
        for x in range(width):
            if pixels[y, x] == 0:
                for j in range(max(y - margin, 0), min(y + margin + 1, height)):
                    for i in range(max(x - margin, 0), min(x + margin + 1, width)):
                        inside[j, i] = 0
    return inside


@compiled
def brightness(pixels: Field, covered: Field, hole: int = 0) -> Field:
    """Brightness of the cell at each pixel, float64 (y, x), by the pixels around it.

    Parameters
    ----------
    pixels
        float64 (y, x).
    covered
        float64 (y, x): how much of each pixel is covered, 0..1.
    hole
        Pixels so near to a pixel do not tell its brightness: a wrong point of a mask misleads all
        of those that it covers.
    """
    height, width = pixels.shape
    weights, quotients = np.zeros((height, width)), np.zeros((height, width))
    total, whole = 0.0, 0.0
    for y in range(height):
        for x in range(width):
            if covered[y, x] > LEAST_COVERAGE and pixels[y, x] > 0:
                weights[y, x] = covered[y, x] ** 2
                quotients[y, x] = weights[y, x] * pixels[y, x] / covered[y, x]
                total += quotients[y, x]
                whole += weights[y, x]
    mean = total / whole if whole > 0 else 0.0
    result = np.full((height, width), mean)
    for y in range(height):
        for x in range(width):
            for k in range(len(WIDTHS)):
                reach = int(3 * WIDTHS[k])
                seen, weight = 0.0, 0.0
                for j in range(max(y - reach, 0), min(y + reach + 1, height)):
                    for i in range(max(x - reach, 0), min(x + reach + 1, width)):
                        if abs(y - j) <= hole and abs(x - i) <= hole:
                            continue
                        bell = BELLS[k, (y - j) ** 2 + (x - i) ** 2]
                        seen += bell * quotients[j, i]
                        weight += bell * weights[j, i]
                if weight > LEAST_WEIGHT:
                    result[y, x] = seen / weight
                    break
    return result
