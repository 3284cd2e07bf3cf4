"""Training the profile `paper`: one stacked autoencoder for each class of a source."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass, replace
from math import nan
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.class_model import ClassModel
from zarrmal_codecs.coder import Coder
from zarrmal_codecs.constants import PROFILE_PAPER

from ...errors import InputError
from ...progress import Progress, silent
from ...sources import Source
from ..checkpoint import Checkpoint, run_digest
from ..loop import fit, prepare_device
from ..selection import Rows, evenly, labels_of, select_cells
from .export import export
from .training import EVALUATION_CELLS, LOSSES, Loss, Schedule, StackedTraining, sample_evenly

CALIBRATION_CELLS = 4_096
"""Training cells that set the ranges of the hidden units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """Options of training the profile `paper`.

    Parameters
    ----------
    hidden
        Widths from the first hidden layer to the latent vector; the paper's by default.
    epochs, pretrain_epochs
        None: decided from the number of cells.
    seed
        The same seed on the same machine gives the same model bytes.
    validation
        Share of the slides (of the cells, where there are no slides) kept out for early stopping.
    max_cells
        At most so many cells of a class are trained on, drawn at random.
    coarseness
        Step of the integer weights as a multiple of their rms; larger makes the model smaller
        and its prediction worse.
    loss
        "absolute" error, to which a Rice code's length is proportional, or "square", the paper's.
    device
        "auto" takes a GPU when there is one.
    """

    hidden: tuple[int, ...] = (1500, 500, 30)
    epochs: int | None = None
    pretrain_epochs: int | None = None
    seed: int = 0
    validation: float = 0.1
    max_cells: int = 100_000
    coarseness: float = 0.8
    loss: Loss = "absolute"
    device: str = "auto"

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise InputError(f"hidden sizes must be at least 1: {self.hidden}")
        if self.epochs is not None and self.epochs < 1:
            raise InputError(f"at least 1 epoch is needed, not {self.epochs}")
        if self.pretrain_epochs is not None and self.pretrain_epochs < 0:
            raise InputError(f"at least 0 epochs of pre-training, not {self.pretrain_epochs}")
        if not 0 < self.coarseness <= 4:
            raise InputError(f"coarseness must be 0 < coarseness <= 4, not {self.coarseness}")
        if self.loss not in LOSSES:
            raise InputError(f"loss must be one of {', '.join(LOSSES)}, not {self.loss!r}")
        if not 0 <= self.validation < 1:
            raise InputError(f"validation must be 0 <= share < 1, not {self.validation}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassReport:
    """How the training of one class ended.

    Rates are in bits per pixel value and include the latents, not the model. ``float_bits`` is the
    rate before quantisation, of the same cells as ``int8_bits``.
    """

    name: str
    n_training: int
    n_validation: int
    training_bits: float
    validation_bits: float
    float_bits: float
    int8_bits: float
    seconds: float

    @property
    def quantisation_cost(self) -> float:
        """Relative growth of the rate by int8: 0.01 is one per cent."""
        return self.int8_bits / self.float_bits - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """A model and reports on its training, one for each class."""

    model: Model
    reports: tuple[ClassReport, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The reports as JSON types."""
        return {
            "sha256": self.model.digest,
            "model_bytes": self.model.n_bytes,
            "classes": [
                asdict(report) | {"quantisation_cost": report.quantisation_cost}
                for report in self.reports
            ],
        }


def train_model(
    source: Source,
    options: TrainOptions | None = None,
    *,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress = silent,
) -> TrainResult:
    """Train one autoencoder for each class and quantise it.

    Parameters
    ----------
    source
        Cells; without labels they are one class.
    options
        By default the paper's network.
    checkpoint
        File with the state of an interrupted run. A later call with the same options and cells
        resumes it. The file is removed at the end.
    progress
        Called after every step.

    Raises
    ------
    InputError
        If a class has fewer than two cells, or the device cannot be used.
    """
    options = options or TrainOptions()
    device = prepare_device(options.device)
    names, labels = labels_of(source)
    selected = select_cells(
        source,
        names,
        labels,
        validation=options.validation,
        max_cells=options.max_cells,
        seed=options.seed,
    )
    selected = [(train, validate[: options.max_cells]) for train, validate in selected]
    stored = Checkpoint(checkpoint)
    classes, reports = [], []
    for k, (name, rows) in enumerate(zip(names, selected, strict=True)):
        class_model, report = _train_class(source, rows, k, name, options, stored, device, progress)
        classes.append(class_model)
        reports.append(report)
    model = Model(
        profile=PROFILE_PAPER,
        cell_shape=source.cell_shape,
        classes=tuple(classes),
        about={
            "hidden": list(options.hidden),
            "epochs": options.epochs,
            "seed": options.seed,
            "n_training_cells": {r.name: r.n_training for r in reports},
        },
    )
    reports = [
        _with_integer_rates(model, k, source, rows, report)
        for k, (rows, report) in enumerate(zip(selected, reports, strict=True))
    ]
    stored.remove()
    return TrainResult(model=model, reports=tuple(reports))


def _train_class(
    source: Source,
    rows: tuple[Rows, Rows],
    index: int,
    name: str,
    options: TrainOptions,
    checkpoint: Checkpoint,
    device: torch.device,
    progress: Progress,
) -> tuple[ClassModel, ClassReport]:
    began = time.monotonic()
    torch.manual_seed(options.seed + index)
    cells = [_read(source, part) for part in rows]
    digest = run_digest(options, index, *cells)
    pixels, validation = (torch.from_numpy(part).float().div(255).to(device) for part in cells)
    del cells
    schedule = Schedule.decide(
        len(pixels), options.epochs, options.pretrain_epochs, options.coarseness, options.loss
    )
    training = StackedTraining(pixels, validation, options.hidden, schedule)
    fit(
        training,
        f"training {name}",
        progress,
        checkpoint=checkpoint,
        section=f"class {index}",
        digest=digest,
    )
    calibration = sample_evenly(pixels, CALIBRATION_CELLS)
    return export(training.network, name, calibration), ClassReport(
        name=name,
        n_training=len(pixels),
        n_validation=len(validation),
        training_bits=nan,
        validation_bits=nan,
        float_bits=training.float_bits,
        int8_bits=nan,
        seconds=time.monotonic() - began,
    )


def _with_integer_rates(
    model: Model, index: int, source: Source, rows: tuple[Rows, Rows], report: ClassReport
) -> ClassReport:
    coder = Coder(model).cells(index)

    def rate(part: Rows) -> float:
        if not len(part):
            return nan
        pixels = _read(source, evenly(part, EVALUATION_CELLS))
        _, streams = coder.encode(pixels, "mean")
        return 8 * sum(map(len, streams)) / pixels.size

    training_bits, validation_bits = rate(rows[0]), rate(rows[1])
    return replace(
        report,
        training_bits=training_bits,
        validation_bits=validation_bits,
        int8_bits=validation_bits if len(rows[1]) else training_bits,
    )


def _read(source: Source, rows: Rows) -> NDArray[np.uint8]:
    """uint8 (cell, pixel) of some rows."""
    n_pixels = int(np.prod(source.cell_shape))
    if not len(rows):
        return np.empty((0, n_pixels), np.uint8)
    return source.read(rows).reshape(len(rows), n_pixels)
