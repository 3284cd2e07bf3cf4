"""The chunks of the cells, one after the other: where their bytes are, and what they hold.

``chunk_key``, ``stored_object`` and ``expected_digest`` alone know where a chunk is stored: as an
object of its own, or in a shard.
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

import numpy as np
import zarr
from zarr.abc.store import Store
from zarr.core.sync import sync
from zarrmal_codecs import CorruptionError, ZarrmalError
from zarrmal_codecs.constants import DEFLATE_MAX_RATIO, MAX_CHUNK_PIXELS

from ....sources.sizes import Pixels
from ...format import CELLS, Grid
from ...opened import OpenArchive, codec_configuration
from ...shard import split_shard
from ...storage.objects import get_bytes, join_key
from .recover import RecoveredChunk, nothing, recover_chunk

MAX_WORKERS = 4
FEW_CELLS = 10_000_000
"""An archive may declare so many cells, whatever it holds."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellsChunk:
    """A chunk of cells ``start`` to ``stop`` - 1 of the archive; ``key`` is that of its object.

    It is one of ``array``, the cells or their masks.
    """

    key: str
    start: int
    stop: int
    recovered: RecoveredChunk
    array: str = CELLS
    channel_first: bool = False

    @property
    def cells(self) -> Pixels:
        """A view of what is recovered as (cell, y, x) or (cell, y, x, channel or mask)."""
        pixels = self.recovered.pixels
        return np.moveaxis(pixels, 1, 3) if self.channel_first else pixels


