"""Drawn smears: fields with cells whose places are known, and slides made of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

Disc = tuple[float, float, float]
"""y, x, radius."""

BACKGROUND = np.array([225.0, 228.0, 222.0])
STAIN = np.array([40.0, 95.0, 50.0])
"""How much darker a cell is."""
NUCLEUS = np.array([130.0, 190.0, 60.0])


@dataclass(frozen=True, kw_only=True)
class Smear:
    """A drawn field.

    Parameters
    ----------
    pixels
        uint8 (y, x, 3).
    cells
        Whole cells that must be found.
    others
        What must be rejected, by its reason.
    """

    pixels: NDArray[np.uint8]
    cells: tuple[Disc, ...]
    others: dict[str, tuple[Disc, ...]]


def draw(
    height: int = 360,
    width: int = 480,
    *,
    radius: float = 18,
    stain: float = 1.0,
    shade: float = 0.0,
    touching: bool = False,
    others: bool = False,
    seed: int = 0,
) -> Smear:
    """Draw round cells with pale centres, at least a few pixels apart unless ``touching``.

    Parameters
    ----------
    stain
        Strength of the stain.
    shade
        How much of the light the darkest corner lacks.
    touching
        Every third cell has another one beside it that touches it.
    others
        Platelets, a white cell, a scale bar and cells cut by the border are there, too.
    """
    rng = np.random.default_rng(seed)
    image = np.broadcast_to(BACKGROUND, (height, width, 3)).copy()
    pitch = 2 * radius + 10
    cells: list[Disc] = []
    step = 2 * pitch if touching else pitch
    for y in np.arange(pitch, height - pitch, pitch + 4):
        for x in np.arange(pitch, width - step, step + 4):
            place = (y + rng.uniform(-3, 3), x + rng.uniform(-3, 3), radius * rng.uniform(0.9, 1.1))
            cells.append(place)
            if touching:
                size = radius * rng.uniform(0.9, 1.1)
                cells.append((place[0], place[1] + place[2] + size - 2, size))
    found: dict[str, tuple[Disc, ...]] = {}
    if others:
        white = cells.pop(len(cells) // 2)
        free = [cells.pop(3), cells.pop(9)]
        found["white cell"] = ((*white[:2], 1.6 * radius),)
        near = [c for c in cells if np.hypot(c[0] - white[0], c[1] - white[1]) < 3.2 * radius]
        cells = [c for c in cells if c not in near]
        found["platelet"] = tuple((*place[:2], 0.3 * radius) for place in free)
        found["border"] = ((0.0, width / 2, radius), (height / 2, width - 1.0, radius))
    for disc in cells:
        _stain(image, disc, STAIN * stain)
        _stain(image, (disc[0], disc[1], 0.4 * disc[2]), -0.5 * STAIN * stain)
    for disc in (*found.get("border", ()), *found.get("platelet", ())):
        _stain(image, disc, 1.2 * STAIN * stain)
    for y, x, r in found.get("white cell", ()):
        _stain(image, (y, x, r), 0.8 * STAIN * stain)
        _stain(image, (y, x, 0.85 * r), NUCLEUS * stain)
    if others:
        image[height - 16 : height - 13, width - 110 : width - 20] = 0  # a scale bar
    light = 1 - shade * np.add.outer(np.linspace(0, 1, height), np.linspace(0, 1, width)) / 2
    noisy = image * light[..., np.newaxis] + rng.normal(0, 1.5, image.shape)
    pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return Smear(pixels=pixels, cells=tuple(cells), others=found)


def _stain(image: NDArray[np.float64], disc: Disc, darker: NDArray[np.float64]) -> None:
    """Darken a disc, with an edge two pixels wide."""
    y, x, r = disc
    top, left = max(int(y - r - 2), 0), max(int(x - r - 2), 0)
    part = image[top : int(y + r + 3), left : int(x + r + 3)]
    rows, columns = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
    inside = np.clip((r - np.hypot(rows - y, columns - x)) / 2 + 0.5, 0, 1)
    part -= inside[..., np.newaxis] * darker


def stain(image: NDArray[np.uint8], disc: Disc, strength: float) -> None:
    """Stain a disc of a drawn field further; 1 is as dark as a cell, less than 0 is paler."""
    darker = image.astype(np.float64)
    _stain(darker, disc, STAIN * strength)
    image[:] = np.clip(np.rint(darker), 0, 255).astype(np.uint8)


def write_pyramid(path: Path, pixels: NDArray[np.uint8], *, tile: int = 128) -> Path:
    """A pyramidal TIFF of JPEG tiles, as scanners write them; the file's pixels differ a little."""
    with tifffile.TiffWriter(path) as file:
        options = {"tile": (tile, tile), "compression": "jpeg", "photometric": "rgb"}
        file.write(pixels, subifds=1, **options)
        file.write(pixels[::2, ::2], subfiletype=1, **options)
    return path
