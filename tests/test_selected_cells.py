"""Archive.read fetches and decodes the cells that are asked for, and checks them."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import LocalStore, MemoryStore, WrapperStore
from zarrmal_codecs import CorruptionError, ZarrmalError, array_arguments

import zarrmal
from zarrmal import AppendOptions, Archive, WriteOptions
from zarrmal.archive.read.chunks.chunks import chunk_key
from zarrmal.archive.read.selected.reader import is_selectable
from zarrmal.classify import LabelAssigner
from zarrmal.sources import Subset


class CountingStore(WrapperStore[Any]):
    """Counts the requests for chunks, and their bytes."""

    def __init__(self, store: Any, requests: list[int] | None = None) -> None:
        super().__init__(store)
        self.requests: list[int] = [] if requests is None else requests

    def with_read_only(self, read_only: bool = False) -> Any:
        return CountingStore(self._store.with_read_only(read_only), self.requests)

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        data = await self._store.get(key, prototype, byte_range)
        if key.startswith("cells/") and key[-1].isdigit():
            self.requests.append(0 if data is None else len(data))
        return data


LAYOUTS = {
    "chunks": WriteOptions(chunk_cells=16),
    "shards": WriteOptions(chunk_cells=16, shard_cells=64),
    "index at the start": WriteOptions(chunk_cells=16, shard_cells=64, shard_index="start"),
    "format 2": WriteOptions(chunk_cells=16, zarr_format=2),
}


@pytest.fixture(scope="module", params=["hybrid", "paper"])
def coded(request, hybrid, model):
    return hybrid if request.param == "hybrid" else model


def stored(cells, model, where, options):
    return Archive.write(
        cells,
        where,
        model=model,
        assigner=LabelAssigner(cells, model.class_names),
        options=options,
    )


def stored_chunk(archive, start):
    return archive / "cells" / chunk_key(Archive.open(archive).cells, start)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("local", [True, False], ids=["local", "memory"])
def test_any_cells_in_any_order(tmp_path, cells, coded, layout, local):
    where = tmp_path / "a.zarr" if local else MemoryStore()
    archive = stored(cells, coded, where, LAYOUTS[layout])
    whole = np.asarray(archive.cells[:])
    generator = np.random.default_rng(0)
    for n in (1, 5, 100, 240):
        positions = generator.integers(0, 240, n)
        for workers in (None, 1, 3):
            pixels = archive.read(positions, workers=workers)
            np.testing.assert_array_equal(pixels, whole[positions])
    np.testing.assert_array_equal(archive.read(range(240)), whole)
    assert archive.read([]).shape == (0, 24, 24)


@pytest.mark.parametrize(("layout", "n_requests"), [("chunks", 2), ("shards", 3), ("format 2", 2)])
def test_a_single_cell_takes_few_requests(cells, hybrid, layout, n_requests):
    memory = MemoryStore()
    stored(cells, hybrid, memory, LAYOUTS[layout])
    store = CountingStore(memory)
    archive = Archive.open(store)
    chunk_key = next(iter(archive.digests.of("cells")))
    n_object = len(memory._store_dict[f"cells/{chunk_key}"])
    archive.read([3])
    assert len(store.requests) == n_requests  # an index, the header, the cell
    assert sum(store.requests) < n_object / 2
    store.requests.clear()
    archive.read([9])
    assert len(store.requests) == 1  # the header is known
    store.requests.clear()
    archive.read(range(16))
    assert len(store.requests) == 1


def test_many_cells_take_a_request_for_each_run_of_neighbours(cells, hybrid):
    memory = MemoryStore()
    stored(cells, hybrid, memory, LAYOUTS["shards"])
    store = CountingStore(memory)
    archive = Archive.open(store)
    archive.read([0, 1, 2, 70, 71, 130])
    assert len(store.requests) == 3 + 3 + 3  # three shards


@pytest.mark.parametrize("by_zarr", [False, True])
def test_a_missing_chunk_is_no_black_cell(archive, by_zarr, monkeypatch):
    if by_zarr:
        monkeypatch.setattr(
            "zarrmal.archive.read.selected.reader.is_selectable", lambda array: False
        )
    stored_chunk(archive, 50).unlink()
    opened = Archive.open(LocalStore(archive))
    assert opened.read([0]).any()
    with pytest.raises(CorruptionError, match="missing"):
        opened.read([0, 60])


def test_damaged_cells_are_errors_the_others_are_read(archive):
    opened = Archive.open(archive)
    whole = opened.read(range(240))
    path = stored_chunk(archive, 0)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # in the stream of the chunk's last cell
    path.write_bytes(data)
    for reader in (opened, Archive.open(archive)):
        with pytest.raises(ZarrmalError):
            reader.read([48, 49])
        np.testing.assert_array_equal(reader.read([3, 77]), whole[[3, 77]])


@pytest.mark.parametrize("start", [0, 200])
def test_a_whole_chunk_is_compared_with_its_checksum(archive, start):
    path = stored_chunk(archive, start)
    data = bytearray(path.read_bytes())
    data[20:24] = bytes(4)  # the CRC-32 of all pixels
    n_header = int.from_bytes(data[8:12], "little")
    data[n_header - 4 : n_header] = zlib.crc32(data[: n_header - 4]).to_bytes(4, "little")
    path.write_bytes(data)
    opened = Archive.open(archive)
    assert opened.read(range(start, start + 39)).any()  # of these each has its own check
    with pytest.raises(CorruptionError, match="CRC-32"):
        opened.read(range(start, min(start + 50, 240)))


def test_the_last_object_may_be_replaced_at_any_time(cells, hybrid, tmp_path):
    first, second = Subset(cells, range(100)), Subset(cells, range(100, 240))
    path = tmp_path / "a.zarr"
    stored(first, hybrid, path, LAYOUTS["shards"])
    reader = Archive.open(path)
    before = reader.read(range(100))
    writer = Archive.open(path)
    assigner = LabelAssigner(second, hybrid.class_names)
    writer.append(second, assigner=assigner, options=AppendOptions())
    np.testing.assert_array_equal(reader.read(range(100)), before)
    np.testing.assert_array_equal(reader.read([98, 70]), before[[98, 70]])


def test_an_archive_that_was_replaced_gives_no_mixture(cells, hybrid, tmp_path):
    path = tmp_path / "a.zarr"
    stored(cells, hybrid, path, WriteOptions(chunk_cells=16))
    reader = Archive.open(path)
    reader.read(range(240))
    flipped = zarrmal.open_source(
        np.ascontiguousarray(cells.read(np.arange(240))[:, ::-1]),
        labels=[cells.class_names[k] for k in cells.labels],
    )
    stored(flipped, hybrid, path, WriteOptions(chunk_cells=16, overwrite=True))
    now = np.asarray(zarr.open_group(path, mode="r")["cells"][:])
    np.testing.assert_array_equal(reader.read(range(240)), now)


def test_a_foreign_codec_after_ours_is_left_to_zarr(cells, hybrid, tmp_path):
    arguments = array_arguments(hybrid) | {"compressors": [zarr.codecs.ZstdCodec()]}
    arguments.pop("zarr_format", None)
    array = zarr.create_array(
        MemoryStore(), shape=(8, 24, 24), chunks=(8, 24, 24), dtype="uint8", **arguments
    )
    assert not is_selectable(array)
