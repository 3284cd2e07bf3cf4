"""Archives as their readers see them: zarr, xarray, zarrmal.open; and what writing takes."""

import hashlib
import importlib
import json
import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import dask.array
import numpy as np
import pytest
import xarray as xr
import zarr
from facts import facts_of, stored_digests
from frozen_models import untrained

import zarrmal
from zarrmal.archive import Archive, Location, WriteOptions
from zarrmal.archive.lock.journal import SAMPLE_CELLS
from zarrmal.classify import Assignment, LabelAssigner
from zarrmal.sources import Source, Subset, open_source
from zarrmal.sources.synthetic import synthetic_cells

READER = """
import sys, numpy, zarr
group = zarr.open(sys.argv[1], mode="r")
cells, order = group["cells"][:], group["source_index"][:]
assert "zarrmal" not in sys.modules and "torch" not in sys.modules
numpy.save(sys.argv[2], cells[numpy.argsort(order)])
"""
CLASSES = ("parasitized", "uninfected")


def everything(source):
    return source.read(np.arange(source.n_cells))


def write(source, place, model, **options):
    """An archive by label, in chunks of 50 unless asked otherwise."""
    wishes = WriteOptions(**({"chunk_cells": 50} | options))
    return zarrmal.write(source, place, model=model, assign="labels", options=wishes)


@pytest.fixture(scope="module")
def rgb():
    """70 drawn colour cells and a small model of them."""
    drawn = synthetic_cells(70, n_slides=4, size=16, seed=2)
    return open_source(drawn.cells, labels=drawn.label), untrained((16, 16, 3), CLASSES)


@pytest.fixture(params=["this", "codecs-only"])
def reader(request):
    """A Python with zarr: this one, and one that has only zarrmal-codecs beside it."""
    if request.param == "this":
        return sys.executable
    python = os.environ.get("ZARRMAL_READER_PYTHON", "")
    if not Path(python).is_file():
        pytest.skip("ZARRMAL_READER_PYTHON names no Python: `make test` makes one")
    return python


def read_elsewhere(python, place, tmp_path):
    command = [python, "-W", "error", "-c", READER, place, tmp_path / "read.npy"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return np.load(tmp_path / "read.npy")


# Readers


def test_plain_zarr_reads_it_in_a_fresh_process(archive, cells, reader, tmp_path):
    read = read_elsewhere(reader, archive, tmp_path)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, everything(cells))


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("chunk_cells", [1, 35, 64, 70, 1024])  # divides 70, and doesn't
def test_colour(rgb, zarr_format, chunk_cells, tmp_path):
    source, model = rgb
    place = tmp_path / "rgb.zarr"
    info = write(source, place, model, zarr_format=zarr_format, chunk_cells=chunk_cells)
    assert info.chunk_cells == chunk_cells
    if chunk_cells == 64:
        read = read_elsewhere(sys.executable, place, tmp_path)
    else:
        read = zarrmal.open(place, source_order=True)["cells"].values
    np.testing.assert_array_equal(read, everything(source))
    assert zarrmal.open(place)["cells"].dims == ("cell", "y", "x", "channel")


def test_xarray_reads_it(archive, cells):
    dataset = xr.open_zarr(archive)  # a warning would be an error
    found = dataset["cells"]
    assert found.dtype == np.uint8
    assert found.dims == ("cell", "y", "x")
    order = dataset["source_index"].values
    np.testing.assert_array_equal(found.values, everything(cells)[order])
    assert (found.values == 0).any()  # black stays black, and is no NaN
    for name in ("predicted_class", "label"):
        assert dataset[name].dtype == np.uint8
        assert dataset[name].attrs["flag_values"] == [0, 1]
        assert dataset[name].attrs["flag_meanings"].split() == list(CLASSES)
    assert dataset["source_name"].values.tolist() == cells.names[order].tolist()
    assert dataset["source_group"].values.tolist() == cells.groups[order].tolist()
    assert all(variable.dims == ("cell",) for variable in dataset.drop_vars("cells").values())


def test_open_is_lazy_and_knows_the_order_of_the_source(archive, cells):
    dataset = zarrmal.open(archive)
    assert isinstance(dataset["cells"].data, dask.array.Array)
    assert dataset["cells"].chunks[0] == (50, 50, 50, 50, 40)
    again = zarrmal.open(str(archive), source_order=True)
    assert isinstance(again["cells"].data, dask.array.Array)
    np.testing.assert_array_equal(again["cells"].values, everything(cells))
    assert again["source_index"].values.tolist() == list(range(240))
    assert again["source_name"].values.tolist() == cells.names.tolist()


@pytest.mark.skipif(
    "read_missing_chunks" not in zarr.config.get("array"),
    reason=f"zarr {zarr.__version__} reads missing chunks as fill values, always",
)
def test_a_missing_chunk_is_no_black_one(archive):
    """Though plain zarr takes it for the fill value."""
    is_v3 = (archive / "zarr.json").exists()
    (archive / "cells" / ("c/1/0/0" if is_v3 else "1.0.0")).unlink()
    cells = zarrmal.open(archive)["cells"]
    assert cells[:50].values.any()
    with pytest.raises(zarr.errors.ChunkNotFoundError):
        cells[50:100].load()


