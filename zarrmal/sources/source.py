"""A source: cells of one shape, read by index, with what is known of each."""

from __future__ import annotations

import abc
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError


class Source(abc.ABC):
    """Cells of one shape, read by index.

    Attributes
    ----------
    n_cells
        At least 1, but for a Subset.
    cell_shape
        (y, x) or (y, x, channel).
    class_names
        Sorted; a label is an index into it. Empty where there are no labels.
    labels
        uint8 (cell,), or None.
    groups
        '<U' (cell,): slide, or other group, of each cell; or None.
    names
        '<U' (cell,): original name, for a file its path below the folder with '/' between the
        parts; or None.
    unreadable
        Names of the files left out by ``skip_unreadable``.
    description
        One short line for logs.
    """

    n_cells: int
    cell_shape: tuple[int, ...]
    class_names: tuple[str, ...] = ()
    labels: NDArray[np.uint8] | None = None
    groups: NDArray[np.str_] | None = None
    names: NDArray[np.str_] | None = None
    unreadable: tuple[str, ...] = ()
    description: str = ""

    @abc.abstractmethod
    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Pixels of some cells.

        Parameters
        ----------
        indices
            int64 (cell,), 0 <= index < n_cells, in any order, repeats allowed.

        Returns
        -------
        NDArray
            uint8 (cell, y, x) or (cell, y, x, channel), C-contiguous, the caller's own.

        Raises
        ------
        IndexError, TypeError
            If the indices are none.
        InputError
            If an image has changed since the source was opened.
        """


class Subset(Source):
    """Some cells of a source, read only when asked for.

    Parameters
    ----------
    source
        Where the cells are. Its class names stay, so that labels keep their meaning.
    indices
        int (cell,), 0 <= index < source.n_cells, in any order, repeats allowed; may be empty.

    Raises
    ------
    IndexError, TypeError
        If the indices are none.
    """

    def __init__(self, source: Source, indices: NDArray[np.int64] | Sequence[int]) -> None:
        self._source = source
        self._indices = checked_indices(indices, source.n_cells)
        self.n_cells = len(self._indices)
        self.cell_shape = source.cell_shape
        self.class_names = source.class_names
        self.labels = None if source.labels is None else source.labels[self._indices]
        self.groups = None if source.groups is None else source.groups[self._indices]
        self.names = None if source.names is None else source.names[self._indices]
        self.unreadable = source.unreadable
        self.description = f"{self.n_cells:,} of {source.description}"

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See Source.read."""
        return self._source.read(self._indices[checked_indices(indices, self.n_cells)])


def checked_indices(indices: NDArray[np.int64] | Sequence[int], n_cells: int) -> NDArray[np.int64]:
    """Indices as int64 (cell,).

    Raises
    ------
    TypeError
        If they are not one row of integers; a mask of booleans is not.
    IndexError
        If one is negative, or not below n_cells.
    InputError
        If there is none to choose: whoever writes or trains begins with looking at some cells.
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
