"""What is read of a slide: tile by tile with a halo, and samples that tell what cells look like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..progress import Progress, silent
from .slides import Slide

SAMPLES, SAMPLE_SIDE = 4, 768
"""Parts of a slide by which it is calibrated."""
FIELD_PIXELS = 3_000_000
"""Up to so many the slide is calibrated by all of it: one sample takes less time than four."""
LATTICE = 5
"""Rows and columns of places among which the samples are chosen."""
GLANCE = 128
"""Side of the part by which such a place is judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A tile of the slide and what surrounds it.

    Parameters
    ----------
    y, x, height, width
        Of the tile.
    top, left
        Of the pixels, which begin ``halo`` before the tile, or at the slide's border.
    pixels
        uint8 (y, x[, 3]).
    """

    y: int
    x: int
    height: int
    width: int
    top: int
    left: int
    pixels: NDArray[np.uint8]


def tiles(slide: Slide, side: int, halo: int, progress: Progress = silent) -> Iterator[Tile]:
    """The tiles of a slide with their halos, row by row; one is in memory at a time."""
    rows, columns = (range(0, length, side) for length in slide.size)
    total, done = len(rows) * len(columns), 0
    for y in rows:
        for x in columns:
            top, left = max(y - halo, 0), max(x - halo, 0)
            pixels = slide.read_8_bits(top, left, y + side + halo - top, x + side + halo - left)
            height, width = min(side, slide.size[0] - y), min(side, slide.size[1] - x)
            yield Tile(y=y, x=x, height=height, width=width, top=top, left=left, pixels=pixels)
            done += 1
            progress("segmenting the slide", done, total)


def samples(slide: Slide) -> list[NDArray[np.uint8]]:
    """Parts of a slide that hold the most: where neighbouring pixels differ.

    All of it where that is a camera's field rather than a slide.
    """
    height, width = slide.size
    if height * width <= FIELD_PIXELS:
        return [slide.read_8_bits(0, 0, height, width)]
    side_y, side_x = min(SAMPLE_SIDE, height), min(SAMPLE_SIDE, width)
    places = {
        (y * (height - side_y) // (LATTICE - 1), x * (width - side_x) // (LATTICE - 1))
        for y in range(LATTICE)
        for x in range(LATTICE)
    }

    def busyness(place: tuple[int, int]) -> float:
        y, x = place[0] + (side_y - GLANCE) // 2, place[1] + (side_x - GLANCE) // 2
        glance = slide.read_8_bits(max(y, 0), max(x, 0), GLANCE, GLANCE).astype(np.float32)
        grey = glance.reshape(*glance.shape[:2], -1).mean(axis=2)
        return float(ndimage.uniform_filter(grey, 4)[::4, ::4].std())

    best = sorted(places, key=lambda place: (-busyness(place), place))[:SAMPLES]
    return [slide.read_8_bits(y, x, side_y, side_x) for y, x in sorted(best)]
