"""From what the caller asks for to a model and an assigner: shipped, loaded, resumed or trained."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from zarrmal_codecs import Model, ZarrmalError
from zarrmal_codecs.chunk.coder import coder_for
from zarrmal_codecs.constants import PROFILE_HYBRID
from zarrmal_codecs.lattice.stored import lattice_of, with_lattice

from .archive.cameras import codes_coefficients
from .archive.write.encode.lattice import LatticeMode, share_of_bits
from .classify import (
    Assigner,
    CellClassifier,
    ClassifierAssigner,
    EvaluatedClassifierAssigner,
    LabelAssigner,
    ShortestAssigner,
)
from .classify.assigners import class_indices
from .classify.assignment import ONE_CLASS, class_index
from .errors import InputError, MissingError
from .infer import InferredSilhouettes
from .models import shipped_models, shipped_originals
from .models.classifiers import shipped_classifier
from .progress import Progress, silent
from .sources import Source
from .sources.fit import model_fits

if TYPE_CHECKING:
    from .learn import HybridOptions, TrainOptions

SAMPLE_CELLS = 32
"""Cells by which a shipped model is chosen."""
COMPARED_CELLS = 8
"""Cells at their own size by which weights for coefficients are judged."""
SILHOUETTE = "silhouette"
"""The tensor that holds a class's table of masks (FORMAT 4.7)."""

Assignment = Literal["auto", "labels", "classifier", "shortest"]
ASSIGNMENTS: tuple[Assignment, ...] = ("auto", "labels", "classifier", "shortest")


def load_model(path: str | os.PathLike[str]) -> Model:
    """Read a model file; MissingError if there is none, ZarrmalError if it is damaged."""
    try:
        return Model.load(Path(path))
    except (FileNotFoundError, IsADirectoryError):
        raise MissingError(
            f"no model file at {os.fspath(path)}: make one with `zarrmal train SOURCE -o MODEL`"
        ) from None
    except ZarrmalError as error:
        raise type(error)(f"{os.fspath(path)}: {error}") from None


def shipped_for(
    cells: Source, canvas: tuple[int, ...] | None = None, lattice: LatticeMode = "off"
) -> Model | None:
    """The shipped model that takes the fewest bits for the cells, judged by some of them.

    Those of grey cells get the weights for coefficients of that of RGB where these pay. None if
    there is none for their dtype, their channels, and their shape or that of the canvas on
    which they are stored.

    Parameters
    ----------
    lattice
        Whether the coefficients of JPEG pictures behind the cells count; see WriteOptions.
    """
    shape = canvas or cells.cell_shape
    n_channels = shape[2] if len(shape) == 3 else 1
    first = cells.channel_first
    models = [
        model
        for model in shipped_models(n_channels, depth=8 if cells.dtype == np.uint8 else 16)
        if model_fits(model, cells.dtype, shape, channel_first=first)
    ]
    if not models or (len(models) == 1 and cells.dtype == np.uint8):
        return _with_coefficients_of_grey(next(iter(models), None), cells, lattice)
    rows = np.unique(np.linspace(0, cells.n_cells - 1, SAMPLE_CELLS).astype(np.int64))
    pixels = cells.read(rows)
    sizes = None if cells.sizes is None else cells.sizes[rows]
    silhouettes = cells.silhouettes(rows)
    models = [model for model in models if coder_for(model).knows(pixels)]

    def total_bits(model: Model) -> float:
        own = coder_for(model).bits(pixels, sizes, silhouettes).min(axis=1)
        share = share_of_bits(cells, model, lattice)
        return float(own.mean()) * share * cells.n_cells + 8 * model.n_bytes

    best = min(models, key=total_bits, default=None)
    return _with_coefficients_of_grey(best, cells, lattice)


def _with_coefficients_of_grey(
    model: Model | None, cells: Source, lattice: LatticeMode
) -> Model | None:
    is_grey = model is not None and (len(model.cell_shape) == 2 or model.cell_shape[2] == 1)
    if model is None or not is_grey or lattice == "off":
        return model
    return with_coefficients(model, cells, lattice)


def without_useless_masks(cells: Source, model: Model | None) -> Source:
    """The cells without inferred masks, where these do not make some of them shorter.

    Parameters
    ----------
    model
        That codes the cells.
    """
    if not isinstance(cells, InferredSilhouettes) or model is None:
        return cells
    coder = coder_for(model)
    if not coder.takes_silhouettes or cells.rule is None:
        return cells.source
    rows = np.unique(np.linspace(0, cells.n_cells - 1, SAMPLE_CELLS).astype(np.int64))
    pixels = cells.read(rows)
    inferred, shown = (
        float(coder.bits(pixels, None, silhouettes).min(axis=1).sum())
        for silhouettes in (cells.silhouettes(rows), None)
    )
    return cells if inferred < shown else cells.source


def train_model(
    cells: Source,
    options: HybridOptions | TrainOptions | None,
    checkpoint: Path | None,
    progress: Progress,
) -> Model:
    """A model trained on these cells; InputError where torch is not installed."""
    learn = import_learn()
    result = learn.train_any(cells, options, checkpoint=checkpoint, progress=progress)
    return with_coefficients(result.model, cells)


