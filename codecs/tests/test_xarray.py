"""The codec with xarray: written, opened lazily, rewritten in other shapes (house, law 2)."""

from __future__ import annotations

import models
import numpy as np
import pytest
import xarray as xr
from any_dtype import filled
from zarr.storage import MemoryStore
from zarrmal_codecs import array_arguments
from zarrmal_codecs.chunk.header import MODE_CELLS
from zarrmal_codecs.chunk.items import octets_of

CELLS = models.pixels(61, (10, 6, 5))
CELLS[3] = 0  # black pixels must not become NaN
FORMATS = pytest.mark.parametrize("zarr_format", [2, 3])


def written(zarr_format: int, cells: np.ndarray = CELLS, **more: object) -> MemoryStore:
    store = MemoryStore()
    arguments = array_arguments(models.two_classes(), library="xarray", zarr_format=zarr_format)
    dims = ("cell", "y", "x")
    dataset = xr.Dataset({"cells": (dims, cells)}, coords={"cell": np.arange(len(cells))})
    dataset.to_zarr(
        store,
        zarr_format=zarr_format,
        consolidated=False,
        encoding={"cells": arguments | {"chunks": (4, 6, 5)} | more},
    )
    return store


def opened(store: MemoryStore) -> xr.Dataset:
    return xr.open_zarr(store, chunks={}, consolidated=False)


@FORMATS
def test_round_trip(zarr_format):
    cells = opened(written(zarr_format)).cells
    assert cells.dtype == np.uint8
    assert cells.chunks[0] == (4, 4, 2)
    assert not cells.isnull().any()
    np.testing.assert_array_equal(cells.values, CELLS)
    np.testing.assert_array_equal(cells[3].values, CELLS[3])
    np.testing.assert_array_equal(cells[[9, 1], 2].values, CELLS[[9, 1], 2])
    assert "_FillValue" not in cells.encoding or zarr_format == 3


@FORMATS
def test_black_chunks_are_written(zarr_format):
    store = written(zarr_format, np.zeros_like(CELLS))
    names = {2: {"0.0.0", "1.0.0", "2.0.0"}, 3: {"c/0/0/0", "c/1/0/0", "c/2/0/0"}}
    assert {f"cells/{name}" for name in names[zarr_format]} <= set(store._store_dict)


@FORMATS
@pytest.mark.parametrize("dtype", ["bool", "<i2", ">u4", "<f4", ">f8", "c8"])
def test_other_dtypes(zarr_format, dtype):
    cells = filled(np.dtype(dtype), (10, 6, 5))
    again = opened(written(zarr_format, cells)).cells.values
    assert again.dtype.str[1:] == cells.dtype.str[1:]
    np.testing.assert_array_equal(octets_of(again), octets_of(cells))


@FORMATS
def test_cells_of_16_bits(zarr_format):
    cells = CELLS.astype(np.uint16) * 257
    store = written(zarr_format, cells)
    first = next(key for key in sorted(store._store_dict) if key.endswith("0") and "cells" in key)
    assert store._store_dict[first].to_bytes()[5:7] == bytes([MODE_CELLS, 7])
    again = opened(store).cells
    assert again.dtype == np.uint16
    np.testing.assert_array_equal(again.values, cells)
    np.testing.assert_array_equal(again[[9, 1], 2].values, cells[[9, 1], 2])


CHANGES = {
    "the same": lambda ds: ds,
    "transposed": lambda ds: ds.transpose("x", "cell", "y"),
    "sliced": lambda ds: ds.isel(cell=slice(4, 8)),
    "one cell": lambda ds: ds.isel(cell=2),
    "one row": lambda ds: ds.isel(y=1),
    "every other": lambda ds: ds.isel(cell=slice(None, None, 4), y=slice(None, None, -1)),
    "expanded": lambda ds: ds.expand_dims("field"),
    "sorted": lambda ds: ds.sortby("cell", ascending=False),
}


@FORMATS
@pytest.mark.parametrize("name", CHANGES)
def test_rewritten(zarr_format, name):
    # xarray passes our codec on, as encoding, to whatever the data have become.
    changed = CHANGES[name](opened(written(zarr_format)))
    changed = changed.chunk(dict.fromkeys(changed.cells.dims, -1))
    changed.cells.encoding.pop("chunks")
    store = MemoryStore()
    changed.to_zarr(store, zarr_format=zarr_format, consolidated=False)
    again = opened(store).cells
    assert again.dtype == np.uint8
    np.testing.assert_array_equal(again.values, changed.cells.values)


@FORMATS
def test_append_and_region(zarr_format):
    store = written(zarr_format, CELLS[:8])
    more = xr.Dataset({"cells": (("cell", "y", "x"), CELLS[:4])}, coords={"cell": np.arange(8, 12)})
    more.to_zarr(store, append_dim="cell", consolidated=False)
    part = xr.Dataset({"cells": (("cell", "y", "x"), CELLS[4:6])})
    part.to_zarr(store, region={"cell": slice(1, 3)}, consolidated=False)
    expected = np.concatenate([CELLS[:8], CELLS[:4]])
    expected[1:3] = CELLS[4:6]
    np.testing.assert_array_equal(opened(store).cells.values, expected)


@FORMATS
def test_from_dask(zarr_format):
    dataset = opened(written(zarr_format)).chunk({"cell": 4})
    store = MemoryStore()
    dataset.to_zarr(store, zarr_format=zarr_format, consolidated=False)
    np.testing.assert_array_equal(opened(store).cells.values, CELLS)


def test_from_format_2_to_3():
    dataset = opened(written(2)).drop_encoding()
    store = MemoryStore()
    arguments = array_arguments(models.two_classes(), library="xarray", zarr_format=3)
    encoding = {"cells": arguments | {"chunks": (4, 6, 5)}}
    dataset.to_zarr(store, zarr_format=3, consolidated=False, encoding=encoding)
    np.testing.assert_array_equal(opened(store).cells.values, CELLS)


def test_shards():
    cells = opened(written(3, shards=(8, 6, 5))).cells
    np.testing.assert_array_equal(cells.values, CELLS)
