"""The benchmark: models trained on some slides, measured on others beside their rivals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.coder import coder_for
from zarrmal_codecs.hybrid.engine import chosen_level

from ..archive.write.encode.lattice import LatticeMode
from ..errors import InputError
from ..progress import Progress, silent
from ..sources import Source, Subset
from ..sources.columns.provenance import SLIDE, SLIDE_X
from ..sources.source import require_codable, require_one_size
from ..split import split_by_group
from .cache import MeasurementCache
from .comparison import Ratio, break_even, required_ratios
from .machine import machine_facts, versions
from .measurement import TRAINING, UNSEEN, Arrangement, Measurement, pixels_by_cell
from .models import ModelResult, measure_model, model_names
from .rivals import Rival, measure_jpeg_files, measure_rivals


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResult:
    """All measurements, and what they were made with.

    Parameters
    ----------
    cell_shape
        (y, x) or (y, x, channel); of the canvas where sizes differ.
    heights, widths
        Smallest and largest of the unseen cells, where sizes differ; else None.
    break_even_cells
        Model's name -> rival and arrangement -> number of cells from which the archive is smaller;
        inf: never.
    not_measured
        Rivals that cannot run here, with the reason.
    n_reused
        Measurements of rivals that an earlier run on the same machine made.
    machine
        Where it is ``busy``, other processes shared the processor, and its speeds are not reliable.
    """

    models: tuple[ModelResult, ...]
    measurements: tuple[Measurement, ...]
    ratios: tuple[Ratio, ...]
    n_slides: dict[str, int]
    n_cells: dict[str, int]
    cell_shape: tuple[int, ...]
    heights: tuple[int, int] | None
    widths: tuple[int, int] | None
    break_even_cells: dict[str, dict[str, float]]
    not_measured: dict[str, str]
    n_reused: int
    versions: dict[str, str]
    machine: dict[str, Any]

    @property
    def rivals_in(self) -> Arrangement:
        """The rivals' best arrangement: sheets need cells of one size."""
        return "sheet" if self.heights is None else "cell"

    def to_json(self) -> dict[str, Any]:
        """The object that ``zarrmal benchmark --json`` prints."""
        return {
            "measurements": [m.to_json() for m in self.measurements],
            "ours": [model.to_json() for model in self.models],
            "ratios": [ratio.to_json() for ratio in self.ratios],
            "n_slides": self.n_slides,
            "n_cells": self.n_cells,
            "cell_shape": list(self.cell_shape),
            "heights": self.heights,
            "widths": self.widths,
            "break_even_cells": self.break_even_cells,
            "not_measured": self.not_measured,
            "n_of_an_earlier_run": self.n_reused,
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
    cache_folder: Path | None = None,
    lattice: LatticeMode = "auto",
) -> BenchmarkResult:
    """Measure models and their rivals.

    Parameters
    ----------
    training
        The cells that the models were trained on; may be none.
    unseen
        Cells of other slides. Where sizes differ, rivals code each at its own size in a file of its
        own; sheets are left out.
    models
        Trained on ``training``.
    rivals
        Other coders.
    cache_folder
        Stores the rivals' measurements, so that an interrupted run continues.
    lattice
        Whether our archives hold coefficients of JPEG pictures, see ``WriteOptions``.

    Raises
    ------
    InputError
        If a model does not fit the cells, or the environment names a kernel that is not available.
    LossyError
        If any coder, zarrmal included, does not return the exact pixels.
    """
    refuse_unfit(models, unseen)
    machine, all_versions = machine_facts(), versions()  # before the benchmark adds to the load
    cache = MeasurementCache(cache_folder, machine, all_versions)
    results: list[ModelResult] = []
    for name, model in zip(model_names(models), models, strict=True):
        progress("our models", len(results), len(models), name)
        results.append(measure_model(name, model, training, unseen, progress, lattice=lattice))
    progress("our models", len(models), len(models))
    rival_rows, not_measured = measure_rivals(rivals, unseen, cache, progress)
    files = measure_jpeg_files(unseen) if rivals else None
    if files is not None:
        rival_rows.append(files)
    archive_rows = [m for result in results for m in result.measurements]
    return BenchmarkResult(
        models=tuple(results),
        measurements=(*archive_rows, *rival_rows),
        ratios=required_ratios(
            archive_rows,
            rival_rows,
            cells=UNSEEN,
            arrangement="sheet" if unseen.sizes is None else "cell",
        ),
        n_slides={
            name: 0 if s.groups is None else len(np.unique(s.groups))
            for name, s in [(TRAINING, training), (UNSEEN, unseen)]
        },
        n_cells={TRAINING: training.n_cells, UNSEEN: unseen.n_cells},
        cell_shape=unseen.cell_shape,
        heights=_bounds(unseen, 0),
        widths=_bounds(unseen, 1),
        break_even_cells={
            result.name: _break_evens(result, rival_rows, float(pixels_by_cell(unseen).mean()))
            for result in results
        },
        not_measured=not_measured,
        n_reused=cache.n_reused,
        versions=all_versions,
        machine=machine,
    )


def refuse_unfit(models: Sequence[Model], cells: Source) -> None:
    """Check models and kernel before a long run.

    Raises
    ------
    InputError
        If a model does not fit the cells, or the environment names a kernel that is not available.
    """
    try:
        chosen_level()
    except ValueError as error:
        raise InputError(str(error)) from None
    require_codable(cells, "the benchmark", deep=True)
    for name, model in zip(model_names(models), models, strict=True):
        if not coder_for(model).takes_sizes:
            require_one_size(cells, f"profile {model.profile}")
        if not coder_for(model).fits(cells.cell_shape):
            raise InputError(
                f"the cells are {_times(cells.cell_shape)}, {name} is for "
                f"{_times(model.cell_shape)}: use --size or --channel, or train a model on them"
            )


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _break_evens(
    result: ModelResult, rivals: Sequence[Measurement], cell_pixels: float
) -> dict[str, float]:
    without_model = next(
        m for m in result.measurements if m.cells == UNSEEN and not m.model_counted
    )
    return {
        f"{m.coder}, {m.arrangement}": break_even(result.model, without_model, m, cell_pixels)
        for m in rivals
    }


def _bounds(cells: Source, axis: int) -> tuple[int, int] | None:
    if cells.sizes is None:
        return None
    sides = cells.sizes[:, axis]
    return int(sides.min()), int(sides.max())


def split_source(source: Source, share: float, seed: int) -> tuple[Source, Source]:
    """Split a source by slide into training cells and unseen cells.

    Of a single slide on which the place of each cell is known, the right part is unseen. With a
    share of 1 all cells are, whatever their slides.

    Raises
    ------
    InputError
        If the slides are not known: a split by cell would flatter the models.
    """
    if share == 1:
        return Subset(source, []), source
    if source.groups is None or len(np.unique(source.groups)) < 2:
        x = source.columns.get(SLIDE_X)
        if x is not None and source.n_cells > 1 and len(np.unique(source.columns[SLIDE])) == 1:
            by_x = np.argsort(x, kind="stable")
            n = min(max(round(share * source.n_cells), 1), source.n_cells - 1)
            return Subset(source, np.sort(by_x[:-n])), Subset(source, np.sort(by_x[-n:]))
        raise InputError("the benchmark splits by slide, and no slides are known: give "
                         "--group-pattern for file names, or a `slide` key")  # fmt: skip
    rows = split_by_group(source.n_cells, source.groups, share, seed)
    return Subset(source, rows[0]), Subset(source, rows[1])
