"""Giving each cell its class: one small interface behind all ways of doing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assignment:
    """Classes of some cells.

    Parameters
    ----------
    predicted_class
        uint8 (cell,): index into the model's classes.
    probability
        float32 (cell,) of the predicted class, 0..1, where the way of assigning knows it.
    """

    predicted_class: NDArray[np.uint8]
    probability: NDArray[np.float32] | None = None


class Assigner(Protocol):
    """Anything that can be called like this: a function, or an object with ``__call__``."""

    def __call__(self, cells: NDArray[np.uint8], rows: NDArray[np.int64]) -> Assignment:
        """Assign some cells.

        Parameters
        ----------
        cells
            uint8 (cell, y, x[, channel]).
        rows
            int64 (cell,): their places in the source, for ways that know the cells by place.
        """


def checked(
    assignment: Assignment | NDArray[np.integer[Any]], n_cells: int, n_classes: int
) -> Assignment:
    """The assignment, if it fits the cells; InputError otherwise, for callables from outside.

    A bare array of class indices will do.
    """
    if not isinstance(assignment, Assignment):
        assignment = Assignment(predicted_class=np.asarray(assignment))
    classes = np.asarray(assignment.predicted_class)
    if classes.shape != (n_cells,) or classes.dtype.kind not in "iu":
        raise InputError(
            f"an assignment must hold {n_cells} integers, one a cell, not {classes.dtype} of "
            f"shape {classes.shape}"
        )
    if n_cells and not 0 <= int(classes.min()) <= int(classes.max()) < n_classes:
        raise InputError(
            f"an assignment's classes must be 0..{n_classes - 1}, found {classes.min()}.."
            f"{classes.max()}"
        )
    probability = assignment.probability
    if probability is not None:
        probability = np.asarray(probability, np.float32)
        if probability.shape != (n_cells,):
            raise InputError(f"an assignment must hold {n_cells} probabilities, one a cell")
    return Assignment(predicted_class=classes.astype(np.uint8), probability=probability)
