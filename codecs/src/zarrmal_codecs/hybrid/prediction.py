"""The small autoencoder of a class of profile `hybrid` (FORMAT 6.4)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..constants import N_SLOPES
from ..errors import ModelError
from ..model.autoencoder import Autoencoder
from ..model.class_model import ClassModel
from .known import Sizes
from .mixture import latent_cumulative
from .tables import SLOPE

Pixels = NDArray[np.uint8]


class Prediction:
    """The small autoencoder of a class: pooled cell to latents to grid to predicted cell.

    Parameters
    ----------
    model
        A class with the network "decoder" and the tensors "grid" and "latent_scale".
    n_planes
        Channels of a cell.

    Raises
    ------
    ModelError
        If these do not fit each other.
    """

    def __init__(self, model: ClassModel, n_planes: int) -> None:
        self._planes = n_planes
        grid, scale = model.tensors.get("grid"), model.tensors.get("latent_scale")
        if grid is None or grid.dtype != np.uint8 or grid.shape != (2,) or not grid.all():
            raise ModelError(f"class {model.name!r}: tensor 'grid' must be two uint8, each >= 1")
        self._grid = (int(grid[0]), int(grid[1]))
        self._networks = Autoencoder(model, self._grid[0] * self._grid[1] * self._planes)
        self.n_latents, self.widest = self._networks.n_latents, self._networks.widest
        if scale is None or scale.dtype != np.uint8 or scale.shape != (self.n_latents,):
            raise ModelError(
                f"class {model.name!r}: tensor 'latent_scale' must be {self.n_latents} uint8"
            )
        if int(scale.max()) >= N_SLOPES:
            raise ModelError(f"class {model.name!r}: latent_scale must be 0..{N_SLOPES - 1}")
        slopes = SLOPE[scale].astype(np.int64)
        self.latent_edges = latent_cumulative(np.arange(257)[:, None], slopes)
        """Cumulative frequencies int64 (257, latent) of latent + 128 (FORMAT 6.4)."""
        self.latent_columns: list[list[int]] = self.latent_edges.T.tolist()
        """The same by latent."""

    def encode(self, pixels: Pixels, sizes: Sizes | None) -> NDArray[np.int8]:
        """Latents int8 (cell, latent) of uint8 (cell, plane, y, x); zeros without an encoder.

        Parameters
        ----------
        sizes
            Height and width of each cell, (cell, 2); None where they fill the array.
        """
        out = np.zeros((len(pixels), self.n_latents), np.int8)
        if self._networks.can_encode:
            for rows, height, width in _by_size(pixels.shape, sizes):
                own = pixels[rows, :, :height, :width]
                out[rows] = self._networks.encode(pool(own, self._grid))
        return out

    def decode(
        self, latents: NDArray[np.int8], shape: tuple[int, int], sizes: Sizes | None
    ) -> Pixels:
        """Predicted cells, uint8 (cell, plane, *shape), of latents, int8 (cell, latent).

        Parameters
        ----------
        shape
            (y, x) of the largest cell.
        sizes
            See ``encode``. Beyond a cell its last row and column are repeated, as the coordinates
            of FORMAT 6.8 are clipped.
        """
        grid = self._networks.decode(latents).reshape(len(latents), *self._grid, self._planes)
        boxes = np.ascontiguousarray(grid.transpose(0, 3, 1, 2), dtype=np.float32)
        if sizes is None:
            return _predicted(boxes, *shape)
        out = np.empty((len(latents), self._planes, *shape), np.uint8)
        for rows, height, width in _by_size(out.shape, sizes):
            border = ((0, 0), (0, 0), (0, shape[0] - height), (0, shape[1] - width))
            out[rows] = np.pad(_predicted(boxes[rows], height, width), border, "edge")
        return out


def _by_size(
    shape: tuple[int, ...], sizes: Sizes | None
) -> Iterator[tuple[NDArray[np.int64] | slice, int, int]]:
    """Cells of each size, their height and width; of an array (cell, plane, y, x)."""
    if sizes is None:
        yield slice(None), shape[2], shape[3]
        return
    different, which = np.unique(sizes, axis=0, return_inverse=True)
    for k, (height, width) in enumerate(different.tolist()):
        yield np.flatnonzero(which.ravel() == k), height, width


def _predicted(boxes: NDArray[np.float32], height: int, width: int) -> Pixels:
    """Cells of one size, interpolated from their grids, float32 (cell, plane, y, x)."""
    # Integers up to 255 * 2**16 + 2**15 < 2**24: exact in float32, in either order. Columns
    # first is faster, because rows are contiguous then; but for a cell of one long row the
    # intermediate result would be far larger than the cell.
    rows, columns = boxes.shape[2:]
    if rows * width <= max(height * columns, height * width):
        stretched = _stretch(_stretch(boxes, 3, width), 2, height)
    else:
        stretched = _stretch(_stretch(boxes, 2, height), 3, width)
    stretched += 32768
    stretched *= np.float32(2**-16)
    return stretched.astype(np.uint8)


def _stretch(grid: NDArray[np.float32], axis: int, size: int) -> NDArray[np.float32]:
    """Linear interpolation along an axis, multiplied by 256 (FORMAT 6.4)."""
    low, high, part = _between(grid.shape[axis], size)
    shape = [1] * grid.ndim
    shape[axis] = size
    upper_part = part.reshape(shape)
    result: NDArray[np.float32] = grid.take(low, axis)
    result *= 256 - upper_part
    upper = grid.take(high, axis)
    upper *= upper_part
    result += upper
    return result


@lru_cache(maxsize=64)
def _between(n: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Of each of ``size`` places the two of ``n`` beside it, and 256ths of the second's part."""
    along = np.clip((2 * np.arange(size) + 1) * n * 128 // size - 128, 0, (n - 1) * 256)
    low = along >> 8
    return low, np.minimum(low + 1, n - 1), (along & 255).astype(np.float32)


def pool(pixels: Pixels, grid: tuple[int, int]) -> Pixels:
    """Means over a grid of boxes, uint8 (cell, y * x * plane): the inputs of encoders.

    Box i of n spans [i * size // n, max(that + 1, (i + 1) * size // n)).
    """
    sums = pixels.astype(np.int64)
    counts = np.ones((1, 1), np.int64)
    for axis, n in ((2, grid[0]), (3, grid[1])):
        size = pixels.shape[axis]
        starts = np.arange(n) * size // n
        stops = np.maximum(starts + 1, np.arange(1, n + 1) * size // n)
        running = np.concatenate(
            [np.zeros_like(sums.take([0], axis)), sums.cumsum(axis)], axis=axis
        )
        sums = running.take(stops, axis) - running.take(starts, axis)
        lengths = stops - starts
        counts = counts * (lengths[:, None] if axis == 2 else lengths[None, :])
    means = (sums + counts // 2) // counts
    return means.transpose(0, 2, 3, 1).reshape(len(pixels), -1).astype(np.uint8)


def n_planes(cell_shape: tuple[int, ...]) -> int:
    """Number of channels of a cell, 1 where it has no such axis."""
    return cell_shape[2] if len(cell_shape) == 3 else 1
