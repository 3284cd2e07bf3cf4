"""A classifier trained on labelled cells, judged on slides it has not seen (torch)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..classify.assignment import Assignment
from ..classify.report import ClassifierReport
from ..errors import InputError
from ..progress import Progress, silent
from ..sources import Source
from ..split import split_by_group
from .cnn import CellNet, fit_cnn, predict_cnn

N_FOLDS = 2
DEFAULT_STEPS = 1_500
MAX_CELLS = 30_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassifierOptions:
    """What the caller wishes. ``epochs=None`` is decided from the number of cells."""

    epochs: int | None = None
    seed: int = 0


class CrossFittedClassifier:
    """Assigns every cell of a labelled source by a network that has not seen its slide.

    The slides are dealt into two folds; a network is trained on each and classifies the cells of
    the other. So all predicted classes, and the report on them, are for unseen slides, as they
    would be in use.

    Parameters
    ----------
    source
        With labels of at least two classes.
    class_names
        Of the model: the classes that come out.
    options, progress
        See there.

    Raises
    ------
    InputError
        If there are no labels or only one class.
    """

    needs_pixels = False  # all cells were classified when it was made

    def __init__(
        self,
        source: Source,
        class_names: tuple[str, ...],
        options: ClassifierOptions | None = None,
        progress: Progress = silent,
    ) -> None:
        options = options or ClassifierOptions()
        true = labels_as(source, class_names)
        first, second = split_by_group(source.n_cells, source.groups, 1 / N_FOLDS, options.seed)
        self._predicted = np.empty(source.n_cells, np.uint8)
        self._probability = np.empty(source.n_cells, np.float32)
        for k, (train, judge) in enumerate([(first, second), (second, first)]):
            task = f"classifier {k + 1} of {N_FOLDS}"
            network = _fit(source, train, true, len(class_names), options, task, progress)
            for rows in np.array_split(judge, max(1, len(judge) // 1024)):
                probabilities = predict_cnn(network, source.read(rows))
                self._predicted[rows] = probabilities.argmax(axis=1)
                self._probability[rows] = probabilities.max(axis=1)
        by_slide = source.groups is not None and len(np.unique(source.groups)) > 1
        self.report = ClassifierReport.of(
            class_names, true, self._predicted, "slides" if by_slide else "cells"
        )

    def __call__(self, cells: NDArray[np.uint8], rows: NDArray[np.int64]) -> Assignment:
        """See Assigner."""
        return Assignment(
            predicted_class=self._predicted[rows], probability=self._probability[rows]
        )


class TrainedClassifier:
    """Assigns cells without labels by a network trained on labelled ones.

    A fifth of the labelled slides is kept out to report on.

    Parameters
    ----------
    labelled
        Source with labels, of the same cell shape as the cells to come.
    class_names, options, progress
        As for CrossFittedClassifier.
    """

    def __init__(
        self,
        labelled: Source,
        class_names: tuple[str, ...],
        options: ClassifierOptions | None = None,
        progress: Progress = silent,
    ) -> None:
        options = options or ClassifierOptions()
        true = labels_as(labelled, class_names)
        train, judge = split_by_group(labelled.n_cells, labelled.groups, 0.2, options.seed)
        self._network = _fit(
            labelled, train, true, len(class_names), options, "classifier", progress
        )
        predicted = predict_cnn(self._network, labelled.read(judge)).argmax(axis=1)
        by_slide = labelled.groups is not None and len(np.unique(labelled.groups)) > 1
        self.report = ClassifierReport.of(
            class_names, true[judge], predicted.astype(np.uint8), "slides" if by_slide else "cells"
        )

    def __call__(self, cells: NDArray[np.uint8], rows: NDArray[np.int64]) -> Assignment:
        """See Assigner."""
        probabilities = predict_cnn(self._network, cells)
        return Assignment(
            predicted_class=probabilities.argmax(axis=1).astype(np.uint8),
            probability=probabilities.max(axis=1),
        )


def labels_as(source: Source, class_names: tuple[str, ...]) -> NDArray[np.uint8]:
    """Labels as indices into class_names; InputError where that can't be."""
    if source.labels is None:
        raise InputError(
            "a classifier learns from labelled cells, and these have no labels: sort them into "
            "one sub-folder a class, give labelled ones with --labelled SOURCE, or use "
            "--assign shortest"
        )
    unknown = set(source.class_names) - set(class_names)
    if unknown:
        raise InputError(f"the labels {sorted(unknown)} are not classes of the model, which has "
                         f"{list(class_names)}: train a model on these labels")  # fmt: skip
    table = np.array([class_names.index(name) for name in source.class_names], np.uint8)
    labels = table[source.labels]
    if len(np.unique(labels)) < 2:
        raise InputError("a classifier needs labelled cells of at least two classes, found one: "
                         "use --assign labels or shortest")  # fmt: skip
    return labels


def _fit(
    source: Source,
    rows: NDArray[np.int64],
    true: NDArray[np.uint8],
    n_classes: int,
    options: ClassifierOptions,
    task: str,
    progress: Progress,
) -> CellNet:
    if len(rows) > MAX_CELLS:
        draw = np.random.default_rng(options.seed).choice(rows, MAX_CELLS, replace=False)
        rows = np.sort(draw)
    if len(rows) < 2:
        raise InputError(f"a classifier cannot learn from {len(rows)} cells")
    epochs = options.epochs or max(3, min(60, round(DEFAULT_STEPS * 64 / len(rows))))
    network: CellNet | None = None
    cells = source.read(rows)
    torch.use_deterministic_algorithms(True)
    for done, total, trained in fit_cnn(
        cells, true[rows], n_classes, epochs=epochs, seed=options.seed
    ):
        network = trained
        progress(task, done, total)
    assert network is not None
    return network
