"""Archives that xarray has copied, extended or stripped: read as they are, and adopted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from damaged import run
from facts import facts_of
from test_killed import bytes_of
from zarrmal_codecs import CorruptionError, Model

import zarrmal
from zarrmal import InputError, WriteOptions
from zarrmal.archive.format import BACKUP
from zarrmal.sources import Source, Subset

pytestmark = pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")

Copy = Callable[[xr.Dataset, Path], object]


def part(cells: Source, first: int, last: int) -> Source:
    return Subset(cells, np.arange(first, last))


def write(source: Source, path: Path, model: Model, **options: object) -> Path:
    given = WriteOptions(**({"chunk_cells": 16} | options))
    zarrmal.write(source, path, model=model, assign="labels", options=given)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, cells: Source, hybrid: Model) -> Path:
    return write(part(cells, 0, 100), tmp_path_factory.mktemp("adopt") / "a", hybrid)


@pytest.fixture
def held(whole: Path, tmp_path: Path) -> Path:
    """100 cells in chunks of 16, of two classes."""
    return Path(shutil.copytree(whole, tmp_path / "a"))


def true_copy(dataset: xr.Dataset, path: Path) -> None:
    dataset.to_zarr(path)


def unconsolidated(dataset: xr.Dataset, path: Path) -> None:
    dataset.to_zarr(path, consolidated=False)


def subset(dataset: xr.Dataset, path: Path) -> None:
    dataset.isel(cell=slice(16, 96, 2)).load().to_zarr(path)


def one_class(dataset: xr.Dataset, path: Path) -> None:
    """zarr stores no chunk of the columns, which are zeros."""
    dataset.isel(cell=dataset.predicted_class.values == 0).load().to_zarr(path)


def in_source_order(dataset: xr.Dataset, path: Path) -> None:
    dataset.isel(cell=np.argsort(dataset.source_index.values)).load().to_zarr(path)


def other_chunks(dataset: xr.Dataset, path: Path) -> None:
    loaded = dataset.load()
    loaded.cells.encoding["chunks"] = (10, 24, 24)
    loaded.cells.encoding.pop("preferred_chunks", None)
    loaded.to_zarr(path)


def check_reading(copied: Path, cells: Source, tmp_path: Path) -> None:
    """One problem, no lost cell; all that reads archives reads it."""
    group = zarr.open_group(copied, mode="r")
    order = group["source_index"][:]
    n_cells = len(order)
    report = zarrmal.verify(copied)
    assert len(report.problems) == 1
    assert "another program has copied or rewritten" in report.problems[0]
    assert (report.n_lost, report.n_cells, report.findings) == (0, n_cells, ())
    pixels, good = zarrmal.recover_cells(copied)
    assert good.all()
    np.testing.assert_array_equal(pixels, cells.read(order))
    extracted = zarrmal.extract(copied, tmp_path / "out")
    assert (extracted.n_cells, extracted.damaged) == (n_cells, ())
    assert (tmp_path / "out" / cells.names[order[3]]).is_file()
    source = zarrmal.open_source(copied)
    np.testing.assert_array_equal(source.read(np.arange(n_cells)), cells.read(order))
    assert source.labels is not None
    assert (
        np.array(source.class_names)[source.labels].tolist()
        == np.array(cells.class_names)[cells.labels[order]].tolist()
    )
    assert zarrmal.info(copied).n_cells == n_cells
    with pytest.raises(InputError, match="zarrmal adopt"):
        zarrmal.append(part(cells, 100, 120), copied)


@pytest.mark.parametrize("copy", [true_copy, unconsolidated, subset, one_class, other_chunks])
def test_a_copy(copy: Copy, held: Path, cells: Source, tmp_path: Path) -> None:
    copied = tmp_path / "b"
    copy(xr.open_zarr(held), copied)
    check_reading(copied, cells, tmp_path)
    before = {k: v for k, v in bytes_of(copied).items() if k.startswith("cells/c/")}
    order = zarr.open_group(copied, mode="r")["source_index"][:]
    assert run("adopt", copied).exit_code == 0
    assert zarrmal.verify(copied).problems == ()
    assert {k: v for k, v in bytes_of(copied).items() if k.startswith("cells/c/")} == before
    dataset = zarrmal.open(copied)
    np.testing.assert_array_equal(dataset.cells.values, cells.read(order))
    ranks = np.argsort(np.argsort(order))
    np.testing.assert_array_equal(dataset.source_index.values, ranks)
    assert zarrmal.append(part(cells, 100, 140), copied).n_cells == len(order) + 40
    added = zarrmal.open(copied, source_order=True).cells.values[len(order) :]
    np.testing.assert_array_equal(added, cells.read(np.arange(100, 140)))
    assert zarrmal.verify(copied).problems == ()
    with pytest.raises(InputError, match="nothing to adopt"):
        zarrmal.adopt(copied)


def test_a_copy_that_is_not_sorted(
    held: Path, cells: Source, hybrid: Model, tmp_path: Path
) -> None:
    copied = tmp_path / "b"
    in_source_order(xr.open_zarr(held), copied)
    check_reading(copied, cells, tmp_path)
    before = bytes_of(copied)
    with pytest.raises(InputError, match="not sorted by predicted class: write a new archive"):
        zarrmal.adopt(copied)
    assert bytes_of(copied) == before
    write(zarrmal.open_source(copied), tmp_path / "c", hybrid)
    assert zarrmal.verify(tmp_path / "c", zarrmal.open_source(copied)).problems == ()


def test_damage_in_a_copy_is_damage(held: Path, tmp_path: Path) -> None:
    copied = tmp_path / "b"
    true_copy(xr.open_zarr(held), copied)
    chunk = copied / "cells/c/2/0/0"
    data = bytearray(chunk.read_bytes())
    data[-3] ^= 1
    chunk.write_bytes(data)
    (copied / "cells/c/4/0/0").unlink()
    before = bytes_of(copied)
    report = zarrmal.verify(copied)
    assert [finding.chunk for finding in report.findings] == ["c/2/0/0", "c/4/0/0"]
    with pytest.raises(CorruptionError, match="damage cannot be adopted"):
        zarrmal.adopt(copied)
    assert bytes_of(copied) == before
    with pytest.raises(InputError, match="is missing, or holds black cells only"):
        zarrmal.open_source(copied).read(np.arange(64, 80))


def test_a_copy_without_a_column(held: Path, tmp_path: Path) -> None:
    copied = tmp_path / "b"
    xr.open_zarr(held).drop_vars("source_index").to_zarr(copied)
    with pytest.raises(InputError, match="no array `source_index`"):
        zarrmal.adopt(copied)


def test_a_new_variable_takes_the_attribute_away(held: Path, cells: Source) -> None:
    """xarray's mode "a" replaces the group's attributes by those of the new data set."""
    before = dict(zarr.open_group(held, mode="r").attrs)["zarrmal"]
    xr.Dataset({"area": ("cell", np.arange(100))}).to_zarr(held, mode="a")
    assert "zarrmal" not in zarr.open_group(held, mode="r").attrs
    report = zarrmal.verify(held)
    assert len(report.problems) == 1
    assert f"removed the group's attribute `zarrmal`; its backup {BACKUP}" in report.problems[0]
    assert zarrmal.open(held).sizes["cell"] == 100
    with pytest.raises(InputError, match="zarrmal adopt"):
        zarrmal.append(part(cells, 100, 120), held)
    zarrmal.adopt(held)
    assert zarrmal.verify(held, part(cells, 0, 100)).problems == ()
    assert dict(zarr.open_group(held, mode="r").attrs)["zarrmal"] == before
    np.testing.assert_array_equal(zarrmal.open(held).area, np.arange(100))


def append_dim(held: Path, more: Path) -> None:
    xr.open_zarr(more).load().drop_encoding().to_zarr(held, append_dim="cell")


def test_cells_that_xarray_appends(
    held: Path, cells: Source, hybrid: Model, tmp_path: Path
) -> None:
    """It puts the attribute of the other archive in place of ours."""
    more = write(part(cells, 100, 150), tmp_path / "more", hybrid)
    append_dim(held, more)
    group = zarr.open_group(held, mode="r")
    assert facts_of(group)["n_cells"] == 50
    order = group["source_index"][:] + np.repeat([0, 100], [100, 50])
    report = zarrmal.verify(held)
    assert len(report.problems) == 1
    assert "is not the one that was written with these arrays" in report.problems[0]
    assert report.n_lost == 0
    with pytest.raises(InputError, match="zarrmal adopt"):
        zarrmal.append(part(cells, 150, 160), held)
    zarrmal.adopt(held)
    assert zarrmal.verify(held, part(cells, 0, 150)).problems == ()
    np.testing.assert_array_equal(zarrmal.open(held).cells.values, cells.read(order))


def test_cells_with_other_labels_that_xarray_appends(
    held: Path, cells: Source, hybrid: Model, tmp_path: Path
) -> None:
    pixels = cells.read(np.arange(100, 120))
    others = zarrmal.open_source(
        pixels, labels=["x"] * 20, names=cells.names[:20], groups=cells.groups[:20]
    )
    zarrmal.write(others, tmp_path / "more", model=hybrid, assign="shortest")
    append_dim(held, tmp_path / "more")
    with pytest.raises(InputError, match="two archives, whose labels are"):
        zarrmal.adopt(held)
    assert any("two archives" in line for line in zarrmal.verify(held).problems)
    with pytest.raises(InputError, match="two archives"):
        zarrmal.open_source(held)


def test_a_copy_by_files_is_an_archive(held: Path, cells: Source, tmp_path: Path) -> None:
    shutil.copytree(held, tmp_path / "b")
    assert zarrmal.verify(tmp_path / "b", part(cells, 0, 100)).problems == ()
    chunks = [tmp_path / f"b/cells/c/{k}/0/0" for k in (1, 3)]
    first = chunks[0].read_bytes()
    shutil.copy(chunks[1], chunks[0])
    chunks[1].write_bytes(first)
    assert zarrmal.verify(tmp_path / "b").n_lost == 32
    with pytest.raises(InputError, match="nothing to adopt"):
        zarrmal.adopt(tmp_path / "b")


def test_format_2_without_its_attribute(cells: Source, hybrid: Model, tmp_path: Path) -> None:
    held = write(part(cells, 0, 100), tmp_path / "a", hybrid, zarr_format=2)
    del zarr.open_group(held, mode="r+").attrs["zarrmal"]
    assert "removed the group's attribute" in zarrmal.verify(held).problems[0]
    zarrmal.adopt(held)
    assert zarrmal.verify(held, part(cells, 0, 100)).problems == ()


def test_a_damaged_attribute(held: Path, cells: Source) -> None:
    """The backup has its digests, so that damage to chunks shows too."""
    group = zarr.open_group(held, mode="r+")
    facts = facts_of(group)
    group.attrs["zarrmal"] = json.dumps(facts | {"digests": "0" * 64})
    assert "was changed or damaged" in zarrmal.verify(held).problems[0]
    chunks = [held / f"cells/c/{k}/0/0" for k in (1, 3)]
    data = [chunk.read_bytes() for chunk in chunks]
    chunks[0].write_bytes(data[1])
    assert zarrmal.verify(held).n_lost == 16
    with pytest.raises(CorruptionError, match="c/1/0/0 of `cells` was changed"):
        zarrmal.adopt(held)
    chunks[0].write_bytes(data[0])
    zarrmal.adopt(held)
    assert facts_of(group) != facts
    assert facts_of(zarr.open_group(held, mode="r")) == facts
    assert zarrmal.verify(held, part(cells, 0, 100)).problems == ()


@pytest.mark.parametrize("text", ["{}", "no json", None])
def test_a_damaged_backup(held: Path, cells: Source, text: str | None) -> None:
    path = held / BACKUP
    before = path.read_bytes()
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    report = zarrmal.verify(held, part(cells, 0, 100))
    assert len(report.problems) == 1
    assert BACKUP in report.problems[0]
    assert zarrmal.open_source(held).n_cells == 100
    zarrmal.adopt(held)
    assert path.read_bytes() == before
    assert zarrmal.verify(held, part(cells, 0, 100)).problems == ()
