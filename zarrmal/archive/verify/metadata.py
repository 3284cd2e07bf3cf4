"""verify: the metadata documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import zarr
from zarrmal_codecs import ZarrmalError

from ...sources.arrays.archive_facts import DIGESTS_GROUP
from .. import format as layout
from ..digests import changed_documents
from ..format import ArchiveFacts
from ..opened import OpenArchive
from ..storage.location import UNREADABLE_METADATA
from ..storage.objects import UNREADABLE, get_bytes, join_key, metadata_digests


def check_metadata(archive: OpenArchive, problems: list[str]) -> None:
    """Check dimension names, flags, the consolidated copy, and the digest of each document."""
    group, facts, digests = archive.group, archive.facts, archive.digests.documents
    flags = {layout.PREDICTED_CLASS: facts.classes, layout.LABEL: facts.label_names}
    for name in layout.LONG_NAMES:
        try:
            array = archive.array(name)
        except ZarrmalError:
            continue  # reported where the array is read
        if array is None:
            continue
        attributes = dict(array.attrs)
        expected = layout.flag_attributes(flags[name]) if name in flags else {}
        if any(attributes.get(key) != value for key, value in expected.items()):
            problems.append(f"`{name}`: its flags do not name the archive's classes")
        v3 = group.metadata.zarr_format == 3
        names: Any = attributes.get("_ARRAY_DIMENSIONS")
        if v3:
            names = getattr(array.metadata, "dimension_names", None)
        allowed = {layout.dimensions(name, array.ndim, channel_first=f) for f in (False, True)}
        if tuple(names or ()) not in allowed:
            problems.append(f"`{name}`: its dimensions are named {names}")
    if facts.digests and not archive.digests.problem:
        problems += [
            f"{key} was changed after the archive was written"
            for key in _changed_digest_documents(archive)
        ]
    _check_copies(group, facts, digests, problems)
    actual = metadata_digests(group, facts.arrays)
    for key in sorted(actual.keys() | digests.keys()):
        if actual.get(key) == UNREADABLE:
            problems.append(f"{key} cannot be read")
        elif actual.get(key) != digests.get(key) and not archive.digests.problem:
            problems.append(f"{key} was changed after the archive was written")


def _changed_digest_documents(archive: OpenArchive) -> list[str]:
    try:
        return changed_documents(archive.group, archive.digests, archive.facts.digests)
    except OSError as error:
        return [f"{DIGESTS_GROUP} cannot be read: {error.strerror or error}; it"]


def _check_copies(
    group: zarr.Group, facts: ArchiveFacts, digests: Mapping[str, str], problems: list[str]
) -> None:
    """The consolidated copy of each document, where the writer stores one."""
    try:
        copies = consolidated(group)
    except UNREADABLE_METADATA as error:
        problems.append(f"the consolidated metadata are damaged: {error}")
        return
    except OSError as error:
        problems.append(f"the consolidated metadata cannot be read: {error.strerror or error}")
        return
    # zarr.consolidate_metadata copies these in another form.
    copies = {k: v for k, v in copies.items() if k.partition("/")[0] != DIGESTS_GROUP}
    documents = {key: _document(group, key) for key in {*copies, *digests}}
    for key, copy in copies.items():
        if documents[key][1] != copy:
            problems.append(f"the consolidated metadata differ from {key}: readers may take either")
    n_bytes = sum(documents[key][0] for key in digests)
    if not facts.complete or n_bytes > layout.MAX_CONSOLIDATED_MODEL_BYTES:
        return
    if not copies:
        problems.append("the consolidated metadata are missing: xarray finds no array without them")
        return
    groups = (".zgroup", ".zattrs") if group.metadata.zarr_format == 2 else ()
    problems += [
        f"the consolidated metadata lack {key}: readers that go by them miss it"
        for key in sorted({*groups, *digests} - copies.keys())
    ]


def consolidated(group: zarr.Group) -> dict[str, Any]:
    """The copy of each metadata document, by the document's key."""
    v3 = group.metadata.zarr_format == 3
    name = "zarr.json" if v3 else ".zmetadata"
    data = get_bytes(group.store, join_key(group.path, name))
    tree = {} if data is None else json.loads(data)
    if not v3:
        return dict(tree["metadata"]) if tree else {}
    copies = (tree.get("consolidated_metadata") or {"metadata": {}})["metadata"]
    return {f"{key}/{name}": copy for key, copy in copies.items()}


def _document(group: zarr.Group, key: str) -> tuple[int, Any]:
    """Size of a document in bytes, and its content; 0 and None if it cannot be read."""
    try:
        data = get_bytes(group.store, join_key(group.path, key))
        return (0, None) if data is None else (len(data), json.loads(data))
    except (OSError, ValueError):
        return 0, None
