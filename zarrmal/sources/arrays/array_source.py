"""A source over one array: in memory, mapped from a file, in Zarr, or in xarray."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from zarrmal_codecs.lattice.cell import JpegCell
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

from ...errors import InputError
from ..columns.annotations import AnnotationOptions, RawAnnotations, describe
from ..dimensions import MAX_CHANNELS, is_channel_first
from ..limits import check_cell_shape, check_dtype
from ..masks.packed import PackedMasks
from ..masks.planes import MaskArray, Planes
from ..preprocessing import Preprocessing, PreprocessingOptions
from ..sizes import Pixels, Sizes, beyond, block_cells, checked_sizes
from ..source import Source, checked_indices

Fetch = Callable[[NDArray[np.int64]], Pixels]
"""Reads cells of the array by checked indices, in any order, repeats allowed."""

Take = Callable[["NDArray[np.int64] | slice"], Pixels]
"""Reads cells of the array by a contiguous slice, or by increasing indices without repeats."""


class ArraySource(Source):
    """Cells of an array, (cell, y, x) or (cell, y, x, channel), 1 <= channel <= 64.

    With 1 channel the cells are grey, (y, x).

    Parameters
    ----------
    fetch
        Reads cells by index, as (cell, y, x[, channel]).
    shape, dtype
        Of the whole array.
    axes
        Axes of the array in the order cell, y, x[, channel], in which ``fetch`` gives them; None
        is the order of the array.
    stored
        Annotations stored beside the array.
    preprocessing, annotation
        The caller's options.
    earlier
        What was done to the pixels before they were stored in the array; None if nothing is known.
    heights, widths
        Integers (cell,): the size of each cell, at the upper left of what is fetched; None where
        it is all of it.
    packed_masks
        Of the cells, which were cut out along them; see PACKED_KEYS.
    masks
        Beside the cells; None without.
    planes
        Which channels of the array are masks, and the names of all.
    location
        Begins messages and the description, such as "file cells.npy".
    notes
        What the description ends with, in brackets.

    Raises
    ------
    InputError
        If the array has another dtype or rank, holds no cells, cells that the codec cannot code,
        or sizes or masks that do not fit it.
    """

    reopen: Callable[[], Source] | None = None
    """Opens the source again in another process; None where it has no address."""

    origin: Source | None = None
    """The source that has the same cells under the same indices, pixel for pixel."""

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
        packed_masks: Mapping[str, NDArray[Any]] | None = None,
        masks: MaskArray | None = None,
        planes: Planes | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        notes = list(notes)
        if axes is not None and axes != tuple(range(len(shape))):
            self.channel_first = is_channel_first(axes)
            is_kept = self.channel_first and axes == (0, 2, 3, 1)
            notes.append(f"channels first, {shape}" if is_kept else f"axes reordered from {shape}")
            shape = tuple(shape[axis] for axis in axes)
        check_array(shape, dtype, location)
        self.dtype = np.dtype(dtype).newbyteorder("=")
        self._fetch, self._options = fetch, preprocessing
        self._native_sizes: Sizes | None = None
        self._packed = None
        if packed_masks is not None:
            self._packed = PackedMasks(packed_masks, shape[0], location)
        self._planes = (planes or Planes()).of(shape[3:], location)
        shape = self._planes.image_shape(shape)
        self._mask_array = masks
        if masks is not None and self._planes.masks:
            raise InputError(f"{location}: holds masks beside the cells, and mask planes among the "
                             f"channels: choose --mask-channel none")  # fmt: skip
        if self._packed is not None and preprocessing.size is None:
            masks = masks or self._packed.of_size(shape[1:3])
            self._mask_array = masks
        if masks is not None:
            masks.check(shape, location)
            self.n_masks, self.mask_names = masks.n_masks, masks.names
        elif self._planes.masks:
            self.n_masks, self.mask_names = len(self._planes.masks), self._planes.mask_names
            notes.append(f"{self.n_masks} of the channels are masks")
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
        self.channel_first = self.channel_first and not self._is_grey
        self.cell_shape = preprocessing.cell_shape(shape[1 : 3 if self._is_grey else 4], location)
        preprocessing.check_dtype(self.dtype, location)
        if self.n_masks and preprocessing.size is not None:
            raise InputError(f"{location}: holds masks at the size of the cells, which --size does "
                             f"not resample: leave --size out, or choose --mask-channel "
                             f"none")  # fmt: skip
        if self.cell_shape[2:]:
            self.channel_names = self._planes.image_names
        check_cell_shape(self.cell_shape, location, is_canvas=self.sizes is not None)
        annotations = annotation.annotate(stored, self.n_cells, location)
        self.class_names, self.labels = annotations.class_names, annotations.labels
        self.groups, self.names = annotations.groups, annotations.names
        self.splits = annotations.splits
        self.location = location
        self.description = describe(location, self.n_cells, "cell", annotations, notes, self.sizes)
        if self._packed is not None and self.n_masks:
            self.has_background = has_background(self)

    def __reduce__(self) -> Any:
        """Pickle the address and the options where there is an address, not the array."""
        return super().__reduce__() if self.reopen is None else (self.reopen, ())

    def read(self, indices: NDArray[np.int64]) -> Pixels:
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
        if self._packed is not None:
            return self._packed.silhouettes(self, rows)
        if self._options.size is None:
            return None
        cells: Sequence[Pixels] = list(self._stored(rows))
        if self._native_sizes is not None:
            pairs = zip(cells, self._native_sizes[rows].tolist(), strict=True)
            cells = [cell[:height, :width] for cell, (height, width) in pairs]
        return self._options.silhouettes(cells)

    def jpeg(self, indices: NDArray[np.int64]) -> list[JpegCell | None] | None:
        """See Source.jpeg: what the origin knows."""
        return None if self.origin is None else self.origin.jpeg(indices)

    def masks(self, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
        """See Source.masks."""
        rows = checked_indices(indices, self.n_cells)
        if self._mask_array is not None:
            masks = self._mask_array.read(rows, self.location)
        elif self._planes.masks:
            masks = self._planes.mask_planes(self._fetch(rows), rows, self.location)
        else:
            return super().masks(rows)
        if self._native_sizes is not None:
            planes = np.moveaxis(masks, 1, 3)
            self._refuse_beyond(planes, rows, "a mask")
        return masks

    def _stored(self, rows: NDArray[np.int64]) -> Pixels:
        """Cells as they are stored; InputError if one has pixels beyond its size."""
        cells = self._planes.image_planes(self._fetch(rows)).astype(self.dtype, copy=False)
        if self._is_grey:
            cells = cells.reshape(cells.shape[:3])
        self._refuse_beyond(cells, rows, "pixels")
        return cells

    def _refuse_beyond(self, cells: Pixels, rows: NDArray[np.int64], what: str) -> None:
        if self._native_sizes is None:
            return
        wrong = rows[beyond(cells, self._native_sizes[rows])]
        if len(wrong):
            height, width = self._native_sizes[wrong[0]].tolist()
            name = "" if self.names is None else f" ({self.names[wrong[0]]})"
            raise InputError(
                f"{self.location}: cell {wrong[0]}{name} is {height} x {width} by `height` and "
                f"`width`, but has {what} beyond that: correct them, or make those pixels 0"
            )


def has_background(source: Source) -> bool:
    """Whether some cell has pixels that are not 0 outside its masks; all cells are read."""
    n_block = block_cells(source.cell_shape, source.dtype.itemsize)
    for start in range(0, source.n_cells, n_block):
        rows = np.arange(start, min(start + n_block, source.n_cells))
        cells = source.read(rows)
        has = (cells.reshape(*cells.shape[:3], -1) != 0).any(axis=3)
        if (has & ~source.masks(rows).any(axis=1)).any():
            return True
    return False


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
    check_dtype(dtype, location)
    if len(shape) not in (3, 4):
        raise InputError(
            f"{location}: has shape {shape}, cells are (cell, y, x), (cell, y, x, channel) or "
            f"(cell, channel, y, x)"
        )
    if shape[0] == 0:
        raise InputError(f"{location}: holds 0 cells (shape {shape}), at least 1 is needed")
    if 0 in shape[1:3] or not 1 <= (*shape, 1)[3] <= MAX_CHANNELS:
        raise InputError(
            f"{location}: has shape {shape}, as (cell, y, x[, channel]): cells have at least 1 "
            f"pixel and 1 to {MAX_CHANNELS} channels"
        )


def array_fetch(array: NDArray[Any], axes: tuple[int, ...]) -> Fetch:
    """Reads cells of an array in memory, or mapped, in the order of some axes."""
    if axes == tuple(range(array.ndim)):
        return array.__getitem__
    # A transposed view would not keep alive the array to which a temporary file is tied.
    return lambda indices: np.transpose(np.take(array, indices, axes[0]), axes)


def sorted_fetch(take: Take) -> Fetch:
    """A Fetch that reads each cell once, in order, so that a store decodes no chunk twice."""

    def fetch(indices: NDArray[np.int64]) -> Pixels:
        unique, inverse = np.unique(indices, return_inverse=True)
        is_contiguous = unique.size > 0 and unique[-1] - unique[0] + 1 == unique.size
        cells = take(slice(int(unique[0]), int(unique[-1]) + 1) if is_contiguous else unique)
        return cells[inverse]

    return fetch
