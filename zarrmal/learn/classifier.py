"""Training a classifier of cells, and judging it on slides that it has not seen (torch)."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..classify.assignment import class_index
from ..classify.calibration import calibration_error, fitted_temperature
from ..classify.network import CellClassifier, softmax
from ..classify.report import ClassifierReport
from ..errors import InputError
from ..progress import Progress, silent
from ..sources import Source
from ..split import split_by_group
from . import classifier_fit as fitting
from .cnn import INPUT_SIZE

DEFAULT_CELLS = 100_000
"""Cells seen in a training of default length, those that come again counted again."""

MIN_EPOCHS, MAX_EPOCHS = 3, 40
MAX_CELLS = 30_000
"""Trained on: prepared RGB cells take 20 kB each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierOptions:
    """What the caller wishes.

    Parameters
    ----------
    epochs
        Passes over the cells; None decides from their number.
    minutes
        End training after about so many; the result then depends on the machine's speed.
    seed
        Of everything that is drawn; 0 and ``unseen=0.25`` give the standard split.
    unseen
        Share of the slides that is kept out of everything and reported on, 0 <= unseen < 1.
    calibration
        Share of the other slides that is kept out of training to set the temperature by, > 0.
        Where ``unseen`` is 0 the report is on them.
    """

    epochs: int | None = None
    minutes: float | None = None
    seed: int = 0
    unseen: float = 0.25
    calibration: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassifierResult:
    """A trained classifier and how good it is.

    Parameters
    ----------
    classifier
        To save, or to assign with.
    report
        On slides kept out, computed by the classifier as it is stored.
    n_training, n_calibration
        Cells trained on, and cells that set the temperature.
    epochs
        Passes over the cells.
    seconds
        Of training.
    """

    classifier: CellClassifier
    report: ClassifierReport
    n_training: int
    n_calibration: int
    epochs: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """As a machine reads it."""
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
        See there.
    class_names
        The classes that come out, of which the labels are; None takes the source's.
    checkpoint
        A file from which an interrupted run goes on; it goes when the run is over.
    progress, task
        Whom to tell, under which name.

    Raises
    ------
    InputError
        If there are no labels, only one class, or fewer than four cells.
    """
    options = options or ClassifierOptions()
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
    state = _fitted(source, training, true, len(names), options, checkpoint, progress, task)
    layers, weight, bias = fitting.folded(state.network)
    raw = CellClassifier(
        class_names=names,
        n_channels=source.cell_shape[2] if len(source.cell_shape) == 3 else 1,
        size=INPUT_SIZE,
        layers=layers,
        head_weight=weight,
        head_bias=bias,
        trained_on=_told(source, rows),
    )
    raw = CellClassifier.from_bytes(raw.to_bytes())  # weights as they are stored
    logits = logits_of(raw, source, calibration, progress, f"{task}: calibrating")
    temperature = fitted_temperature(logits, true[calibration])
    classifier = replace(raw, temperature=temperature)
    judged = unseen if len(unseen) else calibration
    if len(unseen):
        logits = logits_of(raw, source, unseen, progress, f"{task}: unseen cells")
    if checkpoint is not None:
        Path(checkpoint).unlink(missing_ok=True)
    return ClassifierResult(
        classifier=classifier,
        report=report_on(names, true[judged], logits, temperature, unit_of(source)),
        n_training=len(training),
        n_calibration=len(calibration),
        epochs=state.epoch,
        seconds=state.seconds,
    )


def logits_of(
    classifier: CellClassifier,
    source: Source,
    rows: NDArray[np.int64],
    progress: Progress = silent,
    task: str = "classifying",
) -> NDArray[np.float32]:
    """float32 (cell, class) of some cells of a source."""
    parts = []
    for start in range(0, len(rows), 1024):
        parts.append(classifier.logits(source.read(rows[start : start + 1024])))
        progress(task, min(start + 1024, len(rows)), len(rows))
    return np.concatenate(parts)


def report_on(
    class_names: tuple[str, ...],
    true: NDArray[np.uint8],
    logits: NDArray[np.float32],
    temperature: float,
    unseen: str,
) -> ClassifierReport:
    """Count, with and without the temperature."""
    return ClassifierReport.of(
        class_names,
        true,
        logits.argmax(axis=1).astype(np.uint8),
        unseen,
        calibration_error=calibration_error(softmax(logits / temperature), true),
        raw_calibration_error=calibration_error(softmax(logits), true),
    )


def unit_of(source: Source) -> str:
    """What is kept apart: slides where they are known."""
    by_slide = source.groups is not None and len(np.unique(source.groups)) > 1
    return "slides" if by_slide else "cells"


def labels_as(source: Source, class_names: tuple[str, ...]) -> NDArray[np.uint8]:
    """Labels as indices into class_names; InputError where that can't be."""
    if source.labels is None:
        raise InputError(
            "a classifier learns from labelled cells, and these have no labels: sort them into "
            "one sub-folder a class, give labelled ones with --labelled SOURCE, or use "
            "--assign shortest"
        )
    places = [class_index(name, class_names) for name in source.class_names]
    unknown = [name for name, place in zip(source.class_names, places) if place is None]
    if unknown:
        raise InputError(f"the labels {unknown} are not classes of the model, which has "
                         f"{list(class_names)}: train a model on these labels")  # fmt: skip
    labels = np.array([place or 0 for place in places], np.uint8)[source.labels]
    if len(np.unique(labels)) < 2:
        raise InputError("a classifier needs labelled cells of at least two classes, found one: "
                         "use --assign labels or shortest")  # fmt: skip
    return labels


def _told(source: Source, rows: NDArray[np.int64]) -> str:
    text = f"{len(rows):,} cells"
    if source.groups is not None:
        text += f" of {len(np.unique(source.groups[rows])):,} slides"
    return text


def _fitted(
    source: Source,
    rows: NDArray[np.int64],
    true: NDArray[np.uint8],
    n_classes: int,
    options: ClassifierOptions,
    checkpoint: str | os.PathLike[str] | None,
    progress: Progress,
    task: str,
) -> fitting.FitState:
    torch.use_deterministic_algorithms(True)
    cells = source.read(rows)
    wanted = round(DEFAULT_CELLS / len(rows))
    epochs = options.epochs or max(MIN_EPOCHS, min(MAX_EPOCHS, wanted))
    key = hashlib.sha256(repr((asdict(options), epochs, cells.shape)).encode())
    key.update(cells.tobytes() + true[rows].tobytes())
    images = fitting.images_of(cells)
    del cells
    state = fitting.start(images.shape[1], n_classes, options.seed)
    place = None if checkpoint is None else Path(checkpoint)
    if place is not None:
        fitting.restore(place, key.hexdigest(), state)

    def after_epoch(now: fitting.FitState) -> None:
        if place is not None:
            fitting.save(place, key.hexdigest(), now)

    fitting.fit(
        state,
        images,
        true[rows],
        epochs=epochs,
        minutes=options.minutes,
        seed=options.seed,
        after_epoch=after_epoch,
        progress=lambda done, total, note: progress(task, done, total, note),
    )
    return state
