"""The interface of the coders of both profiles (FORMAT 4.5, 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..constants import PROFILE_HYBRID, PROFILE_PAPER
from ..errors import CompatibilityError
from ..hybrid.cells import HybridCells
from ..model.model import Model
from ..paper.cells import PaperCells
from ..paper.golomb_rice import RiceChoice
from ..scales import Pixels, Scales
from ..silhouette.outlined import Mask, Outlined, Outlines

Sizes = NDArray[np.uint16]
"""Height and width of each cell, (cell, 2)."""


class CellCoder(Protocol):
    """Coder of the cells of one class. Thread-safe.

    ``sizes`` are None where all cells have the size of the array; pixels beyond a cell's size are 0
    and not coded. ``outlined`` and ``outlines`` are None where no cell has a silhouette. Pixels are
    uint8, or values of a model of depth 16, uint16, which ``scales`` are of.
    """

    has_checks: bool
    """Whether the chunk's header has a CRC-16 of each stream (FORMAT 4.4)."""
    takes_sizes: bool
    """Whether cells of a chunk may have sizes of their own."""

    @property
    def takes_silhouettes(self) -> bool:
        """Whether cells may have silhouettes."""

    @property
    def can_encode(self) -> bool:
        """Whether the model can encode, not only decode."""

    def fits(self, cell_shape: tuple[int, ...]) -> bool:
        """Whether cells of this shape can be coded."""

    def bits(
        self,
        pixels: Pixels,
        sizes: Sizes | None = None,
        outlined: Outlined | None = None,
        scales: Scales | None = None,
    ) -> NDArray[np.float64]:
        """Bits that each cell would take, float64 (cell,)."""

    def encode(
        self,
        pixels: Pixels,
        rice: RiceChoice,
        sizes: Sizes | None = None,
        outlined: Outlined | None = None,
        scales: Scales | None = None,
    ) -> tuple[int, list[bytes]]:
        """The class's coding byte, and one stream per cell, of pixels (cell, *cell_shape)."""

    def decode(
        self,
        streams: Sequence[memoryview],
        coding: int,
        cell_shape: tuple[int, ...],
        sizes: Sizes | None = None,
        outlines: Outlines | None = None,
        scales: Scales | None = None,
    ) -> Pixels:
        """Inverse of encode; a ZarrmalError if a stream is not exactly one cell."""

    def masks(self, streams: Sequence[memoryview], outlines: Outlines) -> list[Mask | None]:
        """The silhouette of each cell, bool (y, x) of its own size; None where it has none."""

    def least_bytes(
        self,
        coding: int,
        cell_shape: tuple[int, ...],
        sizes: Sizes | None = None,
        outlines: Outlines | None = None,
    ) -> int | NDArray[np.int64]:
        """Bytes of the shortest possible stream, checked before pixels are allocated.

        Of each cell, (cell,), where they have sizes or silhouettes.
        """


PROFILES: Mapping[str, Callable[[Model, int], CellCoder]] = {
    PROFILE_PAPER: PaperCells,
    PROFILE_HYBRID: HybridCells,
}


def cell_coder(model: Model, index: int) -> CellCoder:
    """The coder of ``model.classes[index]``.

    Raises
    ------
    CompatibilityError
        If the model's profile is unknown.
    ModelError
        If its networks do not fit.
    """
    coder = PROFILES.get(model.profile)
    if coder is None:
        raise CompatibilityError(
            f"the model has profile {model.profile!r}, but this software knows only "
            f"{' and '.join(map(repr, PROFILES))}: upgrade zarrmal-codecs"
        )
    return coder(model, index)
