"""A golden vector, and images for several of them, from integer arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass

import models
import numpy as np
from zarrmal_codecs import JpegCell, Model
from zarrmal_codecs.silhouette.silhouettes import Silhouettes


@dataclass(frozen=True)
class Vector:
    """One case."""

    name: str
    shows: str
    array: np.ndarray
    model: Model | None = None
    rice: str = "mean"
    classes: tuple[int, ...] | None = None
    silhouettes: Silhouettes | None = None
    jpeg: list[JpegCell | None] | None = None


def ramp(*shape: int, step: int = 1) -> np.ndarray:
    """0, step, 2 step, ... modulo 256."""
    return (np.arange(int(np.prod(shape))) * step % 256).astype(np.uint8).reshape(shape)


def masked(cells: np.ndarray) -> np.ndarray:
    """Cells with corners of zeros, like segmented ones."""
    out = cells.copy()
    for k, cell in enumerate(out):
        cell[: k % 3 + 1, : k % 2 + 1] = 0
        cell[-1 - k % 2 :, -1:] = 0
    return out


def sized(seed: int, *channels: int) -> np.ndarray:
    """Six cells of other sizes in an array of 12 x 9; the third is black."""
    sizes = ((7, 5), (3, 9), (0, 0), (12, 2), (7, 5), (5, 4))
    out = np.zeros((len(sizes), 12, 9, *channels), np.uint8)
    for k, (height, width) in enumerate(sizes):
        if height:
            out[k, :height, :width] = models.pixels(seed + k, (1, height, width, *channels))[0]
    return out


def discs(n: int, rows: int, columns: int) -> list[np.ndarray]:
    """Masks (rows, columns) that reach beyond some edges."""
    y, x = np.ogrid[:rows, :columns]
    reach = (rows + columns) // 4
    return [(y - k) ** 2 + (x - columns + k) ** 2 <= reach**2 + 3 * k for k in range(n)]


def cut(cells: np.ndarray, silhouettes: Silhouettes) -> np.ndarray:
    """Cells × coverage, as resampled cells are that were cut out before."""
    covered = silhouettes.coverage(cells.shape[1:3]).astype(int)
    covered = covered.reshape(*covered.shape, *[1] * (cells.ndim - 3))
    return (cells.astype(int) * covered // 255).astype(cells.dtype)
