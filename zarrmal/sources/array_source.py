"""A source over one array: in memory, mapped from a file, in Zarr, or in xarray."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

from ..errors import InputError
from .annotations import AnnotationOptions, RawAnnotations, describe
from .limits import check_cell_shape
from .masks import PackedMasks
from .preprocessing import MAX_CHANNELS, Preprocessing, PreprocessingOptions
from .sizes import Sizes, beyond, checked_sizes
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
    heights, widths
        Integers (cell,): the size of each cell, at the upper left of what is fetched; None where
        it is all of it.
    masks
        Of the cells, which were cut out along them.
    location
        Begins messages and the description, such as "file cells.npy".
    notes
        What the description ends with, in brackets.

    Raises
    ------
    InputError
        If the array has another dtype or rank, holds no cells, cells that the codec cannot code,
        or sizes that do not fit it.
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
        heights: NDArray[Any] | None = None,
        widths: NDArray[Any] | None = None,
        masks: Mapping[str, NDArray[Any]] | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        notes = list(notes)
        if axes is not None and axes != tuple(range(len(shape))):
            notes.append(f"axes reordered from {shape}")
            shape = tuple(shape[axis] for axis in axes)
        check_array(shape, dtype, location)
        self._fetch, self._options = fetch, preprocessing
        self._native_sizes: Sizes | None = None
        self._masks = None if masks is None else PackedMasks(masks, shape[0], location)
        native = {(shape[1], shape[2])}
        if heights is not None and widths is not None:
            expect_one_per_cell(heights, widths, shape[0], location)
            self._native_sizes = checked_sizes(heights, widths, shape[1:], location)
        if self._native_sizes is not None:
            native = set(map(tuple, np.unique(self._native_sizes, axis=0).tolist()))
            self.sizes = self._native_sizes if preprocessing.size is None else None
        record = preprocessing.record(native)
        self.preprocessing = record if earlier is None else earlier.then(record)
        self.n_cells = shape[0]
        self._is_grey = shape[3:] in ((), (1,))
        self.cell_shape = preprocessing.cell_shape(shape[1 : 3 if self._is_grey else 4], location)
        check_cell_shape(self.cell_shape, location, is_canvas=self.sizes is not None)
        annotations = annotation.annotate(stored, self.n_cells, location)
        self.class_names, self.labels = annotations.class_names, annotations.labels
        self.groups, self.names = annotations.groups, annotations.names
        self.splits = annotations.splits
        self.location = location
        self.description = describe(location, self.n_cells, "cell", annotations, notes, self.sizes)

    def __reduce__(self) -> Any:
        """Pickle the address and the options where there is an address, not the array."""
        return super().__reduce__() if self.reopen is None else (self.reopen, ())

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See Source.read."""
        rows = checked_indices(indices, self.n_cells)
        cells = self._stored(rows)
        sizes = None if self._native_sizes is None else self._native_sizes[rows]
        return self._options.apply(cells, sizes)

    def silhouettes(self, indices: NDArray[np.int64]) -> Silhouettes | None:
        """See Source.silhouettes: masks that are stored, or those of a background of 0.

        The latter where the cells are resampled here, for which they are read once more.
        """
        rows = checked_indices(indices, self.n_cells)
        if self._masks is not None:
            return self._masks.silhouettes(self, rows)
        if self._options.size is None:
            return None
        cells: Sequence[NDArray[np.uint8]] = list(self._stored(rows))
        if self._native_sizes is not None:
            pairs = zip(cells, self._native_sizes[rows].tolist(), strict=True)
            cells = [cell[:height, :width] for cell, (height, width) in pairs]
        return self._options.silhouettes(cells)

    def _stored(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Cells as they are stored; InputError if one has pixels beyond its size."""
        cells = self._fetch(rows)
        if self._is_grey:
            cells = cells.reshape(cells.shape[:3])
        if self._native_sizes is None:
            return cells
        sizes = self._native_sizes[rows]
        wrong = rows[beyond(cells, sizes)]
        if len(wrong):
            height, width = self._native_sizes[wrong[0]].tolist()
            name = "" if self.names is None else f" ({self.names[wrong[0]]})"
            raise InputError(
                f"{self.location}: cell {wrong[0]}{name} is {height} x {width} by `height` and "
                f"`width`, but has pixels beyond that: correct them, or make those pixels 0"
            )
        return cells


def expect_one_per_cell(
    heights: NDArray[Any], widths: NDArray[Any], n_cells: int, location: str
) -> None:
    """Raise InputError unless there is one height and one width for each cell."""
    for name, values in (("height", heights), ("width", widths)):
        if values.shape != (n_cells,):
            raise InputError(f"{location}: `{name}` has shape {values.shape}, not ({n_cells},): "
                             f"give one value per cell")  # fmt: skip


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
