"""Selection of the training and validation cells of each class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..sources import Source
from ..split import split_by_group

SINGLE_CLASS = "cell"
"""Name of the class of cells without labels."""

Rows = NDArray[np.int64]


def labels_of(source: Source) -> tuple[tuple[str, ...], NDArray[np.uint8]]:
    """Class names and labels uint8 (cell,) of a source; without labels all are of one class."""
    if source.labels is None:
        return (SINGLE_CLASS,), np.zeros(source.n_cells, np.uint8)
    return source.class_names or (SINGLE_CLASS,), source.labels


def select_cells(
    source: Source,
    names: tuple[str, ...],
    labels: NDArray[np.uint8],
    *,
    validation: float,
    max_cells: int,
    seed: int,
) -> list[tuple[Rows, Rows]]:
    """Training and validation rows of each class, int64, ascending.

    Parameters
    ----------
    validation
        Share of the slides held out, 0 <= validation < 1. A class that has fewer than two cells
        on the others is trained on all its cells, and has none to validate on.
    max_cells
        At most so many training cells of a class, drawn at random.

    Raises
    ------
    InputError
        If a class has fewer than two cells.
    """
    training, validation_rows = split_by_group(source.n_cells, source.groups, validation, seed)
    generator = np.random.default_rng(seed)
    selected = []
    for k, name in enumerate(names):
        train = training[labels[training] == k]
        validate = validation_rows[labels[validation_rows] == k]
        if len(train) < 2:
            train, validate = np.flatnonzero(labels == k), validate[:0]
        if len(train) < 2:
            raise InputError(
                f"class {name!r} has {len(train)} cells: at least 2 are needed to train, and some "
                f"hundreds to be of use"
            )
        if len(train) > max_cells:
            train = np.sort(generator.choice(train, max_cells, replace=False))
        selected.append((train, validate))
    return selected


def evenly(rows: Rows, n: int) -> Rows:
    """At most n of the rows, evenly spaced: neighbours come from the same slide."""
    return rows[np.linspace(0, len(rows) - 1, min(n, len(rows))).astype(np.int64)]
