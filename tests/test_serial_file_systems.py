"""Archives in file systems that only one thread at a time may use, such as a tar file."""

from __future__ import annotations

import pickle
import shutil
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import zarr
from every_moment import EXHAUSTIVE
from fsspec import AbstractFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from zarrmal_codecs import Model

import zarrmal
from zarrmal import WriteOptions
from zarrmal.sources import Source, open_source
from zarrmal.sources.places.serial import SerialFileSystem, is_serial, serial_store


@pytest.fixture(scope="module")
def folder(cells: Source, hybrid: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 cells in 60 chunks."""
    path = tmp_path_factory.mktemp("serial") / "cells.zarr"
    zarrmal.write(cells, path, model=hybrid, options=WriteOptions(chunk_cells=4))
    return path


def packed(folder: Path, path: Path) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        tar.add(folder, "cells.zarr")
    return path


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
def test_a_sound_archive_in_a_tar_is_never_called_damaged(
    name: str, folder: Path, cells: Source, tmp_path: Path
) -> None:
    url = f"tar://cells.zarr::{packed(folder, tmp_path / name)}"
    for _ in range(10 if EXHAUSTIVE else 2):
        assert zarrmal.verify(url, cells).problems == ()
    report = zarrmal.extract(url, tmp_path / "out", skip_damaged=True)
    assert (report.n_cells, report.n_lost) == (cells.n_cells, 0)
    np.testing.assert_array_equal(
        zarrmal.open(url, source_order=True).cells.values, cells.read(np.arange(cells.n_cells))
    )
    order = zarrmal.open(url).source_index.values
    _, good = zarrmal.recover_cells(url)
    assert good.all()
    source = open_source(url)
    with ThreadPoolExecutor(8) as pool:
        runs = [np.arange(first, first + 30) for first in range(0, cells.n_cells, 30)] * 2
        for rows, pixels in zip(runs, pool.map(source.read, runs), strict=True):
            np.testing.assert_array_equal(pixels, cells.read(order[rows]))
    assert zarrmal.info(url).n_cells == cells.n_cells


def test_two_openings_share_the_file(folder: Path, cells: Source, tmp_path: Path) -> None:
    """fsspec gives both the same object, whatever the path in the tar."""
    path = packed(folder, tmp_path / "a.tar")
    urls = [f"tar://cells.zarr::{path}", f"tar://cells.zarr/::file://{path}"] * 3
    with ThreadPoolExecutor(6) as pool:
        for report in pool.map(zarrmal.verify, urls):
            assert report.problems == ()


def test_a_cache_before_a_tar(folder: Path, tmp_path: Path) -> None:
    url = f"simplecache::tar://cells.zarr::{packed(folder, tmp_path / 'a.tar')}"
    for _ in range(3):
        assert zarrmal.verify(url).problems == ()


def test_the_store_can_be_sent_to_another_process(folder: Path, tmp_path: Path) -> None:
    url = f"tar://cells.zarr::{packed(folder, tmp_path / 'a.tar')}"
    store = pickle.loads(pickle.dumps(serial_store(url, None, read_only=True)))
    assert isinstance(store.fs.sync_fs, SerialFileSystem)
    assert zarr.open_group(store, mode="r")["cells"].shape[0] == 240


def test_which_are_serial() -> None:
    for url in ("tar::a.tar", "tar://x::s3://b/a.tar", "zip::tar://a.zip::b.tar", "ftp://h/a"):
        assert is_serial(url)
    for url in ("a.tar", "s3://tar/a", "zip::a.zip", "simplecache::s3://b/tar::"):
        assert not is_serial(url)


class OneAtATime(MemoryFileSystem):
    """Fails if two threads are in it."""

    cachable = False
    inside = threading.Lock()

    def cat_file(self, path: str, *arguments: object, **options: object) -> bytes:
        assert self.inside.acquire(blocking=False)
        time.sleep(0.005)
        self.inside.release()
        return b"data"


def test_methods_run_one_at_a_time() -> None:
    plain: AbstractFileSystem = OneAtATime()
    serial = [SerialFileSystem(plain), SerialFileSystem(plain)]
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda k: serial[k % 2].cat_file("a"), range(40))) == {b"data"}
    with serial[0].open("a") as file:
        assert file.read() == b"data"


def test_a_compressed_copy_is_no_zarr_store(folder: Path, tmp_path: Path) -> None:
    """The tar itself, without tar::, is refused in one line."""
    path = Path(shutil.make_archive(str(tmp_path / "b"), "tar", folder))
    with pytest.raises(zarrmal.InputError):
        zarrmal.info(path)
