"""Sources: cells of one shape, read by index, with what is known of each cell."""

from __future__ import annotations

import abc
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .limits import MAX_LABELS
from .preprocessing import Preprocessing
from .strings import Strings


class Source(abc.ABC):
    """Cells of one shape, read by index.

    Strings are NumPy's StringDType, which takes little memory where strings are long; ``.tolist()``
    gives Python strings. A source of your own may have arrays '<U' as well.

    Attributes
    ----------
    n_cells
        Number of cells, at least 1; a Subset may have 0.
    cell_shape
        (y, x) or (y, x, channel).
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
    class_names: tuple[str, ...] = ()
    labels: NDArray[np.uint8] | None = None
    groups: Strings | None = None
    names: Strings | None = None
    splits: Strings | None = None
    preprocessing: Preprocessing = Preprocessing()
    unreadable: tuple[str, ...] = ()
    location: str = ""
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
            uint8 (cell, y, x) or (cell, y, x, channel), C-contiguous; the caller may change it.

        Raises
        ------
        IndexError, TypeError
            If the indices are out of range or no integers.
        InputError
            If an image has changed since the source was opened.
        """


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
        self.n_cells = len(self._indices)
        self.cell_shape = source.cell_shape
        self.class_names = source.class_names
        self.labels = None if source.labels is None else source.labels[self._indices]
        self.groups = None if source.groups is None else source.groups[self._indices]
        self.names = None if source.names is None else source.names[self._indices]
        self.splits = None if source.splits is None else source.splits[self._indices]
        self.preprocessing = source.preprocessing
        self.unreadable = source.unreadable
        self.location = f"{self.n_cells:,} of {source.location or source.description}"
        self.description = f"{self.n_cells:,} of {source.description}"

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See Source.read."""
        return self._source.read(self._indices[checked_indices(indices, self.n_cells)])


class ConcatSource(Source):
    """The cells of several sources, one source after the other.

    An archive that was appended to holds its cells in this order.

    Parameters
    ----------
    sources
        At least one, all with the same ``cell_shape``. Labels, groups, names and splits are
        those of the sources if all sources have them, else None.

    Raises
    ------
    InputError
        If the shapes differ, cells are not preprocessed alike, or there are too many different
        labels.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        first = sources[0]
        for source in sources:
            if source.cell_shape != first.cell_shape:
                raise InputError(
                    f"{source.description}: cells of {source.cell_shape}, those of the first "
                    f"source are {first.cell_shape}: use --size or --channel"
                )
        self.preprocessing = Preprocessing.merged(source.preprocessing for source in sources)
        self._sources = tuple(sources)
        self._stops = np.cumsum([source.n_cells for source in sources])
        self.n_cells = int(self._stops[-1])
        self.cell_shape = first.cell_shape
        self.location = "; ".join(source.location or source.description for source in sources)
        self.description = "; ".join(source.description for source in sources)
        self.unreadable = tuple(name for source in sources for name in source.unreadable)
        if all(source.labels is not None for source in sources):
            self.class_names = tuple(sorted(set().union(*map(_used_names, sources))))
            if len(self.class_names) > MAX_LABELS:
                raise InputError(
                    f"{self.location}: {len(self.class_names):,} different labels together, an "
                    f"archive holds at most {MAX_LABELS}: merge some"
                )
            self.labels = np.concatenate([_renumbered(s, self.class_names) for s in sources])
        self.groups = _concatenated([source.groups for source in sources])
        self.names = _concatenated([source.names for source in sources])
        self.splits = _concatenated([source.splits for source in sources])

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See Source.read."""
        rows = checked_indices(indices, self.n_cells)
        source_numbers = np.searchsorted(self._stops, rows, side="right")
        cells = np.empty((len(rows), *self.cell_shape), np.uint8)
        for number in np.unique(source_numbers).tolist():
            source = self._sources[number]
            positions = np.flatnonzero(source_numbers == number)
            start = self._stops[number] - source.n_cells
            cells[positions] = source.read(rows[positions] - start)
        return cells


def _used_names(source: Source) -> set[str]:
    """Names of the labels that cells have; a subset may lack some."""
    assert source.labels is not None
    return {source.class_names[label] for label in np.unique(source.labels).tolist()}


def _renumbered(source: Source, class_names: tuple[str, ...]) -> NDArray[np.uint8]:
    """Labels as indices into other class names, which hold all that are used."""
    assert source.labels is not None
    index = {name: k for k, name in enumerate(class_names)}
    table = np.array([index.get(name, 0) for name in source.class_names], np.uint8)
    return table[source.labels]


def _concatenated(columns: list[Strings | None]) -> Strings | None:
    """The columns one after the other; None if one is missing."""
    known = [column for column in columns if column is not None]
    return np.concatenate(known) if len(known) == len(columns) else None


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
