"""The stored objects of an archive, byte for byte, and their digests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import zarr
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync


def stored_digests(group: zarr.Group, name: str) -> dict[str, str]:
    """sha256 of every stored chunk of an array, by chunk key."""
    array = group[name]
    assert isinstance(array, zarr.Array)
    digests = {}
    for coordinates in np.ndindex(array.cdata_shape):
        key = array.metadata.encode_chunk_key(coordinates)
        data = stored_bytes(group, join_key(array.path, key))
        if data is not None:
            digests[key] = hashlib.sha256(data).hexdigest()
    return digests


def metadata_digests(group: zarr.Group, names: Iterable[str]) -> dict[str, str]:
    """sha256 of the metadata documents of some arrays, by their key."""
    documents = (".zarray", ".zattrs") if group.metadata.zarr_format == 2 else ("zarr.json",)
    digests = {}
    for key in (f"{name}/{document}" for name in names for document in documents):
        data = stored_bytes(group, join_key(group.path, key))
        if data is not None:
            digests[key] = hashlib.sha256(data).hexdigest()
    return digests


def stored_bytes(group: zarr.Group, key: str) -> bytes | None:
    """One stored object, None if it is missing."""
    buffer = sync(group.store.get(key, default_buffer_prototype()))
    return None if buffer is None else buffer.to_bytes()


def join_key(path: str, key: str) -> str:
    """A key below a path of the store, which is empty for the root."""
    return f"{path}/{key}".lstrip("/")
