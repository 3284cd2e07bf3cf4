"""Writing a new archive."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import zarr
from zarrmal_codecs import Model, array_arguments
from zarrmal_codecs.coder import coder_for
from zarrmal_codecs.golomb_rice import RiceChoice

from ..classify import Assigner
from ..errors import InputError
from ..progress import Progress, silent
from ..sources import Source
from ..version import SOFTWARE
from . import layout
from .index_arrays import Columns, columns_of, create_array, create_column, stored_plan
from .info import cells_array, codec_configuration, model_of
from .journal import Journal, Writing, beating, busy, read_journal, source_digest
from .layout import ArchiveFacts
from .plan import make_plan
from .runners import Runner, ThreadRunner
from .segment import write_segment
from .target import Target, read_facts, refuse_occupied, stage_of, take_place


def default_workers() -> int:
    """One a core, at most 4."""
    return min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """What the caller wishes.

    Parameters
    ----------
    chunk_cells
        Cells in a chunk, at least 1.
    shard_cells
        Cells in a shard, a multiple of ``chunk_cells``; None stores each chunk as an object of its
        own. Format 3 only.
    zarr_format
        3 or 2.
    rice
        How Rice parameters are chosen.
    overwrite
        Replace an archive that is there.
    resume
        Go on where an interrupted run has stopped, if there was one.
    storage_options
        For fsspec.
    workers
        Chunks encoded at once; memory grows with it, by about 100 bytes a pixel of a chunk.
    runner
        Who encodes and stores chunks; None takes ``workers`` threads.
    """

    chunk_cells: int = 1024
    shard_cells: int | None = None
    zarr_format: Literal[2, 3] = 3
    rice: RiceChoice = "mean"
    overwrite: bool = False
    resume: bool = False
    storage_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    workers: int = field(default_factory=default_workers)
    runner: Runner | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.chunk_cells < 1:
            raise InputError(f"a chunk holds at least 1 cell, not {self.chunk_cells}")
        if self.zarr_format not in (2, 3):
            raise InputError(f"the Zarr format is 2 or 3, not {self.zarr_format}")
        if self.workers < 1:
            raise InputError(f"at least 1 worker is needed, not {self.workers}")
        if self.shard_cells is None:
            return
        if self.zarr_format == 2:
            raise InputError("Zarr format 2 has no shards: leave --shard-cells out, or take 3")
        if self.shard_cells % self.chunk_cells or self.shard_cells <= self.chunk_cells:
            raise InputError(f"a shard holds 2 or more whole chunks: its cells are a multiple of "
                             f"{self.chunk_cells}, not {self.shard_cells}")  # fmt: skip


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
    resume = found is not None and options.resume
    if resume and found is not None and found.source != digest:
        raise InputError(f"the cells are not those of the interrupted run ({found.told}): give the "
                         f"same source, or start anew with --overwrite")  # fmt: skip
    journal = Journal(
        operation="archive",
        n_stored=0,
        n_new=source.n_cells,
        source=digest,
        planned=resume and found is not None and found.planned,
    )
    stage = stage_of(target)
    with writes(target, journal, found) as writing:
        if not journal.planned:
            plan = make_plan(source, assigner, len(model.classes), beating(writing, progress))
            writing.begins()
            stage.remove()
            columns = columns_of(source, plan, n_stored=0, label_names=())
            group = _create(stage, source, model, columns, options)
            facts = read_facts(group, stage.url, incomplete=True)
            resume = False
        else:
            group = stage.open("r+")
            facts = read_facts(group, stage.url, incomplete=True)
            n_classes = len(model_of(codec_configuration(cells_array(group))).classes)
            plan = stored_plan(group, replace(facts, n_cells=0), source.n_cells, n_classes)
            columns = columns_of(source, plan, n_stored=0, label_names=())
        if not facts.complete:  # else all was there but the end
            facts = write_segment(
                stage,
                group,
                facts,
                source,
                plan,
                columns,
                writing=writing,
                runner=options.runner or ThreadRunner(options.workers),
                look=resume,
                progress=progress,
            )
        take_place(stage, target, overwrite=options.overwrite)
    return facts


def refuse_place(target: Target, options: WriteOptions, source: object = None) -> Journal | None:
    """InputError if nothing may be written there; what an interrupted run has left, if any.

    Parameters
    ----------
    source
        See refuse_occupied.
    """
    found = read_journal(target)
    if found is not None and found.alive:
        raise InputError(busy(target, found))
    if found is not None and found.operation == "append":
        raise InputError(f"{target.url} was interrupted in {found.told}: complete or undo that "
                         f"with `zarrmal append --resume` or `zarrmal undo` first")  # fmt: skip
    if found is not None and not (options.resume or options.overwrite):
        raise InputError(f"{target.url} was interrupted in {found.told}: go on with --resume, or "
                         f"start anew with --overwrite")  # fmt: skip
    if found is None and options.resume and not options.overwrite and target.holds_archive():
        raise InputError(f"{target.url} is complete: there is nothing to resume")
    if found is None or target.is_local or not options.resume:
        refuse_occupied(target, overwrite=options.overwrite, source=source)
    return found


@contextmanager
def writes(target: Target, journal: Journal, found: Journal | None) -> Iterator[Writing]:
    """Hold the journal; remove it at the end.

    A caller's mistake, and any error before chunks are written, leave nothing behind. After another
    error, or an interruption, what is written stays for a run that resumes.
    """
    writing = Writing(target, journal, found=found)
    try:
        yield writing
    except BaseException as error:
        nothing_done = not writing.begun and not journal.planned
        mistake = isinstance(error, InputError) and not journal.planned
        if mistake and writing.begun and journal.operation == "archive" and writing.mine():
            stage_of(target).remove()
            nothing_done = True
        writing.leave(remove=nothing_done)
        raise
    writing.done()


def interrupted_model(target: Target, options: WriteOptions) -> Model | None:
    """The model of an interrupted run that ``options`` would go on with; None if there is none."""
    found = read_journal(target) if options.resume else None
    if found is None or not found.planned or found.operation != "archive":
        return None
    return model_of(codec_configuration(cells_array(stage_of(target).open())))


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
    group = stage.open("w", options.zarr_format, attributes=attribute)
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
