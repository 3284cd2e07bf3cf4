"""From one state of an archive to the next, by one object.

Chunks that a reader of the old state sees are never changed but behind its cells, so the old state
holds until the array documents change. A reader of consolidated metadata (plain ``zarr.open`` and
``xr.open_zarr``) goes over to the new state with a single object, which holds all arrays'
documents: ``zarr.json`` of the group in format 3, ``.zmetadata`` in format 2. The archive's facts
are in the same object, but in format 2 in ``.zattrs``, which comes after it: until then an
interrupted run has not reached its end, and going on stores all these documents again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import zarr
from zarr.core.array_spec import ArrayConfig
from zarr.core.buffer import default_buffer_prototype

from . import layout
from .layout import ArchiveFacts
from .stored import get_bytes, join_key, put_bytes

MAX_CONSOLIDATED_MODEL_BYTES = 1_000_000
"""Consolidated metadata repeat the model; beyond this size that costs more than it saves.

A copy that is there is kept up to date whatever its size, or its readers would see the old state.
"""
OURS = {*layout.LONG_NAMES, ".zgroup", ".zattrs"}
"""Nodes and documents of the group that are made anew; of others the copy stays."""


def extended(array: zarr.Array[Any], n_cells: int) -> zarr.Array[Any]:
    """The array with another number of cells, of which the store does not know yet."""
    old = array._async_array
    metadata = old.metadata.update_shape((n_cells, *array.shape[1:]))
    config = ArrayConfig.from_dict({"write_empty_chunks": True})
    return zarr.Array(type(old)(metadata=metadata, store_path=old.store_path, config=config))


def array_documents(array: zarr.Array[Any], attributes: Mapping[str, Any]) -> dict[str, bytes]:
    """The metadata documents of an array, by their names, with some attributes replaced."""
    metadata = array.metadata.update_attributes({**array.metadata.attributes, **attributes})
    found = metadata.to_buffer_dict(default_buffer_prototype())
    return {name: buffer.to_bytes() for name, buffer in found.items()}


def commit(
    group: zarr.Group,
    facts: ArchiveFacts,
    arrays: Mapping[str, zarr.Array[Any]],
    attributes: Mapping[str, Mapping[str, Any]],
) -> ArchiveFacts:
    """Store the documents of a new state; the object that readers go by is the last.

    Parameters
    ----------
    facts
        Of the new state; the digests of the documents are filled in.
    arrays
        All arrays of the archive, as long as in the new state.
    attributes
        Array name -> attributes that change.

    Returns
    -------
    ArchiveFacts
        As stored.
    """
    documents = {
        join_key(name, document): data
        for name, array in arrays.items()
        for document, data in array_documents(array, attributes.get(name, {})).items()
    }
    digests = {key: hashlib.sha256(data).hexdigest() for key, data in documents.items()}
    facts = replace(facts, metadata_digests=digests)
    for key, data in documents.items():
        put_bytes(group.store, join_key(group.path, key), data)
    for key, data in group_documents(group, facts, documents).items():
        put_bytes(group.store, join_key(group.path, key), data)
    return facts


def group_documents(
    group: zarr.Group, facts: ArchiveFacts, documents: Mapping[str, bytes]
) -> dict[str, bytes]:
    """The group's own documents, the one that readers go by last.

    ``documents`` are repeated in it, unless they are too large and no copy is there. What a copy
    holds of other arrays and groups, which somebody has put beside ours, stays.
    """
    others = {k: v for k, v in group.attrs.asdict().items() if k != layout.ATTRIBUTE}
    attributes = {**others, layout.ATTRIBUTE: facts.to_json()}
    trees = {key: json.loads(data) for key, data in documents.items()}
    copies = _stored_copies(group)
    consolidates = (
        copies is not None or sum(map(len, documents.values())) <= MAX_CONSOLIDATED_MODEL_BYTES
    )
    beside = {k: v for k, v in (copies or {}).items() if k.partition("/")[0] not in OURS}
    if group.metadata.zarr_format == 3:
        tree: dict[str, Any] = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        if consolidates:
            tree["consolidated_metadata"] = {
                "kind": "inline",
                "must_understand": False,
                "metadata": {key.rpartition("/")[0]: one for key, one in trees.items()} | beside,
            }
        return {"zarr.json": _json(tree)}
    zgroup = {"zarr_format": 2}
    found = {".zgroup": _json(zgroup)}
    if consolidates:
        trees = {".zgroup": zgroup, ".zattrs": attributes, **trees, **beside}
        found[".zmetadata"] = _json({"zarr_consolidated_format": 1, "metadata": trees})
    return found | {".zattrs": _json(attributes)}


def _stored_copies(group: zarr.Group) -> dict[str, Any] | None:
    """The copies in the group's consolidated metadata, by their keys there; None if it has none."""
    v3 = group.metadata.zarr_format == 3
    data = get_bytes(group.store, join_key(group.path, "zarr.json" if v3 else ".zmetadata"))
    try:
        tree = json.loads(data or b"{}")
        copies = (tree.get("consolidated_metadata") or {} if v3 else tree).get("metadata")
    except (ValueError, AttributeError):  # damaged; in its place comes one that is not
        return None
    return copies if isinstance(copies, dict) else None


def _json(tree: Mapping[str, Any]) -> bytes:
    """A document as zarr writes it: others' attributes may hold NaN and Infinity."""
    return json.dumps(tree, indent=2, allow_nan=True).encode()
