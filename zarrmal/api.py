"""The three verbs of the library: train, write, open."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zarrmal_codecs import Model, ZarrmalError

from .archive import ArchiveInfo, Target, WriteOptions, archive_info, open_archive, write_archive
from .archive.target import refuse_occupied
from .classify import Assigner, ClassifierReport, LabelAssigner, ShortestAssigner
from .errors import InputError
from .progress import Progress, silent
from .sources import Source, open_source

if TYPE_CHECKING:
    from .learn import TrainOptions, TrainResult

AssignWish = Literal["auto", "labels", "classifier", "shortest"]
ASSIGN_WISHES: tuple[AssignWish, ...] = ("auto", "labels", "classifier", "shortest")
PROFILES = ("paper",)

open = open_archive  # the public name is zarrmal.open, like zarr.open


def train(
    source: Any,
    *,
    options: TrainOptions | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress = silent,
    **source_arguments: Any,
) -> TrainResult:
    """Train a model on cells; needs torch (``pip install 'zarrmal[train]'``).

    Parameters
    ----------
    source
        Anything that ``zarrmal.sources.open_source`` takes: a folder, an array file, a Zarr or
        xarray variable, an array; with its keyword arguments in ``source_arguments``.
    options
        See TrainOptions.
    checkpoint
        A file from which an interrupted run goes on.

    Returns
    -------
    TrainResult
        ``.model``, to be saved or given to ``write``, and a report a class.
    """
    learn = learn_room()
    cells = open_source(source, **source_arguments)
    result: TrainResult = learn.train_model(
        cells, options, checkpoint=checkpoint, progress=progress
    )
    return result


def write(
    source: Any,
    url: str | os.PathLike[str],
    *,
    model: Model | str | os.PathLike[str] | None = None,
    assign: AssignWish | Assigner = "auto",
    labelled: Source | None = None,
    options: WriteOptions | None = None,
    train_options: TrainOptions | None = None,
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
        A Model or a model file. None trains one on these very cells first.
    assign
        How cells get their class: "labels", "classifier", "shortest", any callable
        ``(cells, rows) -> classes`` (see zarrmal.classify.Assigner), or "auto": labels where the
        cells have the model's, else the shorter code.
    labelled
        Labelled cells for the classifier to learn from, where the cells have no labels.
    options
        Chunks, format, overwriting; see WriteOptions.
    train_options
        Where no model is given.
    storage_options
        Of the source.

    Raises
    ------
    InputError
        Before anything is written, if something doesn't fit.
    """
    options = options or WriteOptions()
    target = Target(os.fspath(url), options.storage_options)
    refuse_occupied(target, overwrite=options.overwrite, source=source)
    cells = open_source(
        source, storage_options=storage_options, progress=reading(progress), **source_arguments
    )
    if model is None:
        checkpoint = training_checkpoint(target)
        trained: TrainResult = learn_room().train_model(
            cells, train_options, checkpoint=checkpoint, progress=progress
        )
        ready = trained.model
    else:
        ready = model if isinstance(model, Model) else load_model(model)
    assigner = choose_assigner(assign, cells, ready, labelled, progress)
    write_archive(
        cells, target.url, model=ready, assigner=assigner, options=options, progress=progress
    )
    return archive_info(target)


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
) -> Assigner:
    """From the wish to something that assigns."""
    if callable(wish):
        return wish
    if wish == "auto":
        known = cells.labels is not None and set(cells.class_names) <= set(model.class_names)
        wish = "labels" if known or len(model.classes) == 1 else "shortest"
    if wish == "labels":
        return LabelAssigner(cells, model.class_names)
    if wish == "shortest":
        return ShortestAssigner(model)
    if wish == "classifier":
        learn_room()
        from .learn.classifier import CrossFittedClassifier, TrainedClassifier

        if labelled is not None:
            return TrainedClassifier(labelled, model.class_names, progress=progress)
        return CrossFittedClassifier(cells, model.class_names, progress=progress)
    raise InputError(f"assign must be one of {', '.join(ASSIGN_WISHES)}, not {wish!r}")


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
