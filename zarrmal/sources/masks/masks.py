"""Masks of cells beside their pixels, read by index; which mask belongs to which cell."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.silhouette.coverage import Resampling
from zarrmal_codecs.silhouette.silhouettes import Silhouettes, is_codable

from ...errors import InputError
from ..source import Source
from .resampling import Mask, find_resampling

SAMPLE_CELLS = 48
"""Cells by which it is found how pixels were resampled."""

PLACE = "{name}"
"""Stands for the name of a cell in a pattern of masks."""


def is_beside(pattern: str) -> bool:
    """Whether a pattern is of masks in the folders of their cells."""
    return not os.path.dirname(pattern)


def mask_path(pattern: str, name: str) -> str:
    """Path of the mask of a cell.

    Parameters
    ----------
    pattern
        With ``{name}`` in place of the cell's name, such as ``{name}_mask.png``, which lies beside
        the cell, or ``masks/{name}.tif``.
    name
        Of the cell: its path below the folder of cells.
    """
    stem = os.path.splitext(name)[0]
    if not is_beside(pattern):
        return pattern.replace(PLACE, stem)
    folder, own = os.path.split(stem)
    return os.path.join(folder, pattern.replace(PLACE, own))


class Masks(ABC):
    """A mask of each cell of a source, read by index."""

    location: str
    _resampling: Resampling | None = None

    @abstractmethod
    def take(self, indices: NDArray[np.int64]) -> list[Mask | None]:
        """Masks of some cells, bool (y, x) each, of any size; None for a cell that has none."""

    def silhouettes(self, source: Source, rows: NDArray[np.int64]) -> Silhouettes:
        """Silhouettes of some cells of a source; how they were resampled is found once."""
        if self._resampling is None:
            some = np.unique(np.linspace(0, source.n_cells - 1, SAMPLE_CELLS).astype(np.int64))
            sizes = None if source.sizes is None else source.sizes[some]
            self._resampling = find_resampling(source.read(some), self.take(some), sizes)
        masks = [
            mask if mask is not None and is_codable(mask) else None for mask in self.take(rows)
        ]
        return Silhouettes(masks=masks, resampling=self._resampling)


class NamedMasks(Masks):
    """Masks in another order.

    Parameters
    ----------
    masks
        Of cells with these names.
    names
        Of the masks' cells.
    wanted
        Names of the cells whose masks are asked for.

    Raises
    ------
    InputError
        If a cell has no mask, or a name is there twice.
    """

    def __init__(self, masks: Masks, names: Sequence[str], wanted: Sequence[str]) -> None:
        self._masks, self.location = masks, masks.location
        number = {name: i for i, name in enumerate(names)}
        refuse_repeated(self.location, names)
        missing = [name for name in wanted if name not in number]
        if missing:
            raise InputError(missing_text(masks.location, missing))
        self._rows = np.array([number[name] for name in wanted], np.int64)

    def take(self, indices: NDArray[np.int64]) -> list[Mask | None]:
        """See Masks.take."""
        return self._masks.take(self._rows[indices])


def refuse_repeated(location: str, names: Sequence[str]) -> None:
    """InputError if a name is there twice: which mask is meant?"""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"{location}: holds more than one mask of {name}: leave one of them")
        seen.add(name)


def missing_text(location: str, missing: Sequence[str]) -> str:
    """The message that cells of these names have no mask."""
    more = f" and {len(missing) - 1:,} other cells" if len(missing) > 1 else ""
    return (
        f"{location}: holds no mask of {missing[0]}{more}: masks have the names of the "
        f"cells, those in a folder but for the suffix"
    )
