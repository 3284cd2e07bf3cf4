"""The small autoencoder of a class of profile `hybrid` (FORMAT 6.4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..constants import N_SLOPES
from ..errors import ModelError
from ..model.class_model import ClassModel
from ..model.network import Network
from .tables import SLOPE

Pixels = NDArray[np.uint8]


class Prediction:
    """The small autoencoder of a class: pooled cell to latents to grid to predicted cell.

    Parameters
    ----------
    model
        A class with the network "decoder" and the tensors "grid" and "latent_scale".
    cell_shape
        (y, x) or (y, x, channel), that of the model.

    Raises
    ------
    ModelError
        If these do not fit each other.
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
            raise ModelError(f"class {model.name!r}: latent_scale must be 0..{N_SLOPES - 1}")
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
        """Values of the decoder's widest layer."""

    @staticmethod
    def _expect(
        model: ClassModel, name: str, inputs: tuple[str, int], outputs: tuple[str, int]
    ) -> None:
        layers = model.network(name)
        first, last = layers[0], layers[-1]
        ends = (first.input, first.n_inputs), (last.output, last.n_outputs)
        if ends != (inputs, outputs):
            raise ModelError(
                f"class {model.name!r}: the {name} maps {ends[0]} to {ends[1]}, but must map "
                f"{inputs} to {outputs}"
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
        # Integers up to 255 * 2**16 + 2**15 < 2**24: exact in float32, in either order. Columns
        # first is faster, because rows are contiguous then; but for a cell of one long row the
        # intermediate result would be far larger than the cell.
        (height, width), (rows, columns) = self._shape, self._grid
        if rows * width <= max(height * columns, height * width):
            stretched = _stretch(_stretch(boxes, 3, width), 2, height)
        else:
            stretched = _stretch(_stretch(boxes, 2, height), 3, width)
        stretched += 32768
        stretched *= np.float32(2**-16)
        return stretched.astype(np.uint8)


def _stretch(grid: NDArray[np.float32], axis: int, size: int) -> NDArray[np.float32]:
    """Linear interpolation along an axis, multiplied by 256 (FORMAT 6.4)."""
    n = grid.shape[axis]
    along = np.clip((2 * np.arange(size) + 1) * n * 128 // size - 128, 0, (n - 1) * 256)
    low, part = along >> 8, (along & 255).astype(np.float32)
    shape = [1] * grid.ndim
    shape[axis] = size
    part = part.reshape(shape)
    result: NDArray[np.float32] = grid.take(low, axis)
    result *= 256 - part
    upper = grid.take(np.minimum(low + 1, n - 1), axis)
    upper *= part
    result += upper
    return result


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
