"""Archives that another program has copied, rewritten, or whose attribute it has changed.

``xarray.Dataset.to_zarr`` copies the group's attribute with all others, whatever cells it stores:
the digests are then of other bytes. Its chunks are not damaged: each has a CRC-32 of its pixels.
The archive's object BACKUP, which no such program copies, tells the archive from the copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from zarrmal_codecs import ZarrmalError

from ...sources.arrays.archive_facts import archive_facts
from ..digests import Digests, read_digests
from ..format import ATTRIBUTE, BACKUP, LABEL, LONG_NAMES, PREDICTED_CLASS, ArchiveFacts
from ..opened import OpenArchive, stored_backup
from ..storage.objects import metadata_digests
from .chunks.chunks import expect_stored, expect_whole_cells
from .columns.values import read_column

ADOPT = "`zarrmal adopt` makes it an archive again"
REMOVED = (
    f"another program has removed the group's attribute `{ATTRIBUTE}`; its backup {BACKUP} is used "
    f"instead: `zarrmal adopt` restores the attribute"
)
CHANGED = (
    f"the group's attribute `{ATTRIBUTE}` was changed or damaged: it does not fit the arrays; its "
    f"backup {BACKUP} is used instead: `zarrmal adopt` restores the attribute"
)
BACKUP_DIFFERS = (
    f"{BACKUP}, the backup of the group's attribute `{ATTRIBUTE}`, differs from it, though the "
    f"attribute fits the arrays: `zarrmal adopt` stores it anew"
)
COPIED = (
    f"another program has copied or rewritten the archive ({BACKUP} is missing): its digests are "
    f"not of these chunks, each chunk was checked by its own CRC-32 instead; {ADOPT}"
)
EMPTIED = (
    "another program has rewritten the archive without storing its cells, as xarray's `to_zarr` "
    'with mode="w" does to the archive that it still reads: write the archive anew from its source'
)
REPLACED = (
    f"the group's attribute `{ATTRIBUTE}` is not the one that was written with these arrays "
    f"({BACKUP} differs), as after xarray's append_dim: each chunk was checked by its own CRC-32 "
    f"instead; {ADOPT}"
)


def attribute_problem(archive: OpenArchive) -> str | None:
    """What another program has done to the archive's attribute, in a line; None if nothing.

    While an append goes on, and after one was interrupted, the backup differs too: look for its
    journal first.
    """
    attribute = archive_facts(archive.group)
    if attribute is None:
        return REMOVED
    if not archive.facts.complete or not archive.facts.backup:
        return None  # no backup was ever stored
    backup = stored_backup(archive.group)
    if backup is None:
        return COPIED
    if dict(backup) == dict(attribute):
        return None
    if _fits(archive, archive.facts):
        return BACKUP_DIFFERS
    return REPLACED if _fitting_backup(archive) is None else CHANGED


def copied_state(archive: OpenArchive) -> OpenArchive | None:
    """The archive with facts that fit its arrays; None if the attribute's do.

    Where only the attribute was changed, its backup has the digests of all that is stored. Else the
    arrays themselves say what they hold.

    Parameters
    ----------
    archive
        Not during an append.

    Raises
    ------
    ZarrmalError
        If ``cells`` is not coded with a model, or its chunks do not hold whole cells.
    """
    problem = attribute_problem(archive)
    if problem in (None, REMOVED, BACKUP_DIFFERS):
        return None
    if problem == CHANGED and (facts := _fitting_backup(archive)) is not None:
        return OpenArchive(archive.location, archive.group, facts)
    return state_of_arrays(archive)


def state_of_arrays(archive: OpenArchive) -> OpenArchive:
    """The archive with facts taken from its arrays; no digests, and one segment of all cells."""
    known, array = written_facts(archive), archive.cells
    expect_whole_cells(array)
    model, n_cells = archive.model, array.shape[0]
    facts = replace(
        known,
        complete=True,
        n_cells=n_cells,
        classes=archive.class_names,
        profile="" if model is None else model.profile,
        sha256="" if model is None else model.digest,
        segments=((*[0] * len(archive.class_names), n_cells),),
        digests="",
        arrays=tuple(name for name in LONG_NAMES if name in archive.array_names),
    )

    backup = stored_backup(archive.group)
    mixed = mixed_names(archive_facts(archive.group), backup)
    if mixed is None and backup is None:
        mixed = joined_problem(known, facts)

    def state(facts: ArchiveFacts) -> OpenArchive:
        return OpenArchive(
            archive.location,
            archive.group,
            facts,
            digests=Digests(),
            cells=array,
            n_cells=n_cells,
            problems=() if mixed is None else (mixed,),
            is_rewritten=True,
        )

    expect_stored(state(facts))
    column = read_column(state(facts), PREDICTED_CLASS, n_cells)
    if column is None or not column.known.all():
        return state(facts)
    n_classes = len(archive.class_names)
    classes: Any = np.clip(column.values, 0, n_classes - 1)
    edges = np.searchsorted(np.sort(classes), np.arange(n_classes))
    return state(replace(facts, segments=((*edges.tolist(), n_cells),)))


def mixed_names(attribute: object, backup: object) -> str | None:
    """Why numbers of classes or labels cannot be told apart, where two archives are in one."""
    if not isinstance(attribute, Mapping) or not isinstance(backup, Mapping):
        return None
    for member, what in (("classes", "classes"), ("label_names", "labels")):
        if member in backup and attribute.get(member) != backup[member]:
            return (
                f"it holds cells of two archives, whose {what} are {backup.get(member)} and "
                f"{attribute.get(member)}: which number means which is not known"
            )
    return None


def joined_problem(known: ArchiveFacts, facts: ArchiveFacts) -> str | None:
    """A line about a copy that holds more cells than the archive whose attribute it has."""
    if LABEL not in facts.arrays or facts.n_cells <= known.n_cells:
        return None
    return (
        f"it holds {facts.n_cells:,} cells, its attribute is of an archive of {known.n_cells:,}: "
        f"archives were joined, as by xarray's `concat`, and a number in `{LABEL}` may mean "
        f"another label in each; `zarrmal append` joins archives by the names of their labels"
    )


def written_facts(archive: OpenArchive) -> ArchiveFacts:
    """Those of the attribute and its backup that fit the arrays; else the backup's, if it parses.

    Programs replace the attribute, but not the backup.
    """
    if _fits(archive, archive.facts):
        return archive.facts
    return _backup_facts(archive) or archive.facts


def _fitting_backup(archive: OpenArchive) -> ArchiveFacts | None:
    facts = _backup_facts(archive)
    return facts if facts is not None and _fits(archive, facts) else None


def _backup_facts(archive: OpenArchive) -> ArchiveFacts | None:
    backup = stored_backup(archive.group)
    try:
        return None if backup is None else ArchiveFacts.from_json(backup)
    except ZarrmalError:
        return None


def _fits(archive: OpenArchive, facts: ArchiveFacts) -> bool:
    """The facts are of these arrays, by the digests of their metadata documents."""
    documents = digests_of(archive, facts).documents
    if not documents:
        return False
    names = {key.rpartition("/")[0] for key in documents}
    return metadata_digests(archive.group, names) == dict(documents)


def digests_of(archive: OpenArchive, facts: ArchiveFacts) -> Digests:
    """The digests that some facts name: those of the attribute, or of its backup."""
    return archive.digests if facts is archive.facts else read_digests(archive.group, facts.digests)
