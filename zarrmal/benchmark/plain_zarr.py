"""A Zarr array of pixels behind the data sets of zarrmal.torch, for the benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ..torch.handle import ArchiveHandle


class PlainHandle(ArchiveHandle):
    """Reads cells of an array by zarr's own means.

    Parameters
    ----------
    path
        Of the array.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, None)
        self._path = path

    @property
    def channel_first(self) -> bool:
        """Never: the benchmark's cells have their channels last."""
        return False

    def pixels(self, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See ArchiveHandle."""
        array: Any = zarr.open_array(self._path, mode="r")  # takes a millisecond
        rows, inverse = np.unique(positions, return_inverse=True)
        start, stop = int(rows[0]), int(rows[-1]) + 1
        # A slice is faster than a selection of rows.
        read = array[start:stop] if stop - start == len(rows) else array.oindex[rows]
        return np.asarray(read)[inverse]
