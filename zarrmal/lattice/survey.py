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
from zarrmal_codecs.lattice.jpeg.picture import Camera

from .factors import SAMPLE_CELLS, chance_bits, count_levels, is_like
from .find import find_cell
from .found import FoundCell
from .series import sampling_name, series_name
from .tables import standard_table

Cell = tuple[NDArray[np.uint8], NDArray[np.bool_] | None]
"""Pixels (y, x) or (y, x, 3), and which of them are the cell's; see ``find_cell``."""

SURVEY_CELLS = SAMPLE_CELLS
"""Cells that are looked at for their cameras."""

MOST_CHANCE_BITS = 10.0
"""Minus log2 of the chance that all levels of a frequency have a factor in common, up to which
cells with different steps there may be of one camera."""

RARE_LEVELS = 2
"""A step that no more levels tell may be wrong, as in a cut block."""


@dataclass(slots=True)
class _Group:
    """Cameras that agree, as one; how many levels that are not 0 its cells have."""

    camera: Camera
    n_levels: NDArray[np.int64]
    n_cells: int

    @property
    def is_used(self) -> NDArray[np.bool_]:
        return self.n_levels > 0


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
            n_levels = count_levels(found.coefficients)
            _join(groups, _Group(camera=found.camera, n_levels=n_levels, n_cells=1))
            groups.sort(key=lambda group: -group.n_cells)
    return _completed(groups)


def _completed(groups: Sequence[_Group]) -> list[Camera]:
    """The cameras; steps that their own cells do not use are those that most others use."""
    cameras = []
    for group in groups:
        alike = [other for other in groups if is_like(other.camera, group.camera)]
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


def _join(groups: list[_Group], new: _Group) -> None:
    """Add a group to the first whose camera agrees with its own, else to the list."""
    for number, group in enumerate(groups):
        merged = _merged(group, new)
        if merged is not None:
            # Its steps may agree with those of a third group now.
            del groups[number]
            _join(groups, merged)
            return
    groups.append(new)


def _merged(group: _Group, other: _Group) -> _Group | None:
    """Two groups as one; None if their steps differ by more than factors that may be chance."""
    if not is_like(group.camera, other.camera):
        return None
    both = group.is_used & other.is_used
    steps, others = (g.camera.tables.astype(np.int64) for g in (group, other))
    common = np.gcd(steps, others)
    n_coarser = np.where(steps > others, group.n_levels, other.n_levels)
    bits = chance_bits(np.maximum(steps, others) // common, n_coarser)
    is_factor = (common == steps) | (common == others)
    is_rare = np.minimum(group.n_levels, other.n_levels) <= RARE_LEVELS
    is_likely = is_factor & (bits <= MOST_CHANCE_BITS)
    if not (is_likely | is_rare)[both].all():
        return None
    more_used = np.where(other.n_levels > group.n_levels, others, steps)
    tables = np.where(both & is_likely, common, more_used)
    # Levels that contradict each other cancel out, so that the step of most cells is left.
    is_against = both & ~is_likely
    n_levels = np.where(
        is_against, abs(group.n_levels - other.n_levels), group.n_levels + other.n_levels
    )
    return _Group(
        camera=replace(group.camera, tables=tables.astype(np.uint16)),
        n_levels=n_levels,
        n_cells=group.n_cells + other.n_cells,
    )


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
