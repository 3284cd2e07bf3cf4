"""An archive to which cells are being appended, or were when a writer died: as it was before.

An append replaces the last object of each array, which then holds the new cells too, before the
archive tells of them. So the digests of those objects fit no longer, and the arrays' own documents
may be longer already. Readers go by the consolidated metadata, which tell of the old cells alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import zarr
from zarrmal_codecs import ZarrmalError
from zarrmal_codecs.coder import Coder

from ..errors import InputError
from .chunks import (
    chunk_key,
    expect_stored,
    expect_whole_cells,
    promised_digest,
    read_chunks,
    stored_object,
)
from .grid import Grid
from .info import codec_configuration, model_of
from .journal import Journal, journal_problem, read_journal
from .layout import CELLS, ArchiveFacts
from .target import Target, find_array, read_facts, reopened


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """An archive at one moment.

    Parameters
    ----------
    group
        By each array's own documents; by the consolidated copy while cells are being appended.
    facts
        With the digests of last objects that hold new cells too, and are sound.
    journal
        Of the append; None if there is none.
    """

    target: Target
    group: zarr.Group
    facts: ArchiveFacts
    journal: Journal | None

    def expect_unmoved(self) -> None:
        """InputError if the archive has changed since: what looks like damage may be none."""
        now = read_state(self.target, partly=True)
        if now.facts == self.facts and (now.journal is None) == (self.journal is None):
            return
        if now.journal is not None:
            raise InputError(_refusal(now.journal))
        raise InputError(f"{self.target.url} was changed by another process while it was read: "
                         f"read it again")  # fmt: skip


def read_state(target: Target, *, partly: bool = False) -> State:
    """The archive as it is; while cells are being appended, as it was before.

    Parameters
    ----------
    partly
        Where what was before cannot be told, take the documents as they are.

    Raises
    ------
    InputError
        If there is no archive, or an incomplete one, or, unless ``partly``, an append has changed
        documents of which there is no copy.
    ZarrmalError
        If its metadata are damaged.
    """
    journal = _append_at(target)
    group = target.open(consolidated=False)  # each document itself
    if journal is None:
        facts = read_facts(group, target.url)
        return State(target=target, group=group, facts=facts, journal=None)
    try:
        group = reopened(group, consolidated=True)
    except Exception:  # there is no copy, or it is damaged in whatever way
        facts = read_facts(group, target.url)
        if not partly and _is_longer(group, facts):
            raise InputError(_refusal(journal)) from None
    else:
        facts = read_facts(group, target.url)
    facts = _with_ends(group, facts)
    return State(target=target, group=group, facts=facts, journal=journal)


def _append_at(target: Target) -> Journal | None:
    try:
        found = read_journal(target)
    except Exception:  # whoever may read an archive may not read what lies beside it
        return None
    return found if found is not None and found.operation == "append" else None


def _refusal(journal: Journal) -> str:
    what = journal_problem(journal)
    return f"{what}; wait until then" if journal.alive else what


def _is_longer(group: zarr.Group, facts: ArchiveFacts) -> bool:
    """Whether an append has come to the documents of the arrays."""
    arrays = (find_array(group, name) for name in facts.digests)
    return any(one is not None and one.shape[:1] != (facts.n_cells,) for one in arrays)


def _with_ends(group: zarr.Group, facts: ArchiveFacts) -> ArchiveFacts:
    """The facts, with the digests of last objects as they are stored, where those are sound."""
    cells = find_array(group, CELLS)
    if cells is not None:
        expect_stored(group, cells, facts, facts.n_cells)
    for name in facts.digests:
        try:
            array = find_array(group, name)
            found = None if array is None else _replaced_end(group, array, facts)
        except (ZarrmalError, OSError):
            continue  # damage is told where the array is read
        facts = found or facts
    return facts


def _replaced_end(
    group: zarr.Group, array: zarr.Array[Any], facts: ArchiveFacts
) -> ArchiveFacts | None:
    """The facts with another digest, if the array's last object is a sound one of more cells."""
    n_here = facts.n_cells % Grid.of(array).object_cells
    if not n_here or array.shape[0] != facts.n_cells:
        return None
    start = facts.n_cells - n_here
    data = stored_object(group, array, start)
    digest = hashlib.sha256(data or b"").hexdigest()
    if data is None or digest == promised_digest(facts, array, start):
        return None
    name = array.basename
    mine = {**facts.digests[name], chunk_key(array, start): digest}
    changed = replace(facts, digests={**facts.digests, name: mine})
    return changed if _is_sound(group, array, changed, start) else None


def _is_sound(group: zarr.Group, array: zarr.Array[Any], facts: ArchiveFacts, start: int) -> bool:
    """Whether all old cells from ``start`` on can be decoded, by the checks of their own chunks."""
    if array.basename != CELLS:
        try:
            array[start:]
        except Exception:  # damaged bytes reach numcodecs, which promises no errors
            return False
        return True
    expect_whole_cells(array)
    coder = Coder(model_of(codec_configuration(array)))
    starts = range(start, facts.n_cells, array.chunks[0])
    chunks = read_chunks(group, array, coder, facts, starts, facts.n_cells)
    return all(chunk.salvage.kind is None for chunk in chunks)
