"""A damaged archive is not taken for the cells of a new one."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from test_places import write

import zarrmal
from zarrmal.archive import Location
from zarrmal.errors import InputError
from zarrmal.sources import open_source


@pytest.fixture(params=[3, 2], ids=["zarr3", "zarr2"])
def held(request, cells, model, tmp_path):
    write(cells, tmp_path / "old.zarr", model, zarr_format=request.param)
    return tmp_path / "old.zarr"


def objects(place, array):
    """Stored chunks of an array, in order."""
    documents = {"zarr.json", ".zarray", ".zattrs", "zarrmal.json"}
    found = [p for p in (place / array).rglob("*") if p.is_file() and p.name not in documents]
    return sorted(found)


def refused(held, model):
    with pytest.raises(InputError, match="zarrmal verify"):
        write(open_source(str(held)), held.parent / "new.zarr", model)
    assert not (held.parent / "new.zarr").exists()
    assert not list(held.parent.glob(".*"))


def test_a_sound_one_is_copied_bit_for_bit(held, model, cells, tmp_path):
    source = open_source(str(held))
    write(source, tmp_path / "new.zarr", model)
    assert zarrmal.verify(Location(str(tmp_path / "new.zarr")), source).problems == ()
    found = zarrmal.open(tmp_path / "new.zarr")
    assert sorted(found.source_name.values) == sorted(cells.names)
    assert len(found.cells) == cells.n_cells


@pytest.mark.parametrize("array", ["cells", "label", "source_name"])
def test_a_chunk_that_is_missing(held, model, array):
    objects(held, array)[-1].unlink()
    refused(held, model)


@pytest.mark.parametrize("array", ["cells", "label", "source_name"])
def test_a_byte_that_was_changed(held, model, array):
    path = objects(held, array)[0]
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    refused(held, model)


def test_chunks_that_were_swapped(held, model):
    one, two, *_ = objects(held, "cells")
    kept = one.read_bytes()
    shutil.copy(two, one)
    two.write_bytes(kept)
    refused(held, model)


def test_an_array_that_is_missing(held, model):
    shutil.rmtree(held / "label")
    for name in (".zmetadata",):
        (held / name).unlink(missing_ok=True)
    refused(held, model)


def test_only_what_is_read_is_asked_for(held, cells):
    """Cells of the other chunks can be had."""
    objects(held, "cells")[-1].unlink()
    source = open_source(str(held))
    found = source.read(np.arange(50))
    order = zarrmal.open(held).source_index.values[:50]
    np.testing.assert_array_equal(found, cells.read(order))
    with pytest.raises(InputError, match="is missing, was changed"):
        source.read(np.arange(240))
