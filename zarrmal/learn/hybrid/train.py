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
from zarrmal_codecs import Model
from zarrmal_codecs.coder import Coder

from ...progress import Progress, silent
from ...sources import Source
from ..device import choose_device
from . import checkpoint as held
from . import fit
from .choice import Choosing, GroupTrial, SaeTrial
from .crosstable import Groups, describe
from .data import Data, read_cells
from .export import export
from .options import EFFORTS, HybridOptions
from .regroup import Regroup, group_bits, group_names, paying_groups

CHECKPOINT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HybridReport:
    """How training ended; rates in bits per (y, x), latents counted, model not.

    Parameters
    ----------
    float_bits, int8_bits
        Of the kept-out cells: the same weights not rounded and as the codec has them.
    trials, group_trials
        What the autoencoder's size and the number of groups were chosen by; empty where given.
    groups
        What learned classes turned out to be; None where the labels were the classes.
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
    group_trials: tuple[GroupTrial, ...] = ()
    groups: Groups | None = None

    @property
    def quantisation_cost(self) -> float:
        """Relative growth of the rate by int8: 0.01 is one per cent."""
        return self.int8_bits / self.float_bits - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HybridResult:
    """A model and how it came about."""

    model: Model
    report: HybridReport


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
        Cells (y, x) or (y, x, channel), up to four channels; without labels they are one class,
        unless ``options.classes`` asks for learned ones.
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
    data = read_cells(source, options, device, progress)
    n_cells = options.n_archive_cells or source.n_cells
    budget = None if options.minutes is None else 60 * options.minutes
    key = _key(source, options)
    place = Path(checkpoint) if checkpoint else None
    choosing = Choosing(
        data=data, options=options, n_cells=n_cells, budget=budget, place=place, progress=progress
    )
    size, trials = choosing.size()
    names, regroup = data.names, None
    group_trials: tuple[GroupTrial, ...] = ()
    if options.classes is not None:
        n_groups, group_trials = choosing.groups(size, trials)
        names, regroup = group_names(n_groups), Regroup(data, n_groups, options.seed)
    effort = EFFORTS[options.effort]
    torch.manual_seed(options.seed)
    network = fit.HybridNetwork(data.training, len(names), effort, size, data.order).to(device)
    state = fit.begin(network, effort)
    if regroup is not None:
        state.classes = data.training.classes
    if place is not None:
        held.restore(place, key, state)
    if budget is not None:
        budget = max(1.0, budget - (time.monotonic() - began))
    saved = time.monotonic()
    n_steps = options.steps or effort.n_steps
    for done, total, note in fit.run(state, data.training, effort, n_steps, budget, regroup):
        progress("training", done, total, note)
        if place is not None and time.monotonic() - saved > CHECKPOINT_SECONDS:
            held.save(place, key, state)
            saved = time.monotonic()
    about: dict[str, Any] = {
        "effort": options.effort,
        "seed": options.seed,
        "steps": state.step,
        "n_training_cells": data.training.size[0],
    }
    groups = None
    if options.classes is None:
        model = export(network, names, data.cell_shape, about)
    else:
        model, groups = _learned(network, data, source, options, n_cells, about, progress)
    network.look_at(data.kept)
    rows = torch.arange(len(data.kept_cells), device=device)
    report = HybridReport(
        effort=options.effort,
        sae=str(size),
        n_training=data.training.size[0],
        n_validation=len(rows) if data.any_kept else 0,
        n_steps=state.step,
        seconds=time.monotonic() - began,
        float_bits=fit.evaluate(network, data.kept, rows, integer=False),
        int8_bits=_integer_bits(model, data),
        trials=trials,
        group_trials=group_trials,
        groups=groups,
    )
    if place is not None:
        place.unlink(missing_ok=True)
        choosing.forget()
    return HybridResult(model=model, report=report)


def _learned(
    network: fit.HybridNetwork,
    data: Data,
    source: Source,
    options: HybridOptions,
    n_cells: int,
    about: dict[str, Any],
    progress: Progress,
) -> tuple[Model, Groups]:
    """The model of the groups that pay for themselves, and what they are.

    The kept cells get the group that codes them shortest.
    """
    assert data.cells is not None
    progress("grouping all cells", 0, 1)
    bits = group_bits(network, data, data.cells)
    which = paying_groups(network, data, bits, n_cells)
    names = group_names(len(which))
    about = about | {"classes": "learned", "n_classes": len(which)}
    model = export(network, names, data.cell_shape, about, which)
    shortest = Coder(model).shortest(data.kept_cells)
    data.kept.classes.copy_(torch.from_numpy(np.array(which)[shortest]))
    progress("grouping all cells", 1, 1)
    return model, describe(
        str(options.classes),
        names,
        bits[:, which].argmin(axis=1),
        network.n_classes - len(which),
        source,
        data.rows,
        data.cells,
    )


def _integer_bits(model: Model, data: Data) -> float:
    """Bits per (y, x) of the kept-out cells, by the codec itself."""
    coder = Coder(model)
    classes = data.kept.classes.cpu().numpy()
    if model.about.get("classes") == "learned":
        bits = coder.bits(data.kept_cells).min(axis=1)
        return float(bits.sum()) / (len(bits) * data.cell_shape[0] * data.cell_shape[1])
    total = 0.0
    for k in np.unique(classes).tolist():
        total += float(coder.cells(k).bits(data.kept_cells[classes == k]).sum())
    return total / (len(classes) * data.cell_shape[0] * data.cell_shape[1])


def _key(source: Source, options: HybridOptions) -> str:
    """Names a run: its options, and a sample of its cells."""
    wishes = {k: v for k, v in asdict(options).items() if (k, v) != ("classes", None)}
    sample = np.unique(np.linspace(0, source.n_cells - 1, 16).astype(np.int64))
    digest = hashlib.sha256(json.dumps(wishes, sort_keys=True).encode())
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
