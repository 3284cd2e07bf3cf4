"""The stored objects of an archive, byte for byte, and their digests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import zarr
from zarr.abc.store import Store
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync


def stored_digests(array: zarr.Array[Any], first: int = 0) -> dict[str, str]:
    """sha256 of the stored chunks of an array, from chunk ``first`` on, by chunk key."""
    digests = {}
    for k in range(first, -(-array.shape[0] // array.chunks[0])):
        key = array.metadata.encode_chunk_key((k, *[0] * (array.ndim - 1)))
        data = get_bytes(array.store, join_key(array.path, key))
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
    return get_bytes(group.store, key)


def get_bytes(store: Store, key: str) -> bytes | None:
    """One object of a store, None if it is missing."""
    buffer = sync(store.get(key, default_buffer_prototype()))
    return None if buffer is None else buffer.to_bytes()


def put_bytes(store: Store, key: str, data: bytes) -> None:
    """Store one object, or replace it, whole: readers see the old one or the new one."""
    sync(store.set(key, default_buffer_prototype().buffer.from_bytes(data)))


def join_key(path: str, key: str) -> str:
    """A key below a path of the store, which is empty for the root."""
    return f"{path}/{key}".lstrip("/")