def with_coefficients(model: Model, cells: Source, lattice: LatticeMode = "auto") -> Model:
    """A model with the shipped weights for coefficients, which serve any camera.

    Training learns to code pixels. Where the cells are JPEG files, or come from JPEG pictures, a
    model without such weights would take about twice the bytes of a shipped one.

    Returns
    -------
    Model
        The model itself where the cells, judged by some of them, are not shorter with the weights,
        these counted; where it has such weights; and of profile "paper".
    """
    shipped = shipped_originals()
    n_cells = min(cells.n_cells, COMPARED_CELLS)
    if (
        shipped is None
        or model.profile != PROFILE_HYBRID
        or codes_coefficients(model)
        or not n_cells
    ):
        return model
    weights = lattice_of(shipped.classes[0])
    masks = {SILHOUETTE: shipped.classes[0].tensors[SILHOUETTE]}
    assert weights is not None
    able = replace(
        model,
        about={**model.about, "lattice": shipped.about["lattice"]},
        classes=tuple(replace(own, tensors={**masks, **own.tensors}) for own in model.classes),
    )
    able = with_lattice(able, weights)
    share = share_of_bits(cells, able, lattice)
    if share == 1:
        return model
    rows = np.unique(np.linspace(0, cells.n_cells - 1, n_cells).astype(np.int64))
    sizes = None if cells.sizes is None else cells.sizes[rows]
    bits = coder_for(able).bits(cells.read(rows), sizes, cells.silhouettes(rows)).min(axis=1)
    saved_bits = (1 - share) * float(bits.mean()) * cells.n_cells
    return able if saved_bits > 8 * (able.n_bytes - model.n_bytes) else model


def load_classifier(
    classifier: CellClassifier | str | os.PathLike[str] | None,
) -> CellClassifier | None:
    """A classifier, read if it is a file; InputError if there is none or it is damaged."""
    if classifier is None or isinstance(classifier, CellClassifier):
        return classifier
    return CellClassifier.load(classifier)


def shipped_classifier_for(cells: Source, model: Model) -> CellClassifier:
    """The shipped classifier; InputError if none knows the model's classes and takes the cells."""
    shape = cells.cell_shape
    classifier = shipped_classifier(shape[2] if len(shape) == 3 else 1)
    if classifier is not None and class_indices(classifier, model.class_names) is not None:
        return classifier
    raise InputError(
        f"no shipped classifier is for cells of {' x '.join(map(str, shape))} and the model's "
        f"classes {', '.join(map(repr, model.class_names))}: give one with --classifier FILE (from "
        f"`zarrmal train-classifier`), labelled cells with --labelled SOURCE, or --cross-fit to "
        f"learn from the cells' own labels"
    )


def choose_assigner(
    assign: Assignment | Assigner,
    cells: Source,
    model: Model | None,
    *,
    classifier: CellClassifier | None = None,
    labelled: Source | None = None,
    cross_fit: bool = False,
    progress: Progress = silent,
) -> Assigner:
    """The assigner that was asked for; see zarrmal.write for the parameters."""
    refuse_conflicts(assign, classifier is not None, labelled is not None, cross_fit)
    if model is None:
        if assign != "auto":
            raise InputError("the cells are stored without a model, so there are no classes to "
                             "assign: leave --assign (assign=) out")  # fmt: skip
        return LabelAssigner(cells, ONE_CLASS)
    if callable(assign):
        return assign
    if assign == "auto":
        has_labels = cells.labels is not None and all(
            class_index(name, model.class_names) is not None for name in cells.class_names
        )
        assign = "labels" if has_labels or len(model.classes) == 1 else "shortest"
    if assign == "labels":
        return LabelAssigner(cells, model.class_names)
    if assign == "shortest":
        return ShortestAssigner(model, cells)
    if assign != "classifier":
        raise InputError(f"assign must be one of {', '.join(ASSIGNMENTS)}, not {assign!r}")
    if labelled is None and not cross_fit:
        classifier = classifier or shipped_classifier_for(cells, model)
        _refuse_channels(classifier, cells)
        if cells.labels is None:
            return ClassifierAssigner(classifier, model.class_names, cells)
        return EvaluatedClassifierAssigner(classifier, model.class_names, cells)
    import_learn()
    from .learn.classifier import CrossFittedClassifier, TrainedClassifier

    if labelled is not None:
        return TrainedClassifier(labelled, model.class_names, progress=progress, source=cells)
    return CrossFittedClassifier(cells, model.class_names, progress=progress)


def refuse_conflicts(assign: Assignment | Assigner, *given: bool) -> None:
    """InputError where a classifier is given without being asked for, or in two ways."""
    if any(given) and assign != "classifier":
        raise InputError("a classifier, labelled cells and cross-fitting are for --assign "
                         "classifier (assign=\"classifier\")")  # fmt: skip
    if sum(given) > 1:
        raise InputError("a classifier file, labelled cells and cross-fitting are three ways of "
                         "classifying: choose one")  # fmt: skip


def _refuse_channels(classifier: CellClassifier, cells: Source) -> None:
    if cells.dtype != np.uint8 or not classifier.fits(cells.cell_shape):
        raise InputError(
            f"the classifier is for cells of {classifier.n_channels} channels of uint8, these are "
            f"{' x '.join(map(str, cells.cell_shape))} of {cells.dtype}: pick a plane "
            f"with --channel, or train another with `zarrmal train-classifier`"
        )


def import_learn() -> Any:
    """The module zarrmal.learn; InputError where torch is not installed."""
    try:
        from . import learn
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise InputError(
            "training needs PyTorch, which is not installed: pip install 'zarrmal[train]', or "
            "give a trained model with --model"
        ) from None
    return learn
