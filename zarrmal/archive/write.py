"""Writing a new archive."""

from __future__ import annotations

import os
from typing import Any

import zarr
from zarrmal_codecs import Model, ZarrmalError, array_arguments
from zarrmal_codecs.coder import coder_for

from ..classify import Assigner
from ..errors import InputError
from ..progress import Progress, silent
from ..sources import Source
from ..version import SOFTWARE
from . import layout
from .index_arrays import (
    Columns,
    columns_of,
    create_array,
    create_column,
    same_columns,
    stored_plan,
)
from .info import cells_array, codec_configuration, model_of
from .journal import Journal, busy, read_journal, source_digest
from .layout import ArchiveFacts
from .place import clear_stage, refuse_occupied, refuse_unwritable, take_place
from .plan import make_plan
from .runners import ThreadRunner
from .segment import write_segment
from .target import Target, find_array, read_facts, stage_of
from .write_options import WriteOptions
from .writing import Writing, while_held, writes


def write_archive(
    source: Source,
    url: str,
    *,
    model: Model,
    assigner: Assigner,
    options: WriteOptions | None = None,
    progress: Progress = silent,
) -> ArchiveFacts:
    """Write all cells of a source as an archive.

    A run that is killed or interrupted leaves what was there before, or, in an object store, an
    archive without cells that is marked as incomplete; ``options.resume`` completes it.

    Parameters
    ----------
    source
        Cells of the model's shape.
    url
        Local path or fsspec URL. Unless ``options.overwrite``, nothing may be there.
    model
        Stored with the array. An interrupted run goes on with its own.
    assigner
        Gives each cell its class.

    Raises
    ------
    InputError
        Before anything is written, if the model does not fit or the place is taken.
    """
    options = options or WriteOptions()
    target = Target(os.fspath(url), options.storage_options)
    found = refuse_place(target, options)
    if not coder_for(model).fits(source.cell_shape):
        raise InputError(
            f"the cells are {_times(source.cell_shape)}, the model is for "
            f"{_times(model.cell_shape)}: use --size or --channel, or train a model on them"
        )
    digest = source_digest(source)
    resumed = found if found is not None and goes_on(found, options) else None
    whole = resumed is not None and resumed.phase == "whole"
    others = resumed is not None and resumed.source != digest
    if resumed is not None and others and not whole:
        raise InputError(f"the cells are not those of the interrupted run ({resumed.told}): give "
                         f"the same source, or start anew with --overwrite")  # fmt: skip
    journal = resumed or Journal(
        operation="archive",
        n_stored=0,
        n_new=source.n_cells,
        source=digest,
        overwrite=options.overwrite,
        beside=target.is_local or target.occupied(),
    )
    stage = stage_of(target, beside=journal.beside)
    with writes(target, journal, found) as writing:
        if resumed is None:
            # Now nobody else can write there; what has come meanwhile has no stage beside it.
            refuse_occupied(target, overwrite=options.overwrite and journal.beside)
        if whole:
            facts = _finished(stage, target, journal)
        else:
            facts = _write_stage(stage, source, model, assigner, options, writing, progress)
            writing.enters("whole")
        take_place(stage, target, overwrite=options.overwrite or journal.overwrite)
    if others:
        raise InputError(f"{target.url} is complete now, with the {facts.n_cells} cells of the "
                         f"interrupted run; those that were given are others, and are NOT in it: "
                         f"append them, or write them elsewhere")  # fmt: skip
    return facts


def _write_stage(
    stage: Target,
    source: Source,
    model: Model,
    assigner: Assigner,
    options: WriteOptions,
    writing: Writing,
    progress: Progress,
) -> ArchiveFacts:
    """The whole archive, in its stage; what an interrupted run has stored there is kept."""
    progress = while_held(writing, progress)
    planned = writing.journal.phase != "begun"
    plan = None
    if planned:
        group = stage.open("r+", consolidated=False)
        facts = read_facts(group, stage.url, incomplete=True)
        if facts.complete:
            return facts
        n_classes = len(model_of(codec_configuration(cells_array(group))).classes)
        plan = stored_plan(group, facts, source.n_cells, n_classes)
    if plan is None:
        plan = make_plan(source, assigner, len(model.classes), progress)
    columns = columns_of(source, plan, n_stored=0, label_names=())
    if planned:
        held = {name for name in layout.LONG_NAMES if find_array(group, name) is not None}
        columns = same_columns(columns, held, stage.url)
    else:
        writing.begins()
        clear_stage(stage, beside=writing.journal.beside)
        refuse_occupied(stage, overwrite=False)
        group = _create(stage, source, model, columns, options)
        facts = read_facts(group, stage.url, incomplete=True)
    return write_segment(
        stage,
        group,
        facts,
        source,
        plan,
        columns,
        writing=writing,
        runner=options.runner or ThreadRunner(options.workers),
        look=planned,
        progress=progress,
    )


