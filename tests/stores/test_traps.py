"""What object stores and their libraries were seen to lose without a word."""

from __future__ import annotations

import json
import uuid

import numpy as np
import pytest
import xarray as xr
import zarr
from object_store import as_arguments, write
from typer.testing import CliRunner

import zarrmal
from zarrmal.cli import app
from zarrmal.sources import open_source

INDEX = {"predicted_class", "source_index"}
COLUMNS = {"label", "source_name"}


def documents(store, url):
    """Names of the arrays in the consolidated metadata, by the store's own client."""
    prefix = store.inside(url)
    if f"{prefix}/zarr.json" in store.objects.keys(prefix):
        tree = json.loads(store.objects.get(f"{prefix}/zarr.json"))
        return set(tree["consolidated_metadata"]["metadata"])
    tree = json.loads(store.objects.get(f"{prefix}/.zmetadata"))
    return {key.removesuffix("/.zarray") for key in tree["metadata"] if key.endswith("/.zarray")}


@pytest.fixture
def zarr_format(store):
    """Each format on two kinds of store; what is tested here does not depend on both."""
    return 3 if store.name in ("azure", "memory") else 2


def test_consolidated_metadata_know_what_came_after_a_listing(store, place, drawn, zarr_format):
    """adlfs keeps listings: arrays that came after one would be missing."""
    bare = open_source(drawn.read(np.arange(20)))
    write(bare, place, store, zarr_format=zarr_format)
    options = dict(store.options) or None
    before = zarr.open_group(place, mode="r", storage_options=options, use_consolidated=False)
    assert set(before.array_keys()) == {"cells", *INDEX}  # and so the library has listed it
    write(drawn, place, store, zarr_format=zarr_format, overwrite=True)
    assert documents(store, place) == {"cells", *INDEX, *COLUMNS}
    dataset = xr.open_zarr(place, storage_options=options)  # a warning would be an error
    assert set(dataset) == {"cells", *INDEX, *COLUMNS}
    dataset.close()


def test_black_stays_black_in_format_2(store, place, drawn):
    write(drawn, place, store, zarr_format=2)
    for found in (
        xr.open_zarr(place, storage_options=dict(store.options) or None),
        zarrmal.open(place, storage_options=store.options),
    ):
        assert found.cells.dtype == np.uint8  # not float32 with NaN
        assert found.cells.encoding.get("_FillValue") is None
        wanted = drawn.read(found.source_index.values)
        np.testing.assert_array_equal(found.cells.values == 0, wanted == 0)
        for name in (*INDEX, "label"):
            assert found[name].dtype.kind in "iu"
        found.close()


def test_a_lost_chunk_is_told(store, place, drawn, zarr_format, tmp_path):
    write(drawn, place, store, zarr_format=zarr_format)
    key = "cells/c/1/0/0" if zarr_format == 3 else "cells/1.0.0"
    store.objects.delete(f"{store.inside(place)}/{key}")
    options = as_arguments(store.options)
    done = CliRunner().invoke(app, ["verify", place, *options])
    assert done.exit_code == 1
    assert key.removeprefix("cells/") in done.stdout
    assert "missing" in done.stdout
    done = CliRunner().invoke(app, ["extract", place, str(tmp_path / "out"), *options])
    assert done.exit_code == 1
    assert "missing" in done.stderr
    # Plain readers see black cells: zarr takes what is not there for the fill value.
    cells = zarr.open(place, mode="r", storage_options=dict(store.options) or None)["cells"]
    assert not cells[16:32].any()
    assert cells[:16].any()


def test_a_lost_index_chunk_is_told(store, place, drawn):
    write(drawn, place, store)
    store.objects.delete(f"{store.inside(place)}/source_index/c/0")
    done = CliRunner().invoke(app, ["verify", place, *as_arguments(store.options)])
    assert done.exit_code == 1
    assert "source_index" in done.stdout


def test_xarray_on_azure_needs_no_listings(azure):
    """The usual way to lose: to_zarr consolidates what a stale listing shows."""
    options = {**azure.options, "use_listings_cache": False}
    url = f"{azure.root}/{uuid.uuid4().hex}/plain.zarr"
    data = xr.Dataset({"a": ("x", np.arange(4)), "b": ("x", np.arange(4))})
    with pytest.warns(UserWarning, match="Consolidated metadata"):
        data.to_zarr(url, storage_options=options, consolidated=True, zarr_format=3)
    assert documents(azure, url) == {"a", "b"}
