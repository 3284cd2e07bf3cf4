"""A drawn slide, for the demo and the examples: no evidence about real ones."""

from __future__ import annotations

import os

import numpy as np
import tifffile
from numpy.typing import NDArray

SIDE = 480
RADIUS, PITCH = 18, 48
"""Of cells, and from one to the next, in pixels."""
BACKGROUND, NOISE = 225.0, 1.5
STAIN, PARASITE = (35.0, 90.0, 45.0), (60.0, 40.0, 10.0)
"""How much darker than the background, in red, green and blue."""
PARASITE_SHARE = 0.2
TILE = 128


def draw_slide(side: int = SIDE, seed: int = 0) -> NDArray[np.uint8]:
    """Red cells with pale centres, some with a parasite, under uneven light.

    Returns
    -------
    uint8 (side, side, 3).
    """
    rng = np.random.default_rng(seed)
    slide = np.full((side, side, 3), BACKGROUND)
    for y in range(PITCH, side - PITCH, PITCH):
        for x in range(PITCH, side - PITCH, PITCH):
            part = slide[y - PITCH // 2 : y + PITCH // 2, x - PITCH // 2 : x + PITCH // 2]
            rows, columns = np.ogrid[:PITCH, :PITCH]
            rows = rows - PITCH / 2 - rng.uniform(-4, 4)
            columns = columns - PITCH / 2 - rng.uniform(-4, 4)
            distance = np.hypot(rows, columns)
            inside = np.clip((RADIUS * rng.uniform(0.9, 1.1) - distance) / 2, 0, 1)
            pale = 1 - 0.5 * np.exp(-((distance / (0.5 * RADIUS)) ** 2))
            part -= (inside * pale)[..., np.newaxis] * STAIN
            if rng.random() < PARASITE_SHARE:
                spot = np.exp(-((np.hypot(rows, columns - 8) / 4) ** 2))
                part -= spot[..., np.newaxis] * PARASITE
    slide *= np.linspace(1, 0.8, side)[:, np.newaxis, np.newaxis]
    slide += rng.normal(0, NOISE, slide.shape)
    return np.asarray(np.clip(np.rint(slide), 0, 255), np.uint8)


def write_slide(path: str | os.PathLike[str], pixels: NDArray[np.uint8]) -> None:
    """Write a pyramid of JPEG tiles, as scanners do, in TIFF."""
    with tifffile.TiffWriter(path) as file:
        for level, factor in enumerate((1, 4)):
            file.write(
                pixels[::factor, ::factor],
                subifds=1 - level,
                subfiletype=level,
                tile=(TILE, TILE),
                compression="jpeg",
                photometric="rgb",
            )
