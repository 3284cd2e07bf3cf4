"""The chunks of an archive, one after the other: where their bytes lie, and what they hold.

``chunk_key``, ``stored_chunk`` and ``promised_digest`` alone know how chunks are stored.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import zarr
from zarrmal_codecs import CorruptionError
from zarrmal_codecs.coder import Coder

from .layout import ArchiveFacts
from .salvage import Salvage, nothing, salvage_chunk
from .stored import join_key, stored_bytes

MAX_WORKERS = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellsChunk:
    """A chunk of ``cells`` and its place: the cells ``start`` to ``stop`` - 1 of the archive."""

    key: str
    start: int
    stop: int
    salvage: Salvage


def chunk_key(array: zarr.Array[Any], start_cell: int) -> str:
    """Key of the chunk that starts with a cell, as the archive's digests name it."""
    coordinates = (start_cell // array.chunks[0], *[0] * (array.ndim - 1))
    return array.metadata.encode_chunk_key(coordinates)


def stored_chunk(group: zarr.Group, array: zarr.Array[Any], start_cell: int) -> bytes | None:
    """Stored bytes of the chunk that starts with a cell, None if they are missing."""
    return stored_bytes(group, join_key(array.path, chunk_key(array, start_cell)))


def promised_digest(facts: ArchiveFacts, array: zarr.Array[Any], start_cell: int) -> str | None:
    """The sha256 that those bytes must have, None if the archive does not say."""
    return facts.digests.get(array.basename, {}).get(chunk_key(array, start_cell))


def chunk_starts(array: zarr.Array[Any]) -> range:
    """The first cell of each chunk."""
    return range(0, array.shape[0], array.chunks[0])


def expect_whole_cells(array: zarr.Array[Any]) -> None:
    """CorruptionError if the array's chunks are not runs of whole cells."""
    if array.chunks[1:] != array.shape[1:] or array.chunks[0] < 1:
        raise CorruptionError(
            f"`{array.basename}` is cut into chunks of {array.chunks}: a chunk of an archive holds "
            f"whole cells"
        )


def read_chunks(
    group: zarr.Group,
    array: zarr.Array[Any],
    coder: Coder,
    facts: ArchiveFacts,
    starts: Sequence[int],
    n_cells: int,
) -> Iterator[CellsChunk]:
    """Chunks of ``cells`` in the order asked for, decoded by a few threads, a few at a time.

    What lies beyond ``n_cells`` is padding.
    """
    keys = {digest: key for key, digest in facts.digests.get(array.basename, {}).items()}
    one = partial(_read_chunk, group, array, coder, facts, keys, n_cells)
    workers = min(MAX_WORKERS, os.cpu_count() or 1)
    pending: deque[Future[CellsChunk]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for start in starts:
            pending.append(pool.submit(one, start))
            if len(pending) > workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _read_chunk(
    group: zarr.Group,
    array: zarr.Array[Any],
    coder: Coder,
    facts: ArchiveFacts,
    keys: dict[str, str],
    n_cells: int,
    start: int,
) -> CellsChunk:
    promised = promised_digest(facts, array, start)
    try:
        data = stored_chunk(group, array, start)
    except OSError as error:  # a bad sector of a disk, a server that fails
        found = nothing(array.chunks, "unreadable", f"cannot be read: {error.strerror or error}")
    else:
        found = salvage_chunk(data, coder, array.chunks, promised)
        if found.kind == "changed" and data is not None:
            other = keys.get(hashlib.sha256(data).hexdigest())
            if other is not None:
                found = replace(found, fault=f"{found.fault}; it holds the bytes of chunk {other}")
    stop = min(start + array.chunks[0], n_cells)
    return CellsChunk(key=chunk_key(array, start), start=start, stop=stop, salvage=found)
