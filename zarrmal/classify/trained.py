"""Class by a trained classifier."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..sources import Source
from .assignment import Assignment
from .calibration import calibration_error
from .labels import class_place
from .network import CellClassifier
from .report import ClassifierReport


class ClassifierAssigner:
    """Gives each cell the model's class of the same name as its most probable class.

    Parameters
    ----------
    classifier
        Its classes must be classes of the model, whatever their case.
    class_names
        Of the model.

    Raises
    ------
    InputError
        If the model lacks one of the classifier's classes.
    """

    def __init__(self, classifier: CellClassifier, class_names: tuple[str, ...]) -> None:
        places = places_in(classifier, class_names)
        if places is None:
            raise InputError(
                f"the classifier knows the classes {', '.join(map(repr, classifier.class_names))}, "
                f"the model {', '.join(map(repr, class_names))}: they must be the same, so train "
                f"one of them on the other's labels"
            )
        self._classifier, self._places = classifier, places
        self._class_names = class_names

    def __call__(self, cells: NDArray[np.uint8], rows: NDArray[np.int64]) -> Assignment:
        """See Assigner."""
        if not len(cells):
            return Assignment(predicted_class=np.empty(0, np.uint8))
        probabilities = self._probabilities(cells)
        return Assignment(
            predicted_class=probabilities.argmax(axis=1).astype(np.uint8),
            probability=probabilities.max(axis=1),
        )

    def _probabilities(self, cells: NDArray[np.uint8]) -> NDArray[np.float32]:
        """In the order of the model's classes."""
        out = np.zeros((len(cells), len(self._class_names)), np.float32)
        out[:, self._places] = self._classifier.predict(cells)
        return out


class JudgedClassifier(ClassifierAssigner):
    """The same for cells with labels: it keeps a report, which is whole when all were assigned.

    Parameters
    ----------
    classifier, class_names
        As for ClassifierAssigner.
    source
        The cells to come, with labels. Where a label is no class of the model there is no report.
    """

    def __init__(
        self, classifier: CellClassifier, class_names: tuple[str, ...], source: Source
    ) -> None:
        super().__init__(classifier, class_names)
        places = [class_place(name, class_names) for name in source.class_names]
        self._true: NDArray[np.uint8] | None = None
        if source.labels is not None and None not in places:
            self._true = np.array(places, np.uint8)[source.labels]
        self._found = np.full((source.n_cells, len(class_names)), np.nan, np.float32)

    def __call__(self, cells: NDArray[np.uint8], rows: NDArray[np.int64]) -> Assignment:
        """See Assigner."""
        found = self._found[rows] = self._probabilities(cells)
        return Assignment(
            predicted_class=found.argmax(axis=1).astype(np.uint8), probability=found.max(axis=1)
        )

    @property
    def report(self) -> ClassifierReport | None:
        """On the cells assigned so far. Nobody knows here whether they were trained on."""
        if self._true is None:
            return None
        done = ~np.isnan(self._found[:, 0])
        found, true = self._found[done], self._true[done]
        return ClassifierReport.of(
            self._class_names,
            true,
            found.argmax(axis=1).astype(np.uint8),
            "",
            calibration_error=calibration_error(found, true),
        )


def places_in(classifier: CellClassifier, class_names: tuple[str, ...]) -> NDArray[np.uint8] | None:
    """uint8 (class,): the model's class of each of the classifier's; None where one lacks."""
    places = [class_place(name, class_names) for name in classifier.class_names]
    known = [place for place in places if place is not None]
    if len(known) < len(places) or len(set(known)) < len(known):
        return None
    return np.array(known, np.uint8)
