"""More cells for an archive, with the model that it holds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import numpy as np
import zarr
from zarrmal_codecs import CorruptionError, Model

from ..classify import Assigner
from ..errors import InputError
from ..progress import Progress, silent
from ..sources import Source
from . import layout
from .commit import commit, extended
from .grid import Grid
from .index_arrays import columns_of, same_columns, stored_plan
from .info import cells_array, codec_configuration, model_of
from .journal import Journal, busy, read_journal, source_digest
from .layout import ArchiveFacts
from .leftovers import remove_leftovers
from .objects import ObjectWriter, Task
from .place import refuse_unwritable
from .plan import make_plan
from .runners import Runner, ThreadRunner
from .segment import stored_classes, write_segment
from .stored import get_bytes, join_key, stored_digests
from .target import Target, find_array, read_facts
from .writing import while_held, writes


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendOptions:
    """What the caller wishes; chunks, format and model are the archive's.

    Parameters
    ----------
    resume
        Go on where an interrupted run has stopped, if there was one.
    workers, runner
        See WriteOptions.
    """

    resume: bool = False
    workers: int = 2
    runner: Runner | None = field(default=None, repr=False)


def append_archive(
    source: Source,
    target: Target,
    *,
    assigner: Assigner,
    options: AppendOptions | None = None,
    progress: Progress = silent,
) -> ArchiveFacts:
    """Add all cells of a source behind those of an archive, as a segment sorted by class.

    Readers see the archive as it was until all is in place, and then the whole. Cells of the last
    chunk, where that is not full, are coded again with the new ones, to the same pixels.

    Parameters
    ----------
    source
        Cells of the archive's shape, of which as much is known as of the archive's: labels, names,
        groups.
    assigner
        Gives each cell its class, of the archive's model.

    Raises
    ------
    InputError
        Before anything is written, if the cells do not fit, or somebody else is writing.
    ZarrmalError
        If the archive's last chunk is damaged.
    """
    options = options or AppendOptions()
    found = refuse_append(target, resume=options.resume)
    group, facts = _opened(target)
    array = cells_array(group)
    digest = source_digest(source)
    if found is not None and facts.n_cells == found.n_stored + found.n_new:
        with writes(target, found, found):
            pass  # it was committed, but for the journal
        if found.source != digest:
            raise InputError(f"{target.url}: the earlier run ({found.told}) is complete now; the "
                             f"cells that were given are others, and are NOT in the archive: "
                             f"append them without --resume")  # fmt: skip
        return facts
    model = model_of(codec_configuration(array))
    if array.metadata.shape[1:] != source.cell_shape:
        raise InputError(
            f"the archive's cells are {_times(array.shape[1:])}, these are "
            f"{_times(source.cell_shape)}: use --size or --channel"
        )
    if found is not None and found.source != digest:
        raise InputError(f"the cells are not those of the interrupted run ({found.told}): give the "
                         f"same source, or take it back with `zarrmal undo`")  # fmt: skip
    journal = found or Journal(
        operation="append", n_stored=facts.n_cells, n_new=source.n_cells, source=digest
    )
    with writes(target, journal, found) as writing:
        progress = while_held(writing, progress)
        group = _unchanged(target, facts)
        held = {name for name in layout.LONG_NAMES if find_array(group, name) is not None}
        plan = None
        if found is None:  # else an interrupted append has changed it
            _refuse_damaged_end(group, cells_array(group), facts, held)
        elif found.phase == "planned":
            plan = stored_plan(group, facts, source.n_cells, len(model.classes))
        if plan is None:
            plan = make_plan(source, assigner, len(model.classes), progress)
        columns = columns_of(source, plan, n_stored=facts.n_cells, label_names=facts.label_names)
        return write_segment(
            target,
            group,
            facts,
            source,
            plan,
            same_columns(columns, held, target.url),
            writing=writing,
            runner=options.runner or ThreadRunner(options.workers),
            look=found is not None,
            progress=progress,
        )


def _opened(target: Target) -> tuple[zarr.Group, ArchiveFacts]:
    """The archive as it is stored, array by array, and its facts.

    Not by consolidated metadata, which an interrupted commit may not have reached.
    """
    group = target.open("r+", consolidated=False)
    return group, read_facts(group, target.url)


def _unchanged(target: Target, facts: ArchiveFacts) -> zarr.Group:
    """The archive, now that nobody else can write; InputError if somebody has done so before."""
    group, now = _opened(target)
    if now != facts:
        raise InputError(f"another process has changed {target.url} meanwhile: try again")
    return group


def _refuse_damaged_end(
    group: zarr.Group, array: zarr.Array[Any], facts: ArchiveFacts, held: set[str]
) -> None:
    """CorruptionError if an object that has to be replaced is not the one that was written.

    Else its damage would get a digest of its own, and be taken for sound.
    """
    for name in sorted(held):
        one = array if name == layout.CELLS else group[name]
        assert isinstance(one, zarr.Array)
        grid = Grid.of(one)
        k, rest = divmod(facts.n_cells, grid.object_cells)
        if not rest:
            continue
        key = grid.key(one, k)
        data = get_bytes(one.store, join_key(one.path, key))
        if data is None or sha256(data).hexdigest() != facts.digests.get(name, {}).get(key):
            what = "is missing" if data is None else "was changed: its sha256 does not match"
            raise CorruptionError(f"chunk {key} of `{name}` {what}, and appending would replace "
                                  f"it: see `zarrmal verify`")  # fmt: skip


def archive_model(target: Target) -> Model:
    """The model that an archive holds.

    Raises
    ------
    InputError, ZarrmalError
        If there is no archive, or it is incomplete or damaged.
    """
    group = target.open()
    read_facts(group, target.url)
    return model_of(codec_configuration(cells_array(group)))


def undo_append(target: Target) -> int:
    """Take back an interrupted append; returns how many cells it was to bring.

    The last chunk of each array is written again without the new cells, objects behind the end are
    removed.

    Raises
    ------
    InputError
        If none was interrupted, it is still running, or it was complete but for its journal.
    """
    found = refuse_append(target, resume=True, told="undo")
    assert found is not None
    _, facts = _opened(target)
    # What is stored of a plan holds no longer from here on.
    with writes(target, replace(found, phase="begun"), found) as writing:
        group = _unchanged(target, facts)
        if facts.n_cells == found.n_stored:
            held = [name for name in layout.LONG_NAMES if find_array(group, name) is not None]
            digests = {name: _shorten(group, name, facts) for name in held}
            writing.check()
            arrays = {name: extended(group[name], facts.n_cells) for name in held}  # type: ignore[arg-type]
            names = facts.label_names  # the label array's document may tell new ones
            attributes = {layout.LABEL: layout.flag_attributes(names)} if names else {}
            commit(group, replace(facts, digests=digests), arrays, attributes)
            remove_leftovers(target, group, held, facts.n_cells)
    if facts.n_cells != found.n_stored:
        raise InputError(f"{target.url}: {found.told} was complete when it was interrupted, so "
                         f"the cells stay")  # fmt: skip
    return found.n_new


def refuse_append(target: Target, *, resume: bool, told: str = "resume") -> Journal | None:
    """InputError if nothing may be appended now; what an interrupted run has left, if any.

    With ``resume``, InputError too if nothing was interrupted.
    """
    refuse_unwritable(target)
    found = read_journal(target)
    if found is None:
        if resume:
            read_facts(target.open(), target.url)
            raise InputError(f"no append to {target.url} was interrupted: nothing to {told}")
        return None
    if found.alive:
        raise InputError(busy(target, found))
    if found.operation == "archive":
        raise InputError(f"{target.url} was interrupted in {found.told}: complete that first with "
                         f"`zarrmal archive --resume`")  # fmt: skip
    if not resume:
        raise InputError(f"{target.url} was interrupted in {found.told}: go on with --resume and "
                         f"the same cells, or take it back with `zarrmal undo`")  # fmt: skip
    return found


def _shorten(group: zarr.Group, name: str, facts: ArchiveFacts) -> dict[str, str]:
    """Write the last object of an array anew, without what lies behind its end; all digests."""
    array = extended(group[name], facts.n_cells)  # type: ignore[arg-type]
    grid = Grid.of(array)
    k, n_here = divmod(facts.n_cells, grid.object_cells)
    if not n_here:
        return dict(facts.digests[name])
    key = grid.key(array, k)
    if name == layout.CELLS:
        classes = stored_classes(group, facts, grid)
        task = Task(number=k, n_stored=n_here, rows=np.empty(0, np.int64), classes=classes)
        digest = ObjectWriter(array, look=False)(task, None).sha256
        return {**facts.digests[name], key: digest}
    values = np.asarray(array[k * grid.object_cells :])
    full = extended(array, (k + 1) * grid.object_cells)
    blank = np.full(grid.object_cells - n_here, "" if values.dtype.kind in "OT" else 0)
    full[k * grid.object_cells :] = np.concatenate([values, blank.astype(values.dtype)])
    return {**facts.digests[name], **stored_digests(array, k)}


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
