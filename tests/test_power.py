"""The power fails: what was not forced onto the disk by then is gone."""

import errno
import os
import shutil
import stat
from contextlib import contextmanager

import numpy as np
import pytest
import zarr
from every_moment import killed_at_store
from test_killed import bytes_of

import zarrmal
from zarrmal.archive import AppendOptions, Location, WriteOptions
from zarrmal.archive.storage.local import DurableStore, put_file
from zarrmal.sources import Subset

pytestmark = pytest.mark.skipif(os.name == "nt", reason="folders cannot be synchronized")
WISHES = [{}, {"zarr_format": 2}, {"chunk_cells": 8, "shard_cells": 24}]


def part(cells, first, last):
    return Subset(cells, range(first, last))


def write(source, place, model, **wishes):
    options = WriteOptions(**({"chunk_cells": 16, "workers": 2} | wishes))
    zarrmal.write(source, place, model=model, assign="labels", options=options)


def append(source, place, **wishes):
    zarrmal.append(source, place, options=AppendOptions(workers=2, **wishes))


class Disk:
    """What fsync was asked for: each file and folder as it was then."""

    def __init__(self):
        self._kept = set()

    def sync(self, place):
        found = os.fstat(place)
        self._kept.add((found.st_ino, found.st_mtime_ns, found.st_size))

    def keeps(self, path):
        found = path.stat()
        return (found.st_ino, found.st_mtime_ns, found.st_size) in self._kept

    def fail(self, folder):
        """Files that were not forced onto the disk are empty afterwards."""
        lost = [path for path in folder.rglob("*") if path.is_file() and not self.keeps(path)]
        for path in lost:
            path.write_bytes(b"")
        return lost


@pytest.fixture
def disk(monkeypatch):
    found, sync = Disk(), os.fsync

    def syncing(place):
        sync(place)
        found.sync(place if isinstance(place, int) else place.fileno())

    monkeypatch.setattr(os, "fsync", syncing)
    return found


@pytest.mark.parametrize("wishes", WISHES, ids=["zarr3", "zarr2", "shards"])
def test_what_is_finished_is_on_the_disk(cells, model, disk, tmp_path, wishes):
    place = tmp_path / "new" / "a"
    write(part(cells, 0, 60), place, model, **wishes)
    append(part(cells, 60, 100), place)
    write(part(cells, 0, 70), tmp_path / "b", model)
    write(part(cells, 0, 80), tmp_path / "b", model, overwrite=True)
    assert disk.fail(tmp_path) == []
    folders = [tmp_path, *(path for path in tmp_path.rglob("*") if path.is_dir())]
    assert [path for path in folders if not disk.keeps(path)] == []
    assert zarrmal.verify(Location(str(place)), part(cells, 0, 100)).problems == ()


def test_the_old_archive_goes_only_when_the_new_name_is_on_the_disk(
    cells, model, disk, tmp_path, monkeypatch
):
    remove, is_safe = shutil.rmtree, []

    def removing(path, *rest, **more):
        if "-old-" in str(path):
            is_safe.append(disk.keeps(tmp_path))
        remove(path, *rest, **more)

    write(part(cells, 0, 40), tmp_path / "a", model)
    monkeypatch.setattr(shutil, "rmtree", removing)
    write(part(cells, 0, 60), tmp_path / "a", model, overwrite=True)
    assert is_safe == [True]


@pytest.mark.parametrize("stores", [(3, 2), (8, 5), (12, 9), (17, 12), (21, 14)])
@pytest.mark.parametrize("wishes", WISHES, ids=["zarr3", "zarr2", "shards"])
def test_in_the_middle(cells, model, disk, tmp_path, monkeypatch, wishes, stores):
    """After so many stores of the first write, and of the append."""
    write(part(cells, 0, 100), tmp_path / "whole", model, **wishes)
    place = tmp_path / "a"
    with killed_at_store(stores[0], monkeypatch) as keys:
        write(part(cells, 0, 100), place, model, **wishes)
    assert len(keys) > stores[0]
    disk.fail(tmp_path)
    write(part(cells, 0, 100), place, model, resume=True, **wishes)
    assert bytes_of(place) == bytes_of(tmp_path / "whole")
    with killed_at_store(stores[1], monkeypatch) as keys:
        append(part(cells, 100, 160), place)
    assert len(keys) > stores[1]
    disk.fail(tmp_path)
    order = zarr.open_group(place, mode="r")["source_index"][:]
    assert len(order) in (100, 160)
    found = zarr.open_group(place, mode="r")["cells"][:]
    np.testing.assert_array_equal(found, cells.read(order))
    if zarrmal.archive.lock.journal.read_journal(Location(str(place))):
        append(part(cells, 100, 160), place, resume=True)
    assert zarrmal.verify(Location(str(place)), part(cells, 0, 160)).problems == ()


@contextmanager
def full_disk(monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        yield


def test_a_full_disk_is_noticed_and_leaves_the_old(tmp_path, monkeypatch):
    put_file(tmp_path / "a", b"old")
    with full_disk(monkeypatch), pytest.raises(OSError, match="No space"):
        put_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_files_are_readable_by_whom_the_mask_allows(tmp_path):
    """An archive is for others, too."""
    mask = os.umask(0o022)
    try:
        put_file(tmp_path / "a", b"")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_zarrs_own_writes_go_the_same_way(tmp_path, disk):
    group = zarr.open_group(DurableStore(tmp_path), mode="w")
    group.create_array("x", shape=(4,), chunks=(2,), dtype="u1")[:] = 7
    assert disk.fail(tmp_path) == []
    assert zarr.open_group(str(tmp_path), mode="r")["x"][:].tolist() == [7] * 4
