"""The stable state of an archive: during an append, the archive as it was before.

An append replaces the last object of each array by one that also holds new cells, before it
commits. Until then the digests of those objects do not match, and the arrays' own documents may
already be longer. Readers go by the consolidated metadata, which show the old cells alone.
"""

from __future__ import annotations

import hashlib
from typing import Any

import zarr
from zarrmal_codecs import ZarrmalError

from ...errors import InputError
from ..digests import Digests
from ..format import CELLS, ArchiveFacts, Grid
from ..lock.journal import Journal, journal_problem, read_journal
from ..opened import OpenArchive, find_array, read_facts, reopened
from ..storage.location import Location
from .chunks.chunks import (
    chunk_key,
    expect_stored,
    expect_whole_cells,
    expected_digest,
    read_chunks,
    stored_object,
)
from .copied import copied_state


def stable_state(location: Location, *, partly: bool = False) -> OpenArchive:
    """The archive as it is; during an append, as it was before.

    It has new digests for those last objects that hold new cells too, and are sound.

    Parameters
    ----------
    partly
        Where the state before cannot be determined, take the documents as they are.

    Raises
    ------
    InputError
        If there is no archive, or an incomplete one, or, unless ``partly``, an append has changed
        documents of which there is no copy.
    ZarrmalError
        If its metadata are damaged.
    """
    journal = _append_journal(location)
    archive = OpenArchive.at(location, consolidated=False)  # each document itself
    if journal is None:
        return copied_state(archive) or archive
    group = archive.group
    try:
        group = reopened(group, consolidated=True)
    except Exception:  # there is no copy, or it is damaged in whatever way
        if not partly and _is_longer(group, archive.facts):
            raise InputError(_refusal(journal)) from None
    facts = read_facts(group, location.url)
    state = OpenArchive(location, group, facts, journal=journal)
    digests = _with_replaced_ends(state)
    return OpenArchive(location, group, facts, digests=digests, journal=journal)


def with_ends_during(journal: Journal, archive: OpenArchive) -> OpenArchive:
    """The archive with digests of the sound last objects that an append has stored so far.

    Those objects hold the old cells too, so none of these is lost.

    Parameters
    ----------
    journal
        That of the archive's writer; of another operation than an append, nothing changes.
    archive
        By each array's own documents.
    """
    if journal.operation != "append":
        return archive
    digests = stable_state(archive.location, partly=True).digests
    return OpenArchive(
        archive.location, archive.group, archive.facts, digests=digests, journal=journal
    )


def expect_unchanged(archive: OpenArchive) -> None:
    """InputError if the archive has changed since it was opened: what looks like damage is not."""
    now = stable_state(archive.location, partly=True)
    same = now.facts == archive.facts and now.digests == archive.digests
    if same and (now.journal is None) == (archive.journal is None):
        return
    if now.journal is not None:
        raise InputError(_refusal(now.journal))
    raise InputError(f"{archive.location.url} was changed by another process while it was read: "
                     f"read it again")  # fmt: skip


def _append_journal(location: Location) -> Journal | None:
    try:
        journal = read_journal(location)
    except Exception:  # a reader of the archive may lack access to what is beside it
        return None
    return journal if journal is not None and journal.operation == "append" else None


def _refusal(journal: Journal) -> str:
    problem = journal_problem(journal)
    return f"{problem}; wait until then" if journal.is_alive else problem


def _is_longer(group: zarr.Group, facts: ArchiveFacts) -> bool:
    """An append has changed the documents of the arrays."""
    arrays = (find_array(group, name) for name in facts.arrays)
    return any(a is not None and a.shape[:1] != (facts.n_cells,) for a in arrays)


def _with_replaced_ends(archive: OpenArchive) -> Digests:
    """The digests, of the last objects as they are stored, where those are sound."""
    digests = archive.digests
    if archive.array(CELLS) is not None:
        expect_stored(archive)
    for name in archive.facts.arrays:
        try:
            array = archive.array(name)
            changed = None if array is None else _replaced_end(archive, array, digests)
        except (ZarrmalError, OSError):
            continue  # damage is reported where the array is read
        digests = changed or digests
    return digests


def _replaced_end(archive: OpenArchive, array: zarr.Array[Any], digests: Digests) -> Digests | None:
    """The digests with another one, if the array's last object is sound and holds more cells."""
    n_cells = archive.facts.n_cells
    n_here = n_cells % Grid.of(array).object_cells
    if not n_here or array.shape[0] != n_cells:
        return None
    start = n_cells - n_here
    stored = stored_object(array, start)
    digest = hashlib.sha256(stored or b"").hexdigest()
    if stored is None or digest == expected_digest(archive, array, start):
        return None
    name = array.basename
    changed = digests.with_objects(name, {**digests.of(name), chunk_key(array, start): digest})
    return changed if _is_sound(archive, array, changed, start) else None


def _is_sound(archive: OpenArchive, array: zarr.Array[Any], digests: Digests, start: int) -> bool:
    """All old cells from ``start`` on can be decoded, by the checks of their own chunks."""
    if array.basename != CELLS:
        try:
            array[start:]
        except Exception:  # damaged bytes reach numcodecs, which promises no errors
            return False
        return True
    expect_whole_cells(array)
    state = OpenArchive(
        archive.location, archive.group, archive.facts, digests=digests, cells=array
    )
    chunks = read_chunks(state, range(start, archive.n_cells, array.chunks[0]))
    return all(chunk.recovered.kind is None for chunk in chunks)
