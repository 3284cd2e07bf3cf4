"""Workers with another current folder: they use the caller's files, and refuse any others."""

import os
import pickle
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import zarr
from PIL import Image
from test_killed import bytes_of

import zarrmal
from zarrmal.archive import AppendOptions, Location, WriteOptions
from zarrmal.errors import InputError
from zarrmal.sources import ConcatSource, Subset, open_source

pytest.importorskip("distributed", reason="dask.distributed is not installed")
from zarrmal.archive.write.cluster import ClusterRunner

N_CELLS = 96


@pytest.fixture
def client(dask_client, tmp_path, monkeypatch):
    """This process is in the folder lab, its workers are in home."""
    for name in ("lab", "home"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "lab")
    before = dask_client.run(os.getcwd)
    dask_client.run(os.chdir, str(tmp_path / "home"))
    yield dask_client
    for worker, folder in before.items():
        dask_client.run(os.chdir, folder, workers=[worker])


def write(source, place, model, runner=None):
    options = WriteOptions(chunk_cells=16, runner=runner)
    zarrmal.write(source, place, model=model, options=options)


def save_npy(place, pixels):
    np.save(place, pixels)


def save_npz(place, pixels):
    np.savez(place, cells=pixels)


def save_zarr(place, pixels):
    zarr.create_array(str(place), data=pixels)


def save_images(place, pixels):
    for k, one in enumerate(pixels):
        path = place / "ab"[k % 2] / f"{k:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(one).save(path)


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("day.npy", save_npy),
        ("day.npz", save_npz),
        ("day.zarr", save_zarr),
        ("day", save_images),
        ("file://day.npy", save_npy),
        ("local://day.npy", save_npy),
        ("simplecache::file://day.npy", save_npy),
    ],
)
def test_a_relative_source_is_the_callers(client, cells, model, name, save, tmp_path):
    pixels = cells.read(np.arange(N_CELLS))
    place = name.rpartition("://")[2]
    save(tmp_path / "lab" / place, pixels)
    save(tmp_path / "home" / place, pixels[::-1])
    source = open_source(name)
    write(source, "threads", model)
    write(source, "cluster", model, ClusterRunner(client))
    assert bytes_of(Path("cluster")) == bytes_of(Path("threads"))


@pytest.mark.parametrize(("name", "save"), [("day.npy", save_npy), ("day", save_images)])
def test_what_is_shown_of_a_relative_source_stays(cells, name, save, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = cells.read(np.arange(8))
    save(Path(name), pixels)
    source = open_source(name)
    assert str(tmp_path) not in source.description
    joined = ConcatSource([Subset(source, range(4)), source])
    rows, sent = np.arange(12), pickle.dumps(joined)
    here = joined.read(rows)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert np.array_equal(pickle.loads(sent).read(rows), here)
    if source.names is not None:
        assert (source.class_names, source.names[0]) == (("a", "b"), "a/000.png")


def test_a_relative_archive_is_the_callers(client, cells, model, tmp_path):
    first, second = Subset(cells, range(N_CELLS)), Subset(cells, range(N_CELLS, 160))
    write(first, "cells.zarr", model)
    write(second, tmp_path / "home" / "cells.zarr", model)
    shutil.copytree("cells.zarr", "threads")
    before = bytes_of(tmp_path / "home" / "cells.zarr")
    zarrmal.append(second, "threads")
    zarrmal.append(second, "cells.zarr", options=AppendOptions(runner=ClusterRunner(client)))
    assert bytes_of(tmp_path / "home" / "cells.zarr") == before
    assert bytes_of(Path("cells.zarr")) == bytes_of(Path("threads"))


OWN = Path("/proc/self/cwd")
"""The same name leads each process to another place, as a disk does that machines don't share."""
on_linux = pytest.mark.skipif(not OWN.is_dir(), reason="there is no /proc")


@on_linux
def test_a_worker_that_sees_other_cells_stores_nothing(client, cells, model, tmp_path):
    pixels = cells.read(np.arange(N_CELLS))
    np.save("day.npy", pixels)
    np.save(tmp_path / "home" / "day.npy", pixels[::-1])
    with pytest.raises(InputError, match=r"the dask worker on \S+ sees other cells under file"):
        write(str(OWN / "day.npy"), "new", model, ClusterRunner(client))
    assert os.listdir() == ["day.npy"]


@on_linux
@pytest.mark.parametrize("is_copy", [False, True])
def test_a_worker_that_sees_another_archive_leaves_it(client, cells, model, is_copy, tmp_path):
    first, second = Subset(cells, range(N_CELLS)), Subset(cells, range(N_CELLS, 160))
    theirs = tmp_path / "home" / "cells.zarr"
    write(first, "cells.zarr", model)
    if is_copy:
        shutil.copytree("cells.zarr", theirs)
    else:
        write(Subset(cells, range(N_CELLS)[::-1]), theirs, model)
    here, there = bytes_of(Path("cells.zarr")), bytes_of(theirs)
    options = AppendOptions(runner=ClusterRunner(client))
    with pytest.raises(InputError, match=r"the dask worker on \S+ sees another archive at"):
        zarrmal.append(second, OWN / "cells.zarr", options=options)
    assert bytes_of(theirs) == there
    zarrmal.undo(Location("cells.zarr"))
    assert bytes_of(Path("cells.zarr")) == here


@on_linux
def test_a_worker_that_sees_no_archive_says_so(client, cells, model):
    write(Subset(cells, range(N_CELLS)), "cells.zarr", model)
    options = AppendOptions(runner=ClusterRunner(client))
    with pytest.raises(
        InputError, match=r"the dask worker on \S+ does not see the archive or the cells: no"
    ):
        zarrmal.append(Subset(cells, range(16)), OWN / "cells.zarr", options=options)


class Told(Subset):
    """Writes down who reads how many cells."""

    def read(self, indices):
        with open(self.log, "a") as file:
            file.write(f"{os.getpid()} {len(indices)}\n")
        return super().read(indices)


def test_a_worker_compares_the_cells_once(client, cells, model, tmp_path):
    source = Told(cells, range(N_CELLS))
    source.log = str(tmp_path / "log")
    write(source, "new", model, ClusterRunner(client))
    lines = [line.split() for line in Path(source.log).read_text().splitlines()]
    samples = Counter(int(pid) for pid, n in lines if int(n) == 64)
    workers = client.run(os.getpid).values()
    assert {samples[pid] for pid in workers} <= {0, 1}
    assert any(samples[pid] for pid in workers)
