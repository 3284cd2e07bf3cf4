"""Assigners: by label, by the shortest code, by a trained classifier."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.coder import coder_for

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
    source
        The cells that will be assigned, with their sizes and silhouettes; None where they have no
        others than their pixels show.
    """

    def __init__(self, model: Model, source: Source | None = None) -> None:
        self._coder, self._source = coder_for(model), source

    def __call__(self, cells: NDArray[np.uint8], rows: NDArray[np.int64]) -> Assignment:
        """See Assigner."""
        sizes, silhouettes = None, None
        if self._source is not None:
            sizes = None if self._source.sizes is None else self._source.sizes[rows]
            if self._coder.takes_silhouettes:  # to infer them takes time
                silhouettes = self._source.silhouettes(rows)
        return Assignment(predicted_class=self._coder.shortest(cells, sizes, silhouettes))


class ClassifierAssigner:
    """Assigns each cell to the model's class that has the name of its most probable class.

    Parameters
    ----------
    classifier
        Each of its classes must be a class of the model, ignoring case.
    class_names
        The model's.
    source
        The cells that will be assigned: each is classified at its own size. None takes all that it
        is given.

    Raises
    ------
    InputError
        If the model lacks one of the classifier's classes.
    """

    def __init__(
        self,
        classifier: CellClassifier,
        class_names: tuple[str, ...],
        source: Source | None = None,
    ) -> None:
        indices = class_indices(classifier, class_names)
        if indices is None:
            raise InputError(
                f"the classifier knows the classes {', '.join(map(repr, classifier.class_names))}, "
                f"the model {', '.join(map(repr, class_names))}: they must be the same, so train "
                f"one of them on the other's labels"
            )
        self._classifier, self._indices = classifier, indices
        self._class_names, self._source = class_names, source

    def __call__(self, cells: NDArray[np.uint8], rows: NDArray[np.int64]) -> Assignment:
        """See Assigner."""
        if not len(cells):
            return Assignment(predicted_class=np.empty(0, np.uint8))
        return most_probable(self._probabilities(cells, rows))

    def _probabilities(
        self, cells: NDArray[np.uint8], rows: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """float32 (cell, class), in the order of the model's classes."""
        probabilities = np.zeros((len(cells), len(self._class_names)), np.float32)
        for some, (height, width) in self._of_each_size(cells, rows):
            predicted = self._classifier.predict(cells[some, :height, :width])
            probabilities[np.ix_(some, self._indices)] = predicted
        return probabilities

    def _of_each_size(
        self, cells: NDArray[np.uint8], rows: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.intp], tuple[int, int]]]:
        """Indices of the cells of one size, and that size."""
        source = self._source
        if source is None or source.sizes is None:
            shape = cells.shape[1:] if source is None else source.cell_shape
            yield np.arange(len(cells)), (shape[0], shape[1])
            return
        sizes, inverse = np.unique(source.sizes[rows], axis=0, return_inverse=True)
        for k, (height, width) in enumerate(sizes.tolist()):
            yield np.flatnonzero(inverse.reshape(-1) == k), (height, width)


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
        super().__init__(classifier, class_names, source)
        indices = [class_index(name, class_names) for name in source.class_names]
        self._true: NDArray[np.uint8] | None = None
        if source.labels is not None and None not in indices:
            self._true = np.array(indices, np.uint8)[source.labels]
        self._predicted = np.full((source.n_cells, len(class_names)), np.nan, np.float32)

    def __call__(self, cells: NDArray[np.uint8], rows: NDArray[np.int64]) -> Assignment:
        """See Assigner."""
        probabilities = self._predicted[rows] = self._probabilities(cells, rows)
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
