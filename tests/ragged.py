"""Cells of eleven sizes, and archives of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pictures import save
from PIL import Image
from zarrmal_codecs import Model

import zarrmal
from zarrmal import AppendOptions, WriteOptions

LAYOUTS = {
    "zarr3": {},
    "zarr2": {"zarr_format": 2},
    "shards": {"chunk_cells": 4, "shard_cells": 8},
}
CANVAS = (20, 13)
N = 11
SIZES = [(8, 8), (20, 9), (9, 13), *((8 + 5 * k % 12, 8 + 3 * k % 6) for k in range(N - 3))]


def drawn(height: int, width: int, seed: int) -> np.ndarray:
    """Grey levels on black, which reaches the edges of some cells only."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    noise = np.random.default_rng(seed).integers(0, 9, (height, width))
    return np.where(y**2 + x**2 < 1 + seed % 3, 120 + 40 * y + noise, 0).astype(np.uint8)


ORIGINALS = [drawn(height, width, seed) for seed, (height, width) in enumerate(SIZES)]


def save_originals(place: Path) -> Path:
    """PNG files of eleven sizes, in two classes."""
    for k, pixels in enumerate(ORIGINALS):
        save(place / f"{('parasitized', 'uninfected')[k % 2]}/{k:02}.png", pixels)
    return place


def write(source: object, place: object, model: Model, **options: object) -> None:
    given = WriteOptions(**({"chunk_cells": 4, "workers": 1} | options))
    zarrmal.write(source, place, model=model, options=given)


def append(source: object, place: object, **options: object) -> None:
    zarrmal.append(source, place, options=AppendOptions(workers=1, **options))


def pictures(folder: Path) -> dict[str, tuple[tuple[int, ...], bytes]]:
    """Shape and pixels of each image, by its path."""
    found = {}
    for path in folder.rglob("*.png"):
        pixels = np.asarray(Image.open(path))
        found[path.relative_to(folder).as_posix()] = (pixels.shape, pixels.tobytes())
    return found


def sound(place: object, source: object) -> None:
    assert zarrmal.verify(place, source).problems == ()
