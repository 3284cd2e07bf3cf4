"""One archive on every kind of store: all commands, and all ways to read it."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import xarray as xr
import zarr
from closing import close_file_systems
from object_store import as_arguments
from PIL import Image
from typer.testing import CliRunner

import zarrmal
from zarrmal.cli import app


def run(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, (done.stderr, done.exception)
    return done.stdout


def pixels(source):
    return source.read(np.arange(source.n_cells))


def test_plain_zarr(kept, drawn):
    group = zarr.open(kept.url, mode="r", storage_options=dict(kept.store.options) or None)
    order = group["source_index"][:]
    np.testing.assert_array_equal(group["cells"][:], pixels(drawn)[order])
    for row in (0, 17, 39):  # by ranges, in format 3
        np.testing.assert_array_equal(group["cells"][row], pixels(drawn)[order[row]])


def test_plain_xarray(kept, drawn):
    dataset = xr.open_zarr(kept.url, storage_options=dict(kept.store.options) or None)
    assert dataset.cells.dtype == np.uint8
    order = dataset.source_index.values
    np.testing.assert_array_equal(dataset.cells.values, pixels(drawn)[order])
    assert dataset.source_name.values.tolist() == drawn.names[order].tolist()
    dataset.close()


def test_zarrmal_open(kept, drawn):
    dataset = zarrmal.open(kept.url, source_order=True, storage_options=kept.store.options)
    assert dataset.cells.chunks is not None  # lazy
    np.testing.assert_array_equal(dataset.cells.values, pixels(drawn))
    assert json.loads(dataset.attrs["zarrmal"])["complete"]
    dataset.close()


def test_info(kept):
    found = json.loads(run("info", kept.url, "--json", *as_arguments(kept.store.options)))
    assert (found["n_cells"], found["zarr_format"]) == (40, kept.zarr_format)
    prefix = kept.store.inside(kept.url)
    stored = {key: kept.store.objects.get(key) for key in kept.store.objects.keys(prefix)}
    parts = ("payload", "latent", "model", "cells_metadata", "other_metadata", "columns")
    assert sum(found[f"{part}_bytes"] for part in parts) == sum(map(len, stored.values()))


def test_verify(kept, drawn_file):
    told = run("verify", kept.url, "--source", drawn_file, *as_arguments(kept.store.options))
    assert "40 cells and" in told
    assert "equal to the source" in told


@pytest.mark.parametrize("kept", [3], indirect=True)
def test_extract(kept, drawn, tmp_path):
    run("extract", kept.url, tmp_path / "out", *as_arguments(kept.store.options))
    for name, image in zip(drawn.names, pixels(drawn), strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / name)), image)


def test_archive_by_options(store, place, drawn_file):
    words = ("archive", drawn_file, place, "--chunk-cells", 16, *as_arguments(store.options))
    run(*words)
    again = CliRunner().invoke(app, [str(word) for word in words])
    assert again.exit_code == 2
    assert "exists already" in again.stderr
    run(*words, "--overwrite")


@pytest.fixture
def environment(store, monkeypatch):
    """The account in variables, and no file system that remembers another."""
    close_file_systems()
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    yield store
    close_file_systems()


def test_archive_by_environment(environment, place, drawn, drawn_file, tmp_path):
    run("archive", drawn_file, place, "--chunk-cells", 16)
    run("info", place)
    run("verify", place)
    run("extract", place, tmp_path / "out")
    assert sum(len(files) for _, _, files in os.walk(tmp_path / "out")) == 40
    assert zarr.open(place, mode="r")["cells"].shape == (40, 24, 24)
    xr.open_zarr(place).close()
    zarrmal.open(place).close()


@pytest.mark.parametrize("kept", [2], indirect=True)
def test_a_source_in_a_store(kept, drawn_file, tmp_path):
    options = as_arguments(kept.store.options, "--source-option")
    run("archive", kept.url, tmp_path / "again.zarr", *options)
    run("verify", tmp_path / "again.zarr", "--source", kept.url, *options)
