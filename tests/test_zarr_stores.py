"""Archives in stores of zarr that the caller opened; their owner is in charge of transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.abc.store import Store
from zarr.core.buffer import Buffer, default_buffer_prototype
from zarr.storage import LocalStore, MemoryStore, ObjectStore, StorePath, ZipStore
from zarrmal_codecs import Model
from zarrmal_codecs.hybrid.cells import HybridCells

import zarrmal
from zarrmal import Archive, ExistsError, InputError, MissingError, WriteOptions
from zarrmal.archive.format import BACKUP
from zarrmal.archive.storage.store import Where
from zarrmal.sources import Source, Subset

FIRST, MORE, ALL = range(100), range(100, 150), range(150)


def write(source: Source, where: Where, model: Model, **options: object) -> None:
    zarrmal.write(source, where, model=model, options=WriteOptions(chunk_cells=32, **options))


def memory(tmp_path: Path) -> Store:
    return MemoryStore()


def in_memory_path(tmp_path: Path) -> StorePath:
    return StorePath(MemoryStore(), "plates/cells")


def local(tmp_path: Path) -> Store:
    return LocalStore(tmp_path / "a.zarr")


def obstore_local(tmp_path: Path) -> Store:
    pytest.importorskip("obstore", reason="obstore is not installed: the extra `stores`")
    from obstore.store import LocalStore as Objects

    (tmp_path / "objects").mkdir()
    return ObjectStore(Objects(tmp_path / "objects"))


def obstore_memory(tmp_path: Path) -> Store:
    pytest.importorskip("obstore", reason="obstore is not installed: the extra `stores`")
    from obstore.store import MemoryStore as Objects

    return ObjectStore(Objects())


STORES = [memory, in_memory_path, local, obstore_memory, obstore_local]
Open = Callable[[Path], Store | StorePath]


@pytest.mark.parametrize("zarr_format", [3, 2])
@pytest.mark.parametrize("opens", STORES)
def test_every_verb(
    opens: Open, zarr_format: int, cells: Source, hybrid: Model, tmp_path: Path
) -> None:
    store = opens(tmp_path)
    with pytest.raises(MissingError):
        zarrmal.info(store)
    write(Subset(cells, FIRST), store, hybrid, zarr_format=zarr_format)
    with pytest.raises(ExistsError):
        write(Subset(cells, MORE), store, hybrid)
    zarrmal.append(Subset(cells, MORE), store)
    assert zarrmal.info(store).n_cells == 150
    report = zarrmal.verify(store, Subset(cells, ALL))
    assert report.problems == ()
    assert report.compared
    group = zarr.open_group(store, mode="r", zarr_format=zarr_format)
    dataset = zarrmal.open(store, source_order=True)
    np.testing.assert_array_equal(dataset.cells.values, cells.read(np.arange(150)))
    order = np.asarray(group["source_index"])
    np.testing.assert_array_equal(group["cells"][:], cells.read(order))
    pixels, good = zarrmal.recover_cells(store, [149, 3])
    assert good.all()
    np.testing.assert_array_equal(pixels, cells.read(order[[149, 3]]))
    assert zarrmal.extract(store, tmp_path / "out").n_cells == 150
    write(Subset(cells, MORE), store, hybrid, zarr_format=zarr_format, overwrite=True)
    assert zarrmal.verify(store, Subset(cells, MORE)).problems == ()


@pytest.mark.parametrize("zarr_format", [3, 2])
def test_a_zip(zarr_format: int, cells: Source, hybrid: Model, tmp_path: Path) -> None:
    """Each member is stored once: a zip cannot replace one. Duplicates would be warnings."""
    with ZipStore(tmp_path / "a.zip", mode="w") as store:
        write(Subset(cells, FIRST), store, hybrid, zarr_format=zarr_format)
        with pytest.raises(InputError, match="nothing can be appended"):
            zarrmal.append(Subset(cells, MORE), store)
        with pytest.raises(ExistsError, match="cannot replace"):
            write(Subset(cells, MORE), store, hybrid, overwrite=True)
    with ZipStore(tmp_path / "a.zip", mode="r") as store:
        assert zarrmal.verify(store, Subset(cells, FIRST)).problems == ()
        assert xr.open_zarr(store).sizes["cell"] == 100
    assert zarrmal.verify(f"zip::{tmp_path / 'a.zip'}", Subset(cells, FIRST)).problems == ()


def test_icechunk(cells: Source, hybrid: Model, tmp_path: Path) -> None:
    """A commit of its session is what makes an append visible."""
    icechunk = pytest.importorskip("icechunk", reason="icechunk is not installed: extra `stores`")
    repository = icechunk.Repository.create(
        icechunk.local_filesystem_storage(str(tmp_path / "repository"))
    )
    session = repository.writable_session("main")
    write(Subset(cells, FIRST), session.store, hybrid)
    session.commit("100 cells")

    session = repository.writable_session("main")
    zarrmal.append(Subset(cells, MORE), session.store)
    before = repository.readonly_session("main").store
    assert zarrmal.verify(before, Subset(cells, FIRST)).problems == ()
    session.commit("50 more")

    after = repository.readonly_session("main").store
    assert zarrmal.verify(after, Subset(cells, ALL)).problems == ()
    dataset = xr.open_zarr(after)
    order = dataset.source_index.values
    np.testing.assert_array_equal(dataset.cells.values, cells.read(order))

    session = repository.writable_session("main")
    zarrmal.append(Subset(cells, FIRST), session.store)
    session.discard_changes()
    assert zarrmal.verify(session.store, Subset(cells, ALL)).problems == ()


def test_a_copy_of_the_keys_out_of_icechunk(cells: Source, hybrid: Model, tmp_path: Path) -> None:
    icechunk = pytest.importorskip("icechunk", reason="icechunk is not installed: extra `stores`")
    repository = icechunk.Repository.create(
        icechunk.local_filesystem_storage(str(tmp_path / "repository"))
    )
    store = repository.writable_session("main").store
    write(Subset(cells, FIRST), store, hybrid)
    zarrmal.append(Subset(cells, MORE), store)
    copy = LocalStore(tmp_path / "a.zarr")

    async def copy_keys() -> None:
        async for key in store.list():
            await copy.set(key, await store.get(key, default_buffer_prototype()))

    asyncio.run(copy_keys())
    assert zarrmal.verify(copy, Subset(cells, ALL)).problems == ()
    zarrmal.append(Subset(cells, FIRST), copy)
    assert zarrmal.verify(copy, Subset(cells, [*ALL, *FIRST])).problems == ()


class FailsForTheBackup(MemoryStore):
    """The network fails while the backup of the attribute is stored."""

    async def set(self, key: str, value: Buffer, byte_interval: Any = None) -> None:
        if key == BACKUP:
            raise ConnectionError("the network is gone")
        await super().set(key, value, byte_interval)


def test_a_failure_to_store_the_backup_is_no_refusal(cells: Source, hybrid: Model) -> None:
    with pytest.raises(ConnectionError):
        write(Subset(cells, FIRST), FailsForTheBackup(), hybrid)


def test_other_arrays_of_a_store_stay(cells: Source, hybrid: Model) -> None:
    store = MemoryStore()
    zarr.create_array(store, name="raw", data=np.arange(5))
    with pytest.raises(ExistsError):
        write(Subset(cells, FIRST), store, hybrid)
    write(Subset(cells, FIRST), StorePath(store, "cells"), hybrid)
    write(Subset(cells, MORE), StorePath(store, "cells"), hybrid, overwrite=True)
    np.testing.assert_array_equal(zarr.open_array(store, path="raw")[:], np.arange(5))


def test_what_a_store_cannot_do(cells: Source, hybrid: Model) -> None:
    store = MemoryStore()
    with pytest.raises(InputError, match="nothing to resume"):
        write(cells, store, hybrid, resume=True)
    with pytest.raises(InputError, match="storage options are for URLs"):
        zarrmal.open(store, storage_options={"anon": True})
    with pytest.raises(InputError, match="a path, a URL or a store"):
        Archive.open(3)  # type: ignore[arg-type]


def test_random_cells_decode_these_cells_alone(
    cells: Source, hybrid: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(cells, tmp_path / "a.zarr", hybrid)
    archive = Archive.open(tmp_path / "a.zarr")
    order = np.asarray(archive.group["source_index"])
    decoded: list[int] = []
    inner = HybridCells.decode

    def counting(self, streams, *arguments):  # type: ignore[no-untyped-def]
        decoded.append(len(streams))
        return inner(self, streams, *arguments)

    monkeypatch.setattr(HybridCells, "decode", counting)
    rows = np.random.default_rng(0).choice(cells.n_cells, 40, replace=False)
    np.testing.assert_array_equal(archive.read(rows), cells.read(order[rows]))
    assert sum(decoded) == 40
    dataset = zarrmal.open(tmp_path / "a.zarr", chunks=None)
    np.testing.assert_array_equal(dataset.cells[rows].values, cells.read(order[rows]))
    assert sum(decoded) == 80
    repeated = [5, 5, 0]
    np.testing.assert_array_equal(archive.read(repeated), cells.read(order[repeated]))
    assert archive.read([]).shape == (0, 24, 24)
    decoded.clear()
    np.testing.assert_array_equal(archive.read(range(30)), cells.read(order[:30]))
    assert sum(decoded) == 30
    with pytest.raises(InputError, match="numbered 0 to 239"):
        archive.read([240])