def test_attributes(archive, cells, model):
    group = zarr.open_group(archive, mode="r")
    facts = facts_of(group)
    assert facts["complete"] is True
    assert facts["classes"] == list(CLASSES)
    assert facts["sha256"] == model.digest
    predicted = group["predicted_class"][:]
    n_first = int((cells.labels == 0).sum())
    assert facts["segments"] == [[0, n_first, 240]]
    assert predicted.tolist() == [0] * n_first + [1] * (240 - n_first)
    stored = stored_digests(archive)["objects"]
    assert set(facts["arrays"]) == set(stored) == set(group.array_keys())
    for name, array in group.arrays():
        keys = [array.metadata.encode_chunk_key(c) for c in np.ndindex(array.cdata_shape)]
        digests = {k: hashlib.sha256((archive / name / k).read_bytes()).hexdigest() for k in keys}
        assert stored[name] == digests


def test_cells_of_a_class_keep_their_order(archive, cells):
    order = zarr.open_group(archive, mode="r")["source_index"][:]
    assert order.tolist() == np.argsort(cells.labels, kind="stable").tolist()


def test_consolidated_metadata_are_the_metadata(archive):
    root = archive / "zarr.json"
    if root.exists():
        copies = json.loads(root.read_text())["consolidated_metadata"]["metadata"]
        copies = {f"{name}/zarr.json": copy for name, copy in copies.items()}
        assert len(copies) == 6
    else:
        copies = json.loads((archive / ".zmetadata").read_text())["metadata"]
        assert len(copies) == 14  # .zgroup, .zattrs, and two of each array
    for key, copy in copies.items():
        assert json.loads((archive / key).read_text()) == copy


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_large_model_is_not_repeated(cells, model, zarr_format, tmp_path, monkeypatch):
    module = importlib.import_module("zarrmal.archive.format")
    monkeypatch.setattr(module, "MAX_CONSOLIDATED_MODEL_BYTES", len(model.to_base64()) - 1)
    info = write(cells, tmp_path / "a", model, zarr_format=zarr_format)
    assert info.other_metadata_bytes < 20_000
    assert info.consolidated_bytes < 20_000
    assert not (tmp_path / "a" / ".zmetadata").exists()
    assert not zarrmal.verify(Location(str(tmp_path / "a")), cells).problems
    read = zarrmal.open(tmp_path / "a", source_order=True)["cells"].values
    np.testing.assert_array_equal(read, everything(cells))
    monkeypatch.undo()
    twice = write(cells, tmp_path / "b", model, zarr_format=zarr_format)
    assert twice.consolidated_bytes > twice.model_bytes == info.model_bytes
    assert twice.other_metadata_bytes > twice.consolidated_bytes


def test_metadata_of_the_cells(cells, model, tmp_path):
    write(cells, tmp_path / "a", model)
    tree = json.loads((tmp_path / "a/cells/zarr.json").read_text())
    (codec,) = tree["codecs"]
    assert codec["name"] == "zarrmal"
    assert codec["configuration"]["model"] == model.to_base64()
    assert tree["fill_value"] == 0
    assert tree["dimension_names"] == ["cell", "y", "x"]
    size = (tmp_path / "a/cells/zarr.json").stat().st_size
    assert size < len(model.to_base64()) + 2_000


# Cells and classes of all kinds


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_black_cells_are_stored_too(model, zarr_format, tmp_path):
    source = open_source(np.zeros((120, 24, 24), np.uint8), labels=["uninfected"] * 120)
    info = write(source, tmp_path / "a", model, zarr_format=zarr_format)
    assert zarr.open_group(tmp_path / "a", mode="r")["cells"].nchunks_initialized == 3
    assert info.latent_bytes == 0  # blank cells have none
    assert info.payload_bytes > 0
    assert not xr.open_zarr(tmp_path / "a")["cells"].values.any()


def test_class_names_with_blanks(tmp_path):
    drawn = synthetic_cells(30, size=16, channels=1)
    labels = np.where(np.arange(30) % 3 == 0, "late ring stage", "not infected")
    model = untrained((16, 16), ("late ring stage", "not infected"))
    write(open_source(drawn.cells, labels=labels), tmp_path / "a", model)
    dataset = xr.open_zarr(tmp_path / "a")
    meanings = "late_ring_stage not_infected"
    assert dataset["label"].attrs["flag_meanings"] == meanings
    assert dataset["predicted_class"].attrs["flag_meanings"] == meanings
    assert facts_of(dataset)["classes"] == ["late ring stage", "not infected"]


