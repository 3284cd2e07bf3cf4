"""Cells in one array, wherever it lies: in memory, mapped from a file, in Zarr, in xarray."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import InputError
from .annotations import Annotator, Columns, describe
from .shaping import MAX_CHANNELS, Shaping
from .source import Source, checked_indices

Fetch = Callable[[NDArray[np.int64]], NDArray[np.uint8]]
"""Checked indices, any order, repeats allowed -> those cells of the array."""

Take = Callable[["NDArray[np.int64] | slice"], NDArray[np.uint8]]
"""A contiguous slice, or increasing indices without repeats -> those cells of the array."""


class ArraySource(Source):
    """Cells of an array, uint8 (cell, y, x) or (cell, y, x, channel), 1 <= channel <= 4.

    Parameters
    ----------
    fetch
        Reads cells by index.
    shape, dtype
        Of the whole array.
    found
        What lies beside the array.
    shaping, annotator
        What the caller wants and gives.
    where
        Begins messages and the description, such as "file cells.npy".

    Raises
    ------
    InputError
        If the array has another type or rank, or no cells.
    """

    recipe: Callable[[], Source] | None = None
    """Opens it again, where it has an address."""

    def __init__(
        self,
        fetch: Fetch,
        shape: tuple[int, ...],
        dtype: DTypeLike,
        *,
        found: Columns,
        shaping: Shaping,
        annotator: Annotator,
        where: str,
    ) -> None:
        check_array(shape, dtype, where)
        self._fetch, self._shaping = fetch, shaping
        self.n_cells = shape[0]
        self.cell_shape = shaping.cell_shape(shape[1:], where)
        known = annotator.annotate(found, self.n_cells, where)
        self.class_names, self.labels = known.class_names, known.labels
        self.groups, self.names = known.groups, known.names
        self.description = describe(where, self.n_cells, "cell", known)

    def __reduce__(self) -> Any:
        """Sent to another process, a source with an address is opened there anew."""
        return super().__reduce__() if self.recipe is None else (self.recipe, ())

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See Source.read."""
        return self._shaping(self._fetch(checked_indices(indices, self.n_cells)))


def check_array(shape: tuple[int, ...], dtype: DTypeLike, where: str) -> None:
    """Refuse what is no array of cells.

    Raises
    ------
    InputError
    """
    if np.dtype(dtype) != np.uint8:
        raise InputError(f"{where}: holds {np.dtype(dtype)}, cells are uint8: convert it first")
    if len(shape) not in (3, 4):
        raise InputError(
            f"{where}: has shape {shape}, cells are (cell, y, x) or (cell, y, x, channel)"
        )
    if shape[0] == 0:
        raise InputError(f"{where}: holds 0 cells (shape {shape}), at least 1 is needed")
    if 0 in shape[1:3] or not 1 <= (*shape, 1)[3] <= MAX_CHANNELS:
        raise InputError(
            f"{where}: has shape {shape}, cells are (cell, y, x) or (cell, y, x, channel) with at "
            f"least 1 pixel and 1 to {MAX_CHANNELS} channels"
        )


def sorted_fetch(take: Take) -> Fetch:
    """Fetch by reading each cell once, in order: chunked stores decode no chunk twice."""

    def fetch(indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        unique, inverse = np.unique(indices, return_inverse=True)
        is_run = unique.size > 0 and unique[-1] - unique[0] + 1 == unique.size
        cells = take(slice(int(unique[0]), int(unique[-1]) + 1) if is_run else unique)
        return cells[inverse]

    return fetch
