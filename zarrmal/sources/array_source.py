"""A source over one array: in memory, mapped from a file, in Zarr, or in xarray."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import InputError
from .annotations import AnnotationOptions, RawAnnotations, describe
from .limits import check_cell_shape
from .preprocessing import MAX_CHANNELS, Preprocessing, PreprocessingOptions
from .source import Source, checked_indices

Fetch = Callable[[NDArray[np.int64]], NDArray[np.uint8]]
"""Reads cells of the array by checked indices, in any order, repeats allowed."""

Take = Callable[["NDArray[np.int64] | slice"], NDArray[np.uint8]]
"""Reads cells of the array by a contiguous slice, or by increasing indices without repeats."""


class ArraySource(Source):
    """Cells of an array, uint8 (cell, y, x) or (cell, y, x, channel), 1 <= channel <= 4.

    With 1 channel the cells are grey, (y, x).

    Parameters
    ----------
    fetch
        Reads cells by index, as (cell, y, x[, channel]).
    shape, dtype
        Of the whole array.
    axes
        Axes of the array in the order cell, y, x[, channel]; None is the order of the array.
    stored
        Annotations stored beside the array.
    preprocessing, annotation
        The caller's options.
    earlier
        What was done to the pixels before they were stored in the array; None if nothing is known.
    location
        Begins messages and the description, such as "file cells.npy".
    notes
        What the description ends with, in brackets.

    Raises
    ------
    InputError
        If the array has another dtype or rank, holds no cells, or cells that the codec cannot
        code.
    """

    reopen: Callable[[], Source] | None = None
    """Opens the source again in another process; None where it has no address."""

    def __init__(
        self,
        fetch: Fetch,
        shape: tuple[int, ...],
        dtype: DTypeLike,
        *,
        stored: RawAnnotations,
        preprocessing: PreprocessingOptions,
        earlier: Preprocessing | None = None,
        annotation: AnnotationOptions,
        location: str,
        axes: tuple[int, ...] | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        notes = list(notes)
        if axes is not None and axes != tuple(range(len(shape))):
            notes.append(f"axes reordered from {shape}")
            shape = tuple(shape[axis] for axis in axes)
        check_array(shape, dtype, location)
        self._fetch, self._options = fetch, preprocessing
        record = preprocessing.record({(shape[1], shape[2])})
        self.preprocessing = record if earlier is None else earlier.then(record)
        self.n_cells = shape[0]
        self._is_grey = shape[3:] in ((), (1,))
        self.cell_shape = preprocessing.cell_shape(shape[1 : 3 if self._is_grey else 4], location)
        check_cell_shape(self.cell_shape, location)
        annotations = annotation.annotate(stored, self.n_cells, location)
        self.class_names, self.labels = annotations.class_names, annotations.labels
        self.groups, self.names = annotations.groups, annotations.names
        self.splits = annotations.splits
        self.location = location
        self.description = describe(location, self.n_cells, "cell", annotations, notes)

    def __reduce__(self) -> Any:
        """Pickle the address and the options where there is an address, not the array."""
        return super().__reduce__() if self.reopen is None else (self.reopen, ())

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See Source.read."""
        cells = self._fetch(checked_indices(indices, self.n_cells))
        if self._is_grey:
            cells = cells.reshape(cells.shape[:3])
        return self._options.apply(cells)


def check_array(shape: tuple[int, ...], dtype: DTypeLike, location: str) -> None:
    """Raise InputError unless it is an array of cells."""
    if np.dtype(dtype) != np.uint8:
        raise InputError(f"{location}: holds {np.dtype(dtype)}, cells are uint8: convert it first")
    if len(shape) not in (3, 4):
        raise InputError(
            f"{location}: has shape {shape}, cells are (cell, y, x) or (cell, y, x, channel)"
        )
    if shape[0] == 0:
        raise InputError(f"{location}: holds 0 cells (shape {shape}), at least 1 is needed")
    if 0 in shape[1:3] or not 1 <= (*shape, 1)[3] <= MAX_CHANNELS:
        raise InputError(
            f"{location}: has shape {shape}, cells are (cell, y, x) or (cell, y, x, channel) with "
            f"at least 1 pixel and 1 to {MAX_CHANNELS} channels"
        )


def sorted_fetch(take: Take) -> Fetch:
    """A Fetch that reads each cell once, in order, so that a store decodes no chunk twice."""

    def fetch(indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        unique, inverse = np.unique(indices, return_inverse=True)
        is_contiguous = unique.size > 0 and unique[-1] - unique[0] + 1 == unique.size
        cells = take(slice(int(unique[0]), int(unique[-1]) + 1) if is_contiguous else unique)
        return cells[inverse]

    return fetch
