"""Many cells: which cameras they came from, then the coefficients of each; and what was found.

Cells of one camera share its tables, but a small cell tells only the steps of the frequencies that
it uses. So some cells are looked at first, and tables that agree where both are told become one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.picture import Camera

from .find import FoundCell, find_cell, used_frequencies
from .series import sampling_name, series_name
from .tables import standard_table

Cell = tuple[NDArray[np.uint8], NDArray[np.bool_] | None]
"""Pixels (y, x) or (y, x, 3), and which of them are the cell's; see ``find_cell``."""

SURVEY_CELLS = 48
"""Cells that are looked at for their cameras."""


@dataclass(slots=True)
class _Group:
    """Cameras that agree, as one."""

    camera: Camera
    is_used: NDArray[np.bool_]
    n_cells: int


def survey(cells: Sequence[Cell], n_cells: int = SURVEY_CELLS) -> list[Camera]:
    """Cameras of a sample of cells, the most frequent first; empty if none was found.

    Parameters
    ----------
    cells
        All, or a sample.
    n_cells
        So many are looked at, evenly spaced.
    """
    rows = np.unique(np.linspace(0, len(cells) - 1, n_cells).astype(np.int64))
    groups: list[_Group] = []
    for row in rows.tolist() if len(cells) else []:
        found = find_cell(cells[row][0], cells[row][1], _completed(groups))
        if found is not None:
            _join(groups, found)
            groups.sort(key=lambda group: -group.n_cells)
    return _completed(groups)


def _completed(groups: Sequence[_Group]) -> list[Camera]:
    """The cameras; steps that their own cells do not use are those that most others use."""
    cameras = []
    for group in groups:
        alike = [other for other in groups if _is_like(other.camera, group.camera)]
        used = np.stack([other.is_used for other in alike])
        steps = np.stack([other.camera.tables for other in alike])
        same = (steps[:, None] == steps[None]) & used[None] & used[:, None]
        counts = same.sum(axis=1)
        usual = np.take_along_axis(steps, counts.argmax(axis=0)[None], axis=0)[0]
        fill = ~group.is_used & used.any(axis=0)
        tables = np.where(fill, usual, group.camera.tables)
        for plane, is_used in enumerate(group.is_used):
            tables[plane] = standard_table(group.camera.tables[plane], is_used, tables[plane])
        cameras.append(replace(group.camera, tables=tables))
    return cameras


def _is_like(camera: Camera, other: Camera) -> bool:
    """Whether two cameras differ by their tables alone."""
    mine, others = ((c.ratios, c.colour, c.fancy) for c in (camera, other))
    return mine == others


def _join(groups: list[_Group], found: FoundCell) -> None:
    """Add a cell to the first group whose camera agrees with its own, or to a new one."""
    used = used_frequencies(found)
    camera = found.camera
    for group in groups:
        if not _is_like(camera, group.camera):
            continue
        both = used & group.is_used
        if (camera.tables == group.camera.tables)[both].all():
            tables = np.where(group.is_used, group.camera.tables, camera.tables)
            group.camera = replace(camera, tables=tables)
            group.is_used |= used
            group.n_cells += 1
            return
    groups.append(_Group(camera=camera, is_used=used, n_cells=1))


def find_cells(cells: Iterable[Cell], cameras: Sequence[Camera]) -> Iterator[FoundCell | None]:
    """Coefficients of each cell, or None; see ``find_cell``.

    Each cell is found by itself, so that they can be shared out to processes.
    """
    for pixels, visible in cells:
        yield find_cell(pixels, visible, cameras)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found in some cells.

    Attributes
    ----------
    n_cells, n_found
        Cells, and those that come from a JPEG.
    cameras
        Each camera and its number of cells, the most frequent first.
    n_visible, n_covered, n_corrections
        Pixels of the cells that were found, see ``FoundCell``.
    n_whole, n_whole_found, n_known
        Whole blocks of each plane, those of them with coefficients, and all with coefficients.
    """

    n_cells: int
    n_found: int
    cameras: tuple[tuple[Camera, int], ...]
    n_visible: int
    n_covered: int
    n_corrections: int
    n_whole: tuple[int, ...]
    n_whole_found: tuple[int, ...]
    n_known: tuple[int, ...]

    @classmethod
    def of(cls, cells: Iterable[FoundCell | None]) -> Finding:
        """Sum over cells."""
        n_cells, found = 0, []
        for cell in cells:
            n_cells += 1
            if cell is not None:
                found.append(cell)
        n_planes = max((len(cell.is_known) for cell in found), default=0)

        def by_plane(values: Iterable[Sequence[int]]) -> tuple[int, ...]:
            total = np.zeros(n_planes, np.int64)
            for value in values:
                total[: len(value)] += value
            return tuple(total.tolist())

        return cls(
            n_cells=n_cells,
            n_found=len(found),
            cameras=tuple(Counter(cell.camera for cell in found).most_common()),
            n_visible=sum(cell.n_visible for cell in found),
            n_covered=sum(cell.n_covered for cell in found),
            n_corrections=sum(len(cell.correction_positions) for cell in found),
            n_whole=by_plane(cell.n_whole for cell in found),
            n_whole_found=by_plane(cell.n_whole_found for cell in found),
            n_known=by_plane([int(known.sum()) for known in cell.is_known] for cell in found),
        )

    def to_json(self) -> dict[str, Any]:
        """Strict JSON; the five most frequent cameras."""
        return {
            "cells": self.n_cells,
            "found": self.n_found,
            "cameras": len(self.cameras),
            "most_frequent": [
                {
                    "cells": count,
                    "colour": camera.colour,
                    "sampling": sampling_name(camera),
                    "tables": [series_name(table.reshape(-1)) for table in camera.tables],
                }
                for camera, count in self.cameras[:5]
            ],
            "visible_pixels": self.n_visible,
            "covered_pixels": self.n_covered,
            "corrections": self.n_corrections,
            "whole_blocks": list(self.n_whole),
            "whole_blocks_found": list(self.n_whole_found),
            "blocks_found": list(self.n_known),
        }
