"""Sources: cells read by index, with what is known of each cell."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.cell import JpegCell
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

from ..errors import InputError
from .columns.provenance import NO_COLUMNS, Columns, take
from .columns.strings import Strings
from .preprocessing import Preprocessing
from .sizes import MAX_SIDE, Pixels, Sizes, on_canvas, sizes_text

UINT8 = np.dtype(np.uint8)

FACTS = (
    *("n_cells", "cell_shape", "dtype", "channel_first", "channel_names", "sizes"),
    *("n_masks", "mask_names", "has_background", "has_jpeg_files"),
    *("class_names", "labels", "groups", "names", "splits"),
    *("columns", "preprocessing", "unreadable", "location", "description"),
)
"""Attributes of a source that tell of all cells."""


class Source(abc.ABC):
    """Cells on a canvas of one shape, read by index.

    Strings are NumPy's StringDType, which takes little memory where strings are long; ``.tolist()``
    gives Python strings. A source of your own may have arrays '<U' as well.

    Attributes
    ----------
    n_cells
        Number of cells, at least 1; a Subset may have 0.
    cell_shape
        (y, x) or (y, x, channel): of each cell, or, where sizes differ, of the canvas that holds
        any of them.
    dtype
        Of the pixels: bool, integers, floating or complex numbers, in this machine's byte order.
    channel_first
        The array, or the images, had the channel before y and x, and an archive keeps that. Cells
        are given with the channel last in any case.
    channel_names
        Of the channels; empty where they are not known.
    sizes
        uint16 (cell, 2): height and width of each cell, which lies at the upper left of its
        canvas; the rest of it is zero. None where each cell fills its canvas.
    n_masks
        Masks of each cell that lie beside its pixels, at the size of the cell; see ``masks``.
    mask_names
        Of these masks; empty where they are not known.
    has_background
        Some cell has pixels that are not 0 outside its mask. If none has, the silhouettes hold the
        masks already. True where there are no masks.
    has_jpeg_files
        Cells may be JPEG files, which ``jpeg`` gives as FileCells.
    class_names
        Names of the labels, sorted; empty without labels.
    labels
        uint8 (cell,): index into ``class_names``; or None.
    groups
        Strings (cell,): slide, or other group, of each cell; or None.
    names
        Strings (cell,): original name; for a file its path below the folder, with '/' between the
        parts; or None.
    splits
        Strings (cell,): the split that each cell belongs to, such as "train" or "test"; or None.
    columns
        Where each cell comes from, by the names of PROVENANCE; empty where that is not known.
    preprocessing
        What was done to the pixels of the original images.
    unreadable
        Names of the files that ``skip_unreadable`` left out.
    location
        Where the cells are, such as "folder cells/"; begins messages.
    description
        One line for logs: location, number of cells, labels, what was not used.
    """

    n_cells: int
    cell_shape: tuple[int, ...]
    dtype: np.dtype[Any] = UINT8
    channel_first: bool = False
    channel_names: tuple[str, ...] = ()
    sizes: Sizes | None = None
    n_masks: int = 0
    mask_names: tuple[str, ...] = ()
    has_background: bool = True
    has_jpeg_files: bool = False
    class_names: tuple[str, ...] = ()
    labels: NDArray[np.uint8] | None = None
    groups: Strings | None = None
    names: Strings | None = None
    splits: Strings | None = None
    columns: Columns = NO_COLUMNS
    preprocessing: Preprocessing = Preprocessing()
    unreadable: tuple[str, ...] = ()
    location: str = ""
    description: str = ""

    @abc.abstractmethod
    def read(self, indices: NDArray[np.int64]) -> Pixels:
        """Pixels of some cells.

        Parameters
        ----------
        indices
            int64 (cell,), 0 <= index < n_cells, in any order, repeats allowed.

        Returns
        -------
        NDArray
            ``dtype`` (cell, y, x) or (cell, y, x, channel), C-contiguous; the caller may change it.
            Cells smaller than ``cell_shape`` are padded with zeros at the bottom and right.

        Raises
        ------
        IndexError, TypeError
            If the indices are out of range or no integers.
        InputError
            If an image has changed since the source was opened.
        """

    def silhouettes(self, indices: NDArray[np.int64]) -> Silhouettes | None:
        """Masks along which some cells were cut out; None where the source has none.

        A cell's mask may have another size than its pixels, if those were resampled afterwards.

        Parameters
        ----------
        indices
            See ``read``.
        """
        return None

    def masks(self, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Masks that lie beside some cells, bool (cell, mask, y, x), on the canvas of the cells.

        Outside a cell's own size they are False.

        Parameters
        ----------
        indices
            See ``read``.

        Raises
        ------
        IndexError, TypeError, InputError
            As for ``read``.
        """
        n_cells = len(checked_indices(indices, self.n_cells))
        return np.zeros((n_cells, self.n_masks, *self.cell_shape[:2]), np.bool_)

    def jpeg(self, indices: NDArray[np.int64]) -> list[JpegCell | None] | None:
        """Coefficients of the JPEG pictures that some cells are, or were cut out of.

        Each cell's give its pixels as ``read`` does. None for a cell whose picture the exact
        decoder of ``zarrmal_codecs.lattice`` does not reproduce; None for all where the source
        knows nothing of such pictures.

        Parameters
        ----------
        indices
            See ``read``.
        """
        return None

    def original(self, index: int) -> Pixels:
        """One cell at its own size, (y, x[, channel]).

        Raises
        ------
        IndexError, TypeError, InputError
            As for ``read``.
        """
        cell: Pixels = self.read(np.array([index]))[0]
        if self.sizes is None:
            return cell
        height, width = self.sizes[index].tolist()
        return np.ascontiguousarray(cell[:height, :width])


