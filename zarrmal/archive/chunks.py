"""The chunks of an archive, one after the other: where their bytes lie, and what they hold.

``chunk_key``, ``stored_object`` and ``promised_digest`` alone know where chunks are stored: each as
an object of its own, or some of them in a shard.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any

import zarr
from zarr.core.sync import sync
from zarrmal_codecs import CorruptionError, ZarrmalError
from zarrmal_codecs.coder import Coder
from zarrmal_codecs.constants import DEFLATE_MAX_RATIO, MAX_CHUNK_PIXELS

from .grid import Grid
from .layout import ArchiveFacts
from .salvage import Salvage, nothing, salvage_chunk
from .shard import split_shard
from .stored import join_key, stored_bytes

MAX_WORKERS = 4
FEW_CELLS = 10_000_000
"""An archive may declare as many, whatever it holds."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellsChunk:
    """A chunk of ``cells`` and its place: the cells ``start`` to ``stop`` - 1 of the archive."""

    key: str
    start: int
    stop: int
    salvage: Salvage


def chunk_key(array: zarr.Array[Any], start_cell: int) -> str:
    """Key of the object that holds a cell, as the archive's digests name it."""
    grid = Grid.of(array)
    return grid.key(array, start_cell // grid.object_cells)


def stored_object(group: zarr.Group, array: zarr.Array[Any], start_cell: int) -> bytes | None:
    """Stored bytes of the object that holds a cell, None if they are missing."""
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
    if prod(array.chunks) > MAX_CHUNK_PIXELS:
        raise CorruptionError(
            f"`{array.basename}` is cut into chunks of {array.chunks}: a chunk holds "
            f"{MAX_CHUNK_PIXELS:,} pixels at most"
        )


def expect_stored(
    group: zarr.Group, array: zarr.Array[Any], facts: ArchiveFacts, n_cells: int
) -> None:
    """CorruptionError if more cells are declared than the stored chunks can hold."""
    if n_cells <= FEW_CELLS:
        return
    keys = [join_key(array.path, key) for key in facts.digests.get(array.basename, {})]
    with ThreadPoolExecutor(16) as pool:
        expect_room(n_cells, sum(pool.map(partial(_stored_size, group), keys)))


def expect_room(n_cells: int, n_bytes: int) -> None:
    """CorruptionError if more cells are declared than so many bytes can hold.

    A cell costs a bit at least, or is deflated. A few million may be declared all the same: what is
    kept of each fits into memory.
    """
    if n_cells > FEW_CELLS and n_cells > DEFLATE_MAX_RATIO * n_bytes:
        raise CorruptionError(
            f"the archive declares {n_cells:,} cells, its {n_bytes:,} bytes cannot hold as many"
        )


def _stored_size(group: zarr.Group, key: str) -> int:
    try:
        return sync(group.store.getsize(key))
    except FileNotFoundError:
        return 0
    except Exception:  # the store does not tell sizes
        try:
            return len(stored_bytes(group, key) or b"")
        except OSError:
            return 0


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
    workers = min(MAX_WORKERS, os.cpu_count() or 1)
    fetch = _LastObjects(group, array, workers + 1)
    one = partial(_read_chunk, fetch, array, coder, facts, keys, n_cells)
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


class _LastObjects:
    """Fetches objects and keeps the last few: chunks of one shard are asked for in turn."""

    def __init__(self, group: zarr.Group, array: zarr.Array[Any], n_kept: int) -> None:
        self._group, self._array, self._n_kept = group, array, n_kept
        self._lock = threading.Lock()
        self._held: dict[str, Future[tuple[bytes | None, str]]] = {}

    def __call__(self, start: int) -> tuple[bytes | None, str]:
        """Bytes of the object that holds a cell, and their sha256."""
        key = chunk_key(self._array, start)
        with self._lock:
            found = self._held.get(key)
            mine = found is None
            if found is None:
                found = self._held[key] = Future()
                while len(self._held) > self._n_kept:
                    self._held.pop(next(iter(self._held)))
        if mine:
            try:
                data = stored_object(self._group, self._array, start)
                found.set_result((data, hashlib.sha256(data or b"").hexdigest()))
            except BaseException as error:
                found.set_exception(error)
        return found.result()


def _read_chunk(
    fetch: _LastObjects,
    array: zarr.Array[Any],
    coder: Coder,
    facts: ArchiveFacts,
    keys: dict[str, str],
    n_cells: int,
    start: int,
) -> CellsChunk:
    promised = promised_digest(facts, array, start)
    stop = min(start + array.chunks[0], n_cells)
    try:
        data, sha256 = fetch(start)
    except OSError as error:  # a bad sector of a disk, a server that fails
        shape = (stop - start, *array.chunks[1:])
        found = nothing(shape, "unreadable", f"cannot be read: {error.strerror or error}")
    else:
        grid = Grid.of(array)
        if grid.sharded and data is not None:
            place = start % grid.object_cells // grid.chunk_cells
            n = stop - start
            found = _in_shard(data, place, grid, coder, array.chunks, promised, sha256, n)
        else:
            found = salvage_chunk(data, coder, array.chunks, promised, stop - start)
        if found.kind == "changed" and data is not None and not found.good.any():
            other = keys.get(sha256)
            if other is not None:
                found = replace(found, fault=f"{found.fault}; it holds the bytes of chunk {other}")
    return CellsChunk(key=chunk_key(array, start), start=start, stop=stop, salvage=found)


def _in_shard(
    data: bytes,
    place: int,
    grid: Grid,
    coder: Coder,
    shape: tuple[int, ...],
    promised: str | None,
    sha256: str,
    n_cells: int,
) -> Salvage:
    """One chunk of a shard: the shard's sha256 vouches for it, or else its own CRC-32 does."""
    there = (n_cells, *shape[1:])
    try:
        chunk = split_shard(data, grid.chunks_per_object)[place]
    except ZarrmalError as error:
        return nothing(there, "undecodable", f"lies in a damaged shard: {error}")
    if chunk is None:
        return nothing(there, "missing", "is missing in its shard")
    own = bytes(chunk)
    if sha256 == promised:
        return salvage_chunk(own, coder, shape, hashlib.sha256(own).hexdigest(), n_cells)
    found = salvage_chunk(own, coder, shape, None, n_cells)
    if found.kind == "no digest" and promised is not None:
        fault = "lies in a shard that was changed, and matches its own CRC-32"
        return replace(found, kind="changed", fault=fault, certain=False)
    return found
