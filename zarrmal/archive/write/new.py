"""Writing a new archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from zarrmal_codecs import Model, ZarrmalError, array_arguments
from zarrmal_codecs.chunk.coder import coder_for

from ...classify import Assigner
from ...errors import ExistsError, InputError, LockedError
from ...progress import Progress
from ...sources import Source
from ...sources.columns.strings import STRINGS
from ...sources.fit import knows_levels, model_fits
from ...sources.limits import check_cell_shape
from ...sources.preprocessing import Preprocessing
from ...sources.sizes import sizes_text
from ...sources.source import OnCanvas, kind_text
from ...version import SOFTWARE
from .. import format as layout
from ..contents import Contents
from ..format import ArchiveFacts
from ..lock.journal import Journal, busy_message, read_journal, source_digest
from ..lock.staging import (
    clear_stage,
    publish,
    refuse_occupied,
    refuse_packed_name,
    refuse_unwritable,
    stage_of,
)
from ..lock.writer_lock import WriterLock, while_held, writer_lock
from ..opened import OpenArchive, classes_of, shape_text
from ..preprocessing import merged_record
from ..storage.location import Location
from .columns import (
    NewColumns,
    create_array,
    create_column,
    matching_columns,
    new_columns,
    stored_order,
)
from .encode.lattice import plan_search
from .options import WriteOptions
from .order import order_cells
from .runners import ThreadRunner
from .segment import Segment, write_segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a new archive takes over from the one whose cells it holds.

    Parameters
    ----------
    attributes
        Array name, or "" for the group -> attributes; the archive's own replace those of their
        names.
    preprocessing
        What the archive records; None if nothing.
    """

    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    preprocessing: Preprocessing | None = None


def write_new(
    source: Source,
    location: Location,
    *,
    model: Model | None,
    assigner: Assigner,
    options: WriteOptions,
    progress: Progress,
    kept: Kept | None = None,
) -> Contents | None:
    """Write all cells of a source as an archive. See Archive.write.

    Returns
    -------
    Contents or None
        What the headers of its chunks tell; None where an earlier run has stored all.
    """
    contents = None
    previous = refuse_location(location, options)
    cell_shape = _on_canvas(source, options.canvas).cell_shape
    check_cell_shape(
        cell_shape,
        source.location or source.description,
        None if model is None else model.profile,
        is_canvas=source.sizes is not None or options.canvas is not None,
    )
    options.chunk_length(cell_shape, source.dtype.itemsize)  # or an InputError
    if model is not None and not model_fits(
        model, source.dtype, cell_shape, channel_first=source.channel_first
    ):
        cells, allowed = sizes_text(cell_shape, source.sizes), shape_text(model.cell_shape)
        if source.dtype != np.uint8 or source.channel_first:
            cells, allowed = kind_text(source, cell_shape), f"{allowed} of uint8 or uint16"
        raise InputError(
            f"the cells are {cells}, the model is for {allowed}: use --size or --channel, train a "
            f"model on them, or give none"
        )
    if model is not None and not knows_levels(model, source):
        raise InputError(
            f"the cells have more than 255 levels of {source.dtype}, the model is for fewer: train "
            f"a model on them, or give none"
        )
    digest = source_digest(source)
    resumed = previous if previous is not None and is_resumable(previous, options) else None
    is_whole = resumed is not None and resumed.phase == "whole"
    has_other_cells = resumed is not None and resumed.source != digest
    if resumed is not None and has_other_cells and not is_whole:
        raise InputError(f"the cells are not those of the interrupted run ({resumed.description}): "
                         f"give the same source, with the same --size and --channel, or start anew "
                         f"with --overwrite")  # fmt: skip
    journal = resumed or Journal(
        operation="archive",
        n_stored=0,
        n_new=source.n_cells,
        source=digest,
        overwrite=options.overwrite,
        beside=not location.owner_commits and (location.is_local or location.occupied()),
    )
    stage = stage_of(location, beside=journal.beside)
    with writer_lock(location, journal, previous) as lock:
        if resumed is None:
            # Nobody else can write now; what has appeared since the check above is not replaced
            # unless the new archive is staged beside it.
            overwrite = options.overwrite and (journal.beside or location.owner_commits)
            refuse_occupied(location, overwrite=overwrite)
        if is_whole:
            n_cells = _whole_archive(stage, location, journal).n_cells
        else:
            writer = StageWriter(stage, source, model, assigner, options, lock, progress, kept)
            n_cells = writer.write().n_cells
            contents = writer.contents
            lock.enter("whole")
        publish(stage, location, overwrite=options.overwrite or journal.overwrite)
    if has_other_cells:
        raise InputError(f"{location.url} is complete now, with the {n_cells} cells of the "
                         f"interrupted run; the cells that were given are others, and are NOT in "
                         f"it: append them, or write them elsewhere")  # fmt: skip
    return contents


