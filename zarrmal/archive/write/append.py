"""Adding cells to an archive with its own model; taking back an interrupted append."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import numpy as np
import zarr
from zarrmal_codecs import CorruptionError

from ...classify import Assigner
from ...errors import InputError, LockedError
from ...progress import Progress
from ...sources import Source
from ...sources.sizes import sizes_text
from ...sources.source import OnCanvas
from .. import format as layout
from ..foreign import refuse_foreign_variables, refuse_longer
from ..format import Grid
from ..lock.journal import Journal, busy_message, read_journal, source_digest
from ..lock.staging import refuse_unwritable
from ..lock.writer_lock import while_held, writer_lock
from ..opened import OpenArchive, shape_text
from ..preprocessing import merged_record
from ..read.copied import attribute_problem
from ..storage.location import Location
from ..storage.objects import get_bytes, join_key, stored_digests
from .columns import matching_columns, new_columns, stored_order
from .commit import commit, resized
from .encode.lattice import plan_search
from .encode.objects import ObjectWriter
from .encode.task import Task
from .options import AppendOptions
from .order import order_cells
from .runners import ThreadRunner
from .segment import Segment, remove_leftovers, stored_classes, write_segment


def append_cells(
    source: Source,
    location: Location,
    *,
    assigner: Assigner,
    options: AppendOptions,
    progress: Progress,
) -> None:
    """Add all cells of a source behind those of an archive. See Archive.append."""
    previous = refuse_append(location, resume=options.resume)
    archive = _open_for_writing(location)
    _refuse_what_others_added(archive, previous)
    digest = source_digest(source)
    if previous is not None and archive.facts.n_cells == previous.n_stored + previous.n_new:
        with writer_lock(location, previous, previous):
            pass  # it has committed, only its journal is left
        if previous.source != digest:
            raise InputError(f"{location.url}: the earlier run ({previous.description}) is "
                             f"complete now; the cells that were given are others, and are NOT in "
                             f"the archive: append them without --resume")  # fmt: skip
        return
    source = _fitting(source, archive)
    merged_record(archive.facts.preprocessing, source, location.url)
    if previous is not None and previous.source != digest:
        raise InputError(f"the cells are not those of the interrupted run "
                         f"({previous.description}): give the same source, or take the append back "
                         f"with `zarrmal undo`")  # fmt: skip
    journal = previous or Journal(
        operation="append", n_stored=archive.facts.n_cells, n_new=source.n_cells, source=digest
    )
    with writer_lock(location, journal, previous) as lock:
        progress = while_held(lock, progress)
        archive = _reopened_unchanged(archive)
        _refuse_what_others_added(archive, previous)
        order = None
        if previous is None:  # else an interrupted append has changed the end
            _refuse_damaged_end(archive)
        elif previous.phase == "planned":
            order = stored_order(archive, source.n_cells)
        if order is None:
            order = order_cells(source, assigner, len(archive.class_names), progress)
        columns = new_columns(
            source,
            order,
            n_stored=archive.facts.n_cells,
            label_names=archive.facts.label_names,
        )
        columns = matching_columns(columns, archive)
        lattice = plan_search(source, archive.model, options.lattice, progress)
        write_segment(
            archive,
            Segment(source=source, order=order, columns=columns, lattice=lattice),
            lock=lock,
            runner=options.runner or ThreadRunner(options.workers),
            reuse=previous is not None,
            progress=progress,
        )


def _fitting(source: Source, archive: OpenArchive) -> Source:
    """The source on the archive's canvas; InputError if its cells do not fit there.

    An archive without sizes takes cells of its own size only.
    """
    height, width = archive.cell_shape[:2]
    sizes = source.sizes
    _refuse_other_kind(source, archive)
    if source.cell_shape[2:] != archive.cell_shape[2:]:
        advice = "use --channel"
    elif layout.HEIGHT in archive.facts.arrays:
        what = "the archive's canvas"
        advice = f"make room by `zarrmal repack {archive.location.printable}` with"
        return OnCanvas(source, (height, width), what=what, advice=advice)
    elif sizes is None and source.cell_shape == archive.cell_shape:
        return source
    elif sizes is not None and (sizes == (height, width)).all():
        return OnCanvas(source, (height, width))
    else:
        advice = (
            f"use --size, or `zarrmal repack {archive.location.printable} --canvas HEIGHTxWIDTH`, "
            f"after which the archive takes cells of any size up to that"
        )
    raise InputError(
        f"the archive's cells are {shape_text(archive.cell_shape)}, these are "
        f"{sizes_text(source.cell_shape, source.sizes)}: {advice}"
    )


def _refuse_other_kind(source: Source, archive: OpenArchive) -> None:
    """InputError if the cells have another dtype than the archive's, or lack their masks.

    Where the archive's channels lie, those of the source are put.
    """
    url = archive.location.url
    if source.dtype != archive.dtype:
        raise InputError(f"the cells of {url} are {archive.dtype}, these are {source.dtype}: "
                         f"convert them")  # fmt: skip
    if archive.n_masks and source.n_masks != archive.n_masks:
        raise InputError(
            f"{url} holds {archive.n_masks} mask{'s' if archive.n_masks > 1 else ''} of each cell "
            f"(`{layout.MASK}`); these cells come with {source.n_masks or 'none'}: append cells "
            f"that have as many (--masks, --mask-channel)"
        )


def undo_append(location: Location) -> int:
    """Take back an interrupted append; returns the number of its cells. See Archive.undo."""
    previous = refuse_append(location, resume=True, action="undo")
    assert previous is not None
    archive = _open_for_writing(location)
    # The stored order is invalid from here on.
    with writer_lock(location, replace(previous, phase="begun"), previous) as lock:
        archive = _reopened_unchanged(archive)
        facts = archive.facts
        if facts.n_cells == previous.n_stored:
            names = [name for name in layout.LONG_NAMES if archive.array(name) is not None]
            digests = {name: _restore_end(archive, name) for name in names}
            lock.expect_held()
            labels = facts.label_names  # the label array's document may have new ones
            attributes = {layout.LABEL: layout.flag_attributes(labels)} if labels else {}
            commit(archive, facts, digests, attributes)
            remove_leftovers(archive, names, facts.n_cells)
    if facts.n_cells != previous.n_stored:
        raise InputError(f"{location.url}: {previous.description} was complete when it was "
                         f"interrupted, so the cells stay")  # fmt: skip
    return previous.n_new


def refuse_append(location: Location, *, resume: bool, action: str = "resume") -> Journal | None:
    """InputError if nothing may be appended now; the journal of an interrupted append, if any.

    With ``resume``, InputError too if nothing was interrupted.
    """
    refuse_unwritable(location)
    if location.owner_commits and not location.replaces_objects:
        raise InputError(f"{location.url} cannot replace the objects that it holds, so nothing can "
                         f"be appended: write a new archive")  # fmt: skip
    journal = read_journal(location)
    if journal is None:
        if resume:
            OpenArchive.at(location)
            raise InputError(f"no append to {location.url} was interrupted: nothing to {action}")
        return None
    if journal.is_alive:
        raise LockedError(busy_message(location, journal))
    if journal.operation != "append" or not resume:
        raise InputError(f"{location.url} was interrupted in {journal.description}: "
                         f"{journal.remedy} first")  # fmt: skip
    return journal


def _open_for_writing(location: Location) -> OpenArchive:
    """By each array's own documents: an interrupted commit may not have reached the copy."""
    return OpenArchive.at(location, mode="r+", consolidated=False)


