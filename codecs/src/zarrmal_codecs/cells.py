"""What codes the cells of one class, whatever the profile (FORMAT 4.5, 4.6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .constants import PROFILE_HYBRID, PROFILE_PAPER
from .errors import CompatibilityError
from .golomb_rice import RiceChoice
from .hybrid import HybridCells
from .model import Model
from .paper import PaperCells


class CellCoder(Protocol):
    """Codes cells of one class. Thread-safe."""

    has_checks: bool
    """Whether the chunk's header keeps a CRC-16 of each stream (FORMAT 4.4)."""

    @property
    def can_encode(self) -> bool:
        """Whether the model suffices to write."""

    def fits(self, cell_shape: tuple[int, ...]) -> bool:
        """Whether cells of this shape can be coded."""

    def bits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Bits each cell would take, without writing a stream."""

    def encode(self, pixels: NDArray[np.uint8], rice: RiceChoice) -> tuple[int, list[bytes]]:
        """The class's coding byte, and a stream a cell, of uint8 (cell, *cell_shape)."""

    def decode(
        self, streams: list[memoryview], coding: int, cell_shape: tuple[int, ...]
    ) -> NDArray[np.uint8]:
        """Inverse of encode; a ZarrmalError if a stream does not hold exactly one cell."""

    def least_bytes(self, coding: int, cell_shape: tuple[int, ...]) -> int:
        """No stream is shorter than this: guards allocation against absurd declarations."""


PROFILES: Mapping[str, Callable[[Model, int], CellCoder]] = {
    PROFILE_PAPER: PaperCells,
    PROFILE_HYBRID: HybridCells,
}


def cell_coder(model: Model, index: int) -> CellCoder:
    """What codes ``model.classes[index]``.

    Raises
    ------
    CompatibilityError
        If the model's profile is unknown.
    ModelError
        If its networks do not fit.
    """
    kind = PROFILES.get(model.profile)
    if kind is None:
        raise CompatibilityError(
            f"the model has profile {model.profile!r}, this software knows "
            f"{' and '.join(map(repr, PROFILES))}: upgrade zarrmal-codecs"
        )
    return kind(model, index)