class StageWriter:
    """Writes the whole archive in its stage; reuses what an interrupted run has stored there.

    ``contents`` is what the headers of its chunks tell; None where an earlier run has stored all.
    """

    def __init__(
        self,
        stage: Location,
        source: Source,
        model: Model | None,
        assigner: Assigner,
        options: WriteOptions,
        lock: WriterLock,
        progress: Progress,
        kept: Kept | None = None,
    ) -> None:
        self._stage, self._source, self._model = stage, source, model
        self._kept = kept or Kept(preprocessing=source.preprocessing)
        self._assigner, self._options, self._lock = assigner, options, lock
        self._progress = while_held(lock, progress)
        self.contents: Contents | None = None

    def write(self) -> ArchiveFacts:
        """The facts of the complete archive."""
        is_planned = self._lock.journal.phase != "begun"
        archive, order, canvas = None, None, self._options.canvas
        if is_planned:
            archive = OpenArchive.at(self._stage, mode="r+", incomplete=True, consolidated=False)
            if archive.facts.complete:
                return archive.facts
            merged_record(archive.facts.preprocessing, self._source, self._stage.url)
            has_sizes = archive.array(layout.HEIGHT) is not None
            canvas = (archive.cell_shape[0], archive.cell_shape[1]) if has_sizes else None
            order = stored_order(archive, self._source.n_cells)
        self._source = _on_canvas(self._source, canvas)
        if order is None:
            n_classes = len(classes_of(self._model))
            order = order_cells(self._source, self._assigner, n_classes, self._progress)
        columns = new_columns(self._source, order)
        mode = self._options.lattice
        lattice = plan_search(self._source, self._model, mode, self._progress)
        if archive is None:
            self._lock.begin_changes()
            clear_stage(self._stage, beside=self._lock.journal.beside)
            if not self._stage.owner_commits:
                refuse_occupied(self._stage, overwrite=False)
            archive = self._create(columns, with_frames=lattice is not None)
        else:
            columns = matching_columns(columns, archive)
        self.contents = Contents()
        return write_segment(
            archive,
            Segment(
                source=self._source,
                order=order,
                columns=columns,
                lattice=lattice,
                rice=self._options.rice,
            ),
            lock=self._lock,
            runner=self._options.runner or ThreadRunner(self._options.workers),
            reuse=is_planned,
            progress=self._progress,
            contents=self.contents,
        )

    def _create(self, columns: NewColumns, *, with_frames: bool) -> OpenArchive:
        """An archive without cells, marked as incomplete.

        Parameters
        ----------
        with_frames
            Cells that are JPEG files are to come back as such. Not in format 2, whose strings have
            a fixed width.
        """
        stage, options, model = self._stage, self._options, self._model
        if stage.is_local:
            stage.path.parent.mkdir(parents=True, exist_ok=True)
        classes = classes_of(model)
        facts = ArchiveFacts(
            complete=False,
            n_cells=0,
            classes=classes,
            segments=(),
            profile="" if model is None else model.profile,
            sha256="" if model is None else model.digest,
            preprocessing=self._kept.preprocessing,
            arrays=(layout.CELLS, *columns.values),
            software=SOFTWARE,
        )
        own = {layout.NEEDS_ATTRIBUTE: layout.NEEDS, layout.ATTRIBUTE: facts.to_attribute()}
        kept = self._kept.attributes
        group = stage.open_group("a", options.zarr_format, attributes={**kept.get("", {}), **own})
        attributes = columns.attributes | {
            layout.PREDICTED_CLASS: layout.flag_attributes(classes),
            **{name: {"units": units} for name, units in layout.UNITS.items()},
        }
        source = self._source
        n_chunk = options.chunk_length(source.cell_shape, source.dtype.itemsize)

        def create_planes(name: str, shape: tuple[int, ...], names: tuple[str, ...]) -> None:
            key = layout.MASK_NAMES if name == layout.MASK else layout.CHANNEL_NAMES
            own: dict[str, Any] = {key: list(names)} if names else {}
            if name == layout.CELLS:
                # To xarray where a cell comes from is a coordinate of it (CF conventions 5).
                own |= layout.coordinates(columns.values)
            if options.shard_cells is not None:
                arguments["shards"] = {
                    "shape": (options.shard_cells, *shape),
                    "index_location": options.index_location(stage.url),
                }
            create_array(
                group,
                name,
                shape=(0, *shape),
                chunks=(n_chunk, *shape),
                attributes={**kept.get(name, {}), **own},
                **arguments,
            )

        codec = partial(array_arguments, zarr_format=options.zarr_format)
        arguments: dict[str, Any] = {
            "dtype": source.dtype,
            "channel_first": source.channel_first,
            **codec(model),
        }
        shape = source.cell_shape
        if source.channel_first:
            shape = (shape[2], *shape[:2])
        create_planes(layout.CELLS, shape, source.channel_names)
        if stores_masks(source, model):
            arguments = {"dtype": "bool", **codec(None)}
            shape = source.cell_shape[:2]
            shape = shape if source.n_masks == 1 else (source.n_masks, *shape)
            create_planes(layout.MASK, shape, source.mask_names)
        for name, values in columns.values.items():
            create_column(group, name, values, {**kept.get(name, {}), **attributes.get(name, {})})
        if with_frames and source.has_jpeg_files and options.zarr_format == 3:
            none, name = np.empty(0, STRINGS), layout.JPEG_FRAME
            create_column(group, name, none, kept.get(name, {}), options.shard_cells or n_chunk)
        return OpenArchive(stage, group, facts)


