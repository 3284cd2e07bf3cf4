"""The verbs of the library: one function each."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy import bool_
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.lattice.cell import JpegCell

from .archive import (
    AppendOptions,
    Archive,
    ArchiveInfo,
    ContactSheet,
    ExtractReport,
    VerifyReport,
    WriteOptions,
)
from .archive.format import ArchiveFacts
from .archive.lock.staging import refuse_source_inside
from .archive.preprocessing import requested
from .archive.read.cells import Positions
from .archive.read.dataset import Chunks
from .archive.storage.errors import store_errors
from .archive.storage.location import Location
from .archive.storage.store import Where, locate
from .archive.write.append import refuse_append
from .archive.write.lattice import lacks_search
from .archive.write.new import interrupted_archive, refuse_location
from .choose import (
    Assignment,
    choose_assigner,
    import_learn,
    load_classifier,
    load_model,
    refuse_conflicts,
    shipped_classifier_for,
    shipped_for,
    train_model,
    without_useless_masks,
)
from .classify import Assigner, CellClassifier, ClassifierReport
from .errors import InputError
from .infer import InferMode, lacks_inference, with_inferred_masks
from .listener import Listener, Origin
from .progress import Progress, silent
from .sources import Channel, ConcatSource, Source, open_source
from .sources.slide_address import is_slide

if TYPE_CHECKING:
    import xarray as xr

    from .learn import HybridOptions, HybridResult, TrainOptions, TrainResult
    from .segment import SegmentOptions

PROFILES = ("hybrid", "paper")
StorageOptions = Mapping[str, Any] | None


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
    return result


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
    cells = _opened_like(
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
    cells = _opened_like(
        archive.facts,
        location.url,
        source,
        listener,
        source_options,
        source_arguments,
        slide,
        infer_masks,
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


def open(
    url: Where,
    *,
    source_order: bool = False,
    chunks: Chunks = {},  # noqa: B006 (never changed)
    storage_options: StorageOptions = None,
) -> xr.Dataset:
    """Open an archive lazily: pixels are decoded when they are used.

    Parameters
    ----------
    url
        Local path, fsspec URL, or a store of zarr.
    source_order, chunks
        See Archive.dataset. The default are dask arrays in the stored chunks.

    Returns
    -------
    xarray.Dataset
        ``cells`` (cell, y, x[, channel]) or (cell, channel, y, x), and the arrays of ARCHIVE 1.

    Raises
    ------
    MissingError, InputError
        If there is no archive, or an incomplete one.
    """
    archive = Archive.open(url, storage_options=storage_options)
    return archive.dataset(source_order=source_order, chunks=chunks)


def recover_cells(
    url: Where, cells: Positions | None = None, *, storage_options: StorageOptions = None
) -> tuple[NDArray[Any], NDArray[bool_]]:
    """Read cells of an archive that may be damaged; see Archive.recover.

    Returns
    -------
    pixels
        As of Archive.read; zeros where a cell is lost.
    good
        bool (cell,).
    """
    return Archive.open(url, storage_options=storage_options).recover(cells)


def coefficients(
    url: Where, index: int, *, storage_options: StorageOptions = None
) -> JpegCell | None:
    """The JPEG coefficients that a cell is stored as; None where it is stored as pixels.

    Parameters
    ----------
    index
        Position of the cell in the archive; ``source_index`` tells which cell of the source it is.

    Returns
    -------
    JpegCell or None
        ``camera.tables`` are the steps of the quantiser, uint16 (plane, 8, 8), vertical frequency
        first; ``camera.ratios`` the pixels that a sample of each plane stands for, down and across;
        ``camera.colour`` is grey, ycbcr or rgb; ``phase`` the row and column of the cell's first
        pixel in its group of blocks; ``coefficients`` are those of each plane, quantised, int16
        (row, column, 8, 8); ``coded`` tells which blocks have any, bool (row, column); ``is_file``
        that the cell is a whole JPEG file.

    Raises
    ------
    IndexError
        If there is no such cell.
    """
    return Archive.open(url, storage_options=storage_options).coefficients(index)


def info(url: Where, *, storage_options: StorageOptions = None) -> ArchiveInfo:
    """What an archive holds, and the size of each part; see Archive.info."""
    return Archive.open(url, incomplete=True, storage_options=storage_options).info()


def show(
    url: Where, *, per_class: int = 24, storage_options: StorageOptions = None
) -> ContactSheet:
    """A contact sheet of an archive, which a notebook displays; see Archive.sheet."""
    return Archive.open(url, storage_options=storage_options).sheet(per_class=per_class)


def verify(
    url: Where,
    source: Any = None,
    *,
    progress: Progress = silent,
    storage_options: StorageOptions = None,
    source_options: StorageOptions = None,
    slide: SegmentOptions | None = None,
    **source_arguments: Any,
) -> VerifyReport:
    """Check every stored byte, decode every cell, and compare with the source if it is given.

    Parameters
    ----------
    source
        As for ``write``, with the same arguments; ``channel`` and ``size`` are the archive's. Of an
        archive that was appended to, a list of all its sources in order; a list of cells is given
        within such a list.
    slide
        See ``write``.
    """
    archive = Archive.open(url, incomplete=True, storage_options=storage_options)
    cells: Source | None = None
    if source is not None:
        parts = source if isinstance(source, list | tuple) else [source]
        listener = Listener(progress)
        opened = [
            _opened_like(
                archive.facts,
                archive.location.url,
                part,
                listener,
                source_options,
                source_arguments,
                slide,
            )
            for part in parts
        ]
        cells = opened[0] if len(opened) == 1 else ConcatSource(opened)
    return archive.verify(cells, progress=progress)


def extract(
    url: Where,
    folder: str | os.PathLike[str],
    *,
    class_name: str | None = None,
    masks: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    skip_damaged: bool = False,
    progress: Progress = silent,
    storage_options: StorageOptions = None,
) -> ExtractReport:
    """Write the cells of an archive as PNG, TIFF or JPEG files; see Archive.extract."""
    return Archive.open(url, storage_options=storage_options).extract(
        Path(folder),
        class_name=class_name,
        masks=None if masks is None else Path(masks),
        overwrite=overwrite,
        skip_damaged=skip_damaged,
        progress=progress,
    )


def adopt(
    url: Where, *, progress: Progress = silent, storage_options: StorageOptions = None
) -> ArchiveInfo:
    """Make an archive of arrays that another program has copied or changed; see Archive.adopt."""
    return Archive.adopt(url, progress=progress, storage_options=storage_options).info()


def repack(
    url: Where,
    to: Where | None = None,
    *,
    workers: int | None = None,
    progress: Progress = silent,
    storage_options: StorageOptions = None,
    to_options: StorageOptions = None,
) -> ArchiveInfo:
    """Write an archive of many appends anew as one segment; see Archive.repack."""
    return Archive.repack(
        url,
        to,
        workers=workers,
        progress=progress,
        storage_options=storage_options,
        to_options=to_options,
    ).info()


def undo(url: Where, *, storage_options: StorageOptions = None) -> int:
    """Take back an interrupted append; returns the number of its cells. See Archive.undo."""
    return Archive.open(url, storage_options=storage_options).undo()


def _opened_like(
    facts: ArchiveFacts | None,
    url: str,
    source: Any,
    listener: Listener,
    options: StorageOptions,
    arguments: Mapping[str, Any],
    slide: SegmentOptions | None = None,
    infer_masks: InferMode = "off",
) -> Source:
    """Open a source; channel and size are those of an archive, where there is one.

    Raises
    ------
    InputError
        If ``arguments`` ask for other ones.
    """
    arguments = dict(arguments)
    recorded = None if facts is None else facts.preprocessing
    channel, size = requested(
        recorded, url, channel=arguments.pop("channel", "auto"), size=arguments.pop("size", None)
    )
    # Of grey cells no channel can be picked.
    picked: Channel = "auto" if recorded is not None else channel
    cells = open_cells(
        source,
        slide=slide,
        source_options=options,
        progress=listener.progress,
        channel=picked,
        size=size,
        **arguments,
    )
    if recorded is not None and cells.cell_shape[2:] == (3,):
        cells = open_source(cells, channel=channel)
    cells = with_inferred_masks(cells, infer_masks)
    listener.opened(cells)
    return cells


def open_cells(
    source: Any,
    *,
    slide: SegmentOptions | None = None,
    source_options: StorageOptions = None,
    progress: Progress = silent,
    channel: Channel = "auto",
    size: int | None = None,
    infer_masks: InferMode = "off",
    **arguments: Any,
) -> Source:
    """Open cells for reading, or find those of a slide.

    Parameters
    ----------
    source
        What ``open_source`` takes, or a slide (see ``zarrmal.segment.open_slide``), or a folder of
        pictures that are fields, each with many cells.
    slide
        How cells are found; needed where a folder of images is a slide or holds fields.
    source_options
        fsspec's storage options of the source.
    infer_masks
        See ``write``; of slides the masks are known.
    channel, size, arguments
        See ``open_source``.

    Raises
    ------
    InputError
        As ``open_source``; or the slide holds no cells, or takes no such argument.
    """
    if slide is None and not is_slide(source):
        opened = open_source(
            source,
            channel=channel,
            size=size,
            storage_options=source_options,
            progress=reading(progress),
            **arguments,
        )
        return with_inferred_masks(opened, infer_masks)
    from .segment.fields import open_fields_or_slide  # its libraries take as long as all else

    given = [name for name, value in arguments.items() if value and name != "skip_unreadable"]
    if unfit := sorted({*given} - {"group_pattern"}):
        raise InputError(f"{source}: is a slide, whose cells are found by zarrmal: leave out "
                         f"{', '.join(unfit)}")  # fmt: skip
    return open_fields_or_slide(
        source,
        options=slide,
        channel=channel,
        size=size,
        group_pattern=arguments.get("group_pattern"),
        storage_options=source_options,
        progress=progress,
    )


def _report(assigner: Assigner, listener: Listener) -> None:
    report = getattr(assigner, "report", None)
    if isinstance(report, ClassifierReport):
        listener.judged(report)


def reading(progress: Progress) -> Callable[[int, int], None]:
    """Progress of opening a source."""
    return lambda done, total: progress("reading the source", done, total)


def training_checkpoint(location: Location) -> Path | None:
    """Beside a local archive, so that interrupted training continues."""
    if not location.is_local:
        return None
    path = location.path.absolute()
    return path.with_name(f".{path.name}.zarrmal-training") if path.parent.is_dir() else None
