"""The real classifier: its predictions for the unseen cells, and its error rates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...classify import ClassifierReport
from ...classify.assignment import class_index
from ...classify.network import CellClassifier
from ...errors import InputError
from ...progress import Progress, silent
from ...sources import Source
from ..results.study_results import ClassifierRates
from .mixtures import as_surface

BLOCK_CELLS = 512


def refuse_unfit(classifier: CellClassifier, cells: Source) -> None:
    """Check the classifier before a long run.

    Raises
    ------
    InputError
        If it does not fit the classes or the shape of the cells.
    """
    if None in _class_indices(classifier, cells) or not classifier.fits(cells.cell_shape):
        raise InputError(
            f"the classifier is for {classifier.n_channels} channels and the classes "
            f"{', '.join(map(repr, classifier.class_names))}, the cells are "
            f"{' x '.join(map(str, cells.cell_shape))} and "
            f"{', '.join(map(repr, cells.class_names))}: omit --classifier to train one"
        )


def _class_indices(classifier: CellClassifier, cells: Source) -> list[int | None]:
    return [class_index(name, cells.class_names) for name in classifier.class_names]


def predicted_classes(
    classifier: CellClassifier, cells: Source, progress: Progress = silent
) -> NDArray[np.uint8]:
    """The more probable class of each cell, uint8 (cell,), an index into the source's classes."""
    class_indices = np.array(_class_indices(classifier, cells), np.uint8)
    predicted = np.empty(cells.n_cells, np.uint8)
    for start in range(0, cells.n_cells, BLOCK_CELLS):
        rows = np.arange(start, min(start + BLOCK_CELLS, cells.n_cells))
        progress("classifying", start, cells.n_cells)
        predicted[rows] = class_indices[classifier.predict(cells.read(rows)).argmax(axis=1)]
    progress("classifying", cells.n_cells, cells.n_cells)
    return predicted


def classifier_rates(name: str, cells: Source, predicted: NDArray[np.uint8]) -> ClassifierRates:
    """Confusion matrix and misclassification rates on all cells of a source with labels."""
    assert cells.labels is not None
    report = ClassifierReport.of(cells.class_names, cells.labels, predicted, "slides")
    return ClassifierRates(
        name=name,
        n_cells=cells.n_cells,
        accuracy=report.accuracy,
        confusion=tuple(tuple(row) for row in report.confusion.tolist()),
        rates=as_surface(report.rates),
    )
