"""Verbs that write: train, write, append."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zarrmal_codecs import Model

from ..archive import AppendOptions, Archive, ArchiveInfo, WriteOptions
from ..archive.lock.staging import refuse_source_inside
from ..archive.storage.errors import store_errors
from ..archive.storage.location import Location
from ..archive.storage.store import Where, locate
from ..archive.write.append import refuse_append
from ..archive.write.encode.lattice import lacks_search
from ..archive.write.new import interrupted_archive, refuse_location
from ..choose import (
    Assignment,
    choose_assigner,
    import_learn,
    load_classifier,
    load_model,
    refuse_conflicts,
    shipped_classifier_for,
    shipped_for,
    train_model,
    with_coefficients,
    without_useless_masks,
)
from ..classify import Assigner, CellClassifier, ClassifierReport
from ..infer import InferMode, lacks_inference
from ..listener import Listener, Origin
from ..progress import Progress, silent
from ..sources import open_source
from .opening import StorageOptions, open_cells, opened_like, rule_of_archive

if TYPE_CHECKING:
    from ..learn import HybridOptions, HybridResult, TrainOptions, TrainResult
    from ..segment import SegmentOptions


def train(
    source: Any,
    *,
    options: HybridOptions | TrainOptions | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress = silent,
    source_options: StorageOptions = None,
    slide: SegmentOptions | None = None,
    infer_masks: InferMode = "auto",
    **source_arguments: Any,
) -> HybridResult | TrainResult:
    """Train a model on cells; needs torch (``pip install 'zarrmal[train]'``).

    Parameters
    ----------
    source
        Anything that ``open_source`` takes: a folder, an array file, a Zarr or xarray variable, an
        array; ``source_arguments`` are its keyword arguments. Or a slide, or a folder of fields.
    slide
        How the cells of a slide are found; a folder of tiles or of fields needs it.
    options
        HybridOptions (the default), or TrainOptions for the paper's profile.
    checkpoint
        A file from which an interrupted run continues.
    source_options
        fsspec's storage options of the source.
    infer_masks
        See ``write``.

    Returns
    -------
    HybridResult or TrainResult
        ``.model``, to be saved or given to ``write``, and a report.
    """
    learn = import_learn()
    with store_errors():
        cells = open_cells(
            source, slide=slide, source_options=source_options, progress=progress,
            infer_masks=infer_masks, **source_arguments,
        )  # fmt: skip
        result: HybridResult | TrainResult = learn.train_any(
            cells, options, checkpoint=checkpoint, progress=progress
        )
        return replace(result, model=with_coefficients(result.model, cells))


def write(
    source: Any,
    url: Where,
    *,
    model: Model | str | os.PathLike[str] | None = None,
    assign: Assignment | Assigner = "auto",
    classifier: CellClassifier | str | os.PathLike[str] | None = None,
    labelled: Any = None,
    cross_fit: bool = False,
    options: WriteOptions | None = None,
    train_options: HybridOptions | TrainOptions | None = None,
    progress: Progress = silent,
    listener: Listener | None = None,
    storage_options: StorageOptions = None,
    source_options: StorageOptions = None,
    slide: SegmentOptions | None = None,
    infer_masks: InferMode = "auto",
    **source_arguments: Any,
) -> ArchiveInfo:
    """Write cells as an archive that plain ``zarr.open`` reads.

    Parameters
    ----------
    source
        As for ``train``; or a slide (see zarrmal.segment.open_slide), whose cells are found first.
    url
        Local path, fsspec URL, or a store of zarr (see Archive.write for what that means).
    model
        A Model or a model file. None takes that of the shipped models which codes some of the
        cells in the fewest bits; where none can code them, they are stored without one, deflated.
        Where ``train_options`` are given, a model is trained on these cells first.
    assign
        How cells get their class: "labels", "classifier", "shortest", any callable
        ``(cells, rows) -> classes`` (see zarrmal.classify.Assigner), or "auto": labels where all
        are classes of the model, else the class that codes the cell shorter.
    classifier
        For "classifier": a CellClassifier or its file. None takes the shipped one, where it knows
        the model's classes and the cells have as many channels.
    labelled
        For "classifier": labelled cells to train one on instead; needs torch.
    cross_fit
        For "classifier": train on the cells' own labels instead, so that each cell is assigned by
        a network that has not seen its slide; needs torch.
    options
        Chunks, format, overwriting; see WriteOptions.
    train_options
        Train a model with these options where none is given.
    listener
        Follows what is found and chosen.
    storage_options
        fsspec's storage options of the archive.
    source_options
        fsspec's storage options of the source.
    slide
        How a slide is segmented. With it any source is taken for a slide: a folder of tiles, too.
    infer_masks
        "auto": cells that were cut out on a background of 0 and then resampled, and whose masks the
        source does not give, get masks inferred from their edges, where the model codes masks; this
        takes some 25 ms a cell and numba (``pip install 'zarrmal[lattice]'``). "off": none do.

    Raises
    ------
    ExistsError, LockedError, InputError
        Before anything is written, if something does not fit.
    """
    options, listener = options or WriteOptions(), listener or Listener(progress)
    refuse_conflicts(assign, classifier is not None, labelled is not None, cross_fit)
    classifier = load_classifier(classifier)
    location = locate(url, storage_options)
    with store_errors():
        refuse_location(location, options, source)
        interrupted = interrupted_archive(location, options)
    if isinstance(model, str | os.PathLike):
        model = load_model(model)
    facts = None if interrupted is None else interrupted.facts
    cells = opened_like(
        facts, location.url, source, listener, source_options, source_arguments, slide, infer_masks
    )
    cell_shape = options.canvas_shape(cells.cell_shape)
    # Or an InputError, before anything is trained.
    options.chunk_length(cell_shape, cells.dtype.itemsize)
    if labelled is not None:
        labelled = open_source(labelled, storage_options=source_options, **source_arguments)
    origin: Origin = "given"
    if model is None and interrupted is not None:
        model, origin = interrupted.model, "resumed"
    elif model is not None:
        pass
    elif train_options is None:
        model = shipped_for(cells, cell_shape, options.lattice)
        origin = "none" if model is None else "shipped"
    else:
        listener.training(cells)
        checkpoint = training_checkpoint(location)
        model = train_model(cells, train_options, checkpoint, listener.progress)
        origin = "trained"
    listener.coding_with(model, origin, cells)
    if lacks_search(cells, model, options.lattice):
        listener.not_searched()
    if lacks_inference(cells, infer_masks):
        listener.not_inferred()
    cells = without_useless_masks(cells, model)
    is_shipped = not (classifier or labelled or cross_fit)
    assigner = choose_assigner(
        assign,
        cells,
        model,
        classifier=classifier,
        labelled=labelled,
        cross_fit=cross_fit,
        progress=listener.progress,
    )
    if assign == "classifier" and is_shipped and model is not None:
        listener.classifying_with(shipped_classifier_for(cells, model))
    archive = Archive.write(
        cells,
        location,
        model=model,
        assigner=assigner,
        options=options,
        progress=listener.progress,
    )
    _report(assigner, listener)
    return archive.info()


def append(
    source: Any,
    url: Where,
    *,
    assign: Assignment | Assigner = "auto",
    classifier: CellClassifier | str | os.PathLike[str] | None = None,
    options: AppendOptions | None = None,
    progress: Progress = silent,
    listener: Listener | None = None,
    storage_options: StorageOptions = None,
    source_options: StorageOptions = None,
    slide: SegmentOptions | None = None,
    infer_masks: InferMode = "auto",
    **source_arguments: Any,
) -> ArchiveInfo:
    """Add cells to an archive, coded with the model that it holds.

    Readers see the old archive until the append commits.

    Parameters
    ----------
    source
        As for ``write``; these cells need the same columns as the archive's. ``channel`` and
        ``size`` are the archive's.
    url
        The archive: a path, a URL, or a store of zarr.
    assign, classifier
        As for ``write``.
    storage_options, source_options
        fsspec's storage options of the archive, and of the source.
    slide, infer_masks
        See ``write``.

    Raises
    ------
    MissingError, LockedError, InputError
        Before anything is written, if something does not fit.
    """
    options, listener = options or AppendOptions(), listener or Listener(progress)
    refuse_conflicts(assign, classifier is not None)
    location = locate(url, storage_options)
    with store_errors():
        refuse_append(location, resume=options.resume)
        refuse_source_inside(source, location)
    classifier = load_classifier(classifier)
    archive = Archive.open(location)
    model = archive.model
    cells = opened_like(
        archive.facts,
        location.url,
        source,
        listener,
        source_options,
        source_arguments,
        slide,
        infer_masks,
        rule_of_archive(archive) if infer_masks == "auto" else None,
    )
    cells = without_useless_masks(cells, model)
    assigner = choose_assigner(
        assign, cells, model, classifier=classifier, progress=listener.progress
    )
    if assign == "classifier" and classifier is None and model is not None:
        listener.classifying_with(shipped_classifier_for(cells, model))
    if lacks_search(cells, model, options.lattice):
        listener.not_searched()
    if lacks_inference(cells, infer_masks):
        listener.not_inferred()
    archive.append(cells, assigner=assigner, options=options, progress=listener.progress)
    _report(assigner, listener)
    return archive.info()


def _report(assigner: Assigner, listener: Listener) -> None:
    report = getattr(assigner, "report", None)
    if isinstance(report, ClassifierReport):
        listener.judged(report)


def training_checkpoint(location: Location) -> Path | None:
    """Beside a local archive, so that interrupted training continues."""
    if not location.is_local:
        return None
    path = location.path.absolute()
    return path.with_name(f".{path.name}.zarrmal-training") if path.parent.is_dir() else None
