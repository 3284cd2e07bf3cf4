"""The three verbs of the library: train, write, open."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zarrmal_codecs import Model, ZarrmalError
from zarrmal_codecs.coder import coder_for

from .archive import (
    AppendOptions,
    ArchiveInfo,
    Target,
    WriteOptions,
    append_archive,
    archive_info,
    open_archive,
    write_archive,
)
from .archive.append import archive_model
from .archive.place import refuse_itself
from .archive.write import interrupted_model, refuse_place
from .classify import (
    Assigner,
    CellClassifier,
    ClassifierAssigner,
    ClassifierReport,
    JudgedClassifier,
    LabelAssigner,
    ShortestAssigner,
)
from .classify.labels import class_place
from .classify.trained import places_in
from .errors import InputError
from .models import shipped_model
from .models.classifiers import shipped_classifier
from .progress import Progress, silent
from .sources import Source, open_source

if TYPE_CHECKING:
    from .learn import HybridOptions, HybridResult, TrainOptions, TrainResult

AssignWish = Literal["auto", "labels", "classifier", "shortest"]
ASSIGN_WISHES: tuple[AssignWish, ...] = ("auto", "labels", "classifier", "shortest")
PROFILES = ("hybrid", "paper")

open = open_archive  # the public name is zarrmal.open, like zarr.open


def train(
    source: Any,
    *,
    options: HybridOptions | TrainOptions | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress = silent,
    **source_arguments: Any,
) -> HybridResult | TrainResult:
    """Train a model on cells; needs torch (``pip install 'zarrmal[train]'``).

    Parameters
    ----------
    source
        Anything that ``zarrmal.sources.open_source`` takes: a folder, an array file, a Zarr or
        xarray variable, an array; with its keyword arguments in ``source_arguments``.
    options
        HybridOptions (the default) or TrainOptions, which are the paper's.
    checkpoint
        A file from which an interrupted run goes on.

    Returns
    -------
    HybridResult or TrainResult
        ``.model``, to be saved or given to ``write``, and a report.
    """
    learn = learn_room()
    cells = open_source(source, **source_arguments)
    result: HybridResult | TrainResult = learn.train_any(
        cells, options, checkpoint=checkpoint, progress=progress
    )
    return result


def write(
    source: Any,
    url: str | os.PathLike[str],
    *,
    model: Model | str | os.PathLike[str] | None = None,
    assign: AssignWish | Assigner = "auto",
    classifier: CellClassifier | str | os.PathLike[str] | None = None,
    labelled: Source | None = None,
    cross_fit: bool = False,
    options: WriteOptions | None = None,
    train_options: HybridOptions | TrainOptions | None = None,
    progress: Progress = silent,
    storage_options: Mapping[str, Any] | None = None,
    **source_arguments: Any,
) -> ArchiveInfo:
    """Write cells as an archive that plain ``zarr.open`` reads.

    Parameters
    ----------
    source
        As for ``train``.
    url
        Local path or fsspec URL.
    model
        A Model or a model file. None takes the model that ships, where it can code the cells and
        no ``train_options`` are given, and else trains one on these very cells first.
    assign
        How cells get their class: "labels", "classifier", "shortest", any callable
        ``(cells, rows) -> classes`` (see zarrmal.classify.Assigner), or "auto": labels where the
        cells have the model's, else the shorter code.
    classifier
        For "classifier": a CellClassifier or its file. None takes the one that ships, where it
        knows the model's classes and the cells have as many channels.
    labelled
        For "classifier": labelled cells to train one on instead; needs torch.
    cross_fit
        For "classifier": train on the cells' own labels instead, so that each cell is assigned by
        a network that has not seen its slide; needs torch.
    options
        Chunks, format, overwriting; see WriteOptions.
    train_options
        Where no model is given: train one, so.
    storage_options
        Of the source.

    Raises
    ------
    InputError
        Before anything is written, if something doesn't fit.
    """
    options = options or WriteOptions()
    refuse_ways(assign, classifier is not None, labelled is not None, cross_fit)
    trained = load_classifier(classifier)
    target = Target(os.fspath(url), options.storage_options)
    refuse_place(target, options, source)
    cells = open_source(
        source, storage_options=storage_options, progress=reading(progress), **source_arguments
    )
    if isinstance(model, Model):
        ready = model
    elif model is not None:
        ready = load_model(model)
    elif (unfinished := interrupted_model(target, options)) is not None:
        ready = unfinished
    else:
        shipped = shipped_for(cells.cell_shape) if train_options is None else None
        ready = shipped or _trained(cells, train_options, target, progress)
    assigner = choose_assigner(
        assign,
        cells,
        ready,
        labelled,
        progress,
        classifier=trained,
        cross_fit=cross_fit,
    )
    write_archive(
        cells, target.url, model=ready, assigner=assigner, options=options, progress=progress
    )
    return archive_info(target)


def append(
    source: Any,
    url: str | os.PathLike[str],
    *,
    assign: AssignWish | Assigner = "auto",
    classifier: CellClassifier | str | os.PathLike[str] | None = None,
    options: AppendOptions | None = None,
    progress: Progress = silent,
    archive_options: Mapping[str, Any] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    **source_arguments: Any,
) -> ArchiveInfo:
    """Add cells to an archive, coded with the model that it holds.

    Readers see the archive as it was until all is in place, and then the whole.

    Parameters
    ----------
    source
        As for ``write``; of these cells must be known what is known of the archive's.
    url
        The archive.
    assign, classifier
        As for ``write``.
    archive_options
        fsspec's storage options of the archive.
    storage_options
        Of the source.

    Raises
    ------
    InputError
        Before anything is written, if something doesn't fit.
    """
    refuse_ways(assign, classifier is not None)
    trained = load_classifier(classifier)
    target = Target(os.fspath(url), archive_options or {})
    refuse_itself(source, target)
    model = archive_model(target)
    cells = open_source(
        source, storage_options=storage_options, progress=reading(progress), **source_arguments
    )
    assigner = choose_assigner(assign, cells, model, progress=progress, classifier=trained)
    append_archive(cells, target, assigner=assigner, options=options, progress=progress)
    return archive_info(target)


def _trained(
    cells: Source, options: HybridOptions | TrainOptions | None, target: Target, progress: Progress
) -> Model:
    place = training_checkpoint(target)
    learn = learn_room()
    model: Model = learn.train_any(cells, options, checkpoint=place, progress=progress).model
    return model


def shipped_for(cell_shape: tuple[int, ...]) -> Model | None:
    """The model that ships, if it can code cells of this shape."""
    if len(cell_shape) not in (2, 3):
        return None
    model = shipped_model(cell_shape[2] if len(cell_shape) == 3 else 1)
    return model if model is not None and coder_for(model).fits(cell_shape) else None


def load_model(path: str | os.PathLike[str]) -> Model:
    """Read a model file; InputError if there is none, ZarrmalError if it is damaged."""
    try:
        return Model.load(Path(path))
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(
            f"no model file at {os.fspath(path)}: make one with `zarrmal train SOURCE -o MODEL`"
        ) from None
    except ZarrmalError as error:
        raise type(error)(f"{os.fspath(path)}: {error}") from None


def choose_assigner(
    wish: AssignWish | Assigner,
    cells: Source,
    model: Model,
    labelled: Source | None = None,
    progress: Progress = silent,
    *,
    classifier: CellClassifier | None = None,
    cross_fit: bool = False,
) -> Assigner:
    """From the wish to something that assigns."""
    refuse_ways(wish, classifier is not None, labelled is not None, cross_fit)
    if callable(wish):
        return wish
    if wish == "auto":
        known = cells.labels is not None and all(
            class_place(name, model.class_names) is not None for name in cells.class_names
        )
        wish = "labels" if known or len(model.classes) == 1 else "shortest"
    if wish == "labels":
        return LabelAssigner(cells, model.class_names)
    if wish == "shortest":
        return ShortestAssigner(model)
    if wish == "classifier":
        if labelled is None and not cross_fit:
            ready = classifier or classifier_for(cells, model)
            _refuse_channels(ready, cells)
            if cells.labels is None:
                return ClassifierAssigner(ready, model.class_names)
            return JudgedClassifier(ready, model.class_names, cells)
        learn_room()
        from .learn.classifier import CrossFittedClassifier, TrainedClassifier

        if labelled is not None:
            return TrainedClassifier(labelled, model.class_names, progress=progress)
        return CrossFittedClassifier(cells, model.class_names, progress=progress)
    raise InputError(f"assign must be one of {', '.join(ASSIGN_WISHES)}, not {wish!r}")


def refuse_ways(wish: AssignWish | Assigner, *given: bool) -> None:
    """InputError where ways of classifying are given without the wish, or more than one is."""
    if any(given) and wish != "classifier":
        raise InputError("a classifier, labelled cells and cross-fitting are for --assign "
                         "classifier (assign=\"classifier\")")  # fmt: skip
    if sum(given) > 1:
        raise InputError("a classifier file, labelled cells and cross-fitting are three ways of "
                         "classifying: choose one")  # fmt: skip


def classifier_for(cells: Source, model: Model) -> CellClassifier:
    """The classifier that ships, if it knows the model's classes and can take the cells."""
    shape = cells.cell_shape
    found = shipped_classifier(shape[2] if len(shape) == 3 else 1)
    if found is not None and places_in(found, model.class_names) is not None:
        return found
    raise InputError(
        f"no classifier that ships is for cells of {' x '.join(map(str, shape))} and the model's "
        f"classes {', '.join(map(repr, model.class_names))}: give one with --classifier FILE (from "
        f"`zarrmal train-classifier`), labelled cells with --labelled SOURCE, or --cross-fit to "
        f"learn from the cells' own labels"
    )