def stores_masks(source: Source, model: Model | None) -> bool:
    """Whether a new archive has an array of the masks that lie beside the cells.

    Where no cell has pixels outside its mask, silhouettes hold the masks, if the model codes them.
    """
    if not source.n_masks:
        return False
    return source.has_background or model is None or not coder_for(model).takes_silhouettes


def _on_canvas(source: Source, canvas: tuple[int, int] | None) -> Source:
    """The source itself without a canvas; InputError if a cell does not fit it."""
    return source if canvas is None else OnCanvas(source, canvas)


def _whole_archive(stage: Location, location: Location, journal: Journal) -> ArchiveFacts:
    """Facts of the archive that is complete in its stage, or has been moved already."""
    for where in (stage, location):
        try:
            facts = OpenArchive.at(where).facts
        except (InputError, ZarrmalError):
            continue
        if facts.n_cells == journal.n_new:
            return facts
    raise InputError(f"what was written to {location.url} is gone: start anew with --overwrite")


def refuse_location(
    location: Location, options: WriteOptions, source: object = None
) -> Journal | None:
    """InputError if nothing may be written there; the journal of an interrupted run, if any.

    Parameters
    ----------
    source
        See refuse_occupied.
    """
    refuse_unwritable(location)
    refuse_packed_name(location)
    if options.resume and location.owner_commits:
        raise InputError(f"{location.url} is written in one go: there is nothing to resume")
    journal = read_journal(location)
    if journal is not None and journal.is_alive:
        raise LockedError(busy_message(location, journal))
    if journal is not None and journal.operation != "archive":
        if location.occupied() or journal.phase == "whole":
            raise InputError(f"{location.url} was interrupted in {journal.description}: "
                             f"{journal.remedy} first")  # fmt: skip
        return journal  # of an archive that was removed
    if journal is not None and not (options.resume or options.overwrite):
        raise InputError(f"{location.url} was interrupted in {journal.description}: continue with "
                         f"--resume, or start anew with --overwrite")  # fmt: skip
    if journal is None and options.resume and not options.overwrite and _complete(location):
        raise ExistsError(f"{location.url} is complete: there is nothing to resume")
    if journal is None or not is_resumable(journal, options):
        refuse_occupied(location, overwrite=options.overwrite, source=source)
    elif journal.beside and journal.phase != "whole":
        refuse_occupied(location, overwrite=options.overwrite or journal.overwrite)
    elif not journal.beside and _is_another(location, journal):
        raise ExistsError(
            f"{location.url} is another archive, and was written after {journal.description} was "
            f"interrupted: choose another name, or start anew with --overwrite"
        )
    return journal


def _complete(location: Location) -> ArchiveFacts | None:
    """The facts of a complete archive; None if there is none."""
    if not location.occupied():
        return None
    try:
        return OpenArchive.at(location).facts
    except (InputError, ZarrmalError):
        return None


def _is_another(location: Location, journal: Journal) -> bool:
    """A complete archive is there that the interrupted run has not written."""
    facts = _complete(location)
    return facts is not None and (journal.phase == "begun" or facts.n_cells != journal.n_new)


def is_resumable(journal: Journal, options: WriteOptions) -> bool:
    """The interrupted run is to be completed."""
    return options.resume and journal.operation == "archive"


def interrupted_archive(location: Location, options: WriteOptions) -> OpenArchive | None:
    """What the interrupted run has stored that ``options`` resume; None if there is none."""
    journal = read_journal(location) if options.resume else None
    if journal is None or journal.phase == "begun" or journal.operation != "archive":
        return None
    stage = stage_of(location, beside=journal.beside)
    where = stage if stage.holds_zarr() else location
    return OpenArchive.at(where, incomplete=True)
