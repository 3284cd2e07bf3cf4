"""The benchmark: models of some slides, measured on others, beside the rivals, in one run."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.coder import coder_for
from zarrmal_codecs.engine import chosen_level

from ..errors import InputError
from ..progress import Progress, silent
from ..sources import Source, Subset
from ..split import split_by_group
from .measure import Measurement, measure_rival
from .ours import TRAINING, UNSEEN, Ours, measure_ours, names_of, spread
from .ratios import Ratio, required_ratios
from .rivals import Rival

MAX_CELLS_ONE_BY_ONE = 1000
"""One file a cell is slow for some coders and needs no large sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResult:
    """All measurements and what they were made with.

    Parameters
    ----------
    break_even_cells
        Our name -> rival and arrangement -> cells from which the archive is smaller; inf: never.
    """

    ours: tuple[Ours, ...]
    measurements: tuple[Measurement, ...]
    ratios: tuple[Ratio, ...]
    n_slides: dict[str, int]
    n_cells: dict[str, int]
    cell_shape: tuple[int, ...]
    break_even_cells: dict[str, dict[str, float]]
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
            "versions": self.versions,
            "machine": self.machine,
        }


def run_benchmark(
    training: Source,
    unseen: Source,
    models: Sequence[Model],
    rivals: Sequence[Rival],
    progress: Progress = silent,
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

    Raises
    ------
    InputError
        If a model is for other cells, or the environment asks for a kernel that is not there.
    LossyError
        If any coder, ours included, did not give back the exact pixels.
    """
    refuse_unfit(models, unseen.cell_shape)
    machine = _machine()  # first: later the load is ours
    total = len(models) + 2 * len(rivals)
    ours: list[Ours] = []
    for name, model in zip(names_of(models), models, strict=True):
        progress("measuring", len(ours), total, name)
        ours.append(measure_ours(name, model, training, unseen, progress))
    pixels = _sorted_cells(unseen)
    few = spread(pixels, MAX_CELLS_ONE_BY_ONE)
    theirs: list[Measurement] = []
    for rival in rivals:
        for arrangement, cells in (("cell", few), ("sheet", pixels)):
            progress("measuring", len(ours) + len(theirs), total, f"{rival.name}, {arrangement}")
            theirs.append(measure_rival(rival, cells, arrangement, of=UNSEEN))  # type: ignore[arg-type]
    progress("measuring", total, total)
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
        versions={
            "python": platform.python_version(),
            **{
                name: version(name)
                for name in ("zarrmal", "zarrmal-codecs", "zarr", "numpy", "imagecodecs")
            },
        },
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


def _sorted_cells(cells: Source) -> NDArray[np.uint8]:
    """All pixels, class by class: the best order for sheets, and the archive's own."""
    labels = np.zeros(cells.n_cells, np.uint8) if cells.labels is None else cells.labels
    return cells.read(np.argsort(labels, kind="stable"))


def _machine() -> dict[str, Any]:
    """Where the times were taken, and what else it was doing."""
    has_affinity = hasattr(os, "sched_getaffinity")
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "cpu": _cpu_name(),
        "n_cpus": len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count(),
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()


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
