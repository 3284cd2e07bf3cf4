"""Assigners for an archive whose classifier is trained for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...classify.assigners import ClassifierAssigner
from ...classify.assignment import Assignment
from ...classify.calibration import calibration_error
from ...classify.network import softmax
from ...classify.report import ClassifierReport
from ...progress import Progress, silent
from ...sources import Source, Subset
from ...split import split_by_group
from .train import ClassifierOptions, labels_as, logits_of, train_classifier, unit_of

N_FOLDS = 2


class CrossFittedClassifier:
    """Assigns every cell of a labelled source with a network that has not seen its slide.

    The slides are dealt into two folds; a network is trained on each and classifies the cells of
    the other. So all predicted classes, and the report on them, are for unseen slides.

    Parameters
    ----------
    source
        With labels of at least two classes.
    class_names
        Of the model: the classes to predict.
    options, progress
        As for train_classifier; ``unseen`` is ignored.

    Raises
    ------
    InputError
        If there are no labels or only one class.
    """

    needs_pixels = False  # all cells are classified in __init__

    def __init__(
        self,
        source: Source,
        class_names: tuple[str, ...],
        options: ClassifierOptions | None = None,
        progress: Progress = silent,
    ) -> None:
        options = replace(options or ClassifierOptions(), unseen=0.0)
        true = labels_as(source, class_names)
        folds = split_by_group(source.n_cells, source.groups, 1 / N_FOLDS, options.seed)
        shape = (source.n_cells, len(class_names))
        self._probabilities, raw = np.empty(shape, np.float32), np.empty(shape, np.float32)
        for k, (train, test) in enumerate([folds, folds[::-1]]):
            task = f"classifier {k + 1} of {N_FOLDS}"
            result = train_classifier(
                Subset(source, train),
                options,
                class_names=class_names,
                progress=progress,
                task=task,
            )
            logits = logits_of(result.classifier, source, test, progress, f"{task}: other cells")
            raw[test] = softmax(logits)
            self._probabilities[test] = softmax(logits / result.classifier.temperature)
        self.report = ClassifierReport.of(
            class_names,
            true,
            self._probabilities.argmax(axis=1).astype(np.uint8),
            unit_of(source),
            calibration_error=calibration_error(self._probabilities, true),
            raw_calibration_error=calibration_error(raw, true),
        )

    def __call__(self, cells: NDArray[np.uint8], rows: NDArray[np.int64]) -> Assignment:
        """See Assigner."""
        probabilities = self._probabilities[rows]
        return Assignment(
            predicted_class=probabilities.argmax(axis=1).astype(np.uint8),
            probability=probabilities.max(axis=1),
        )


class TrainedClassifier(ClassifierAssigner):
    """Assigns cells without labels with a network trained on labelled ones.

    A share of the labelled slides is held out for the report.

    Parameters
    ----------
    labelled
        Source with labels, with as many channels as the cells to assign.
    class_names, options, progress
        As for CrossFittedClassifier; ``unseen`` is the share held out.
    source
        See ClassifierAssigner.
    """

    def __init__(
        self,
        labelled: Source,
        class_names: tuple[str, ...],
        options: ClassifierOptions | None = None,
        progress: Progress = silent,
        source: Source | None = None,
    ) -> None:
        options = options or ClassifierOptions(unseen=0.2)
        result = train_classifier(labelled, options, class_names=class_names, progress=progress)
        super().__init__(result.classifier, class_names, source)
        self.report = result.report
