"""From a source of cells to a Model, one autoencoder a class (torch)."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.class_model import ClassModel
from zarrmal_codecs.coder import Coder
from zarrmal_codecs.constants import PROFILE_PAPER

from ..errors import InputError
from ..progress import Progress, silent
from ..sources import Source
from ..split import split_by_group
from . import fit
from .checkpoint import Checkpoint
from .device import choose_device
from .quantise import quantise

CALIBRATION_CELLS = 4_096
CHECKPOINT_SECONDS = 20.0
SINGLE_CLASS = "cell"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """What the caller wishes of a training run.

    Parameters
    ----------
    hidden
        Widths from the first hidden layer to the latent vector; the paper's by default.
    epochs, pretrain_epochs
        None: decided from the number of cells.
    seed
        The same seed on the same machine gives the same model bytes.
    validation
        Share of the slides (of the cells, where there are no slides) kept out to stop by.
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
    loss: fit.Loss = "absolute"
    device: str = "auto"

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise InputError(f"hidden sizes must be at least 1: {self.hidden}")
        if self.epochs is not None and self.epochs < 1:
            raise InputError(f"at least 1 epoch is needed, not {self.epochs}")
        if not 0 < self.coarseness <= 4:
            raise InputError(f"coarseness must be 0 < coarseness <= 4, not {self.coarseness}")
        if self.loss not in fit.LOSSES:
            raise InputError(f"loss must be one of {', '.join(fit.LOSSES)}, not {self.loss!r}")
        if not 0 <= self.validation < 1:
            raise InputError(f"validation must be 0 <= share < 1, not {self.validation}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassReport:
    """How the training of one class ended; rates in bits per pixel value, latents
    counted, model not."""

    name: str
    n_training: int
    n_validation: int
    training_bits: float
    validation_bits: float
    float_bits: float  # on the same cells as int8_bits, before quantisation
    int8_bits: float
    seconds: float

    @property
    def quantisation_cost(self) -> float:
        """Relative growth of the rate by int8: 0.01 is one per cent."""
        return self.int8_bits / self.float_bits - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """A model and how it came about."""

    model: Model
    reports: tuple[ClassReport, ...] = field(default=())


def train_model(
    source: Source,
    options: TrainOptions | None = None,
    *,
    checkpoint: str | Path | None = None,
    progress: Progress = silent,
) -> TrainResult:
    """Train one autoencoder a class and quantise it.

    Parameters
    ----------
    source
        Cells; without labels they are one class.
    options
        What to train; the paper's network by default.
    checkpoint
        A file that keeps the state of an interrupted run, for a later call with the same options
        and cells. Removed at the end.
    progress
        Told after every epoch.

    Raises
    ------
    InputError
        If a class has fewer than two cells, or the device is not there.
    """
    options = options or TrainOptions()
    device = choose_device(options.device)
    torch.use_deterministic_algorithms(True)
    names = source.class_names or (SINGLE_CLASS,)
    labels = source.labels if source.labels is not None else np.zeros(source.n_cells, np.uint8)
    held = Checkpoint(Path(checkpoint) if checkpoint else None, _key(source, labels, options))
    rows = _rows_of_classes(source, labels, names, options)
    classes, reports = [], []
    for k, name in enumerate(names):
        torch.manual_seed(options.seed + k)
        one, report = _train_class(source, rows[k], name, options, held, device, progress)
        classes.append(one)
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
    reports = [_with_integer_rates(model, k, source, rows[k], r) for k, r in enumerate(reports)]
    held.remove()
    return TrainResult(model=model, reports=tuple(reports))


Rows = tuple[NDArray[np.int64], NDArray[np.int64]]


def _rows_of_classes(
    source: Source, labels: NDArray[np.uint8], names: tuple[str, ...], options: TrainOptions
) -> list[Rows]:
    """Training and validation rows of each class."""
    training, validation = split_by_group(
        source.n_cells, source.groups, options.validation, options.seed
    )
    generator = np.random.default_rng(options.seed)
    out = []
    for k, name in enumerate(names):
        mine = training[labels[training] == k]
        kept = validation[labels[validation] == k]
        if len(mine) < 2:
            mine, kept = np.flatnonzero(labels == k), kept[:0]
        if len(mine) < 2:
            raise InputError(
                f"class {name!r} has {len(mine)} cells: at least 2 are needed to train, and some "
                f"hundreds to be of use"
            )
        if len(mine) > options.max_cells:
            mine = np.sort(generator.choice(mine, options.max_cells, replace=False))
        out.append((mine, kept[: options.max_cells]))
    return out


def _train_class(
    source: Source,
    rows: Rows,
    name: str,
    options: TrainOptions,
    held: Checkpoint,
    device: torch.device,
    progress: Progress,
) -> tuple[ClassModel, ClassReport]:
    began = time.monotonic()
    training, validation = (_pixels(source, part).to(device) for part in rows)
    state = held.restore(name, training, options.hidden, device)
    schedule = fit.Schedule.decide(
        len(training), options.epochs, options.pretrain_epochs, options.coarseness, options.loss
    )
    saved = time.monotonic()
    for done, total, note in fit.run(state, training, validation, schedule):
        progress(f"training {name}", done, total, note)
        if time.monotonic() - saved > CHECKPOINT_SECONDS or done == total:
            held.save(name, state)
            saved = time.monotonic()
    state.network.eval()
    one = quantise(state.network, name, fit.spread(training, CALIBRATION_CELLS))
    return one, ClassReport(
        name=name,
        n_training=len(training),
        n_validation=len(validation),
        training_bits=float("nan"),
        validation_bits=float("nan"),
        float_bits=state.float_bits,
        int8_bits=float("nan"),
        seconds=time.monotonic() - began,
    )


def _with_integer_rates(
    model: Model, index: int, source: Source, rows: Rows, report: ClassReport
) -> ClassReport:
    cells = Coder(model).cells(index)

    def rate(part: NDArray[np.int64]) -> float:
        if not len(part):
            return float("nan")
        some = np.linspace(0, len(part) - 1, min(len(part), fit.EVALUATION_CELLS)).astype(int)
        pixels = source.read(part[some]).reshape(-1, model.n_pixels)
        _, streams = cells.encode(pixels, "mean")
        return 8 * sum(map(len, streams)) / pixels.size

    training_bits, validation_bits = rate(rows[0]), rate(rows[1])
    fields = asdict(report) | {
        "training_bits": training_bits,
        "validation_bits": validation_bits,
        "int8_bits": validation_bits if len(rows[1]) else training_bits,
    }
    return ClassReport(**fields)


def _pixels(source: Source, rows: NDArray[np.int64]) -> torch.Tensor:
    cells = source.read(rows).reshape(len(rows), -1) if len(rows) else None
    if cells is None:
        return torch.empty((0, int(np.prod(source.cell_shape))))
    return torch.from_numpy(cells).float() / 255


def _key(source: Source, labels: NDArray[np.uint8], options: TrainOptions) -> str:
    """Names a run: its options, and a sample of its cells."""
    sample = np.unique(np.linspace(0, source.n_cells - 1, 16).astype(np.int64))
    digest = hashlib.sha256(json.dumps(asdict(options), sort_keys=True).encode())
    digest.update(repr((source.n_cells, source.cell_shape, source.class_names)).encode())
    digest.update(labels.tobytes() + source.read(sample).tobytes())
    return digest.hexdigest()


def as_json(result: TrainResult) -> dict[str, Any]:
    """The report as a machine reads it."""
    return {
        "sha256": result.model.digest,
        "model_bytes": result.model.n_bytes,
        "classes": [
            asdict(report) | {"quantisation_cost": report.quantisation_cost}
            for report in result.reports
        ],
    }