def load_classifier(
    classifier: CellClassifier | str | os.PathLike[str] | None,
) -> CellClassifier | None:
    """The same, read where it is a file; InputError if there is none or it is damaged."""
    if classifier is None or isinstance(classifier, CellClassifier):
        return classifier
    return CellClassifier.load(classifier)


def _refuse_channels(classifier: CellClassifier, cells: Source) -> None:
    if not classifier.fits(cells.cell_shape):
        raise InputError(
            f"the classifier is for cells of {classifier.n_channels} channels, these are "
            f"{' x '.join(map(str, cells.cell_shape))}: pick a plane with --channel, or train "
            f"another with `zarrmal train-classifier`"
        )


def classifier_report(assigner: Assigner) -> ClassifierReport | None:
    """What a classifier found on cells that it had not seen; None for other ways."""
    report = getattr(assigner, "report", None)
    return report if isinstance(report, ClassifierReport) else None


def learn_room() -> Any:
    """The module zarrmal.learn; InputError where torch is not installed."""
    try:
        from . import learn
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise InputError(
            "learning needs PyTorch, which is not installed: pip install 'zarrmal[train]', or "
            "give a trained model with --model"
        ) from None
    return learn


def reading(progress: Progress) -> Callable[[int, int], None]:
    """Progress of opening a source."""
    return lambda done, total: progress("reading the source", done, total)


def training_checkpoint(target: Target) -> Path | None:
    """Beside a local archive, so that an interrupted run goes on where it was."""
    if not target.is_local:
        return None
    place = target.path.absolute()
    return place.with_name(f".{place.name}.zarrmal-training") if place.parent.is_dir() else None
