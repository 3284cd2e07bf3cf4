"""The profile `paper`: cells of one class <-> one stream per cell (FORMAT 4.5)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..constants import MAX_RICE_PARAMETER, RICE_PER_CELL
from ..errors import CorruptionError, ModelError, TruncatedError
from ..model.autoencoder import Autoencoder
from ..model.model import Model
from ..scales import Pixels, Scales
from ..silhouette.outlined import Mask, Outlined, Outlines
from ..wire import packed_bytes
from .golomb_rice import (
    RiceChoice,
    rice_bits,
    rice_decode,
    rice_encode,
    rice_parameter,
    unzigzag,
    zigzag,
)

BLOCK_CELLS = 1024
BLOCK_VALUES = 1 << 21
"""Decoded at a time, so that working memory stays small: about forty bytes per pixel."""


Sizes = NDArray[np.uint16]


class PaperCells:
    """Coder of one class. Thread-safe: nothing changes after construction.

    Parameters
    ----------
    model, index
        The class is ``model.classes[index]``.

    Raises
    ------
    ModelError
        If its networks do not fit its cell shape, or the model is not of depth 8.
    """

    has_checks = True
    takes_sizes = False
    takes_silhouettes = False

    def __init__(self, model: Model, index: int) -> None:
        if model.depth != 8:
            raise ModelError(f"the profile paper codes values of 8 bits, not of {model.depth}")
        self.cell_shape = model.cell_shape
        self.n_pixels = model.n_pixels
        self._autoencoder = Autoencoder(model.classes[index], self.n_pixels)
        self.n_latents = self._autoencoder.n_latents
        self.can_encode = self._autoencoder.can_encode

    def fits(self, cell_shape: tuple[int, ...]) -> bool:
        """Whether cells of this shape can be coded: only the model's own shape can."""
        return cell_shape == self.cell_shape

    def transform(self, pixels: Pixels) -> tuple[NDArray[np.int8], NDArray[np.uint8]]:
        """Latent vectors and zigzag residues.

        Parameters
        ----------
        pixels
            uint8 (cell, \\*cell_shape).

        Returns
        -------
        latents
            int8 (cell, latent).
        values
            uint8 (cell, pixel): the residue modulo 256, in -128..127, zigzagged.
        """
        pixels = pixels.reshape(len(pixels), self.n_pixels)
        latents = self._autoencoder.encode(pixels)
        residues = (pixels - self._autoencoder.decode(latents)).view(np.int8)
        return latents, zigzag(residues)

    def bits(
        self,
        pixels: Pixels,
        sizes: Sizes | None = None,
        outlined: Outlined | None = None,
        scales: Scales | None = None,
    ) -> NDArray[np.float64]:
        """Bits of each cell with the best Rice parameter for it, float64 (cell,)."""
        latents, values = self.transform(pixels)
        bits = rice_bits(values).min(axis=1) + 8 * latents.shape[1]
        result: NDArray[np.float64] = bits.astype(np.float64)
        return result

    def encode(
        self,
        pixels: Pixels,
        rice: RiceChoice,
        sizes: Sizes | None = None,
        outlined: Outlined | None = None,
        scales: Scales | None = None,
    ) -> tuple[int, list[bytes]]:
        """Encode cells: the coding byte, and one stream per cell.

        Parameters
        ----------
        pixels
            uint8 (cell, \\*cell_shape), at least one cell.
        rice
            See RiceChoice.
        """
        latents, values = self.transform(pixels)
        if rice == "best-per-cell":
            parameters = rice_bits(values).argmin(axis=1)
            streams: list[bytes] = [b""] * len(values)
            for parameter in np.unique(parameters):
                rows = np.flatnonzero(parameters == parameter)
                for row, body in zip(rows, rice_encode(values[rows], int(parameter)), strict=True):
                    streams[row] = bytes([parameter]) + latents[row].tobytes() + body
            return RICE_PER_CELL, streams
        if rice == "mean":
            parameter = rice_parameter(float(values.mean(dtype=np.float64)))
        else:
            parameter = int(rice_bits(values).sum(axis=0).argmin())
        bodies = rice_encode(values, parameter)
        return parameter, [z.tobytes() + b for z, b in zip(latents, bodies, strict=True)]

    def decode(
        self,
        streams: Sequence[memoryview],
        coding: int,
        cell_shape: tuple[int, ...],
        sizes: Sizes | None = None,
        outlines: Outlines | None = None,
        scales: Scales | None = None,
    ) -> NDArray[np.uint8]:
        """Inverse of encode: pixels, uint8 (cell, \\*cell_shape).

        Raises
        ------
        TruncatedError, CorruptionError
            If a stream is not exactly one cell.
        """
        n = max(1, min(BLOCK_CELLS, BLOCK_VALUES // self._autoencoder.widest))
        pixels = np.empty((len(streams), self.n_pixels), np.uint8)
        for start in range(0, len(streams), n):
            pixels[start : start + n] = self._decode_block(streams[start : start + n], coding)
        return pixels.reshape(len(pixels), *cell_shape)

    def _decode_block(self, streams: Sequence[memoryview], coding: int) -> NDArray[np.uint8]:
        if coding == RICE_PER_CELL:
            if any(not stream for stream in streams):
                raise TruncatedError("a cell's stream is empty")
            parameters = np.array([stream[0] for stream in streams], np.uint8)
            pixels = np.empty((len(streams), self.n_pixels), np.uint8)
            for parameter in np.flatnonzero(np.bincount(parameters)):
                rows = np.flatnonzero(parameters == parameter)
                pixels[rows] = self._decode(
                    [streams[row][1:] for row in rows.tolist()], int(parameter)
                )
            return pixels
        return self._decode(streams, coding)

    def _decode(self, streams: Sequence[memoryview], parameter: int) -> NDArray[np.uint8]:
        _expect_parameter(parameter)
        n_latents = self.n_latents
        if any(len(stream) < n_latents for stream in streams):
            raise TruncatedError(f"a cell's stream is shorter than its {n_latents} latents")
        latents = np.frombuffer(b"".join(s[:n_latents] for s in streams), np.int8)
        values = rice_decode([s[n_latents:] for s in streams], self.n_pixels, parameter)
        predicted = self._autoencoder.decode(latents.reshape(len(streams), n_latents))
        predicted += unzigzag(values).view(np.uint8)
        return predicted

    def masks(self, streams: Sequence[memoryview], outlines: Outlines) -> list[Mask | None]:
        """Never asked for: cells of this profile have no silhouettes."""
        raise NotImplementedError

    def least_bytes(
        self,
        coding: int,
        cell_shape: tuple[int, ...],
        sizes: Sizes | None = None,
        outlines: Outlines | None = None,
    ) -> int:
        """Bytes of the shortest possible stream, checked before pixels are allocated.

        Raises
        ------
        CorruptionError
            If there is no such coding byte.
        """
        assert prod(cell_shape) == self.n_pixels
        if coding == RICE_PER_CELL:  # shortest with s = 0
            return 1 + self.n_latents + packed_bytes(self.n_pixels, 1)
        _expect_parameter(coding)
        n_unary = 0 if coding == MAX_RICE_PARAMETER else packed_bytes(self.n_pixels, 1)
        return self.n_latents + packed_bytes(self.n_pixels, coding) + n_unary


def _expect_parameter(parameter: int) -> None:
    if parameter > MAX_RICE_PARAMETER:
        raise CorruptionError(f"a Rice parameter is at most {MAX_RICE_PARAMETER}, not {parameter}")
