"""Several sources as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.cell import JpegCell
from zarrmal_codecs.silhouette.coverage import Resampling
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

from ..errors import InputError
from .columns.provenance import joined
from .columns.strings import Strings
from .limits import MAX_LABELS
from .preprocessing import Preprocessing
from .sizes import Pixels
from .source import OnCanvas, Source, checked_indices


class ConcatSource(Source):
    """The cells of several sources, one source after the other.

    An archive that was appended to holds its cells in this order.

    Parameters
    ----------
    sources
        At least one, all with the same channels. Where their cells differ in size, the canvas is
        the smallest that holds all. Labels, groups, names, splits and masks are
        those of the sources if all sources have them, else None.

    Raises
    ------
    InputError
        If dtypes or channels differ, cells are not preprocessed alike, or there are too many
        different labels.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        first = sources[0]
        for source in sources:
            if source.dtype != first.dtype:
                raise InputError(
                    f"{source.description}: cells of {source.dtype}, those of the first source are "
                    f"{first.dtype}: convert one of them"
                )
            if source.cell_shape[2:] != first.cell_shape[2:]:
                raise InputError(
                    f"{source.description}: cells of {source.cell_shape}, those of the first "
                    f"source are {first.cell_shape}: use --channel"
                )
        self.preprocessing = Preprocessing.merged(source.preprocessing for source in sources)
        if len({source.cell_shape for source in sources}) > 1 or any(
            source.sizes is not None for source in sources
        ):
            height, width = np.max([source.cell_shape[:2] for source in sources], axis=0).tolist()
            sources = [OnCanvas(source, (height, width)) for source in sources]
            self.sizes = np.concatenate([s.sizes for s in sources if s.sizes is not None])
        self._sources = tuple(sources)
        self._stops = np.cumsum([source.n_cells for source in sources])
        self.n_cells = int(self._stops[-1])
        self.cell_shape, self.dtype = sources[0].cell_shape, first.dtype
        self.channel_first, self.channel_names = first.channel_first, first.channel_names
        if len({source.n_masks for source in sources}) == 1:
            self.n_masks, self.mask_names = first.n_masks, first.mask_names
            self.has_background = any(source.has_background for source in sources)
        self.has_jpeg_files = any(source.has_jpeg_files for source in sources)
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
        self.columns = joined([source.columns for source in sources])

    def read(self, indices: NDArray[np.int64]) -> Pixels:
        """See Source.read."""
        rows = checked_indices(indices, self.n_cells)
        cells = np.empty((len(rows), *self.cell_shape), self.dtype)
        for source, positions, own in self._parts(rows):
            cells[positions] = source.read(own)
        return cells

    def masks(self, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
        """See Source.masks."""
        rows = checked_indices(indices, self.n_cells)
        masks = np.zeros((len(rows), self.n_masks, *self.cell_shape[:2]), np.bool_)
        for source, positions, own in self._parts(rows) if self.n_masks else ():
            masks[positions] = source.masks(own)
        return masks

    def silhouettes(self, indices: NDArray[np.int64]) -> Silhouettes | None:
        """See Source.silhouettes; None where the sources were not resampled alike."""
        rows = checked_indices(indices, self.n_cells)
        masks: list[NDArray[np.bool_] | None] = [None] * len(rows)
        resamplings: set[Resampling] = set()
        for source, positions, own in self._parts(rows):
            part = source.silhouettes(own)
            if part is None:
                return None
            resamplings.add(part.resampling)
            for position, mask in zip(positions.tolist(), part.masks, strict=True):
                masks[position] = mask
        if len(resamplings) != 1:
            return None
        return Silhouettes(masks=masks, resampling=resamplings.pop())

    def jpeg(self, indices: NDArray[np.int64]) -> list[JpegCell | None] | None:
        """See Source.jpeg; None where none of these sources knows anything."""
        rows = checked_indices(indices, self.n_cells)
        cells: list[JpegCell | None] = [None] * len(rows)
        knows = False
        for source, positions, own in self._parts(rows):
            part = source.jpeg(own)
            knows |= part is not None
            for position, cell in zip(positions.tolist(), part or (), strict=False):
                cells[position] = cell
        return cells if knows else None

    def _parts(
        self, rows: NDArray[np.int64]
    ) -> Iterator[tuple[Source, NDArray[np.intp], NDArray[np.int64]]]:
        """Each source of some cells, which of the rows are its own, and their indices there."""
        numbers = np.searchsorted(self._stops, rows, side="right")
        for number in np.unique(numbers).tolist():
            source = self._sources[number]
            positions = np.flatnonzero(numbers == number)
            yield source, positions, rows[positions] - (self._stops[number] - source.n_cells)


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
