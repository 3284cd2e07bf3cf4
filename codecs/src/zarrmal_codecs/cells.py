"""Cells of one class <-> one stream a cell, after the profile `paper` (FORMAT 4.5)."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .autoencoder import Autoencoder
from .constants import MAX_RICE_PARAMETER, PROFILE_PAPER, RICE_PER_CELL
from .errors import CompatibilityError, CorruptionError, TruncatedError
from .golomb_rice import rice_bits, rice_decode, rice_encode, rice_parameter, unzigzag, zigzag
from .model import Model
from .wire import packed_bytes

RiceChoice = Literal["mean", "best", "best-per-cell"]
"""How the Rice parameter is chosen: by the paper's formula from the mean of the class's values in
the chunk, as the exact best for them, or as the exact best for each cell (8 bits a cell more)."""

RICE_CHOICES: tuple[RiceChoice, ...] = get_args(RiceChoice)


class CellCoder:
    """Codes cells of one class. Thread-safe: nothing changes after construction.

    Parameters
    ----------
    model, index
        The class is ``model.classes[index]``.

    Raises
    ------
    CompatibilityError
        If the model's profile is unknown.
    ModelError
        If its networks do not fit its cell shape.
    """

    def __init__(self, model: Model, index: int) -> None:
        if model.profile != PROFILE_PAPER:
            raise CompatibilityError(
                f"the model has profile {model.profile!r}, this software knows "
                f"{PROFILE_PAPER!r}: upgrade zarrmal-codecs"
            )
        self.n_pixels = model.n_pixels
        self._autoencoder = Autoencoder(model.classes[index], self.n_pixels)
        self.n_latents = self._autoencoder.n_latents
        self.can_encode = self._autoencoder.can_encode

    def transform(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.int8], NDArray[np.uint8]]:
        """Latent vectors and zigzag residues.

        Parameters
        ----------
        pixels
            uint8 (cell, pixel).

        Returns
        -------
        latents
            int8 (cell, latent).
        values
            uint8 (cell, pixel): the residue modulo 256, in -128..127, zigzagged.
        """
        latents = self._autoencoder.encode(pixels)
        residues = (pixels - self._autoencoder.decode(latents)).view(np.int8)
        return latents, zigzag(residues)

    def bits(self, pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Bits each cell would take, with the best Rice parameter of its own; int64 (cell,)."""
        latents, values = self.transform(pixels)
        bits: NDArray[np.int64] = rice_bits(values).min(axis=1) + 8 * latents.shape[1]
        return bits

    def encode(self, pixels: NDArray[np.uint8], rice: RiceChoice) -> tuple[int, list[bytes]]:
        """Streams of cells, and the coding byte that says how to read them.

        Parameters
        ----------
        pixels
            uint8 (cell, pixel), at least one cell.
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

    def decode(self, streams: list[memoryview], coding: int) -> NDArray[np.uint8]:
        """Inverse of encode: pixels, uint8 (cell, pixel).

        Raises
        ------
        TruncatedError, CorruptionError
            If a stream does not hold exactly one cell.
        """
        if coding == RICE_PER_CELL:
            if any(not stream for stream in streams):
                raise TruncatedError("a cell's stream is empty")
            parameters = np.array([stream[0] for stream in streams], np.uint8)
            pixels = np.empty((len(streams), self.n_pixels), np.uint8)
            for parameter in np.unique(parameters):
                rows = np.flatnonzero(parameters == parameter)
                pixels[rows] = self._decode([streams[row][1:] for row in rows], int(parameter))
            return pixels
        return self._decode(streams, coding)

    def _decode(self, streams: list[memoryview], parameter: int) -> NDArray[np.uint8]:
        _expect_parameter(parameter)
        n_latents = self.n_latents
        if any(len(stream) < n_latents for stream in streams):
            raise TruncatedError(f"a cell's stream is shorter than its {n_latents} latents")
        latents = np.frombuffer(b"".join(s[:n_latents] for s in streams), np.int8)
        values = rice_decode([s[n_latents:] for s in streams], self.n_pixels, parameter)
        predicted = self._autoencoder.decode(latents.reshape(len(streams), n_latents))
        predicted += unzigzag(values).view(np.uint8)
        return predicted

    def least_bytes(self, coding: int) -> int:
        """No stream is shorter than this: guards allocation against absurd declarations.

        Raises
        ------
        CorruptionError
            If there is no such coding.
        """
        if coding == RICE_PER_CELL:  # at the least s = 0
            return 1 + self.n_latents + packed_bytes(self.n_pixels, 1)
        _expect_parameter(coding)
        n_unary = 0 if coding == MAX_RICE_PARAMETER else packed_bytes(self.n_pixels, 1)
        return self.n_latents + packed_bytes(self.n_pixels, coding) + n_unary


def _expect_parameter(parameter: int) -> None:
    if parameter > MAX_RICE_PARAMETER:
        raise CorruptionError(f"a Rice parameter is at most {MAX_RICE_PARAMETER}: {parameter}")
