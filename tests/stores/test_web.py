"""Archives that a web server hands out as files."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
import zarr
from object_store import ObjectStore, write
from typer.testing import CliRunner
from web_server import Plain, Ranged, web_server

import zarrmal
from zarrmal.cli import app


@pytest.fixture(scope="module", params=[3, 2], ids=["zarr3", "zarr2"])
def folder(request, drawn, tmp_path_factory):
    """A folder with an archive in it."""
    folder = tmp_path_factory.mktemp("www")
    here = ObjectStore(name="local", root="", options={}, environment={}, objects=None)
    write(drawn, str(folder / "cells.zarr"), here, zarr_format=request.param)
    return folder


@pytest.fixture(params=[Plain, Ranged], ids=["no-ranges", "no-listings"])
def url(request, folder, nobody):
    pytest.importorskip("aiohttp", reason="aiohttp is not installed: the extra `stores`")
    with web_server(folder, request.param) as root:
        yield f"{root}/cells.zarr"


def test_reading(url, drawn):
    everything = drawn.read(np.arange(drawn.n_cells))
    group = zarr.open(url, mode="r")
    order = group["source_index"][:]
    np.testing.assert_array_equal(group["cells"][:], everything[order])
    for row in (0, 20, 39):
        np.testing.assert_array_equal(group["cells"][row], everything[order[row]])
    np.testing.assert_array_equal(zarr.open(url)["cells"][3], everything[order[3]])
    with xr.open_zarr(url) as dataset:
        np.testing.assert_array_equal(dataset.cells.values, everything[order])
    with zarrmal.open(url, source_order=True) as dataset:
        np.testing.assert_array_equal(dataset.cells[:5].values, everything[:5])


def test_commands(url, drawn_file, tmp_path):
    for words in (
        ["verify", url, "--source", str(drawn_file)],
        ["extract", url, str(tmp_path / "out")],
    ):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.stderr


def test_info_counts_bytes_where_folders_are_listed(folder):
    pytest.importorskip("aiohttp", reason="aiohttp is not installed: the extra `stores`")
    local = CliRunner().invoke(app, ["info", str(folder / "cells.zarr"), "--json"])
    with web_server(folder, Plain) as root:
        done = CliRunner().invoke(app, ["info", f"{root}/cells.zarr", "--json"])
    assert done.exit_code == 0, done.stderr
    here, there = json.loads(local.stdout), json.loads(done.stdout)
    assert here.pop("url") != there.pop("url")
    assert here == there


def test_writing_is_refused(url, drawn_file):
    done = CliRunner().invoke(app, ["archive", str(drawn_file), f"{url}-new"])
    assert done.exit_code == 3
    assert isinstance(done.exception, SystemExit)
    assert done.stderr.splitlines()[-1].startswith("error: ")
