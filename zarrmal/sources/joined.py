"""Several sources, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .source import Source, checked_indices


class Joined(Source):
    """The cells of several sources in turn, as an archive holds them that was appended to.

    Parameters
    ----------
    sources
        At least one, of cells of one shape. What is not known of all is not known.

    Raises
    ------
    InputError
        If the shapes differ.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        first = sources[0]
        for source in sources:
            if source.cell_shape != first.cell_shape:
                raise InputError(
                    f"{source.description}: cells of {source.cell_shape}, those of the first "
                    f"source are {first.cell_shape}: use --size or --channel"
                )
        self._sources = tuple(sources)
        self._ends = np.cumsum([source.n_cells for source in sources])
        self.n_cells = int(self._ends[-1])
        self.cell_shape = first.cell_shape
        self.description = "; ".join(source.description for source in sources)
        self.unreadable = tuple(name for source in sources for name in source.unreadable)
        labels = [source.labels for source in sources]
        if all(one is not None for one in labels):
            names = [np.array(s.class_names)[s.labels] for s in sources]
            self.class_names = tuple(sorted({str(name) for part in names for name in part}))
            self.labels = np.searchsorted(self.class_names, np.concatenate(names)).astype(np.uint8)
        self.groups = _all([source.groups for source in sources])
        self.names = _all([source.names for source in sources])

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See Source.read."""
        rows = checked_indices(indices, self.n_cells)
        which = np.searchsorted(self._ends, rows, side="right")
        out = np.empty((len(rows), *self.cell_shape), np.uint8)
        for k in np.unique(which).tolist():
            mine = np.flatnonzero(which == k)
            out[mine] = self._sources[k].read(rows[mine] - self._ends[k] + self._sources[k].n_cells)
        return out


def _all(columns: list[NDArray[np.str_] | None]) -> NDArray[np.str_] | None:
    known = [column for column in columns if column is not None]
    return np.concatenate(known) if len(known) == len(columns) else None
