"""Example cells: one unseen cell of each class, and where its bits go, pixel by pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.coder import coder_for
from zarrmal_codecs.constants import (
    FREQUENCY_TOTAL,
    LATENT_GAIN,
    PROFILE_HYBRID,
    PROFILE_PAPER,
)
from zarrmal_codecs.hybrid.context import steps_of
from zarrmal_codecs.hybrid.depth import SHALLOW
from zarrmal_codecs.hybrid.known import Known
from zarrmal_codecs.hybrid.pixel_coder import Lanes, Plan
from zarrmal_codecs.hybrid.prediction import Prediction
from zarrmal_codecs.model.step import Step
from zarrmal_codecs.paper.cells import PaperCells
from zarrmal_codecs.paper.golomb_rice import unzigzag

from ..cells import N_CLASSES, CellSample
from ..model import StudyModel
from ..results.study_results import ExampleCell
from .costs import Costs, PaperCosts

Pixels = NDArray[np.uint8]

N_DIGITS = 4


def example_cells(
    sample: CellSample, models: Sequence[StudyModel], costs: Mapping[tuple[str, str], Costs]
) -> tuple[ExampleCell, ...]:
    """Choose from each class the cell of median cost under the first model."""
    first = costs[models[0].name, sample.name]
    examples = []
    for i in range(N_CLASSES):
        indices = sample.class_indices(i)
        rates = [first.source(np.array([k]), i)["bits_per_pixel"] for k in indices.tolist()]
        index = int(indices[np.argsort(rates, kind="stable")[len(indices) // 2]])
        examples.append(_example(sample, i, index, models, costs))
    return tuple(examples)


def _example(
    sample: CellSample,
    i: int,
    index: int,
    models: Sequence[StudyModel],
    costs: Mapping[tuple[str, str], Costs],
) -> ExampleCell:
    names = sample.cells.class_names
    cell = sample.pixels[index]
    paper: list[Any] = [None, None, None]
    hybrid = None
    for study_model in models:
        model, k = study_model.model, study_model.class_indices(names)[i]
        if model.profile == PROFILE_PAPER and paper[0] is None:
            paper_costs = costs[study_model.name, sample.name]
            assert isinstance(paper_costs, PaperCosts)
            source = paper_costs.residue_source(sample.class_indices(i), i, i)
            paper = [_nested(part) for part in paper_pixels(model, k, cell, source.rice_parameter)]
        if model.profile == PROFILE_HYBRID and hybrid is None:
            hybrid = _nested(hybrid_bits(model, k, cell).round(N_DIGITS))
    groups = sample.cells.groups
    return ExampleCell(
        class_name=names[i],
        row=int(sample.rows[index]),
        slide="" if groups is None else str(groups[index]),
        pixels=_nested(cell),
        prediction=paper[0],
        residue=paper[1],
        paper_bits=paper[2],
        hybrid_bits=hybrid,
    )


def _nested(values: NDArray[Any]) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(row) for row in values.tolist())


def paper_pixels(
    model: Model, k: int, cell: Pixels, s: int
) -> tuple[Pixels, NDArray[np.int64], NDArray[np.int64]]:
    """Predict a cell with profile ``paper``.

    Parameters
    ----------
    k
        Index of the class in the model.
    cell
        uint8 (y, x).
    s
        Rice parameter.

    Returns
    -------
    prediction, residue, lengths
        uint8, int64 modulo 256, and the length of each Rice codeword in bits, (y, x) each.
    """
    coder = coder_for(model).cells(k)
    assert isinstance(coder, PaperCells)
    _, values = coder.transform(cell[None])
    residue = unzigzag(values[0])
    prediction = cell - residue.view(np.uint8).reshape(cell.shape)
    lengths = (values[0].astype(np.int64) >> s) + 1 + s
    return prediction, residue.astype(np.int64).reshape(cell.shape), lengths.reshape(cell.shape)


def hybrid_bits(model: Model, k: int, cell: Pixels) -> NDArray[np.float64]:
    """-log2 of each pixel's probability under profile ``hybrid``, latents not counted.

    Parameters
    ----------
    k
        Index of the class in the model.
    cell
        uint8 (y, x).

    Returns
    -------
    NDArray
        float64 (y, x).
    """
    class_model = model.classes[k]
    pixels = cell[None, None]
    latents: NDArray[np.int8] | None = None
    predicted: Pixels | None = None
    n_latents = 0
    if class_model.networks.get("decoder"):
        prediction = Prediction(class_model, 1)
        n_latents = prediction.n_latents
        latents = prediction.encode(pixels, None)
        predicted = prediction.decode(latents, (cell.shape[0], cell.shape[1]), None)
    steps = steps_of(class_model, 1, n_latents)
    plan = Plan(steps, n_latents > 0, SHALLOW)
    first_sums = [_first_sums(step, latents) for step in steps]
    outlined = coder_for(model).outline(cell[None], None, None)
    known = Known(
        shape=(1, 1, *cell.shape),
        first=first_sums,
        coverage=None if outlined is None else outlined.coverage,
        predicted=predicted,
    )
    lanes = Lanes(plan, known)
    bits = np.zeros(cell.shape)
    for step, y, x in lanes.coding_order():
        value = cell[None, y, x].astype(np.int64)
        mixture = lanes.distribution(step, y, x, value[None])
        ((_, frequency),) = mixture.intervals(value)
        bits[y, x] = -np.log2(frequency[0] / FREQUENCY_TOTAL)
        # Set after coding: the network must not see the pixel that it predicts.
        lanes.put(0, y, x, value)
    return bits


def _first_sums(step: Step, latents: NDArray[np.int8] | None) -> NDArray[np.int32]:
    """First sums, int32 (cell, unit): biases plus the latents' share (FORMAT 6.9)."""
    sums = step.layers[0].bias[None].astype(np.int32)
    if latents is not None and step.latent is not None:
        added = latents.astype(np.int32) @ step.latent.astype(np.int32).T
        sums = sums + np.int32(LATENT_GAIN) * added
    return np.ascontiguousarray(sums, np.int32)
