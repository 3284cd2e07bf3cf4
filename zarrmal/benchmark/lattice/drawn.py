"""Drawn smears, written as JPEG by Pillow, and cells cut out of them."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...lattice.jpeg_file import JpegFile

SUBSAMPLINGS = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}
"""Those that Pillow writes of colours."""

PHOTOGRAPHS = ("astronaut.png", "coffee.png", "chelsea.png", "ihc.png")
"""Colour pictures in the package of scikit-image."""

MORE_PHOTOGRAPHS = (
    *PHOTOGRAPHS,
    *("motorcycle_left.png", "rocket.jpg", "retina.jpg", "hubble_deep_field.jpg"),
    *("camera.png", "coins.png", "moon.png", "grass.png", "gravel.png", "brick.png", "page.png"),
)
"""The same with darker and grey ones."""

DARKEST, BRIGHTEST = 6, 96
"""Percentiles that become 0 and 255 in a picture with clamped pixels."""


def draw_smear(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """A smear of round cells with grain, uint8 (y, x, 3): shades, edges and noise of a photograph.

    Parameters
    ----------
    rng
        Decides everything.
    """
    y, x = np.mgrid[0:height, 0:width]
    light = 180 + 20 * np.sin(x / width * 2 + rng.uniform(0, 3)) * np.cos(y / height * 2)
    picture = np.repeat(light[..., None], 3, axis=2) + np.array([12.0, 0.0, 6.0])
    for _ in range(height * width // 2500):
        centre, radius = rng.uniform(0, (height, width)), rng.uniform(16, 34)
        distance = np.hypot(y - centre[0], (x - centre[1]) * rng.uniform(0.8, 1.25))
        inside = 1 / (1 + np.exp(np.minimum((distance - radius) / 1.5, 50)))
        pale = 0.35 * np.exp(-((distance / (0.5 * radius)) ** 2))
        colour = np.array([30.0, 95.0, 70.0]) * rng.uniform(0.7, 1.2)
        picture -= (inside * (1 - pale))[..., None] * colour
        if rng.random() < 0.25:
            spot = np.hypot(y - centre[0] - 6, x - centre[1] + 5)
            dark = 60 / (1 + np.exp(np.minimum((spot - 5) / 0.8, 50)))
            picture -= dark[..., None] * np.array([1.0, 1.2, 0.5])
    grain = rng.normal(0, 1, (height + 2, width + 2, 3))
    smooth = (grain[1:-1, 1:-1] + 0.5 * (grain[:-2, 1:-1] + grain[2:, 1:-1])) / 1.2
    picture += smooth * rng.uniform(1.0, 4.0)
    return np.asarray(picture.clip(24, 232), np.uint8)


def photographs(
    rng: np.random.Generator, side: int, names: Sequence[str] = PHOTOGRAPHS
) -> list[NDArray[np.uint8]]:
    """Squares of photographs, uint8 (side, side, 3); none where scikit-image is not installed.

    They are reduced by half, so that no lattice of an earlier JPEG is left.
    """
    package = find_spec("skimage")
    folder = Path(package.origin).parent / "data" if package and package.origin else Path()
    pictures = []
    for name in names:
        if package is None or not (folder / name).is_file():
            continue
        image = Image.open(folder / name).convert("RGB")
        scale = max(side / (min(image.size) // 2), 1.0)
        width, height = (math.ceil(n / 2 * scale) for n in image.size)
        pixels = np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))
        row, column = (int(rng.integers(0, n - side + 1)) for n in pixels.shape[:2])
        pictures.append(np.ascontiguousarray(pixels[row : row + side, column : column + side]))
    return pictures


def tinted(rng: np.random.Generator, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A grey picture under coloured light, uint8 (y, x, 3)."""
    y, x = np.meshgrid(*(np.linspace(0, 1, n) for n in picture.shape[:2]), indexing="ij")
    slopes, starts = rng.uniform(-6, 6, (2, 3)), rng.uniform(0, 6, 3)
    light = 0.7 + 0.3 * np.sin(x[..., None] * slopes[0] + y[..., None] * slopes[1] + starts)
    return np.asarray(np.clip(picture * light + rng.normal(0, 5, 3), 0, 255), np.uint8)


