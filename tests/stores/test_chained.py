"""Archives inside other things: a zip file, a local cache before a bucket."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import fsspec
import numpy as np
import pytest
import xarray as xr
import zarr
from object_store import ObjectStore, as_arguments, write
from typer.testing import CliRunner

import zarrmal
from zarrmal.cli import app


@pytest.fixture(scope="module")
def folder(drawn, tmp_path_factory):
    """A local archive."""
    place = tmp_path_factory.mktemp("local") / "cells.zarr"
    here = ObjectStore(name="local", root="", options={}, environment={}, objects=None)
    write(drawn, str(place), here)
    return place


def reads(url, drawn, options, tmp_path, for_zarr=None):
    """All ways of reading, and the commands."""
    plain = for_zarr or options or None
    everything = drawn.read(np.arange(drawn.n_cells))
    group = zarr.open(url, mode="r", storage_options=plain)
    order = group["source_index"][:]
    np.testing.assert_array_equal(group["cells"][:], everything[order])
    np.testing.assert_array_equal(group["cells"][20], everything[order[20]])
    with xr.open_zarr(url, storage_options=plain) as dataset:
        np.testing.assert_array_equal(dataset.cells.values, everything[order])
    with zarrmal.open(url, source_order=True, storage_options=options) as dataset:
        np.testing.assert_array_equal(dataset.cells.values, everything)
    words = as_arguments(options)
    for command in (["info", url, "--json"], ["verify", url], ["extract", url, str(tmp_path)]):
        done = CliRunner().invoke(app, [*command, *words])
        assert done.exit_code == 0, done.stderr
        if command[0] == "info":
            assert json.loads(done.stdout)["payload_bytes"] > 1000
    assert len(list(tmp_path.rglob("*.png"))) == drawn.n_cells


def test_zip_of_the_archive_itself(folder, drawn, tmp_path):
    """cd cells.zarr && zip -0 -r ../cells.zip ."""
    packed = shutil.make_archive(str(tmp_path / "cells"), "zip", folder)
    reads(f"zip::{packed}", drawn, {}, tmp_path / "out")
    with zarr.storage.ZipStore(packed, mode="r") as store:
        assert zarr.open_group(store, mode="r")["cells"].shape == (40, 24, 24)


def test_zip_with_the_archives_folder(folder, drawn, tmp_path):
    """python -m zipfile -c cells.zip cells.zarr"""
    packed = tmp_path / "cells.zip"
    subprocess.run([sys.executable, "-m", "zipfile", "-c", packed, folder], check=True)
    reads(f"zip://cells.zarr::{packed}", drawn, {}, tmp_path / "out")


def test_a_damaged_zip_is_told(folder, tmp_path):
    packed = shutil.make_archive(str(tmp_path / "cells"), "zip", folder)
    with open(packed, "r+b") as file:
        file.truncate(2000)
    done = CliRunner().invoke(app, ["info", f"zip::{packed}"])
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert done.stderr.startswith("error: ")


def test_a_cache_before_a_bucket(s3, drawn, tmp_path):
    url = f"{s3.root}/cached/cells.zarr"
    write(drawn, url, s3)
    cache = {"cache_storage": str(tmp_path / "cache")}
    options = {"s3": dict(s3.options), "simplecache": cache}
    # zarr does not tell the file system behind the cache that it is on zarr's loop; we do.
    plain = {"s3": {**s3.options, "asynchronous": True}, "simplecache": cache}
    reads(f"simplecache::{url}", drawn, options, tmp_path / "out", plain)
    assert len(list((tmp_path / "cache").iterdir())) > 3  # and so it was used


def test_a_zip_cannot_be_written(folder, tmp_path):
    packed = shutil.make_archive(str(tmp_path / "cells"), "zip", folder)
    before = Path(packed).read_bytes()
    for words in (["append", str(folder)], ["archive", str(folder)]):
        done = CliRunner().invoke(app, [*words, f"zip::{packed}"])
        assert done.exit_code == 2
        assert done.stderr.splitlines()[-1].startswith("error: ")
    assert Path(packed).read_bytes() == before


def test_a_zip_in_a_bucket(store, folder, drawn, tmp_path):
    packed = shutil.make_archive(str(tmp_path / "cells"), "zip", folder)
    url = f"{store.root}/packed/{uuid.uuid4().hex}/cells.zip"
    fs, place = fsspec.core.url_to_fs(url, **store.options)
    fs.pipe_file(place, Path(packed).read_bytes())
    protocol = store.root.partition("://")[0]
    reads(f"zip::{url}", drawn, {protocol: dict(store.options)}, tmp_path / "out")
