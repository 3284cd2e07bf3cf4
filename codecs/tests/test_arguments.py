"""``array_arguments`` with every function that creates arrays, in both formats."""

from __future__ import annotations

from pathlib import Path

import models
import numpy as np
import pytest
import zarr
from any_dtype import filled
from law import same
from zarrmal_codecs import NumcodecsZarrmal, ZarrmalCodec, array_arguments

CELLS = models.pixels(71, (5, 6, 5))
CELLS[2:4] = 0  # a black chunk
SHAPE = {"shape": CELLS.shape, "chunks": (2, 6, 5), "dtype": "uint8"}
FORMATS = pytest.mark.parametrize("zarr_format", [2, 3])


def expect_cells(path: Path, zarr_format: int) -> None:
    """Assert that the array uses the model and holds the cells, and that every chunk is stored."""
    array = zarr.open_array(path, mode="r")
    np.testing.assert_array_equal(array[:], CELLS)
    assert array.metadata.zarr_format == zarr_format
    codec = array.serializer if zarr_format == 3 else array.compressors[0]
    assert isinstance(codec, ZarrmalCodec if zarr_format == 3 else NumcodecsZarrmal)
    assert codec.configuration.sha256 == models.two_classes().digest
    assert array.fill_value == (0 if zarr_format == 3 else None)
    names = {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()}
    assert {"c/0/0/0", "c/1/0/0", "c/2/0/0"} <= names or {"0.0.0", "1.0.0", "2.0.0"} <= names


def arguments(zarr_format: int, library: str = "zarr", **more: object) -> dict:
    return array_arguments(models.two_classes(), library=library, zarr_format=zarr_format) | more


@FORMATS
def test_create_array(zarr_format, tmp_path):
    zarr.create_array(tmp_path / "a.zarr", **SHAPE, **arguments(zarr_format))[:] = CELLS
    expect_cells(tmp_path / "a.zarr", zarr_format)


@pytest.mark.parametrize(
    ("zarr_format", "library"), [(3, "zarr"), (3, "zarr.Group"), (2, "zarr.Group")]
)
@pytest.mark.parametrize("method", ["create_array", "require_array"])
def test_methods_of_a_group(method, library, zarr_format, tmp_path):
    group = zarr.create_group(tmp_path / "g.zarr", zarr_format=zarr_format)
    array = getattr(group, method)("cells", **SHAPE, **arguments(zarr_format, library))
    array[:] = CELLS
    expect_cells(tmp_path / "g.zarr" / "cells", zarr_format)
    again = group.require_array("cells", **SHAPE, **arguments(zarr_format, library))
    np.testing.assert_array_equal(again[:], CELLS)


def test_in_a_group_with_shards(tmp_path):
    group = zarr.create_group(tmp_path / "g.zarr")
    array = group.create_array("cells", **SHAPE, shards=(4, 6, 5), **arguments(3))
    array[:] = CELLS
    again = zarr.open_group(tmp_path / "g.zarr", mode="r")["cells"]
    np.testing.assert_array_equal(again[:], CELLS)


@FORMATS
def test_older_functions(zarr_format, tmp_path):
    options = arguments(zarr_format, "zarr.create")
    zarr.create(store=tmp_path / "a.zarr", **SHAPE, **options)[:] = CELLS
    expect_cells(tmp_path / "a.zarr", zarr_format)
    zarr.open_array(tmp_path / "b.zarr", mode="w", **SHAPE, **options)[:] = CELLS
    expect_cells(tmp_path / "b.zarr", zarr_format)
    zarr.array(CELLS, store=tmp_path / "c.zarr", chunks=(2, 6, 5), **options)
    expect_cells(tmp_path / "c.zarr", zarr_format)


@pytest.mark.parametrize("library", ["dask", "Group", None])
def test_unknown_libraries_are_refused(library):
    with pytest.raises(ValueError, match="xarray"):
        array_arguments(None, library=library)


def test_unknown_formats_are_refused():
    for zarr_format in (1, 4, None, "3"):
        with pytest.raises(ValueError, match="zarr_format must be 2 or 3"):
            array_arguments(None, zarr_format=zarr_format)


@FORMATS
@pytest.mark.filterwarnings("ignore:The data type:zarr.errors.UnstableSpecificationWarning")
@pytest.mark.parametrize("dtype", ["uint16", "int8", "float32", "bool", "M8[s]", "S3", "V2"])
def test_other_dtypes(dtype, zarr_format, tmp_path):
    """The fill value suits every dtype."""
    options = SHAPE | {"dtype": dtype} | arguments(zarr_format)
    cells = filled(np.dtype(dtype), CELLS.shape)
    zarr.create_array(tmp_path / "a.zarr", **options)[:] = cells
    same(zarr.open_array(tmp_path / "a.zarr", mode="r")[:], cells)