def _reopened_unchanged(archive: OpenArchive) -> OpenArchive:
    """The archive under the lock; InputError if somebody has written before."""
    now = _open_for_writing(archive.location)
    if now.facts != archive.facts:
        raise InputError(f"another process has changed {archive.location.url}: try again")
    return now


def _refuse_what_others_added(archive: OpenArchive, previous: Journal | None) -> None:
    """InputError if cells or variables of another program stand in the way of an append."""
    if previous is None:  # else an interrupted append has changed the documents
        problem = attribute_problem(archive)
        if problem is not None:
            raise InputError(f"{archive.location.url}: {problem}")
        refuse_longer(archive)
    refuse_foreign_variables(archive)


def _refuse_damaged_end(archive: OpenArchive) -> None:
    """CorruptionError if an object that has to be replaced does not match its digest.

    Else its damage would get a digest of its own, and count as sound.
    """
    if archive.digests.problem:
        raise CorruptionError(f"{archive.digests.problem}; without them nothing can be appended: "
                              f"see `zarrmal verify`")  # fmt: skip
    for name in sorted(archive.array_names):
        array = archive.group[name]
        assert isinstance(array, zarr.Array)
        grid = Grid.of(array)
        k, rest = divmod(archive.facts.n_cells, grid.object_cells)
        if not rest:
            continue
        key = grid.key(array, k)
        stored = get_bytes(array.store, join_key(array.path, key))
        if stored is None or sha256(stored).hexdigest() != archive.digest(name, key):
            fault = "is missing" if stored is None else "was changed: its sha256 does not match"
            raise CorruptionError(f"chunk {key} of `{name}` {fault}, and appending would replace "
                                  f"it: see `zarrmal verify`")  # fmt: skip


def _restore_end(archive: OpenArchive, name: str) -> dict[str, str]:
    """Write an array's last object again without cells behind the end; all its digests."""
    facts = archive.facts
    array = resized(archive.group[name], facts.n_cells)  # type: ignore[arg-type]
    grid = Grid.of(array)
    k, n_here = divmod(facts.n_cells, grid.object_cells)
    if not n_here:
        return dict(archive.digests.of(name))
    if name in layout.PLANES:
        classes = stored_classes(archive)
        task = Task(number=k, n_stored=n_here, rows=np.empty(0, np.int64), classes=classes)
        result = ObjectWriter(archive, reuse=False)(task, None)
        return {**archive.digests.of(name), grid.key(array, k): result.sha256_of(name)}
    values = np.asarray(array[k * grid.object_cells :])
    full = resized(array, (k + 1) * grid.object_cells)
    blank = np.full(grid.object_cells - n_here, "" if values.dtype.kind in "OTU" else 0)
    full[k * grid.object_cells :] = np.concatenate([values, blank.astype(values.dtype)])
    return {**archive.digests.of(name), **stored_digests(array, k)}
