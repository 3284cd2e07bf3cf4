"""Class by the label that came with the cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..sources import Source
from .assignment import Assignment


class LabelAssigner:
    """Gives each cell the model's class of the same name as its label, upper case or lower.

    Parameters
    ----------
    source
        With labels.
    class_names
        Of the model. A model of one class takes every label.

    Raises
    ------
    InputError
        If the source has no labels, or one that the model doesn't know.
    """

    needs_pixels = False  # spares the plan one reading of all cells

    def __init__(self, source: Source, class_names: tuple[str, ...]) -> None:
        if len(class_names) == 1:
            self._classes = np.zeros(source.n_cells, np.uint8)
            return
        if source.labels is None:
            raise InputError(
                "the cells have no labels: sort them into one sub-folder a class, or let the "
                "codec choose with --assign shortest"
            )
        used = np.unique(source.labels).tolist()
        places = [class_place(name, class_names) for name in source.class_names]
        unknown = [source.class_names[k] for k in used if places[k] is None]
        if unknown:
            raise InputError(
                f"the cells are labelled {', '.join(map(repr, unknown))}, the model knows "
                f"{', '.join(map(repr, class_names))}: rename the labels, train another model, or "
                f"use --assign shortest"
            )
        table = np.array([place or 0 for place in places], np.uint8)
        self._classes = table[source.labels]

    def __call__(self, cells: NDArray[np.uint8], rows: NDArray[np.int64]) -> Assignment:
        """See Assigner."""
        return Assignment(predicted_class=self._classes[rows])


def class_place(name: str, class_names: tuple[str, ...]) -> int | None:
    """Index of the class of this name; where there is none, of the only one but for its case."""
    if name in class_names:
        return class_names.index(name)
    alike = [k for k, other in enumerate(class_names) if other.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else None
