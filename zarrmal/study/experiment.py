"""The experiment: right and wrong models, and rivals, on the same cells of both classes."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..benchmark import Rival
from ..progress import Progress, silent
from .cache import Cache, cache_key
from .cells import N_CLASSES, CellSample, Split
from .claims import judge
from .measure.costs import Costs, HybridCosts, PaperCosts, costs_from, measure_costs
from .measure.examples import example_cells
from .measure.mixtures import (
    error_order,
    mixed_quantities,
    operating_point,
    pooled_rates,
    rate_axis,
)
from .measure.rivals import rival_rates
from .measure.side_information import archive_sizes, side_information
from .model import StudyModel
from .results.model_results import ModelResults, OperatingPoint, ResidueSource, SetResults
from .results.study_results import SCHEMA, UNSEEN, ClassifierRates, RivalRate, StudyResults

PACKAGES = ("zarrmal", "zarrmal-codecs", "numpy", "zarr", "imagecodecs", "torch")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classified:
    """Predictions of the real classifier for all unseen cells.

    Parameters
    ----------
    predicted
        uint8 (cell of the source,), classes; defined for unseen cells only.
    """

    rates: ClassifierRates
    predicted: NDArray[np.uint8]


def run_study(
    split: Split,
    models: Sequence[StudyModel],
    rivals: tuple[Rival, ...],
    classified: Classified | None,
    *,
    cache: Cache,
    seed: int,
    quick: bool,
    settings: dict[str, Any],
    progress: Progress = silent,
) -> StudyResults:
    """Measure everything that the cache does not hold, and judge the paper's claims.

    Parameters
    ----------
    split
        See split_cells.
    models
        Models of the source's classes.
    rivals
        Other coders. One that cannot run here becomes a note.
    cache
        Supplies earlier measurements and stores new ones.
    seed
        Draws the cells that are misclassified.
    settings
        The command's options, stored in the results.

    Raises
    ------
    LossyError
        If a coder does not return the exact pixels.
    """
    names = split.unseen.class_names
    notes: list[str] = []
    rates: list[RivalRate] = []
    for sample in split.samples:
        for rate_or_note in rival_rates(rivals, sample, cache, progress):
            if isinstance(rate_or_note, str):
                notes += [] if rate_or_note in notes else [rate_or_note]
            else:
                rates.append(rate_or_note)
    costs: dict[tuple[str, str], Costs] = {}
    results = []
    task = "coding with every class's model"
    for k, model in enumerate(models):
        for sample in split.samples:
            progress(task, k, len(models), f"{model.name}, {sample.name}")
            costs[model.name, sample.name] = _costs(model, names, sample, cache)
        results.append(
            _model_results(model, names, split, costs, rates, classified, cache=cache, seed=seed)
        )
    progress(task, len(models), len(models))
    unjudged = StudyResults(
        schema=SCHEMA,
        quick=quick,
        source=split.unseen.description,
        settings=settings,
        versions=_versions(),
        class_names=names,
        cell_shape=split.unseen.cell_shape,
        n_source_cells={"training": split.training.n_cells, "unseen": split.unseen.n_cells},
        n_slides={
            name: 0 if cells.groups is None else len(np.unique(cells.groups))
            for name, cells in (("training", split.training), ("unseen", split.unseen))
        },
        rates=rate_axis(),
        priors=tuple(split.samples[0].priors.tolist()),
        cell_sets=tuple(sample.to_results() for sample in split.samples),
        models=tuple(results),
        rivals=tuple(rates),
        classifier=classified.rates if classified else None,
        examples=example_cells(split.samples[0], models, costs),
        claims=(),
        notes=tuple(notes),
    )
    return replace(unjudged, claims=judge(unjudged))


def _costs(
    model: StudyModel, names: tuple[str, ...], sample: CellSample, cache: Cache
) -> PaperCosts | HybridCosts:
    classes = model.class_indices(names)
    key = cache_key("costs 1", model.model.digest, classes, sample.sha256)
    return costs_from(
        cache.arrays("costs", key, lambda: measure_costs(model.model, classes, sample))
    )


def _model_results(
    model: StudyModel,
    names: tuple[str, ...],
    split: Split,
    costs: dict[tuple[str, str], Costs],
    rivals: Sequence[RivalRate],
    classified: Classified | None,
    *,
    cache: Cache,
    seed: int,
) -> ModelResults:
    unseen = split.samples[0]
    sets = tuple(
        _set_results(sample, costs[model.name, sample.name], classified, seed)
        for sample in split.samples
    )
    key = cache_key("sizes 1", model.model.digest, unseen.sha256)
    sizes = cache.json("sizes", key, lambda: archive_sizes(model.model, unseen))
    side = side_information(sizes, unseen, sets[0].points, [r for r in rivals if r.cells == UNSEEN])
    counts = model.model.about.get("n_training_cells")
    n_training_cells = None
    if isinstance(counts, dict):
        class_names = (model.model.class_names[k] for k in model.class_indices(names))
        n_training_cells = tuple(int(counts[name]) for name in class_names)
    return ModelResults(
        name=model.name,
        profile=model.model.profile,
        sha256=model.model.digest,
        given=model.given,
        training=model.training,
        n_training_cells=n_training_cells,
        side=side,
        sets=sets,
    )


def _set_results(
    sample: CellSample, costs: Costs, classified: Classified | None, seed: int
) -> SetResults:
    order = error_order(sample, seed)
    points: list[OperatingPoint] = [operating_point("labels", costs, sample, sample.classes)]
    if classified is not None and sample.name == UNSEEN:
        predicted = classified.predicted[sample.rows]
        points.append(operating_point("classifier", costs, sample, predicted))
    points.append(operating_point("shortest", costs, sample, costs.shortest()))
    sources: tuple[ResidueSource, ...] = ()
    if isinstance(costs, PaperCosts):
        sources = tuple(
            costs.residue_source(sample.class_indices(i), i, j)
            for i in range(N_CLASSES)
            for j in range(N_CLASSES)
        )
    return SetResults(
        cells=sample.name,
        latent_bits=costs.latent_bits,
        bits=tuple(
            tuple(
                costs.source(sample.class_indices(i), j)["bits_per_pixel"] for j in range(N_CLASSES)
            )
            for i in range(N_CLASSES)
        ),
        sources=sources,
        quantities=mixed_quantities(costs, sample, order, rate_axis()),
        pooled=pooled_rates(costs, sample, order, rate_axis()),
        points=tuple(points),
    )


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