def _finished(stage: Target, target: Target, journal: Journal) -> ArchiveFacts:
    """Facts of an archive that is whole in its stage, or has its place already."""
    for place in (stage, target):
        try:
            facts = read_facts(place.open(), place.url)
        except (InputError, ZarrmalError):
            continue
        if facts.n_cells == journal.n_new:
            return facts
    raise InputError(f"what was written to {target.url} is gone: start anew with --overwrite")


def refuse_place(target: Target, options: WriteOptions, source: object = None) -> Journal | None:
    """InputError if nothing may be written there; what an interrupted run has left, if any.

    Parameters
    ----------
    source
        See refuse_occupied.
    """
    refuse_unwritable(target)
    found = read_journal(target)
    if found is not None and found.alive:
        raise InputError(busy(target, found))
    if found is not None and found.operation == "append":
        if target.occupied():
            raise InputError(f"{target.url} was interrupted in {found.told}: complete or undo that "
                             f"with `zarrmal append --resume` or `zarrmal undo` first")  # fmt: skip
        return found  # of an archive that was removed
    if found is not None and not (options.resume or options.overwrite):
        raise InputError(f"{target.url} was interrupted in {found.told}: go on with --resume, or "
                         f"start anew with --overwrite")  # fmt: skip
    if found is None and options.resume and not options.overwrite and target.holds_archive():
        raise InputError(f"{target.url} is complete: there is nothing to resume")
    if found is None or not goes_on(found, options):
        refuse_occupied(target, overwrite=options.overwrite, source=source)
    elif found.beside and found.phase != "whole":
        refuse_occupied(target, overwrite=options.overwrite or found.overwrite)
    elif not found.beside and _is_anothers(target, found):
        raise InputError(
            f"{target.url} is another archive, and came there after {found.told} was interrupted: "
            f"choose another place, or start anew with --overwrite"
        )
    return found


def _is_anothers(target: Target, found: Journal) -> bool:
    """What is there is complete, and not what an interrupted run has written in place."""
    if not target.holds_archive():
        return False
    return found.phase == "begun" or read_facts(target.open(), target.url).n_cells != found.n_new


def goes_on(found: Journal, options: WriteOptions) -> bool:
    """What an interrupted run has left is to be completed."""
    return options.resume and found.operation == "archive"


def interrupted_model(target: Target, options: WriteOptions) -> Model | None:
    """The model of an interrupted run that ``options`` would go on with; None if there is none."""
    found = read_journal(target) if options.resume else None
    if found is None or found.phase == "begun" or found.operation != "archive":
        return None
    stage = stage_of(target, beside=found.beside)
    place = stage if stage.holds_zarr() else target
    return model_of(codec_configuration(cells_array(place.open())))


def _create(
    stage: Target, source: Source, model: Model, columns: Columns, options: WriteOptions
) -> zarr.Group:
    """An archive without cells, marked as incomplete."""
    if stage.is_local:
        stage.path.parent.mkdir(parents=True, exist_ok=True)
    facts = ArchiveFacts(
        complete=False,
        n_cells=0,
        classes=model.class_names,
        segments=(),
        profile=model.profile,
        sha256=model.digest,
        software=SOFTWARE,
    )
    attribute = {layout.ATTRIBUTE: facts.to_json()}
    group = stage.open("a", options.zarr_format, attributes=attribute)
    attributes = columns.attributes | {
        layout.PREDICTED_CLASS: layout.flag_attributes(model.class_names),
        layout.CLASS_PROBABILITY: {"units": "1"},
    }
    shards: dict[str, Any] = {}
    if options.shard_cells is not None:
        shape = (options.shard_cells, *source.cell_shape)
        # At the end, which is zarr's default, it cannot be read over every file system.
        shards["shards"] = {"shape": shape, "index_location": "start"}
    create_array(
        group,
        layout.CELLS,
        shape=(0, *source.cell_shape),
        chunks=(options.chunk_cells, *source.cell_shape),
        dtype="uint8",
        **shards,
        **array_arguments(model, zarr_format=options.zarr_format, rice=options.rice),
    )
    for name, values in columns.values.items():
        create_column(group, name, values, attributes.get(name, {}))
    return group


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