class Subset(Source):
    """Some cells of a source, read only when asked for.

    Parameters
    ----------
    source
        The source of the cells. ``class_names`` is taken over whole, so a label keeps its index.
    indices
        int (cell,), 0 <= index < source.n_cells, in any order, repeats allowed; may be empty.

    Raises
    ------
    IndexError, TypeError
        If the indices are out of range or no integers.
    """

    def __init__(self, source: Source, indices: NDArray[np.int64] | Sequence[int]) -> None:
        self._source = source
        self._indices = checked_indices(indices, source.n_cells)
        for name in FACTS:
            setattr(self, name, getattr(source, name))
        self.n_cells = len(self._indices)
        self.sizes = None if source.sizes is None else source.sizes[self._indices]
        self.labels = None if source.labels is None else source.labels[self._indices]
        self.groups = None if source.groups is None else source.groups[self._indices]
        self.names = None if source.names is None else source.names[self._indices]
        self.splits = None if source.splits is None else source.splits[self._indices]
        self.columns = take(source.columns, self._indices)
        self.location = f"{self.n_cells:,} of {source.location or source.description}"
        self.description = f"{self.n_cells:,} of {source.description}"

    def read(self, indices: NDArray[np.int64]) -> Pixels:
        """See Source.read."""
        return self._source.read(self._indices[checked_indices(indices, self.n_cells)])

    def silhouettes(self, indices: NDArray[np.int64]) -> Silhouettes | None:
        """See Source.silhouettes."""
        return self._source.silhouettes(self._indices[checked_indices(indices, self.n_cells)])

    def masks(self, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
        """See Source.masks."""
        return self._source.masks(self._indices[checked_indices(indices, self.n_cells)])

    def jpeg(self, indices: NDArray[np.int64]) -> list[JpegCell | None] | None:
        """See Source.jpeg."""
        return self._source.jpeg(self._indices[checked_indices(indices, self.n_cells)])


class OnCanvas(Source):
    """The cells of a source on another canvas, with the size of each.

    Parameters
    ----------
    source
        Its names, labels and other columns are taken over.
    canvas
        (y, x), at least the size of each cell.
    what, advice
        Whose canvas it is, and what to do if it is too small, for messages.

    Raises
    ------
    InputError
        If a cell is larger.
    """

    def __init__(
        self,
        source: Source,
        canvas: tuple[int, int],
        *,
        what: str = "the canvas",
        advice: str = "give",
    ) -> None:
        self._source = source
        for name in FACTS:
            setattr(self, name, getattr(source, name))
        self.cell_shape = (*canvas, *source.cell_shape[2:])
        sizes = source.sizes
        if sizes is None:
            sizes = np.full((source.n_cells, 2), source.cell_shape[:2], np.int64)
        too_large = np.flatnonzero((sizes > canvas).any(axis=1))
        if len(too_large):
            first = int(too_large[0])
            name = f"{first}" if source.names is None else str(source.names[first])
            height, width = np.maximum(sizes.max(axis=0), canvas).tolist()
            raise InputError(
                f"cell {name} is {sizes_text((), sizes[first : first + 1])}, {what} is {canvas[0]} "
                f"x {canvas[1]}: {advice} --canvas {height}x{width} or larger"
            )
        if max(canvas) > MAX_SIDE:
            raise InputError(f"a canvas has at most {MAX_SIDE:,} rows and columns, not {canvas[0]} "
                             f"x {canvas[1]}")  # fmt: skip
        self.sizes = sizes.astype(np.uint16)

    def read(self, indices: NDArray[np.int64]) -> Pixels:
        """See Source.read."""
        return on_canvas(self._source.read(indices), self.cell_shape)

    def silhouettes(self, indices: NDArray[np.int64]) -> Silhouettes | None:
        """See Source.silhouettes."""
        own = self._source.silhouettes(indices)
        # Coverage would be that of the whole canvas.
        return own if own is None or own.resampling == "same" else None

    def masks(self, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
        """See Source.masks."""
        own = self._source.masks(indices)
        planes = own.reshape(-1, *own.shape[2:])
        return on_canvas(planes, self.cell_shape[:2]).reshape(*own.shape[:2], *self.cell_shape[:2])

    def jpeg(self, indices: NDArray[np.int64]) -> list[JpegCell | None] | None:
        """See Source.jpeg."""
        return self._source.jpeg(indices)


def kind_text(source: Source, cell_shape: tuple[int, ...] | None = None) -> str:
    """``50 x 50 x 3 of uint8``, or ``50 x 50 of uint16, 5 channels first``; for messages.

    Parameters
    ----------
    cell_shape
        On another canvas.
    """
    shape = cell_shape or source.cell_shape
    if source.channel_first:
        text = sizes_text(shape[:2], source.sizes)
        return f"{text} of {source.dtype}, {shape[2]} channels first"
    return f"{sizes_text(shape, source.sizes)} of {source.dtype}"


def require_one_size(source: Source, what: str) -> None:
    """InputError if the cells differ in size.

    Parameters
    ----------
    what
        That needs cells of one size, for the message.
    """
    if source.sizes is not None:
        raise InputError(
            f"{source.location or source.description}: cells of "
            f"{sizes_text(source.cell_shape, source.sizes)}: {what} needs cells of one size: "
            f"resample them with --size N"
        )


def require_codable(source: Source, what: str, *, deep: bool = False) -> None:
    """InputError if no model codes such cells, whatever their size: see model_fits.

    Parameters
    ----------
    what
        That needs such pixels, for the message.
    deep
        It takes uint16 as well as uint8.
    """
    allowed = (np.uint8, np.uint16) if deep else (np.uint8,)
    if source.dtype not in allowed:
        raise InputError(
            f"{source.location or source.description}: cells of {kind_text(source)}: {what} needs "
            f"cells of {' or '.join(np.dtype(each).name for each in allowed)}"
        )


def checked_indices(indices: NDArray[np.int64] | Sequence[int], n_cells: int) -> NDArray[np.int64]:
    """Indices as int64 (cell,).

    Raises
    ------
    TypeError
        If they are not one row of integers; a boolean mask is not.
    IndexError
        If one is negative, or not below n_cells.
    InputError
        If there are no cells at all. Writing and training read some cells first, so this is where
        an empty source is refused.
    """
    array = np.asarray(indices)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise TypeError(
            f"indices are one row of integers, not {array.dtype} of shape {array.shape}: "
            "for a mask give np.flatnonzero(mask)"
        )
    if array.size and not n_cells:
        raise InputError("the source holds 0 cells, at least 1 is needed")
    if array.size and (array.min() < 0 or array.max() >= n_cells):
        raise IndexError(
            f"indices run from {array.min()} to {array.max()}, allowed is 0 to {n_cells - 1}"
        )
    return array.astype(np.int64)
