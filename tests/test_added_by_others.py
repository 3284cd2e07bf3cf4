"""Cells behind an archive's own, and variables beside them, that another program has stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from damaged import run
from test_killed import bytes_of
from zarr.storage import MemoryStore
from zarrmal_codecs import Model

import zarrmal
from zarrmal import InputError, WriteOptions
from zarrmal.sources import Source, Subset

FORMATS = [{"zarr_format": 3}, {"zarr_format": 3, "shard_cells": 16}, {"zarr_format": 2}]


def part(cells: Source, first: int, last: int) -> Source:
    return Subset(cells, np.arange(first, last))


@pytest.fixture(params=FORMATS, ids=["zarr3", "shards", "zarr2"])
def held(request: pytest.FixtureRequest, tmp_path: Path, cells: Source, hybrid: Model) -> Path:
    """16 cells in chunks of 8."""
    options = WriteOptions(chunk_cells=8, **request.param)
    zarrmal.write(part(cells, 0, 16), tmp_path / "a", model=hybrid, options=options)
    return tmp_path / "a"


def documents(place: Path) -> zarr.Group:
    return zarr.open_group(place, mode="r+", use_consolidated=False)


@pytest.mark.parametrize("names", [["cells"], ["cells", "label", "predicted_class"]])
def test_cells_behind_ours(held: Path, cells: Source, tmp_path: Path, names: list[str]) -> None:
    group = documents(held)
    more = cells.read(np.arange(100, 104))
    for name in names:
        group[name].append(more if name == "cells" else np.zeros(4, np.uint8))
    before = bytes_of(held)
    with pytest.raises(InputError, match=r"`cells` holds 20.*says 16: another program has added"):
        zarrmal.append(part(cells, 16, 24), held)
    assert bytes_of(held) == before
    np.testing.assert_array_equal(documents(held)["cells"][16:], more)
    report = zarrmal.verify(held)
    assert any("another program has added the rest" in line for line in report.problems)
    assert report.n_lost == 0
    info = zarrmal.info(held)
    assert (info.n_cells, info.n_foreign_cells) == (16, 4)
    assert "of another program" in run("info", held).output
    order = documents(held)["source_index"][:]
    np.testing.assert_array_equal(zarrmal.open(held).cells.values[:16], cells.read(order))
    pixels, good = zarrmal.recover_cells(held)
    assert good.all()
    np.testing.assert_array_equal(pixels, cells.read(order))
    # What the message says helps.
    for name in names:
        group[name].resize((16, *group[name].shape[1:]))
    zarrmal.append(part(cells, 16, 24), held)
    assert zarrmal.verify(held, part(cells, 0, 24)).problems == ()


def test_cells_behind_ours_in_a_store(cells: Source, hybrid: Model) -> None:
    store = MemoryStore()
    zarrmal.write(part(cells, 0, 16), store, model=hybrid, options=WriteOptions(chunk_cells=8))
    group = zarr.open_group(store, mode="r+", use_consolidated=False)
    group["cells"].append(cells.read(np.arange(100, 104)))
    with pytest.raises(InputError, match="another program has added"):
        zarrmal.append(part(cells, 16, 24), store)
    assert zarrmal.info(store).n_foreign_cells == 4


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
@pytest.mark.parametrize("consolidated", [False, True])
def test_a_variable_of_others(held: Path, cells: Source, consolidated: bool) -> None:
    group = documents(held)
    v3 = group.metadata.zarr_format == 3
    area = group.create_array(
        "area", data=1.0 + np.arange(16), **({"dimension_names": ("cell",)} if v3 else {})
    )
    if not v3:
        area.attrs["_ARRAY_DIMENSIONS"] = ["cell"]
    if consolidated:
        zarr.consolidate_metadata(held, zarr_format=group.metadata.zarr_format)
    before = bytes_of(held)
    with pytest.raises(InputError, match=r"holds `area` of another program.*a group of its own"):
        zarrmal.append(part(cells, 16, 24), held)
    assert bytes_of(held) == before
    opened = xr.open_zarr(held, consolidated=consolidated)
    np.testing.assert_array_equal(opened.area, 1 + np.arange(16))


def test_a_variable_that_does_not_count_cells(held: Path, cells: Source) -> None:
    documents(held).create_array("plate", data=np.arange(96))
    (held / "notes.txt").write_text("ours")
    zarrmal.append(part(cells, 16, 24), held)
    assert zarrmal.verify(held, part(cells, 0, 24)).problems == ()
    np.testing.assert_array_equal(documents(held)["plate"][:], np.arange(96))
