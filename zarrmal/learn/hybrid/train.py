"""From a source of cells to a hybrid Model."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.coder import Coder
from zarrmal_codecs.prediction import n_planes

from ...errors import InputError
from ...progress import Progress, silent
from ...sources import Source
from ...split import split_by_group
from ..device import choose_device
from . import checkpoint as held
from . import fit
from .export import export
from .features import Pixels, prepare
from .options import EFFORTS, SAE_SIZES, HybridOptions, SaeSize

CHECKPOINT_SECONDS = 30.0
PILOT_STEPS = 500
EVALUATION_CELLS = 400
SINGLE_CLASS = "cell"
BASE64 = 4 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SaeTrial:
    """What an autoencoder of some size costs and gains, by a short training of the small network.

    Parameters
    ----------
    size
        Of the autoencoder.
    bits_per_pixel
        Residue and latents, of cells kept out of the trial.
    model_bytes
        As stored, in base64.
    total_bytes
        All three, for ``n_cells``.
    """

    size: str
    bits_per_pixel: float
    model_bytes: int
    n_cells: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HybridReport:
    """How training ended; rates in bits per (y, x), latents counted, model not.

    Parameters
    ----------
    float_bits, int8_bits
        Of the kept-out cells: the same weights not rounded and as the codec has them.
    """

    effort: str
    sae: str
    n_training: int
    n_validation: int
    n_steps: int
    seconds: float
    float_bits: float
    int8_bits: float
    trials: tuple[SaeTrial, ...]

    @property
    def quantisation_cost(self) -> float:
        """Relative growth of the rate by int8: 0.01 is one per cent."""
        return self.int8_bits / self.float_bits - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HybridResult:
    """A model and how it came about."""

    model: Model
    report: HybridReport


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Data:
    training: Pixels
    kept: Pixels
    names: tuple[str, ...]
    order: tuple[int, ...]
    cell_shape: tuple[int, ...]
    kept_cells: NDArray[np.uint8]


def train_hybrid(
    source: Source,
    options: HybridOptions | None = None,
    *,
    checkpoint: str | Path | None = None,
    progress: Progress = silent,
) -> HybridResult:
    """Train one model for all classes of a source.

    Parameters
    ----------
    source
        Cells (y, x) or (y, x, channel), up to four channels; without labels they are one class.
    options
        What to train.
    checkpoint
        A file that keeps the state of an interrupted run, for a later call with the same options
        and cells. Removed at the end.
    progress
        Told after every step.

    Raises
    ------
    InputError
        If a class has fewer than two cells, the cells have another shape, or the device is not
        there.
    """
    options = options or HybridOptions()
    began = time.monotonic()
    device = choose_device(options.device)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(options.seed)
    data = _read(source, options, device, progress)
    n_cells = options.n_archive_cells or source.n_cells
    budget = None if options.minutes is None else 60 * options.minutes
    key = _key(source, options)
    place = Path(checkpoint) if checkpoint else None
    size, trials = _choose_size(data, options, n_cells, budget, place, progress)
    effort = EFFORTS[options.effort]
    torch.manual_seed(options.seed)
    network = fit.HybridNetwork(data.training, len(data.names), effort, size, data.order).to(device)
    state = fit.begin(network, effort)
    if place is not None:
        held.restore(place, key, state)
    if budget is not None:
        budget = max(1.0, budget - (time.monotonic() - began))
    saved = time.monotonic()
    n_steps = options.steps or effort.n_steps
    for done, total, note in fit.run(state, data.training, effort, n_steps, budget):
        progress("training", done, total, note)
        if place is not None and time.monotonic() - saved > CHECKPOINT_SECONDS:
            held.save(place, key, state)
            saved = time.monotonic()
    about = {
        "effort": options.effort,
        "seed": options.seed,
        "steps": state.step,
        "n_training_cells": data.training.size[0],
    }
    model = export(network, data.names, data.cell_shape, about)
    network.look_at(data.kept)
    rows = torch.arange(len(data.kept_cells), device=device)
    report = HybridReport(
        effort=options.effort,
        sae=str(size),
        n_training=data.training.size[0],
        n_validation=len(rows) if data.kept is not data.training else 0,
        n_steps=state.step,
        seconds=time.monotonic() - began,
        float_bits=fit.evaluate(network, data.kept, rows, integer=False),
        int8_bits=_integer_bits(model, data),
        trials=trials,
    )
    if place is not None:
        place.unlink(missing_ok=True)
        _trials_place(place).unlink(missing_ok=True)
    return HybridResult(model=model, report=report)


def _integer_bits(model: Model, data: _Data) -> float:
    """Bits per (y, x) of the kept-out cells, by the codec itself."""
    coder = Coder(model)
    classes = data.kept.classes.cpu().numpy()
    total = 0.0
    for k in np.unique(classes).tolist():
        total += float(coder.cells(k).bits(data.kept_cells[classes == k]).sum())
    return total / (len(classes) * data.cell_shape[0] * data.cell_shape[1])


def _read(
    source: Source, options: HybridOptions, device: torch.device, progress: Progress
) -> _Data:
    shape = source.cell_shape
    if len(shape) not in (2, 3) or n_planes(shape) > 4:
        raise InputError(
            f"the hybrid profile codes cells (y, x) or (y, x, up to 4 channels), not {shape}: "
            f"use --channel or --profile paper"
        )
    names = source.class_names or (SINGLE_CLASS,)
    labels = source.labels if source.labels is not None else np.zeros(source.n_cells, np.uint8)
    for k, name in enumerate(names):
        n = int((labels == k).sum())
        if n < 2:
            raise InputError(
                f"class {name!r} has {n} cells: at least 2 are needed to train, and some "
                f"hundreds to be of use"
            )
    training, kept = split_by_group(source.n_cells, source.groups, options.validation, options.seed)
    generator = np.random.default_rng(options.seed)
    chosen = []
    for k in range(len(names)):
        mine = training[labels[training] == k]
        if not len(mine):
            mine = np.flatnonzero(labels == k)
        if len(mine) > options.max_cells:
            mine = generator.choice(mine, options.max_cells, replace=False)
        chosen.append(mine)
    training = np.sort(np.concatenate(chosen))
    judged = kept if len(kept) else training
    judged = judged[np.linspace(0, len(judged) - 1, min(len(judged), EVALUATION_CELLS)).astype(int)]
    progress("reading cells", 0, source.n_cells)
    planes = n_planes(shape)
    # Green first: it correlates best with both others.
    order = (1, 0, 2, *range(3, planes)) if planes >= 3 else tuple(range(planes))
    kept_cells = source.read(judged)
    return _Data(
        training=prepare(_planes(source.read(training)), labels[training], device),
        kept=prepare(_planes(kept_cells), labels[judged], device),
        names=tuple(names),
        order=order,
        cell_shape=shape,
        kept_cells=kept_cells,
    )


def _planes(cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cells[:, None] if cells.ndim == 3 else cells.transpose(0, 3, 1, 2)


def _trials_place(place: Path) -> Path:
    return place.with_name(place.name + ".sizes")


def _choose_size(
    data: _Data,
    options: HybridOptions,
    n_cells: int,
    budget: float | None,
    place: Path | None,
    progress: Progress,
) -> tuple[SaeSize, tuple[SaeTrial, ...]]:
    """The autoencoder with the least total description length, and what was tried."""
    if options.sae is not None:
        return SAE_SIZES[options.sae], ()
    key = _key_of_trials(data, options, n_cells)
    if place is not None and _trials_place(place).exists():
        tree = json.loads(_trials_place(place).read_text())
        if tree["key"] == key:
            trials = tuple(SaeTrial(**entry) for entry in tree["trials"])
            return SAE_SIZES[_least(trials)], trials
    area = data.cell_shape[0] * data.cell_shape[1]
    found = []
    effort = EFFORTS["fast"]
    seconds = None if budget is None else 0.1 * budget
    for index, size in enumerate(SAE_SIZES):
        torch.manual_seed(options.seed)
        network = fit.HybridNetwork(data.training, len(data.names), effort, size, data.order).to(
            data.training.own.device
        )
        steps = min(PILOT_STEPS, options.steps or PILOT_STEPS)
        for done, total, note in fit.run(
            fit.begin(network, effort), data.training, effort, steps, seconds
        ):
            progress(f"trying autoencoder {index + 1}/{len(SAE_SIZES)}", done, total, note)
        model = export(network, data.names, data.cell_shape, {})
        network.look_at(data.kept)
        rows = torch.arange(len(data.kept_cells), device=data.kept.own.device)
        rate = fit.evaluate(network, data.kept, rows, integer=True)
        n_bytes = round(BASE64 * model.n_bytes)
        found.append(
            SaeTrial(
                size=str(size),
                bits_per_pixel=rate,
                model_bytes=n_bytes,
                n_cells=n_cells,
                total_bytes=round(rate * area * n_cells / 8) + n_bytes,
            )
        )
    trials = tuple(found)
    if place is not None:
        tree = {"key": key, "trials": [asdict(t) for t in trials]}
        _trials_place(place).write_text(json.dumps(tree))
    return SAE_SIZES[_least(trials)], trials


def _least(trials: tuple[SaeTrial, ...]) -> int:
    return min(range(len(trials)), key=lambda k: trials[k].total_bytes)


def _key_of_trials(data: _Data, options: HybridOptions, n_cells: int) -> str:
    digest = hashlib.sha256(repr((options, n_cells, data.names, data.training.size)).encode())
    digest.update(data.kept_cells.tobytes())
    return digest.hexdigest()


def _key(source: Source, options: HybridOptions) -> str:
    """Names a run: its options, and a sample of its cells."""
    sample = np.unique(np.linspace(0, source.n_cells - 1, 16).astype(np.int64))
    digest = hashlib.sha256(json.dumps(asdict(options), sort_keys=True).encode())
    digest.update(repr((source.n_cells, source.cell_shape, source.class_names)).encode())
    labels = source.labels if source.labels is not None else np.zeros(0, np.uint8)
    digest.update(labels.tobytes() + source.read(sample).tobytes())
    return digest.hexdigest()


def as_json(result: HybridResult) -> dict[str, Any]:
    """The report as a machine reads it."""
    return {
        "sha256": result.model.digest,
        "model_bytes": result.model.n_bytes,
        "quantisation_cost": result.report.quantisation_cost,
        **asdict(result.report),
    }
