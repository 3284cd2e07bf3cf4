"""Stand-ins for zarr's stores and byte getters that count requests."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import numpy as np
from zarr.abc.store import RangeByteRequest, Store
from zarr.core.buffer import default_buffer_prototype
from zarr.dtype import parse_dtype
from zarr.storage import MemoryStore, WrapperStore
from zarrmal_codecs import ZarrmalCodec, ZarrmalError


class FakeGetter:
    """Serves one chunk as a store does: short reads at the end, no empty ranges."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.requests: list[tuple[int, int]] = []

    async def get(self, prototype, byte_range=None):
        return self.get_sync(prototype, byte_range)

    def get_sync(self, prototype, byte_range=None):
        start, stop = 0, len(self.data)
        if byte_range is not None:
            assert isinstance(byte_range, RangeByteRequest)
            assert 0 <= byte_range.start < byte_range.end
            start, stop = byte_range.start, min(byte_range.end, stop)
        self.requests.append((start, stop))
        return prototype.buffer.from_bytes(self.data[start:stop])


class CountingStore(WrapperStore):
    """A store, in memory by default, that records key and number of bytes of each chunk read."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store or MemoryStore())
        self.reads: list[tuple[str, int]] = []

    async def get(self, key, prototype, byte_range=None):
        return self._counted(key, await self._store.get(key, prototype, byte_range))

    def get_sync(self, key, *, prototype=None, byte_range=None):
        result = self._store.get_sync(key, prototype=prototype, byte_range=byte_range)
        return self._counted(key, result)

    def _counted(self, key, result):
        if result is not None and not key.endswith((".json", ".zarray", ".zattrs")):
            self.reads.append((key, len(result)))
        return result


def spec_of(shape: tuple[int, ...], dtype: str = "u1") -> SimpleNamespace:
    """The part of zarr's ArraySpec that the codec uses."""
    kind = parse_dtype(np.dtype(dtype), zarr_format=3)
    return SimpleNamespace(shape=shape, dtype=kind, prototype=default_buffer_prototype())


def read_rows(
    codec: ZarrmalCodec, damaged: list[bytes], shape: tuple[int, ...], dtype: str = "u1"
) -> list[list[np.ndarray | ZarrmalError]]:
    """Read each row of each chunk with a partial read: the row, or the error."""

    async def cell(data: bytes, row: int) -> np.ndarray | ZarrmalError:
        selection = (slice(row, row + 1), *[slice(None)] * (len(shape) - 1))
        spec = spec_of(shape, dtype)
        try:
            result = await codec._decode_partial_single(FakeGetter(data), selection, spec)
        except ZarrmalError as error:
            return error
        return result.as_numpy_array()

    async def every() -> list[list[np.ndarray | ZarrmalError]]:
        return [[await cell(data, row) for row in range(shape[0])] for data in damaged]

    return asyncio.run(every())
