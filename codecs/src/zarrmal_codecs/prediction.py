"""The small autoencoder of a class of profile `hybrid` (FORMAT 4.6.4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .class_model import ClassModel
from .constants import N_SLOPES
from .errors import ModelError
from .network import Network
from .tables import SLOPE

Pixels = NDArray[np.uint8]


class Prediction:
    """The small autoencoder of a class: pooled cell -> latents -> grid -> predicted cell.

    Parameters
    ----------
    model
        With the network "decoder" and the tensors "grid" and "latent_scale".
    cell_shape
        (y, x) or (y, x, channel), as trained.

    Raises
    ------
    ModelError
        If they do not fit each other.
    """

    def __init__(self, model: ClassModel, cell_shape: tuple[int, ...]) -> None:
        decoder = model.network("decoder")
        self.n_latents = decoder[0].n_inputs
        self._planes = n_planes(cell_shape)
        self._shape = cell_shape[:2]
        grid, scale = model.tensors.get("grid"), model.tensors.get("latent_scale")
        if grid is None or grid.dtype != np.uint8 or grid.shape != (2,) or not grid.all():
            raise ModelError(f"class {model.name!r}: tensor 'grid' must be two uint8, each >= 1")
        if scale is None or scale.dtype != np.uint8 or scale.shape != (self.n_latents,):
            raise ModelError(
                f"class {model.name!r}: tensor 'latent_scale' must be {self.n_latents} uint8"
            )
        if int(scale.max()) >= N_SLOPES:
            raise ModelError(f"class {model.name!r}: latent_scale goes beyond {N_SLOPES - 1}")
        self._grid = (int(grid[0]), int(grid[1]))
        n_grid = self._grid[0] * self._grid[1] * self._planes
        self._decoder = Network(decoder)
        self._expect(model, "decoder", ("int8", self.n_latents), ("uint8", n_grid))
        self._encoder = None
        if model.networks.get("encoder"):
            self._expect(model, "encoder", ("uint8", n_grid), ("int8", self.n_latents))
            self._encoder = Network(model.network("encoder"))
        self.slopes = SLOPE[scale].astype(np.int64)
        self.widest = max(layer.n_outputs for layer in decoder)
        """Most values that a cell takes anywhere on the way to its grid."""

    @staticmethod
    def _expect(
        model: ClassModel, name: str, takes: tuple[str, int], gives: tuple[str, int]
    ) -> None:
        layers = model.network(name)
        found = (layers[0].input, layers[0].n_inputs), (layers[-1].output, layers[-1].n_outputs)
        if found != (takes, gives):
            raise ModelError(
                f"class {model.name!r}: the {name} turns {found[0]} into {found[1]}; "
                f"{takes} into {gives} are needed"
            )

    def encode(self, pixels: Pixels) -> NDArray[np.int8]:
        """Latents int8 (cell, latent) of uint8 (cell, plane, y, x); zeros without an encoder."""
        if self._encoder is None:
            return np.zeros((len(pixels), self.n_latents), np.int8)
        latents = self._encoder(pool(pixels, self._grid))
        return latents.astype(np.int8, copy=False)

    def decode(self, latents: NDArray[np.int8]) -> Pixels:
        """Predicted cells, uint8 (cell, plane, y, x), of latents, int8 (cell, latent)."""
        grid = self._decoder(latents).reshape(len(latents), *self._grid, self._planes)
        boxes = np.ascontiguousarray(grid.transpose(0, 3, 1, 2), dtype=np.float32)
        # Whole numbers, none above 255 * 2**16 + 2**15 < 2**24: exact in float32, in either order.
        # Columns first, for then rows are taken whole; a cell of one long row the other way, or
        # what lies between would be far larger than the cell.
        (height, width), (rows, columns) = self._shape, self._grid
        if rows * width <= max(height * columns, height * width):
            both = _stretch(_stretch(boxes, 3, width), 2, height)
        else:
            both = _stretch(_stretch(boxes, 2, height), 3, width)
        both += 32768
        both *= np.float32(2**-16)
        return both.astype(np.uint8)


def _stretch(grid: NDArray[np.float32], axis: int, size: int) -> NDArray[np.float32]:
    """Linear interpolation along an axis, times 256 (FORMAT 4.6.4)."""
    n = grid.shape[axis]
    at = np.clip((2 * np.arange(size) + 1) * n * 128 // size - 128, 0, (n - 1) * 256)
    low, part = at >> 8, (at & 255).astype(np.float32)
    shape = [1] * grid.ndim
    shape[axis] = size
    part = part.reshape(shape)
    found: NDArray[np.float32] = grid.take(low, axis)
    found *= 256 - part
    other = grid.take(np.minimum(low + 1, n - 1), axis)
    other *= part
    found += other
    return found


def pool(pixels: Pixels, grid: tuple[int, int]) -> Pixels:
    """Means over a grid of boxes, uint8 (cell, y * x * plane): what encoders take.

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
    """Channels of a cell, 1 where it has no such axis."""
    return cell_shape[2] if len(cell_shape) == 3 else 1
