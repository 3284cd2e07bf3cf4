"""Training the profile `paper`: one stacked autoencoder for each class of a source."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from math import nan
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.constants import PROFILE_PAPER

from ...progress import Progress, silent
from ...sources import Source
from ...sources.source import require_one_size
from ..checkpoint import Checkpoint, run_digest
from ..loop import fit, prepare_device
from ..selection import Rows, evenly, labels_of, select_cells
from .export import export
from .options import TrainOptions
from .training import EVALUATION_CELLS, StackedTraining, sample_evenly

CALIBRATION_CELLS = 4_096
"""Training cells that set the ranges of the hidden units."""


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
    checkpoint, progress
        See train_hybrid.

    Raises
    ------
    InputError
        If a class has fewer than two cells, or the device cannot be used.
    """
    options = options or TrainOptions()
    require_one_size(source, "training")
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
    class_models, float_bits, seconds = [], [], []
    for k, (name, rows) in enumerate(zip(names, selected, strict=True)):
        began = time.monotonic()
        torch.manual_seed(options.seed + k)
        cells = [_read(source, part) for part in rows]
        digest = run_digest(options, k, *cells)
        pixels, validation = (torch.from_numpy(part).float().div(255).to(device) for part in cells)
        del cells
        training = StackedTraining(pixels, validation, options)
        task, section = f"training {name}", f"class {k}"
        fit(training, task, progress, checkpoint=stored, section=section, digest=digest)
        calibration = sample_evenly(pixels, CALIBRATION_CELLS)
        class_models.append(export(training.network, name, calibration))
        float_bits.append(training.float_bits)
        seconds.append(time.monotonic() - began)
    model = Model(
        profile=PROFILE_PAPER,
        cell_shape=source.cell_shape,
        classes=tuple(class_models),
        about={
            "hidden": list(options.hidden),
            "epochs": options.epochs,
            "seed": options.seed,
            "n_training_cells": {name: len(rows[0]) for name, rows in zip(names, selected)},
        },
    )
    reports = []
    for k, (train, validate) in enumerate(selected):
        training_bits, validation_bits = (_rate(model, k, source, r) for r in (train, validate))
        reports.append(
            ClassReport(
                name=names[k],
                n_training=len(train),
                n_validation=len(validate),
                training_bits=training_bits,
                validation_bits=validation_bits,
                float_bits=float_bits[k],
                int8_bits=validation_bits if len(validate) else training_bits,
                seconds=seconds[k],
            )
        )
    stored.remove()
    return TrainResult(model=model, reports=tuple(reports))


def _rate(model: Model, k: int, source: Source, rows: Rows) -> float:
    """Bits per pixel value of some cells of class k, by the codec; NaN for no cells."""
    if not len(rows):
        return nan
    pixels = _read(source, evenly(rows, EVALUATION_CELLS))
    _, streams = Coder(model).cells(k).encode(pixels, "mean")
    return 8 * sum(map(len, streams)) / pixels.size


def _read(source: Source, rows: Rows) -> NDArray[np.uint8]:
    """uint8 (cell, pixel) of some rows."""
    n_pixels = int(np.prod(source.cell_shape))
    if not len(rows):
        return np.empty((0, n_pixels), np.uint8)
    return source.read(rows).reshape(len(rows), n_pixels)
