"""The benchmark: models of some slides, measured on others, beside the rivals, in one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from zarrmal_codecs import Model
from zarrmal_codecs.coder import coder_for
from zarrmal_codecs.engine import chosen_level

from ..errors import InputError
from ..progress import Progress, silent
from ..sources import Source, Subset
from ..split import split_by_group
from .kept import Kept
from .machine import machine_facts, versions
from .measure import Measurement
from .ours import TRAINING, UNSEEN, Ours, measure_ours, names_of
from .ratios import Ratio, required_ratios
from .rivals import Rival
from .theirs import measure_rivals


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResult:
    """All measurements and what they were made with.

    Parameters
    ----------
    break_even_cells
        Our name -> rival and arrangement -> cells from which the archive is smaller; inf: never.
    not_measured
        Rivals that cannot run here, and why.
    n_of_an_earlier_run
        Measurements of rivals that were kept by a run before, on the same machine.
    machine
        ``busy`` says that its speeds are no measure: others had the processor too.
    """

    ours: tuple[Ours, ...]
    measurements: tuple[Measurement, ...]
    ratios: tuple[Ratio, ...]
    n_slides: dict[str, int]
    n_cells: dict[str, int]
    cell_shape: tuple[int, ...]
    break_even_cells: dict[str, dict[str, float]]
    not_measured: dict[str, str]
    n_of_an_earlier_run: int
    versions: dict[str, str]
    machine: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As a machine reads it."""
        return {
            "measurements": [m.to_json() for m in self.measurements],
            "ours": [one.to_json() for one in self.ours],
            "ratios": [ratio.to_json() for ratio in self.ratios],
            "n_slides": self.n_slides,
            "n_cells": self.n_cells,
            "cell_shape": list(self.cell_shape),
            "break_even_cells": self.break_even_cells,
            "not_measured": self.not_measured,
            "n_of_an_earlier_run": self.n_of_an_earlier_run,
            "versions": self.versions,
            "machine": self.machine,
        }


def run_benchmark(
    training: Source,
    unseen: Source,
    models: Sequence[Model],
    rivals: Sequence[Rival],
    progress: Progress = silent,
    *,
    keep: Path | None = None,
) -> BenchmarkResult:
    """Measure models and their rivals.

    Parameters
    ----------
    training
        The cells that the models were trained on.
    unseen
        Cells of other slides.
    models
        Trained on ``training``.
    rivals
        Other coders.
    keep
        A folder for their measurements: a run that was interrupted goes on from there.

    Raises
    ------
    InputError
        If a model is for other cells, or the environment asks for a kernel that is not there.
    LossyError
        If any coder, ours included, did not give back the exact pixels.
    """
    refuse_unfit(models, unseen.cell_shape)
    machine, found_versions = machine_facts(), versions()  # first: later the load is ours
    kept = Kept(keep, machine, found_versions)
    ours: list[Ours] = []
    for name, model in zip(names_of(models), models, strict=True):
        progress("our models", len(ours), len(models), name)
        ours.append(measure_ours(name, model, training, unseen, progress))
    progress("our models", len(models), len(models))
    theirs, not_measured = measure_rivals(rivals, unseen, kept, progress)
    mine = [m for one in ours for m in one.measurements]
    return BenchmarkResult(
        ours=tuple(ours),
        measurements=(*mine, *theirs),
        ratios=required_ratios(mine, theirs, of=UNSEEN),
        n_slides={
            name: 0 if s.groups is None else len(np.unique(s.groups))
            for name, s in [(TRAINING, training), (UNSEEN, unseen)]
        },
        n_cells={TRAINING: training.n_cells, UNSEEN: unseen.n_cells},
        cell_shape=unseen.cell_shape,
        break_even_cells={one.name: _break_evens(one, theirs, unseen.cell_shape) for one in ours},
        not_measured=not_measured,
        n_of_an_earlier_run=kept.n_taken,
        versions=found_versions,
        machine=machine,
    )


def refuse_unfit(models: Sequence[Model], cell_shape: tuple[int, ...]) -> None:
    """InputError before a long run, not after it.

    Also where the environment names a kernel that this machine does not have.
    """
    try:
        chosen_level()
    except ValueError as error:
        raise InputError(str(error)) from None
    for name, model in zip(names_of(models), models, strict=True):
        if not coder_for(model).fits(cell_shape):
            raise InputError(
                f"the cells are {_times(cell_shape)}, {name} is for {_times(model.cell_shape)}: "
                f"use --size or --channel, or train a model on them"
            )


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _break_evens(
    one: Ours, theirs: Sequence[Measurement], cell_shape: tuple[int, ...]
) -> dict[str, float]:
    without = next(m for m in one.measurements if m.cells == UNSEEN and not m.model_counted)
    return {
        f"{m.coder}, {m.arrangement}": break_even(one.model, without, m, cell_shape) for m in theirs
    }


def break_even(
    model: Model, without_model: Measurement, rival: Measurement, cell_shape: tuple[int, ...]
) -> float:
    """Cells from which the archive, model counted, is smaller than the rival; inf: never."""
    gain = rival.bits_per_pixel - without_model.bits_per_pixel
    if gain <= 0:
        return float("inf")
    return 8 * len(model.to_base64()) / (gain * cell_shape[0] * cell_shape[1])


def split_source(source: Source, share: float, seed: int) -> tuple[Source, Source]:
    """Training cells and unseen ones, by slide.

    Raises
    ------
    InputError
        If the slides are not known: a split by cell would flatter us.
    """

    if source.groups is None or len(np.unique(source.groups)) < 2:
        raise InputError("the benchmark splits by slide, and no slides are known: give "
                         "--group-pattern for file names, or a `slide` key")  # fmt: skip
    rows = split_by_group(source.n_cells, source.groups, share, seed)
    return Subset(source, rows[0]), Subset(source, rows[1])
