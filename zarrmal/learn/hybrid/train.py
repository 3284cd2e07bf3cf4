"""Training the profile `hybrid`: one model for all classes of a source."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.coder import Coder

from ...progress import Progress, silent
from ...sources import Source
from ..checkpoint import Checkpoint
from ..loop import fit, prepare_device
from .data import TrainingData, read_cells
from .export import export
from .groups.groups import Reassignment, bits_by_group, group_names, profitable_groups
from .groups.report import Groups, describe
from .network import HybridNetwork
from .options import HybridOptions
from .training import HybridTraining, bits_per_pixel
from .trials import Trial, TrialRuns


@dataclass(frozen=True, slots=True, kw_only=True)
class HybridReport:
    """How training ended.

    Rates are in bits per (y, x) and include latents and silhouettes, not the model.

    Parameters
    ----------
    float_bits, int8_bits
        Of the validation cells, with the weights in real numbers and as the codec has them.
    trials, group_trials
        By which the autoencoder's size and the number of groups were chosen; empty where given.
    groups
        Of learned classes; None where the labels were the classes.
    """

    effort: str
    sae: str
    n_training: int
    n_validation: int
    n_steps: int
    seconds: float
    float_bits: float
    int8_bits: float
    trials: tuple[Trial, ...]
    group_trials: tuple[Trial, ...] = ()
    groups: Groups | None = None

    @property
    def quantisation_cost(self) -> float:
        """Relative growth of the rate by int8: 0.01 is one per cent."""
        return self.int8_bits / self.float_bits - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HybridResult:
    """A model and the report on its training."""

    model: Model
    report: HybridReport

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types."""
        return {
            "sha256": self.model.digest,
            "model_bytes": self.model.n_bytes,
            "quantisation_cost": self.report.quantisation_cost,
            **asdict(self.report),
        }


def train_hybrid(
    source: Source,
    options: HybridOptions | None = None,
    *,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress = silent,
) -> HybridResult:
    """Train one model for all classes of a source.

    Parameters
    ----------
    source
        Cells (y, x) or (y, x, channel), up to four channels, of one size or not; without labels
        they are one class, unless ``options.classes`` asks for learned ones. Where sizes differ the
        model has no autoencoder.
    options
        See HybridOptions.
    checkpoint
        File with the state of an interrupted run. A later call with the same options and cells
        resumes it. The file is removed at the end.
    progress
        Called after every step.

    Raises
    ------
    InputError
        If a class has fewer than two cells, the cells have a shape that the profile does not code,
        or the device cannot be used.
    """
    options = options or HybridOptions()
    began = time.monotonic()
    device = prepare_device(options.device)
    data = read_cells(source, options, device, progress)
    seconds = None if options.minutes is None else 60 * options.minutes
    stored = Checkpoint(checkpoint)
    runs = TrialRuns(data=data, seconds=seconds, checkpoint=stored, progress=progress)
    size, trials = runs.choose_size()
    names, reassign = data.names, None
    group_trials: tuple[Trial, ...] = ()
    if options.classes is not None:
        n_groups, group_trials = runs.choose_n_groups(size, trials)
        names, reassign = group_names(n_groups), Reassignment(data, n_groups)
    effort = options.context
    torch.manual_seed(options.seed)
    network = HybridNetwork(data.training, len(names), effort, size, data.steps).to(device)
    if seconds is not None:
        seconds = max(1.0, seconds - (time.monotonic() - began))
    n_steps = options.steps or effort.n_steps
    training = HybridTraining(network, data.training, effort, n_steps, reassign)
    fit(training, "training", progress, seconds=seconds, checkpoint=stored, digest=data.digest)
    about: dict[str, Any] = {
        "effort": options.effort,
        "seed": options.seed,
        "steps": training.step,
        "n_training_cells": len(data.rows),
    }
    groups = None
    if options.classes is None:
        model = export(network, names, data.cell_shape, about, masks=data.masks)
    else:
        progress("grouping all cells", 0, 1)
        model, groups = _drop_groups(network, data, source, about)
        progress("grouping all cells", 1, 1)
    report = HybridReport(
        effort=options.effort,
        sae=str(size),
        n_training=len(data.rows),
        n_validation=len(data.validation_cells) if data.has_validation else 0,
        n_steps=training.step,
        seconds=time.monotonic() - began,
        float_bits=bits_per_pixel(network, data.validation, integer=False)
        + data.mask_bits
        + data.raw_bits,
        int8_bits=_codec_bits_per_pixel(model, data),
        trials=trials,
        group_trials=group_trials,
        groups=groups,
    )
    stored.remove()
    return HybridResult(model=model, report=report)


def _drop_groups(
    network: HybridNetwork, data: TrainingData, source: Source, about: dict[str, Any]
) -> tuple[Model, Groups]:
    """The model of the groups that save more than they cost, and the report on them.

    The validation cells get the group that codes them shortest.
    """
    assert data.cells is not None
    bits = bits_by_group(network, data, data.cells, source.silhouettes(data.rows))
    classes = profitable_groups(network, data, bits)
    names = group_names(len(classes))
    about = about | {"classes": "learned", "n_classes": len(classes)}
    model = export(network, names, data.cell_shape, about, classes, masks=data.masks)
    shortest = Coder(model).shortest(data.validation_cells, None, data.validation_silhouettes)
    data.validation.classes.copy_(torch.from_numpy(np.array(classes)[shortest]))
    groups = bits[:, classes].argmin(axis=1)
    return model, describe(source, data, names, groups, network.n_classes)


def _codec_bits_per_pixel(model: Model, data: TrainingData) -> float:
    """Bits per (y, x) of the validation cells, by the codec itself."""
    coder, cells, sizes = Coder(model), data.validation_cells, data.validation_sizes
    bits = coder.bits(cells, sizes, data.validation_silhouettes)
    n_pixels = int(data.validation.areas.sum())
    if data.cells is not None:  # learned classes
        return float(bits.min(axis=1).sum()) / n_pixels
    classes = data.validation.classes.cpu().numpy()
    return float(bits[np.arange(len(bits)), classes].sum()) / n_pixels
