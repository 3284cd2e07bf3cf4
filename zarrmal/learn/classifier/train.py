"""Training a classifier of cells, and its report on slides that it has not seen."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...classify.assignment import class_index
from ...classify.calibration import calibration_error, fitted_temperature
from ...classify.network import CellClassifier, softmax
from ...classify.report import ClassifierReport
from ...errors import InputError
from ...progress import Progress, silent
from ...sources import Source
from ...sources.source import require_codable, require_one_size
from ...split import split_by_group
from ..checkpoint import Checkpoint, run_digest
from ..loop import fit, prepare_device
from .network import INPUT_SIZE, fold_batch_norms
from .training import ClassifierTraining, prepare_images

DEFAULT_CELLS = 100_000
"""Cells seen in a training of default length; a cell counts once for each epoch."""

MIN_EPOCHS, MAX_EPOCHS = 3, 40
MAX_CELLS = 30_000
"""At most so many are trained on: prepared RGB cells take 20 kB each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierOptions:
    """Options of training a classifier.

    Parameters
    ----------
    epochs
        Passes over the cells; None decides from their number.
    minutes
        Time limit. The result then depends on the machine's speed.
    seed
        Of all random numbers; 0 and ``unseen=0.25`` give the standard split.
    unseen
        Share of the slides held out of training and calibration for the report,
        0 <= unseen < 1.
    calibration
        Share of the other slides held out of training to set the temperature,
        0 < calibration < 1. The report is on them where ``unseen`` is 0.
    """

    epochs: int | None = None
    minutes: float | None = None
    seed: int = 0
    unseen: float = 0.25
    calibration: float = 0.1

    def __post_init__(self) -> None:
        if self.epochs is not None and self.epochs < 1:
            raise InputError(f"at least 1 epoch is needed, not {self.epochs}")
        if self.minutes is not None and not self.minutes > 0:
            raise InputError(f"minutes must be above 0, not {self.minutes}")
        if not 0 <= self.unseen < 1:
            raise InputError(f"unseen must be 0 <= share < 1, not {self.unseen}")
        if not 0 < self.calibration < 1:
            raise InputError(f"calibration must be 0 < share < 1, not {self.calibration}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassifierResult:
    """A trained classifier and the report on it.

    Parameters
    ----------
    classifier
        To save, or to assign classes with.
    report
        On slides held out, computed with the weights as they are stored.
    n_training, n_calibration
        Numbers of cells trained on and cells that set the temperature.
    epochs
        Passes over the cells, the last one perhaps not whole.
    seconds
        Time in the training loop.
    """

    classifier: CellClassifier
    report: ClassifierReport
    n_training: int
    n_calibration: int
    epochs: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types."""
        return self.report.to_json() | {
            "n_training": self.n_training,
            "n_calibration": self.n_calibration,
            "temperature": self.classifier.temperature,
            "epochs": self.epochs,
            "seconds": self.seconds,
            "sha256": self.classifier.digest,
        }


def train_classifier(
    source: Source,
    options: ClassifierOptions | None = None,
    *,
    class_names: tuple[str, ...] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress = silent,
    task: str = "classifier",
) -> ClassifierResult:
    """Train a classifier on labelled cells.

    Parameters
    ----------
    source
        With labels of at least two classes.
    options
        See ClassifierOptions.
    class_names
        Classes to predict, the labels among them; None takes the source's.
    checkpoint
        See train_hybrid.
    progress, task
        Called after every step, under this name.

    Raises
    ------
    InputError
        If there are no labels, only one class, or fewer than four cells.
    """
    options = options or ClassifierOptions()
    require_codable(source, "training")
    require_one_size(source, "training")
    names = class_names or source.class_names
    true = labels_as(source, names)
    rows, unseen = split_by_group(source.n_cells, source.groups, options.unseen, options.seed)
    groups = None if source.groups is None else source.groups[rows]
    inner = split_by_group(len(rows), groups, options.calibration, options.seed)
    training, calibration = rows[inner[0]], rows[inner[1]]
    if len(training) > MAX_CELLS:
        draw = np.random.default_rng(options.seed).choice(training, MAX_CELLS, replace=False)
        training = np.sort(draw)
    if len(training) < 2 or not len(calibration):
        raise InputError(f"a classifier cannot learn from {len(rows)} cells")
    default_epochs = max(MIN_EPOCHS, min(MAX_EPOCHS, round(DEFAULT_CELLS / len(training))))
    epochs = options.epochs or default_epochs
    prepare_device("cpu")
    cells = source.read(training)
    digest = run_digest(options, len(names), cells, true[training])
    images = prepare_images(cells)
    del cells
    trained = ClassifierTraining(images, true[training], len(names), epochs, options.seed)
    seconds = None if options.minutes is None else 60 * options.minutes
    stored = Checkpoint(checkpoint)
    fit(trained, task, progress, seconds=seconds, checkpoint=stored, digest=digest)
    layers, weight, bias = fold_batch_norms(trained.network)
    raw = CellClassifier(
        class_names=names,
        n_channels=source.cell_shape[2] if len(source.cell_shape) == 3 else 1,
        size=INPUT_SIZE,
        layers=layers,
        head_weight=weight,
        head_bias=bias,
        trained_on=_description(source, rows),
    )
    raw = CellClassifier.from_bytes(raw.to_bytes())  # weights as they are stored
    logits = logits_of(raw, source, calibration, progress, f"{task}: calibrating")
    temperature = fitted_temperature(logits, true[calibration])
    classifier = replace(raw, temperature=temperature)
    reported = unseen if len(unseen) else calibration
    if len(unseen):
        logits = logits_of(raw, source, unseen, progress, f"{task}: unseen cells")
    stored.remove()
    return ClassifierResult(
        classifier=classifier,
        report=ClassifierReport.of(
            names,
            true[reported],
            logits.argmax(axis=1).astype(np.uint8),
            unit_of(source),
            calibration_error=calibration_error(softmax(logits / temperature), true[reported]),
            raw_calibration_error=calibration_error(softmax(logits), true[reported]),
        ),
        n_training=len(training),
        n_calibration=len(calibration),
        epochs=-(-trained.step // trained.epoch_steps),
        seconds=trained.seconds,
    )


def logits_of(
    classifier: CellClassifier,
    source: Source,
    rows: NDArray[np.int64],
    progress: Progress = silent,
    task: str = "classifying",
) -> NDArray[np.float32]:
    """Logits float32 (cell, class) of some cells of a source."""
    parts = []
    for start in range(0, len(rows), 1024):
        parts.append(classifier.logits(source.read(rows[start : start + 1024])))
        progress(task, min(start + 1024, len(rows)), len(rows))
    return np.concatenate(parts)


def unit_of(source: Source) -> str:
    """Unit of the splits: "slides" where they are known, else "cells"."""
    by_slide = source.groups is not None and len(np.unique(source.groups)) > 1
    return "slides" if by_slide else "cells"


def labels_as(source: Source, class_names: tuple[str, ...]) -> NDArray[np.uint8]:
    """Labels as indices into class_names, uint8 (cell,).

    Raises
    ------
    InputError
        If there are no labels, a label is not among the classes, or all labels are the same.
    """
    if source.labels is None:
        raise InputError(
            "a classifier learns from labelled cells, and these have no labels: sort them into "
            "one sub-folder a class, give labelled ones with --labelled SOURCE, or use "
            "--assign shortest"
        )
    indices = [class_index(name, class_names) for name in source.class_names]
    unknown = [name for name, index in zip(source.class_names, indices) if index is None]
    if unknown:
        raise InputError(f"the labels {unknown} are not classes of the model, which has "
                         f"{list(class_names)}: train a model on these labels")  # fmt: skip
    labels = np.array([index or 0 for index in indices], np.uint8)[source.labels]
    if len(np.unique(labels)) < 2:
        raise InputError("a classifier needs labelled cells of at least two classes, found one: "
                         "use --assign labels or shortest")  # fmt: skip
    return labels


def _description(source: Source, rows: NDArray[np.int64]) -> str:
    text = f"{len(rows):,} cells"
    if source.groups is not None:
        text += f" of {len(np.unique(source.groups[rows])):,} slides"
    return text
