"""Adopting: arrays that another program has copied or changed become an archive again."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarrmal_codecs import CorruptionError

from ...errors import InputError, LockedError
from ...progress import Progress
from ...sources.arrays.archive_facts import archive_facts
from ...version import SOFTWARE
from .. import format as layout
from ..foreign import dimension_names, longer_arrays
from ..format import ArchiveFacts, Grid
from ..lock.journal import Journal, busy_message, read_journal
from ..lock.staging import refuse_unwritable
from ..lock.writer_lock import writer_lock
from ..opened import OpenArchive, cells_array, codec_configuration, read_facts, stored_backup
from ..read.chunks.chunks import chunk_starts, read_chunks
from ..read.chunks.findings import cells_finding
from ..read.coefficients import lattice_of
from ..read.columns.sizes import StoredSizes, sizes_of
from ..read.columns.values import INTEGERS, KINDS, read_column
from ..read.copied import attribute_problem, digests_of, mixed_names, state_of_arrays, written_facts
from ..read.silhouettes import stored_chunk
from ..storage.location import Location
from ..storage.objects import get_bytes, join_key
from .commit import commit, resized
from .segment import planes_of

Column = NDArray[Any]
NEW_ARCHIVE = "write a new archive from it: `zarrmal archive` takes it as a source"


def adopt_arrays(location: Location, progress: Progress) -> None:
    """Store facts and digests that fit the arrays. See Archive.adopt."""
    refuse_unwritable(location)
    if location.owner_commits and not location.replaces_objects:
        raise InputError(f"{location.url} cannot replace the objects that it holds: {NEW_ARCHIVE}")
    previous = read_journal(location)
    if previous is not None and previous.is_alive:
        raise LockedError(busy_message(location, previous))
    if previous is not None and previous.operation != "adopt":
        raise InputError(f"{location.url} was interrupted in {previous.description}: "
                         f"{previous.remedy} first")  # fmt: skip
    journal = Journal(operation="adopt", n_stored=0, n_new=0, source="")
    with writer_lock(location, journal, previous) as lock:
        archive = _open(location)
        state = state_of_arrays(archive)
        columns = _read_columns(state)
        values = {name: _checked(state, name, column) for name, column in columns.items()}
        segments = _segments(archive, values[layout.PREDICTED_CLASS], state.facts)
        index = _source_index(archive, values[layout.SOURCE_INDEX])
        sizes = sizes_of(state, columns)
        if sizes is None and set(layout.SIZES) & set(archive.facts.arrays):
            raise InputError(f"{location.url} lacks the arrays `height` and `width` of the archive "
                             f"it was copied from, so where its cells end would be lost: copy them "
                             f"too")  # fmt: skip
        if sizes is not None and sizes.lines:
            raise InputError(f"{location.url}: {sizes.lines[0]}: {NEW_ARCHIVE}")
        _check_cells(state, sizes, progress)
        _expect_known_digests(archive, state)
        lock.begin_changes()
        for name, column in values.items():
            array = state.array(name)
            assert array is not None
            is_renumbered = name == layout.SOURCE_INDEX and index is not column
            _store_column(array, index if is_renumbered else None)
        _drop_lost_frames(state)
        names = (*planes_of(state), *values)
        facts = replace(
            state.facts,
            segments=segments,
            software=SOFTWARE,
            label_names=state.facts.label_names if layout.LABEL in values else (),
        )
        flags = {layout.PREDICTED_CLASS: facts.classes, layout.LABEL: facts.label_names}
        attributes = {
            name: layout.flag_attributes(names) for name, names in flags.items() if name in values
        }
        lock.expect_held()
        objects = {name: _digests(_array(state, name)) for name in names}
        commit(archive, facts, objects, attributes)


def _open(location: Location) -> OpenArchive:
    """What another program has left; InputError if there is nothing to adopt."""
    group = location.open_group("r+", consolidated=False)
    tree, backup = archive_facts(group), stored_backup(group)
    if tree is None and backup is None:
        return OpenArchive(location, group, _facts_of_model(group))
    archive = OpenArchive(location, group, read_facts(group, location.url))
    if attribute_problem(archive) is None and not longer_arrays(archive):
        raise InputError(f"{location.url} is an archive as zarrmal wrote it: there is nothing to "
                         f"adopt; `zarrmal verify` checks it")  # fmt: skip
    if (mixed := mixed_names(tree, backup)) is not None:
        raise InputError(f"{location.url}: {mixed}; write both archives anew, with `zarrmal "
                         f"archive` and `zarrmal append`")  # fmt: skip
    return archive


def _facts_of_model(group: zarr.Group) -> ArchiveFacts:
    """Facts of a copy without any attribute: the names of labels are those of its flags."""
    configuration = codec_configuration(cells_array(group))
    label = group.get(layout.LABEL)
    meanings = str(label.attrs.get("flag_meanings", "")) if isinstance(label, zarr.Array) else ""
    return ArchiveFacts(
        complete=True,
        n_cells=0,
        classes=(),
        segments=(),
        profile="",
        sha256=configuration.sha256,
        software=SOFTWARE,
        label_names=tuple(meanings.split()),
    )


def _read_columns(state: OpenArchive) -> dict[str, Any]:
    own = layout.BASE_NAMES.union(state.facts.arrays) - set(layout.PLANES)
    names = [name for name in layout.LONG_NAMES if name in own]
    columns = {name: read_column(state, name, state.n_cells) for name in names}
    for name in (layout.PREDICTED_CLASS, layout.SOURCE_INDEX):
        if columns[name] is None:
            raise InputError(f"{state.location.url} has no array `{name}`: {NEW_ARCHIVE}")
    return {name: column for name, column in columns.items() if column is not None}


def _checked(state: OpenArchive, name: str, column: Any) -> Column:
    """The values of a column; an error if they are not those of an archive."""
    array = state.array(name)
    where = f"{state.location.url}: `{name}`"
    if array is None or column.problems or not column.known.all():
        why = column.lines[0] if column.lines else "it cannot be read"
        raise CorruptionError(f"{where} has no value for each cell: {why}")
    for key, each in ((name, array), (layout.CELLS, state.cells)):
        expected = layout.dimensions(key, each.ndim, channel_first=state.channel_first)
        if list(dimension_names(each)) != list(expected):
            raise InputError(f"{state.location.url}: the dimensions of `{each.basename}` are named "
                             f"{list(dimension_names(each))}, not {list(expected)}: "
                             f"{NEW_ARCHIVE}")  # fmt: skip
    limits = {
        layout.PREDICTED_CLASS: len(state.facts.classes),
        layout.LABEL: len(state.facts.label_names),
    }
    if np.dtype(array.dtype).kind not in KINDS.get(name, INTEGERS):
        raise InputError(f"{where} holds {array.dtype}: {NEW_ARCHIVE}")
    most = limits.get(name)
    if most is not None and len(column.values) and column.values.max() >= most:
        raise InputError(f"{where} holds {column.values.max()}, there are names for {most}: "
                         f"{NEW_ARCHIVE}")  # fmt: skip
    values: Column = column.values
    return values


def _segments(
    archive: OpenArchive, classes: Column, facts: ArchiveFacts
) -> tuple[tuple[int, ...], ...]:
    """Runs of cells sorted by class; InputError if there are more than appends account for."""
    starts = [0, *(1 + np.flatnonzero(np.diff(classes.astype(np.int64)) < 0)).tolist()]
    if len(starts) > max(len(archive.facts.segments), len(facts.segments)) + 1:
        raise InputError(f"{archive.location.url}: its cells are not sorted by predicted class: "
                         f"{NEW_ARCHIVE}")  # fmt: skip
    stops = [*starts[1:], len(classes)]
    numbers = np.arange(len(facts.classes))
    return tuple(
        (*(start + np.searchsorted(classes[start:stop], numbers)).tolist(), stop)
        for start, stop in zip(starts, stops, strict=True)
    )


def _source_index(archive: OpenArchive, index: Column) -> Column:
    """Numbers from 0 that keep the order of the source; the column itself if it has them already.

    Cells that were added from another archive come after the others.
    """
    n = len(index)
    if np.array_equal(np.sort(index), np.arange(n)):
        return index
    backup = stored_backup(archive.group)
    n_first = min(int(backup["n_cells"]), n) if backup is not None else n
    parts = []
    for first, last in ((0, n_first), (n_first, n)):
        part = index[first:last]
        if len(np.unique(part)) != len(part):
            raise InputError(f"{archive.location.url}: `{layout.SOURCE_INDEX}` names a cell of the "
                             f"source twice: {NEW_ARCHIVE}")  # fmt: skip
        parts.append(first + np.argsort(np.argsort(part)))
    return np.concatenate(parts)


def _check_cells(state: OpenArchive, sizes: StoredSizes | None, progress: Progress) -> None:
    """Decode every chunk; CorruptionError at the first that is damaged, or beyond its sizes."""
    for name in planes_of(state):
        for chunk in read_chunks(state, chunk_starts(state.cells, state.n_cells), name):
            if chunk.recovered.kind is not None:
                line = cells_finding(chunk, (), ()).line
                raise CorruptionError(f"{state.location.url}: {line}: damage cannot be adopted; "
                                      f"`zarrmal extract --skip-damaged` saves the "
                                      f"rest")  # fmt: skip
            rows = np.arange(chunk.start, chunk.stop)
            if sizes is not None and sizes.beyond(chunk.cells[: len(rows)], rows).any():
                raise CorruptionError(f"{state.location.url}: chunk {chunk.key} of `{name}` has "
                                      f"pixels outside the `height` and `width` of its cells: "
                                      f"{NEW_ARCHIVE}")  # fmt: skip
            progress("checking cells", chunk.stop, state.n_cells)


def _expect_known_digests(archive: OpenArchive, state: OpenArchive) -> None:
    """CorruptionError if a full object of the archive itself differs from its backup's digest.

    A copy has no backup, and other bytes; but cells that were added behind the archive's leave the
    objects before them as they were.
    """
    if stored_backup(archive.group) is None:
        return
    facts = written_facts(archive)
    for name, digests in digests_of(archive, facts).objects.items():
        array = _array(state, name)
        full = facts.n_cells // Grid.of(array).object_cells
        actual = _digests(array)
        for k in range(full if array.shape[0] > facts.n_cells else len(digests)):
            key = Grid.of(array).key(array, k)
            if digests.get(key) != actual.get(key):
                raise CorruptionError(f"{archive.location.url}: chunk {key} of `{name}` was "
                                      f"changed: see `zarrmal verify`")  # fmt: skip


def _store_column(array: zarr.Array[Any], values: Column | None) -> None:
    """Store a column's values anew, or with None the chunks that another writer has left out."""
    n_cells, n = array.shape[0], array.chunks[0]
    writing = resized(array, n_cells)
    for start in range(0, n_cells, n):
        part = slice(start, min(start + n, n_cells))
        key = join_key(array.path, Grid.of(array).key(array, start // n))
        if values is not None:
            writing[part] = values[part].astype(array.dtype)
        elif get_bytes(array.store, key) is None:
            writing[part] = np.asarray(array[part])  # its fill value


def _drop_lost_frames(state: OpenArchive) -> None:
    """Cells that another program has coded anew are no JPEG files any more: their pixels are."""
    array, n_cells = state.array(layout.JPEG_FRAME), state.n_cells
    if array is None:
        return
    are_files = np.zeros(n_cells, np.bool_)
    for start in chunk_starts(state.cells, n_cells):
        lattice = lattice_of(stored_chunk(state, start))
        if lattice is not None:
            own = lattice.are_files[: n_cells - start]
            are_files[start : start + len(own)] = own
    writing = resized(array, n_cells)
    for start in range(0, n_cells, array.chunks[0]):
        part = slice(start, min(start + array.chunks[0], n_cells))
        texts = np.asarray(array[part]).astype(object)
        lost = (texts != "") & ~are_files[part]
        if lost.any():
            writing[part] = np.where(lost, "", texts)


def _digests(array: zarr.Array[Any]) -> dict[str, str]:
    """SHA-256 of each stored object of an array, by its key."""
    grid, digests = Grid.of(array), {}
    for k in range(grid.n_objects(array.shape[0])):
        key = grid.key(array, k)
        stored = get_bytes(array.store, join_key(array.path, key))
        if stored is None:
            raise CorruptionError(f"chunk {key} of `{array.basename}` is missing")
        digests[key] = hashlib.sha256(stored).hexdigest()
    return digests


def _array(state: OpenArchive, name: str) -> zarr.Array[Any]:
    array = state.array(name)
    if array is None:
        raise CorruptionError(f"`{name}` is missing")
    return array
