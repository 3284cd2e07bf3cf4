"""Many byte ranges of stored objects at once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import zarr
from zarr.abc.store import RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype
from zarr.core.common import concurrent_map
from zarr.core.sync import sync
from zarr.storage import LocalStore

from ...sources.places.packed import DAMAGED_CONTAINER
from ...sources.places.special_files import refuse_special


class ByteRange(NamedTuple):
    """Bytes ``start`` to ``stop`` - 1 of an object; its last -``start`` bytes, if negative."""

    key: str
    start: int
    stop: int


def read_ranges(store: Store, ranges: Sequence[ByteRange]) -> list[bytes | None]:
    """The ranges' bytes, fewer where the object ends before; None where there is no object.

    Raises
    ------
    OSError
        If an object cannot be read, because of the disk, the server, or a damaged zip or tar file.
    """
    if not ranges:
        return []
    if isinstance(store, LocalStore) and hasattr(os, "pread"):
        return _read_files(store, ranges)
    prototype = default_buffer_prototype()

    async def read(part: ByteRange) -> bytes | None:
        request = (
            RangeByteRequest(part.start, part.stop)
            if part.start >= 0
            else SuffixByteRequest(-part.start)
        )
        buffer = await store.get(part.key, prototype, request)
        return None if buffer is None else buffer.to_bytes()

    async def read_all() -> list[bytes | None]:
        limit = zarr.config.get("async.concurrency")
        return await concurrent_map([(part,) for part in ranges], read, limit)

    try:
        return sync(read_all())
    except DAMAGED_CONTAINER as error:
        raise OSError(str(error) or type(error).__name__) from error


def _read_files(store: LocalStore, ranges: Sequence[ByteRange]) -> list[bytes | None]:
    """From local files, without a task and a thread for each range, which take longer than it."""
    parts: list[bytes | None] = []
    key, descriptor = None, -1
    try:
        for part in ranges:
            if part.key != key:
                if descriptor >= 0:
                    os.close(descriptor)
                key, descriptor = part.key, -1
                path = store.root / part.key
                with suppress(FileNotFoundError, NotADirectoryError):
                    # Without the second flag, opening a FIFO waits for a writer.
                    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
                    refuse_special(os.fstat(descriptor).st_mode, path)
            if descriptor < 0:
                parts.append(None)
            else:
                first = part.start
                if first < 0:
                    first = max(0, os.fstat(descriptor).st_size + part.start)
                parts.append(os.pread(descriptor, part.stop - part.start, first))
    finally:
        if descriptor >= 0:
            os.close(descriptor)
    return parts
