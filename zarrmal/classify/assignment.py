"""Assignment of cells to the model's classes: the interface, its check, class names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..sources.columns.strings import refuse_mask

ONE_CLASS = ("cell",)
"""The classes of an archive without a model."""
UNTOLD = "class not told apart"
"""Stands for a class where nothing tells them apart."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assignment:
    """Classes of some cells.

    Parameters
    ----------
    predicted_class
        uint8 (cell,): index into the model's classes.
    probability
        float32 (cell,), 0..1: probability of the predicted class; None if the assigner has none.
    """

    predicted_class: NDArray[np.uint8]
    probability: NDArray[np.float32] | None = None


class Assigner(Protocol):
    """A function that assigns cells to classes, or an object with ``__call__``.

    An attribute ``needs_pixels = False`` says that the assigner does not look at the cells; it
    then gets an empty array, and the cells are not read.
    """

    def __call__(self, cells: NDArray[np.uint8], rows: NDArray[np.int64]) -> Assignment:
        """Assign some cells.

        Parameters
        ----------
        cells
            uint8 (cell, y, x[, channel]), on their canvas where sizes differ.
        rows
            int64 (cell,): indices of the cells in the source.
        """


def checked_assignment(
    assignment: Assignment | NDArray[np.integer[Any]], n_cells: int, n_classes: int
) -> Assignment:
    """The assignment, checked; the result of a user's function is not trusted.

    Parameters
    ----------
    assignment
        An Assignment, or an array of class indices.
    n_cells
        Number of cells that were to be assigned.
    n_classes
        Number of the model's classes.

    Raises
    ------
    InputError
        If its arrays have other lengths or dtypes, are masked, or a class is out of range.
    """
    if not isinstance(assignment, Assignment):
        assignment = Assignment(predicted_class=np.asanyarray(assignment))  # keeps a mask
    refuse_mask(assignment.predicted_class, "an assignment")
    classes = np.asarray(assignment.predicted_class)
    if classes.shape != (n_cells,) or classes.dtype.kind not in "iu":
        raise InputError(
            f"an assignment must hold {n_cells} integers, one per cell, not {classes.dtype} of "
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
            raise InputError(f"an assignment must hold {n_cells} probabilities, one per cell")
    return Assignment(predicted_class=classes.astype(np.uint8), probability=probability)


def class_index(name: str, class_names: tuple[str, ...]) -> int | None:
    """Index of the class of that name.

    If no class has exactly that name, the only class whose name differs in case alone; None if
    there is none, or more than one.
    """
    if name in class_names:
        return class_names.index(name)
    matches = [k for k, other in enumerate(class_names) if other.casefold() == name.casefold()]
    return matches[0] if len(matches) == 1 else None