def with_clamped_pixels(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """More contrast, so that a tenth of a picture becomes black or white."""
    dark, bright = np.percentile(picture, (DARKEST, BRIGHTEST))
    stretched = (picture - dark) / max(bright - dark, 20) * 255
    return np.asarray(np.clip(stretched, 0, 255), np.uint8)


def as_jpeg(
    pixels: NDArray[np.uint8],
    *,
    quality: int | None = None,
    tables: Sequence[Sequence[int]] | None = None,
    sampling: str = "4:4:4",
) -> bytes:
    """A JPEG file, by Pillow, at a standard quality or with tables of one's own (row-major).

    The sampling "grey" keeps the lightness alone.
    """
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    if sampling == "grey":
        image, tables = image.convert("L"), tables and tables[:1]
    subsampling = SUBSAMPLINGS.get(sampling, 0)
    if tables is not None:
        image.save(buffer, "JPEG", qtables=[list(t) for t in tables], subsampling=subsampling)
    else:
        image.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return buffer.getvalue()


def pixels_of(jpeg: bytes) -> NDArray[np.uint8]:
    """Pixels of a JPEG file, by Pillow."""
    return np.asarray(Image.open(io.BytesIO(jpeg)))


def turned(file: JpegFile, *, fancy: bool = True) -> JpegFile:
    """The transposed picture: 4:2:2 becomes 4:4:0, which Pillow does not write."""
    camera = replace(
        file.camera,
        tables=file.camera.tables.transpose(0, 2, 1).copy(),
        ratios=tuple((across, down) for down, across in file.camera.ratios),
        fancy=fancy,
    )
    blocks = tuple(plane.transpose(1, 0, 3, 2).copy() for plane in file.blocks)
    return replace(file, camera=camera, blocks=blocks, shape=(file.shape[1], file.shape[0]))


def odd_table(rng: np.random.Generator, base: NDArray[np.int64]) -> NDArray[np.int64]:
    """A table like a known one, with every step changed at random by up to a third."""
    factors = np.exp(rng.uniform(-0.3, 0.3, 64))
    return np.clip(np.rint(base * factors), 1, 255).astype(np.int64)


def smooth_table(rng: np.random.Generator, base: NDArray[np.int64]) -> NDArray[np.int64]:
    """A table of another maker: steps grow with frequency up to a bound, about as large as base's.

    As those of Photoshop do, it has no factor in common with the standard tables.
    """
    row, column = np.mgrid[0:8, 0:8]
    away = np.hypot(row * rng.uniform(0.8, 1.25), column)
    steps = base[0] * np.exp(away * rng.uniform(0.15, 0.4)) * rng.uniform(0.7, 1.3)
    table: NDArray[np.int64] = np.clip(np.rint(np.minimum(steps, base.max())), 1, 255).astype(
        np.int64
    )
    return table.reshape(-1)


def random_crop(
    rng: np.random.Generator, height: int, width: int
) -> tuple[tuple[int, int], NDArray[np.bool_]]:
    """The same of any size, a third of them without a silhouette."""
    corner, mask = random_cell(rng, height, width)
    if rng.random() < 1 / 3:
        sides = rng.integers(56, 120, 2)
        corner = int(rng.integers(0, height - sides[0])), int(rng.integers(0, width - sides[1]))
        mask = np.ones(tuple(sides), np.bool_)
    return corner, mask


def random_cell(
    rng: np.random.Generator, height: int, width: int
) -> tuple[tuple[int, int], NDArray[np.bool_]]:
    """Corner of a crop in a picture, and a ragged round mask, bool (y, x)."""
    sides = rng.integers(72, 150, 2)
    corner = int(rng.integers(0, height - sides[0])), int(rng.integers(0, width - sides[1]))
    y, x = np.mgrid[0 : sides[0], 0 : sides[1]]
    angle = np.arctan2(y - sides[0] / 2, x - sides[1] / 2)
    ragged = 1 + 0.08 * np.sin(3 * angle + rng.uniform(0, 6)) + 0.04 * np.sin(7 * angle)
    distance = np.hypot((y - sides[0] / 2) / sides[0], (x - sides[1] / 2) / sides[1]) * 2
    return corner, distance < 0.97 * ragged
