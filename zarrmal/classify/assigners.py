"""Assigners: by label, by the shortest code, by a trained classifier."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.coder import coder_for

from ..errors import InputError
from ..sources import Source
from .assignment import Assignment, class_index
from .calibration import calibration_error
from .network import CellClassifier
from .report import ClassifierReport


class LabelAssigner:
    """Assigns each cell to the model's class that has the name of its label, ignoring case.

    Parameters
    ----------
    source
        The cells, with labels.
    class_names
        The model's. A model with one class takes all cells.

    Raises
    ------
    InputError
        If the source has no labels, or a label is no class of the model.
    """

    needs_pixels = False

    def __init__(self, source: Source, class_names: tuple[str, ...]) -> None:
        if len(class_names) == 1:
            self._classes = np.zeros(source.n_cells, np.uint8)
            return
        if source.labels is None:
            raise InputError(
                "the cells have no labels: sort them into one sub-folder per class, or let the "
                "codec choose with --assign shortest"
            )
        indices = [class_index(name, class_names) for name in source.class_names]
        unknown = [
            source.class_names[label]
            for label in np.unique(source.labels).tolist()
            if indices[label] is None
        ]
        if unknown:
            raise InputError(
                f"the cells are labelled {', '.join(map(repr, unknown))}, the model knows "
                f"{', '.join(map(repr, class_names))}: rename the labels, train another model, or "
                f"use --assign shortest"
            )
        # Labels without a cell may lack a class: 0 stands for it and is never used.
        table = np.array([index or 0 for index in indices], np.uint8)
        self._classes = table[source.labels]

    def __call__(self, cells: NDArray[np.uint8], rows: NDArray[np.int64]) -> Assignment:
        """See Assigner."""
        return Assignment(predicted_class=self._classes[rows])


class ShortestAssigner:
    """Assigns each cell to the class whose network codes it in the fewest bits.

    No other assigner gives fewer bits.

    Parameters
    ----------
    model
        The model that the cells will be written with.
    """

    def __init__(self, model: Model) -> None:
        self._coder = coder_for(model)

    def __call__(self, cells: NDArray[np.uint8], rows: NDArray[np.int64]) -> Assignment:
        """See Assigner."""
        return Assignment(predicted_class=self._coder.shortest(cells))


class ClassifierAssigner:
    """Assigns each cell to the model's class that has the name of its most probable class.

    Parameters
    ----------
    classifier
        Each of its classes must be a class of the model, ignoring case.
    class_names
        The model's.

    Raises
    ------
    InputError
        If the model lacks one of the classifier's classes.
    """

    def __init__(self, classifier: CellClassifier, class_names: tuple[str, ...]) -> None:
        indices = class_indices(classifier, class_names)
        if indices is None:
            raise InputError(
                f"the classifier knows the classes {', '.join(map(repr, classifier.class_names))}, "
                f"the model {', '.join(map(repr, class_names))}: they must be the same, so train "
                f"one of them on the other's labels"
            )
        self._classifier, self._indices = classifier, indices
        self._class_names = class_names

    def __call__(self, cells: NDArray[np.uint8], rows: NDArray[np.int64]) -> Assignment:
        """See Assigner."""
        if not len(cells):
            return Assignment(predicted_class=np.empty(0, np.uint8))
        return most_probable(self._probabilities(cells))

    def _probabilities(self, cells: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32 (cell, class), in the order of the model's classes."""
        probabilities = np.zeros((len(cells), len(self._class_names)), np.float32)
        probabilities[:, self._indices] = self._classifier.predict(cells)
        return probabilities


class EvaluatedClassifierAssigner(ClassifierAssigner):
    """A ClassifierAssigner for labelled cells that reports how well the classifier does.

    Parameters
    ----------
    classifier, class_names
        As for ClassifierAssigner.
    source
        The cells that will be assigned, with labels. If a label is no class of the model, there is
        no report.
    """

    def __init__(
        self, classifier: CellClassifier, class_names: tuple[str, ...], source: Source
    ) -> None:
        super().__init__(classifier, class_names)
        indices = [class_index(name, class_names) for name in source.class_names]
        self._true: NDArray[np.uint8] | None = None
        if source.labels is not None and None not in indices:
            self._true = np.array(indices, np.uint8)[source.labels]
        self._predicted = np.full((source.n_cells, len(class_names)), np.nan, np.float32)

    def __call__(self, cells: NDArray[np.uint8], rows: NDArray[np.int64]) -> Assignment:
        """See Assigner."""
        probabilities = self._predicted[rows] = self._probabilities(cells)
        return most_probable(probabilities)

    @property
    def report(self) -> ClassifierReport | None:
        """Report on the cells assigned so far; whether they were trained on is not known."""
        if self._true is None:
            return None
        assigned = ~np.isnan(self._predicted[:, 0])
        predicted, true = self._predicted[assigned], self._true[assigned]
        return ClassifierReport.of(
            self._class_names,
            true,
            predicted.argmax(axis=1).astype(np.uint8),
            "",
            calibration_error=calibration_error(predicted, true),
        )


def most_probable(probabilities: NDArray[np.float32]) -> Assignment:
    """The assignment to the most probable classes, from float32 (cell, class)."""
    return Assignment(
        predicted_class=probabilities.argmax(axis=1).astype(np.uint8),
        probability=probabilities.max(axis=1),
    )


def class_indices(
    classifier: CellClassifier, class_names: tuple[str, ...]
) -> NDArray[np.uint8] | None:
    """uint8 (class,): the model's class of each of the classifier's; None if one has none."""
    indices = [class_index(name, class_names) for name in classifier.class_names]
    known = [index for index in indices if index is not None]
    if len(known) < len(indices) or len(set(known)) < len(known):
        return None
    return np.array(known, np.uint8)
