"""One unseen cell of each class, pixel by pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.constants import PROFILE_HYBRID, PROFILE_PAPER

from .cells import N_CLASSES, Chosen
from .costs import Costs, PaperCosts
from .pixel_bits import hybrid_bits, paper_pixels
from .results import ExampleCell
from .study_model import StudyModel

N_DIGITS = 4


def example_cells(
    cells: Chosen, models: Sequence[StudyModel], costs: Mapping[tuple[str, str], Costs]
) -> tuple[ExampleCell, ...]:
    """Of each class the cell whose cost, by the first model, is in the middle."""
    names = cells.cells.class_names
    first = costs[models[0].name, cells.name]
    found = []
    for i in range(N_CLASSES):
        mine = cells.of_class(i)
        each = [first.source(np.array([row]), i)["bits_per_pixel"] for row in mine.tolist()]
        row = int(mine[np.argsort(each, kind="stable")[len(mine) // 2]])
        found.append(_example(cells, i, row, names, models, costs))
    return tuple(found)


def _example(
    cells: Chosen,
    i: int,
    row: int,
    names: tuple[str, ...],
    models: Sequence[StudyModel],
    costs: Mapping[tuple[str, str], Costs],
) -> ExampleCell:
    cell = cells.pixels[row]
    paper: list[Any] = [None, None, None]
    hybrid = None
    for one in models:
        place = one.places(names)[i]
        if one.model.profile == PROFILE_PAPER and paper[0] is None:
            mine = costs[one.name, cells.name]
            assert isinstance(mine, PaperCosts)
            s = mine.residue_source(cells.of_class(i), i, i).rice_parameter
            paper = [_nested(part) for part in paper_pixels(one.model, place, cell, s)]
        if one.model.profile == PROFILE_HYBRID and hybrid is None:
            hybrid = _nested(hybrid_bits(one.model, place, cell).round(N_DIGITS))
    groups = cells.cells.groups
    return ExampleCell(
        class_name=names[i],
        row=int(cells.rows[row]),
        slide="" if groups is None else str(groups[row]),
        pixels=_nested(cell),
        prediction=paper[0],
        residue=paper[1],
        paper_bits=paper[2],
        hybrid_bits=hybrid,
    )


def _nested(values: NDArray[Any]) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(row) for row in values.tolist())
