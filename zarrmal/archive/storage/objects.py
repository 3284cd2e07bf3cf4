"""The stored objects of an archive, byte for byte, and their digests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import zarr
from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from ...sources.places.packed import DAMAGED_CONTAINER

UNREADABLE = ""
"""In place of a digest: the store fails to read the object."""


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
    """sha256 of the metadata documents of some arrays, by their key; UNREADABLE for some."""
    documents = (".zarray", ".zattrs") if group.metadata.zarr_format == 2 else ("zarr.json",)
    digests = {}
    for key in (f"{name}/{document}" for name in names for document in documents):
        try:
            data = get_bytes(group.store, join_key(group.path, key))
        except OSError:
            digests[key] = UNREADABLE
            continue
        if data is not None:
            digests[key] = hashlib.sha256(data).hexdigest()
    return digests


def get_bytes(store: Store, key: str, part: ByteRequest | None = None) -> bytes | None:
    """One object of a store, or a part of it; None if it is missing.

    Raises
    ------
    OSError
        If it cannot be read, because of the disk, the server, or a damaged zip or tar file.
    """
    try:
        buffer = sync(store.get(key, default_buffer_prototype(), part))
    except DAMAGED_CONTAINER as error:
        raise OSError(str(error) or type(error).__name__) from error
    return None if buffer is None else buffer.to_bytes()


def put_bytes(store: Store, key: str, data: bytes) -> None:
    """Store or replace one object atomically: readers see the old object or the new one."""
    sync(store.set(key, default_buffer_prototype().buffer.from_bytes(data)))


def join_key(path: str, key: str) -> str:
    """A key below a path of the store, which is empty for the root."""
    return f"{path}/{key}".lstrip("/")
