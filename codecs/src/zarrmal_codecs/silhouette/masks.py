"""The coder of a class's masks, by the kernel or in NumPy (FORMAT 4.7.3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .. import rans
from ..constants import MAX_TEMPLATE
from ..errors import ModelError
from ..model.class_model import ClassModel
from . import mask_coder
from .outlined import Mask, Points, flat

try:
    from .. import _kernel
except ImportError:  # built without a compiler
    _kernel = None  # type: ignore[assignment]


class MaskCoder:
    """Codes the masks of a class, by the kernel or in NumPy.

    Parameters
    ----------
    table
        See mask_coder.by_window.
    """

    def __init__(self, table: NDArray[np.int8]) -> None:
        self._frequencies = mask_coder.by_window(table)

    @classmethod
    def of(cls, model: ClassModel) -> MaskCoder | None:
        """That of a class; None if it has no tensor "silhouette".

        Raises
        ------
        ModelError
            If that tensor is not int8 (2**n,), 0 <= n <= 16.
        """
        table = model.tensors.get("silhouette")
        if table is None:
            return None
        n = len(table) if table.ndim == 1 else 0
        if table.dtype != np.int8 or n not in {1 << i for i in range(MAX_TEMPLATE + 1)}:
            raise ModelError(
                f"class {model.name!r}: tensor 'silhouette' is {table.dtype} {table.shape}, but "
                f"must be int8 of 2**0 to 2**{MAX_TEMPLATE} values"
            )
        return cls(table)

    def prefix(self, points: list[Mask], *, native: bool) -> NDArray[np.uint16]:
        """Start and frequency of each point, uint16 (cell, point, 2); of none both are 0."""
        shapes = np.array([each.shape for each in points], np.uint16)
        if native:
            prefix: NDArray[np.uint16] = _kernel.mask_intervals(
                flat(points), shapes, self._frequencies
            )
            return prefix
        most = int(shapes.astype(np.int64).prod(axis=1).max())
        out = np.zeros((len(points), most, 2), np.uint16)
        for i, each in enumerate(points):
            out[i, : each.size] = mask_coder.intervals(each, self._frequencies)
        return out

    def decode(
        self, decoder: rans.Decoder, shapes: NDArray[np.uint16], *, native: bool
    ) -> Sequence[Mask]:
        """The points of each lane, bool (rows, columns)."""
        if not native:
            return mask_coder.decode(decoder, shapes.astype(np.int64), self._frequencies)
        points, states, positions, short = _kernel.decode_masks(
            decoder.data, decoder.positions, decoder.stops, decoder.states.astype(np.uint32),
            shapes, self._frequencies,
        )  # fmt: skip
        decoder.states[:], decoder.positions[:] = states, positions
        decoder.short |= short.view(bool)
        return Points(points, shapes)
