"""The sizes of the cells, where they differ: the arrays ``height`` and ``width``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....sources.sizes import Pixels, beyond
from ...format import HEIGHT, SIZES, WIDTH
from ...opened import OpenArchive
from .values import StoredColumn, read_column


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredSizes:
    """Height and width of each cell.

    Parameters
    ----------
    values
        int64 (cell, 2): from 1 to the canvas's; the canvas's where they are lost.
    known
        bool (cell,): they are those that were written.
    lines
        What is damaged, a line each.
    """

    values: NDArray[np.int64]
    known: NDArray[np.bool_]
    lines: tuple[str, ...]

    @property
    def n_pixels(self) -> int:
        """Of all cells; a colour pixel counts once."""
        return int(self.values.prod(axis=1).sum())

    @property
    def bounds(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Smallest and largest height, and width, of at least one cell."""
        low, high = self.values.min(axis=0).tolist(), self.values.max(axis=0).tolist()
        return (low[0], high[0]), (low[1], high[1])

    def crop(self, cell: Pixels, position: int) -> Pixels:
        """The cell (y, x[, channel]) at its own size."""
        height, width = self.values[position].tolist()
        return cell[:height, :width]

    def beyond(self, cells: Pixels, positions: NDArray[Any]) -> NDArray[np.bool_]:
        """bool (cell,): the cell has a pixel that is not zero outside its size."""
        return beyond(cells, self.values[positions])


def read_sizes(archive: OpenArchive) -> StoredSizes | None:
    """What is sound of the sizes; None if the archive's cells are all of one size."""
    if not set(SIZES) & set(archive.facts.arrays):
        return None
    columns = {name: read_column(archive, name, archive.n_cells) for name in SIZES}
    return sizes_of(archive, columns)


def sizes_of(
    archive: OpenArchive, columns: Mapping[str, StoredColumn | None]
) -> StoredSizes | None:
    """The sizes in columns that are read already."""
    present = [column for name in SIZES if (column := columns.get(name)) is not None]
    if not present:
        return None
    canvas = archive.cell_shape[:2]
    values = np.tile(np.array(canvas, np.int64), (archive.n_cells, 1))
    lines = [line for column in present for line in column.lines]
    if len(present) < len(SIZES):
        lines.append(f"of `{HEIGHT}` and `{WIDTH}` only `{present[0].name}` is there")
        return StoredSizes(
            values=values, known=np.zeros(archive.n_cells, np.bool_), lines=tuple(lines)
        )
    known = np.ones(archive.n_cells, np.bool_)
    for column, side in zip(present, canvas, strict=True):
        wrong = column.known & ((column.values < 1) | (column.values > side))
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            lines.append(
                f"`{column.name}` of cell {first} is {column.values[first]}, not from 1 to {side}"
            )
        known &= column.known & ~wrong
    for axis, column in enumerate(present):
        values[known, axis] = column.values[known]
    return StoredSizes(values=values, known=known, lines=tuple(lines))