def chunk_key(array: zarr.Array[Any], start: int) -> str:
    """Key of the object that holds a cell, as the archive's digests name it."""
    grid = Grid.of(array)
    return grid.key(array, start // grid.object_cells)


def stored_object(array: zarr.Array[Any], start: int) -> bytes | None:
    """Bytes of the object that holds a cell, None if it is missing."""
    return get_bytes(array.store, join_key(array.path, chunk_key(array, start)))


def expected_digest(archive: OpenArchive, array: zarr.Array[Any], start: int) -> str | None:
    """SHA-256 that those bytes must have, None if the archive states none."""
    return archive.digest(array.basename, chunk_key(array, start))


def chunk_starts(array: zarr.Array[Any], n_cells: int | None = None) -> range:
    """The first cell of each chunk."""
    return range(0, array.shape[0] if n_cells is None else n_cells, array.chunks[0])


def expect_whole_cells(array: zarr.Array[Any]) -> None:
    """CorruptionError if the array's chunks are not runs of whole cells."""
    if array.chunks[1:] != array.shape[1:] or array.chunks[0] < 1:
        raise CorruptionError(
            f"`{array.basename}` is cut into chunks of {array.chunks}: a chunk of an archive holds "
            f"whole cells"
        )
    if prod(array.chunks) * np.dtype(array.dtype).itemsize > MAX_CHUNK_PIXELS:
        raise CorruptionError(
            f"`{array.basename}` is cut into chunks of {array.chunks}: a chunk holds "
            f"{MAX_CHUNK_PIXELS:,} bytes at most"
        )


def expect_stored(archive: OpenArchive) -> None:
    """CorruptionError if more cells are declared than the stored chunks can hold."""
    if archive.n_cells <= FEW_CELLS:
        return
    if archive.is_rewritten:
        expect_capacity(archive.n_cells, sum(archive.location.sizes().values()))
        return
    array = archive.cells
    keys = [join_key(array.path, key) for key in archive.digests.of(array.basename)]
    with ThreadPoolExecutor(16) as pool:
        expect_capacity(archive.n_cells, sum(pool.map(partial(_stored_size, array.store), keys)))


def expect_capacity(n_cells: int, n_bytes: int) -> None:
    """CorruptionError if more cells are declared than ``n_bytes`` can hold.

    A cell takes at least a bit, or is deflated. A few million may be declared in any case: what is
    held of each fits into memory.
    """
    if n_cells > FEW_CELLS and n_cells > DEFLATE_MAX_RATIO * n_bytes:
        raise CorruptionError(
            f"the archive declares {n_cells:,} cells, its {n_bytes:,} bytes cannot hold as many"
        )


def _stored_size(store: Store, key: str) -> int:
    try:
        return sync(store.getsize(key))
    except FileNotFoundError:
        return 0
    except Exception:  # the store does not tell sizes
        try:
            return len(get_bytes(store, key) or b"")
        except OSError:
            return 0


def read_chunks(
    archive: OpenArchive,
    starts: Sequence[int],
    name: str = CELLS,
    array: zarr.Array[Any] | None = None,
) -> Iterator[CellsChunk]:
    """Chunks in the order asked for, decoded by a few threads, a few at a time.

    Parameters
    ----------
    starts
        The first cell of each chunk, see chunk_starts.
    name
        ``cells``, or ``mask`` where the archive has it.
    array
        That array, if it is open already.
    """
    workers = min(MAX_WORKERS, os.cpu_count() or 1)
    reader = _ChunkReader(archive, name, array, n_cached=workers + 1)
    pending: deque[Future[CellsChunk]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for start in starts:
            pending.append(pool.submit(reader.read, start))
            if len(pending) > workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class _ChunkReader:
    """Reads chunks; the last few objects stay, as chunks of one shard are asked for in turn."""

    def __init__(
        self, archive: OpenArchive, name: str, array: zarr.Array[Any] | None, *, n_cached: int
    ) -> None:
        if array is None:
            array = archive.cells if name == CELLS else archive.array(name)
        assert array is not None
        self._archive, self._array, self._name, self._grid = archive, array, name, Grid.of(array)
        self._coder = archive.coder if name == CELLS else codec_configuration(array).coder()
        self._dtype = np.dtype(array.dtype).newbyteorder("=")
        self._channel_first = archive.channel_first if name == CELLS else array.ndim == 4
        digests = archive.digests.of(name)
        self._keys = {digest: key for key, digest in digests.items()}
        self._n_cached, self._lock = n_cached, threading.Lock()
        self._objects: dict[str, Future[tuple[bytes | None, str]]] = {}

    def read(self, start: int) -> CellsChunk:
        """The chunk that begins with a cell."""
        stop = min(start + self._array.chunks[0], self._archive.n_cells)
        chunk = self._recover(start, stop - start)
        return CellsChunk(
            key=chunk_key(self._array, start),
            start=start,
            stop=stop,
            recovered=chunk,
            array=self._name,
            channel_first=self._channel_first,
        )

    def _recover(self, start: int, n_cells: int) -> RecoveredChunk:
        shape = self._array.chunks
        expected = expected_digest(self._archive, self._array, start)
        try:
            stored, sha256 = self._object(start)
        except OSError as error:  # a bad sector of a disk, a server that fails
            fault = f"cannot be read: {error.strerror or error}"
            return nothing((n_cells, *shape[1:]), "unreadable", fault, dtype=self._dtype)
        if self._archive.is_rewritten:
            expected = sha256  # the chunk's own CRC-32 decides
        if self._grid.sharded and stored is not None:
            chunk = self._in_shard(stored, start, n_cells, expected, sha256)
        else:
            chunk = recover_chunk(stored, self._coder, shape, expected, n_cells, self._dtype)
        if chunk.kind == "changed" and not chunk.good.any() and sha256 in self._keys:
            other = self._keys[sha256]
            chunk = replace(chunk, fault=f"{chunk.fault}; it holds the bytes of chunk {other}")
        return chunk

    def _in_shard(
        self, data: bytes, start: int, n_cells: int, expected: str | None, sha256: str
    ) -> RecoveredChunk:
        """A chunk of a shard: the shard's SHA-256 checks it, or else its own CRC-32."""
        shape, grid, dtype = self._array.chunks, self._grid, self._dtype
        unpadded = (n_cells, *shape[1:])
        try:
            chunks = split_shard(data, grid.chunks_per_object, grid.index_location)
            chunk = chunks[start % grid.object_cells // grid.chunk_cells]
        except ZarrmalError as error:
            fault = f"lies in a damaged shard: {error}"
            return nothing(unpadded, "undecodable", fault, dtype=dtype)
        if chunk is None:
            return nothing(unpadded, "missing", "is missing in its shard", dtype=dtype)
        own = bytes(chunk)
        if sha256 == expected:
            own_digest = hashlib.sha256(own).hexdigest()
            return recover_chunk(own, self._coder, shape, own_digest, n_cells, dtype)
        recovered = recover_chunk(own, self._coder, shape, None, n_cells, dtype)
        if recovered.kind == "no digest" and expected is not None:
            fault = "lies in a shard that was changed, and matches its own CRC-32"
            return replace(recovered, kind="changed", fault=fault, certain=False)
        return recovered

    def _object(self, start: int) -> tuple[bytes | None, str]:
        """Bytes of the object that holds a cell, and their SHA-256; fetched once by all threads."""
        key = chunk_key(self._array, start)
        with self._lock:
            future = self._objects.get(key)
            is_new = future is None
            if future is None:
                future = self._objects[key] = Future()
                while len(self._objects) > self._n_cached:
                    self._objects.pop(next(iter(self._objects)))
        if is_new:
            try:
                stored = stored_object(self._array, start)
                future.set_result((stored, hashlib.sha256(stored or b"").hexdigest()))
            except BaseException as error:  # for each thread that waits
                future.set_exception(error)
        return future.result()
