"""Masks packed in the arrays of a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..columns.annotations import PACKED_KEYS, SIZE_KEYS
from ..sizes import Pixels
from .masks import Masks
from .planes import MaskArray
from .resampling import Mask

MASK_KEYS = (*SIZE_KEYS, *PACKED_KEYS)


class PackedMasks(Masks):
    """Masks as array files hold them, see PACKED_KEYS.

    Parameters
    ----------
    columns
        By key.
    n_cells
        So many masks there must be.
    location
        Begins messages.

    Raises
    ------
    InputError
        If the columns do not fit each other.
    """

    def __init__(self, columns: Mapping[str, NDArray[Any]], n_cells: int, location: str) -> None:
        heights, widths, self._bits, starts = (np.asarray(columns[key]) for key in MASK_KEYS)
        self.location = location
        lengths = ((heights, n_cells), (widths, n_cells), (starts, n_cells + 1))
        are_integers = all(
            values.shape == (length,) and values.dtype.kind in "iu" for values, length in lengths
        )
        if not are_integers or self._bits.dtype != np.uint8 or self._bits.ndim != 1:
            raise InputError(
                f"{location}: masks need integers `height` and `width` of each of {n_cells:,} "
                f"cells, `start` of one more, and `bits` of uint8, as numpy.packbits gives them"
            )
        sizes = np.stack([heights, widths], axis=1).astype(np.int64)
        n_bytes = (sizes.prod(axis=1) + 7) // 8
        starts = starts.astype(np.int64)
        if (
            sizes.min(initial=1) < 1
            or (np.diff(starts) != n_bytes).any()
            or starts[0] < 0
            or starts[-1] > len(self._bits)
        ):
            raise InputError(
                f"{location}: `start` does not tell where the masks of these sizes begin in "
                f"`bits`: each takes the bytes of height * width bits, and begins at a byte"
            )
        self._sizes, self._starts = sizes, starts

    def of_size(self, size: tuple[int, ...]) -> MaskArray | None:
        """All of them as an array, if each has this height and width."""
        if (self._sizes != size).any():
            return None

        def fetch(indices: NDArray[np.int64]) -> Pixels:
            masks = [mask for mask in self.take(indices) if mask is not None]
            return np.stack(masks) if masks else np.zeros((0, *size), np.bool_)

        shape = (len(self._sizes), *size)
        return MaskArray(fetch=fetch, shape=shape, dtype=np.dtype(np.bool_))

    def take(self, indices: NDArray[np.int64]) -> list[Mask | None]:
        """See Masks.take."""
        masks: list[Mask | None] = []
        for index in indices.tolist():
            height, width = self._sizes[index].tolist()
            packed = self._bits[self._starts[index] : self._starts[index + 1]]
            bits = np.unpackbits(np.asarray(packed), count=height * width)
            masks.append(bits.astype(bool).reshape(height, width))
        return masks
