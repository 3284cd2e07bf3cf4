"""The experiment: cells of both classes, right and wrong models, rivals, all on the same cells."""

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
from .cells import N_CLASSES, Chosen, Split
from .claims import judge
from .costs import Costs, HybridCosts, PaperCosts, costs_from, measure_costs
from .examples import example_cells
from .keep import Keep, digest
from .measured import ModelResults, OperatingPoint, ResidueSource, SetResults
from .mixtures import (
    mixed_quantities,
    operating_point,
    pooled_rates,
    rate_axis,
    wrong_order,
)
from .others import rival_rates
from .results import SCHEMA, UNSEEN, ClassifierRates, RivalRate, StudyResults
from .side import archive_sizes, side_information
from .study_model import StudyModel

PACKAGES = ("zarrmal", "zarrmal-codecs", "numpy", "zarr", "imagecodecs", "torch")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classified:
    """What the real classifier says of all unseen cells.

    Parameters
    ----------
    predicted
        uint8 (cell of the source,): classes; only those of unseen cells count.
    """

    rates: ClassifierRates
    predicted: NDArray[np.uint8]


def run_study(
    split: Split,
    models: Sequence[StudyModel],
    rivals: tuple[Rival, ...],
    classified: Classified | None,
    *,
    keep: Keep,
    seed: int,
    quick: bool,
    settings: dict[str, Any],
    progress: Progress = silent,
) -> StudyResults:
    """Measure everything; what the folder keeps is not measured again.

    Parameters
    ----------
    split
        See split_cells.
    models
        With the classes of the source.
    rivals
        Other coders; one that cannot run here becomes a note.
    seed
        Of the draw of the cells that go wrong.
    settings
        For the record.

    Raises
    ------
    LossyError
        If another coder did not give back the exact pixels.
    """
    names = split.unseen.class_names
    notes: list[str] = []
    rates: list[RivalRate] = []
    for cells in split.sets:
        for found in rival_rates(rivals, cells, keep, progress):
            if isinstance(found, str):
                notes += [] if found in notes else [found]
            else:
                rates.append(found)
    costs: dict[tuple[str, str], Costs] = {}
    results = []
    for k, one in enumerate(models):
        for cells in split.sets:
            progress("coding with every class's model", k, len(models), f"{one.name}, {cells.name}")
            costs[one.name, cells.name] = _costs(one, names, cells, keep)
        results.append(
            _model_results(one, names, split, costs, rates, classified, keep=keep, seed=seed)
        )
    progress("coding with every class's model", len(models), len(models))
    partial = StudyResults(
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
        priors=tuple(split.sets[0].priors.tolist()),
        cell_sets=tuple(cells.facts() for cells in split.sets),
        models=tuple(results),
        rivals=tuple(rates),
        classifier=classified.rates if classified else None,
        examples=example_cells(split.sets[0], models, costs),
        claims=(),
        notes=tuple(notes),
    )
    return replace(partial, claims=judge(partial))


def _costs(
    one: StudyModel, names: tuple[str, ...], cells: Chosen, keep: Keep
) -> PaperCosts | HybridCosts:
    places = one.places(names)
    key = digest("costs 1", one.model.digest, places, cells.sha256)
    return costs_from(keep.arrays("costs", key, lambda: measure_costs(one.model, places, cells)))


def _model_results(
    one: StudyModel,
    names: tuple[str, ...],
    split: Split,
    costs: dict[tuple[str, str], Costs],
    rivals: Sequence[RivalRate],
    classified: Classified | None,
    *,
    keep: Keep,
    seed: int,
) -> ModelResults:
    unseen = split.sets[0]
    sets = tuple(
        _set_results(cells, costs[one.name, cells.name], classified, seed) for cells in split.sets
    )
    key = digest("sizes 1", one.model.digest, unseen.sha256)
    sizes = keep.tree("sizes", key, lambda: archive_sizes(one.model, unseen))
    side = side_information(sizes, unseen, sets[0].points, [r for r in rivals if r.cells == UNSEEN])
    counts = one.model.about.get("n_training_cells")
    known = None
    if isinstance(counts, dict):
        known = tuple(int(counts[one.model.class_names[place]]) for place in one.places(names))
    return ModelResults(
        name=one.name,
        profile=one.model.profile,
        sha256=one.model.digest,
        given=one.given,
        training=one.training,
        n_training_cells=known,
        side=side,
        sets=sets,
    )


def _set_results(
    cells: Chosen, costs: Costs, classified: Classified | None, seed: int
) -> SetResults:
    order = wrong_order(cells, seed)
    points: list[OperatingPoint] = [operating_point("labels", costs, cells, cells.classes)]
    if classified is not None and cells.name == UNSEEN:
        predicted = classified.predicted[cells.rows]
        points.append(operating_point("classifier", costs, cells, predicted))
    points.append(operating_point("shortest", costs, cells, costs.shortest()))
    pairs = [(i, j) for i in range(N_CLASSES) for j in range(N_CLASSES)]
    sources: tuple[ResidueSource, ...] = ()
    if isinstance(costs, PaperCosts):
        sources = tuple(costs.residue_source(cells.of_class(i), i, j) for i, j in pairs)
    return SetResults(
        cells=cells.name,
        latent_bits=costs.latent_bits,
        bits=tuple(
            tuple(costs.source(cells.of_class(i), j)["bits_per_pixel"] for j in range(N_CLASSES))
            for i in range(N_CLASSES)
        ),
        sources=sources,
        quantities=mixed_quantities(costs, cells, order, rate_axis()),
        pooled=pooled_rates(costs, cells, order, rate_axis()),
        points=tuple(points),
    )


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
