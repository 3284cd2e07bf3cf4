"""The commit: from one state of an archive to the next with a single object.

The digests of the new state are stored before under a name of their own, see digests.py.

Until the commit, objects that a reader sees only change behind the archive's last cell, so the old
state holds until the array documents change. A reader of consolidated metadata (plain ``zarr.open``
and ``xr.open_zarr``) sees the new state with one object that holds all arrays' documents: the
group's ``zarr.json`` in format 3, ``.zmetadata`` in format 2. The archive's facts are in the same
object, but in format 2 in ``.zattrs``, which is stored after it: a run that is interrupted between
the two has not committed, and a resumed run stores all these documents again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import zarr
from zarr.core.array_spec import ArrayConfig
from zarr.core.buffer import default_buffer_prototype

from ...sources.arrays.archive_facts import DIGESTS_GROUP
from .. import format as layout
from ..digests import Digests, remove_other_digests, store_digests
from ..format import ArchiveFacts
from ..opened import OpenArchive
from ..storage.objects import get_bytes, join_key, put_bytes
from ..storage.store import WriteOnceStore

OWN_NODES = {*layout.BASE_NAMES, DIGESTS_GROUP, ".zgroup", ".zattrs"}
"""Nodes and documents whose copies are made anew, as those of the arrays that the archive names;
copies of other nodes stay."""


def resized(array: zarr.Array[Any], n_cells: int) -> zarr.Array[Any]:
    """The array with another number of cells; its stored document does not change."""
    old = array._async_array
    metadata = old.metadata.update_shape((n_cells, *array.shape[1:]))
    config = ArrayConfig.from_dict({"write_empty_chunks": True})
    return zarr.Array(type(old)(metadata=metadata, store_path=old.store_path, config=config))


def array_documents(array: zarr.Array[Any], attributes: Mapping[str, Any]) -> dict[str, bytes]:
    """The metadata documents of an array, by their names, with some attributes replaced."""
    metadata = array.metadata.update_attributes({**array.metadata.attributes, **attributes})
    documents = metadata.to_buffer_dict(default_buffer_prototype())
    return {name: buffer.to_bytes() for name, buffer in documents.items()}


def store_longer(archive: OpenArchive, names: Iterable[str], n_cells: int) -> None:
    """Store the documents of arrays with more cells before these are there.

    Only for stores whose owner commits: readers see them with the commit.
    """
    for name in names:
        array = archive.group[name]
        assert isinstance(array, zarr.Array)
        for document, data in array_documents(resized(array, n_cells), {}).items():
            put_bytes(array.store, join_key(array.path, document), data)


def commit(
    archive: OpenArchive,
    facts: ArchiveFacts,
    objects: Mapping[str, Mapping[str, str]],
    attributes: Mapping[str, Mapping[str, Any]],
) -> ArchiveFacts:
    """Store the documents of a new state; last the object that makes it visible.

    Parameters
    ----------
    facts
        Of the new state; those on arrays and digests are filled in.
    objects
        Array name -> chunk key -> SHA-256, for every array of the new state.
    attributes
        Array name -> attributes that change.

    Returns
    -------
    ArchiveFacts
        As stored.
    """
    group = archive.group
    documents = {
        join_key(name, document): data
        for name in objects
        for document, data in array_documents(
            resized(_array(group, name), facts.n_cells), attributes.get(name, {})
        ).items()
    }
    digests = Digests(
        objects=objects,
        documents={key: hashlib.sha256(data).hexdigest() for key, data in documents.items()},
    )
    previous = archive.facts.digests
    facts = replace(facts, arrays=tuple(objects), digests=store_digests(group, digests))
    for key, data in documents.items():
        put_bytes(group.store, join_key(group.path, key), data)
    facts = _with_backup(archive, facts)
    for key, data in group_documents(group, facts, documents).items():
        put_bytes(group.store, join_key(group.path, key), data)
    if isinstance(group.store, WriteOnceStore):
        group.store.flush()
    else:
        remove_other_digests(group, previous, facts.digests)
    return facts


def _with_backup(archive: OpenArchive, facts: ArchiveFacts) -> ArchiveFacts:
    """Store the object BACKUP; the facts say whether the store takes it."""
    group, facts = archive.group, replace(facts, backup=True)
    try:
        put_bytes(group.store, join_key(group.path, layout.BACKUP), _json(facts.to_json()))
    except Exception as error:  # Icechunk's own, whatever class that is
        if not _is_refusal_of_the_key(error):
            raise
        return replace(facts, backup=False)
    return facts


def _is_refusal_of_the_key(error: Exception) -> bool:
    """Icechunk takes no other objects than zarr's; its other errors have the same class."""
    return type(error).__module__.startswith("icechunk") and "invalid zarr key" in str(error)


def group_documents(
    group: zarr.Group, facts: ArchiveFacts, documents: Mapping[str, bytes]
) -> dict[str, bytes]:
    """The group's own documents, last the one that readers go by.

    It repeats ``documents``, unless they are too large and no copy exists. Copies of other arrays
    and groups, which somebody has added beside ours, stay.
    """
    others = {k: v for k, v in group.attrs.asdict().items() if k != layout.ATTRIBUTE}
    attributes = {**others, layout.ATTRIBUTE: facts.to_attribute()}
    trees = {key: json.loads(data) for key, data in documents.items()}
    copies = _stored_copies(group)
    consolidates = (
        copies is not None
        or sum(map(len, documents.values())) <= layout.MAX_CONSOLIDATED_MODEL_BYTES
    )
    own = OWN_NODES.union(facts.arrays)
    beside = {k: v for k, v in (copies or {}).items() if k.partition("/")[0] not in own}
    if group.metadata.zarr_format == 3:
        tree: dict[str, Any] = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        if consolidates:
            nodes = {key.rpartition("/")[0]: document for key, document in trees.items()}
            tree["consolidated_metadata"] = {
                "kind": "inline",
                "must_understand": False,
                "metadata": nodes | beside,
            }
        return {"zarr.json": _json(tree)}
    zgroup = {"zarr_format": 2}
    stored = {".zgroup": _json(zgroup)}
    if consolidates:
        trees = {".zgroup": zgroup, ".zattrs": attributes, **trees, **beside}
        stored[".zmetadata"] = _json({"zarr_consolidated_format": 1, "metadata": trees})
    return stored | {".zattrs": _json(attributes)}


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    array = group[name]
    assert isinstance(array, zarr.Array)
    return array


def _stored_copies(group: zarr.Group) -> dict[str, Any] | None:
    """The copies in the group's consolidated metadata, by their keys there; None if it has none."""
    v3 = group.metadata.zarr_format == 3
    data = get_bytes(group.store, join_key(group.path, "zarr.json" if v3 else ".zmetadata"))
    try:
        tree = json.loads(data or b"{}")
        copies = (tree.get("consolidated_metadata") or {} if v3 else tree).get("metadata")
    except (ValueError, AttributeError):  # damaged; it is replaced by one that is not
        return None
    return copies if isinstance(copies, dict) else None


def _json(tree: Mapping[str, Any]) -> bytes:
    """A document as zarr writes it: users' attributes may hold NaN and Infinity."""
    return json.dumps(tree, indent=2, allow_nan=True).encode()