def test_classes_from_a_function(cells, model, tmp_path, monkeypatch):
    """Block by block."""
    monkeypatch.setattr("zarrmal.sources.sizes.BLOCK_CELLS", 100)
    pixels = everything(cells)

    def assign(block, rows):
        np.testing.assert_array_equal(block, pixels[rows])
        dark = block.mean(axis=(1, 2)) < np.median(pixels.mean(axis=(1, 2)))
        return Assignment(predicted_class=dark.astype(np.uint8), probability=rows / 240)

    zarrmal.write(pixels, tmp_path / "a", model=model, assign=assign)
    dataset = zarrmal.open(tmp_path / "a", source_order=True)
    means = pixels.mean(axis=(1, 2))
    expected = (means < np.median(means)).astype(np.uint8)
    assert dataset["predicted_class"].values.tolist() == expected.tolist()
    assert dataset["class_probability"].dtype == np.float32
    np.testing.assert_allclose(dataset["class_probability"], np.arange(240) / 240, rtol=1e-6)
    assert "label" not in dataset
    np.testing.assert_array_equal(dataset["cells"].values, pixels)


@pytest.mark.parametrize(
    "answer", [np.array([0, 1]), np.full(240, 2), np.full(240, -1), np.zeros(240)]
)
def test_classes_that_do_not_fit_are_refused(cells, model, answer, tmp_path):
    with pytest.raises(zarrmal.InputError, match="an assignment"):
        zarrmal.write(cells, tmp_path / "a", model=model, assign=lambda block, rows: answer)
    assert list(tmp_path.iterdir()) == []


def test_one_cell(cells, model, tmp_path):
    info = write(Subset(cells, [7]), tmp_path / "a", model)
    assert info.n_cells == 1
    np.testing.assert_array_equal(zarrmal.open(tmp_path / "a")["cells"], cells.read(np.array([7])))


def test_many_tiny_cells(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 40, (20_000, 4, 4), np.uint8)
    labels = np.where(pixels[:, 0, 0] > 20, "high", "low")
    source = open_source(pixels, labels=labels)
    model = untrained((4, 4), ("high", "low"))
    info = write(source, tmp_path / "a", model, chunk_cells=1024)
    n_high = int((labels == "high").sum())
    assert info.classes == {"high": n_high, "low": 20_000 - n_high}
    assert not zarrmal.verify(Location(str(tmp_path / "a")), source).problems
    np.testing.assert_array_equal(zarrmal.open(tmp_path / "a", source_order=True)["cells"], pixels)


def test_any_file_system(cells, model, tmp_path):
    try:
        url = f"memory://{uuid.uuid4().hex}/cells.zarr"
        assert write(cells, url, model) == zarrmal.info(Location(url))
        assert not zarrmal.verify(Location(url), cells).problems
        read = zarrmal.open(url, source_order=True)["cells"].values
        np.testing.assert_array_equal(read, everything(cells))
        assert zarrmal.extract(Location(url), tmp_path / "out").n_cells == 240
        with pytest.raises(zarrmal.InputError, match="exists already"):
            write(cells, url, model)
        with pytest.raises(zarrmal.InputError, match="the source itself"):
            zarrmal.write(url, url, model=model, options=WriteOptions(overwrite=True))
        assert not zarrmal.verify(Location(url), cells).problems
    finally:
        Location(url).remove()


class Watched(Source):
    """Knows of each chunk when its cells are read and when it is reported as stored."""

    def __init__(self, source):
        self._source, self._lock = source, threading.Lock()
        for name in ("n_cells", "cell_shape", "class_names", "labels"):
            setattr(self, name, getattr(source, name))
        self.rows, self.most_at_once, self.n_stored = [], 0, 0
        self.slow, self.others_begun = False, threading.Event()

    def read(self, indices):
        with self._lock:
            self.rows.append(len(indices))
            n_begun = len(self.rows) - 1  # the first one is a sample
            self.most_at_once = max(self.most_at_once, n_begun - self.n_stored)
            if n_begun == self.n_cells // len(indices):
                self.others_begun.set()
        if n_begun == 1 and self.slow:
            assert self.others_begun.wait(60)
        return self._source.read(indices)

    def progress(self, task, done, total, note=""):
        if task == "writing cells":
            with self._lock:
                self.n_stored = done // 20


@pytest.mark.parametrize("workers", [1, 2])
def test_memory_is_bounded(cells, model, workers, tmp_path):
    watched = Watched(cells)
    watched.slow = workers > 1  # the others go on meanwhile
    Archive.write(
        watched,
        tmp_path / "a",
        model=model,
        assigner=LabelAssigner(cells, CLASSES),
        options=WriteOptions(chunk_cells=20, workers=workers),
        progress=watched.progress,
    )
    assert watched.rows == [SAMPLE_CELLS] + [20] * 12  # a sample, and each cell once
    # One chunk waits beside those at work.
    assert workers <= watched.most_at_once <= workers + 1


@pytest.mark.parametrize("shard_cells", [None, 100])
def test_a_write_reports_what_the_archive_tells(cells, model, hybrid, tmp_path, shard_cells):
    """The writer counts as it stores; `info` reads the headers of the chunks."""
    for chosen in (model, hybrid):
        place = tmp_path / chosen.profile
        options = WriteOptions(chunk_cells=50, shard_cells=shard_cells)
        assert zarrmal.write(cells, place, model=chosen, options=options) == zarrmal.info(place)
