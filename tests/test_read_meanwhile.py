"""extract and read_cells while cells are being appended, and after an append that was interrupted.

They read what was there before, and take for damage only what is.
"""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from damaged import Archive as Damaged
from damaged import flip, remove_copies
from zarrmal_codecs import CorruptionError

import zarrmal
from zarrmal.archive import AppendOptions, Location, WriteOptions
from zarrmal.archive.extract import cells as extract_module
from zarrmal.archive.extract.report import LOST
from zarrmal.archive.read import cells as read_module
from zarrmal.archive.storage.local import DurableStore
from zarrmal.errors import InputError
from zarrmal.sources import Subset

OLD, ALL = 40, 60
LAYOUTS = [
    pytest.param({"zarr_format": 3}, id="zarr3"),
    pytest.param({"zarr_format": 3, "shard_cells": 32}, id="shards"),
    pytest.param({"zarr_format": 2}, id="zarr2"),
]
THE_LAST = ("zarr.json", ".zmetadata")
"""Objects that readers go by."""


def part(cells, first, last):
    return Subset(cells, np.arange(first, last))


@pytest.fixture(params=LAYOUTS)
def archive(request, tmp_path, cells, model):
    """The first 40 cells, in chunks of 16."""
    options = WriteOptions(chunk_cells=16, **request.param)
    zarrmal.write(part(cells, 0, OLD), tmp_path / "a.zarr", model=model, options=options)
    return Damaged(tmp_path / "a.zarr", part(cells, 0, OLD))


def append(archive, cells):
    zarrmal.append(part(cells, OLD, ALL), archive.place, options=AppendOptions(workers=1))


def interrupt(archive, cells, monkeypatch, keys=THE_LAST):
    """An append that fails when it would store one of these objects."""
    inner = DurableStore.set

    async def failing(store, key, value, *rest, **more):
        if key in keys:
            raise OSError("the disk is full")
        await inner(store, key, value, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(DurableStore, "set", failing)
        with pytest.raises(OSError, match="full"):
            append(archive, cells)


def check_old(archive, folder):
    for skip_damaged in (False, True):
        out = folder / f"out-{skip_damaged}"
        report = zarrmal.extract(Location(str(archive.place)), out, skip_damaged=skip_damaged)
        assert (report.n_cells, report.problems, report.damaged) == (OLD, (), ())
        archive.check_files(out, {name: k for k, name in enumerate(archive.names)})
    pixels, good = zarrmal.recover_cells(archive.place)
    assert good.all()
    np.testing.assert_array_equal(pixels, archive.pixels)


def test_an_interrupted_append(archive, cells, tmp_path, monkeypatch):
    interrupt(archive, cells, monkeypatch)
    check_old(archive, tmp_path)
    zarrmal.undo(Location(str(archive.place)))
    check_old(archive, tmp_path / "undone")


@pytest.mark.parametrize("keys", [THE_LAST, ("predicted_class/zarr.json",)])
def test_verify_calls_no_cell_lost_that_is_there(archive, cells, monkeypatch, keys):
    """Neither before the commit nor within it; the interruption is what it reports."""
    interrupt(archive, cells, monkeypatch, (*keys, "predicted_class/.zarray"))
    report = zarrmal.verify(archive.place, source=part(cells, 0, OLD))
    assert (report.n_lost, report.findings) == (0, ())
    assert "was interrupted" in report.problems[0]
    archive.edit(0, flip(-3))
    assert zarrmal.verify(archive.place).n_lost


def test_an_append_that_goes_on(archive, cells, tmp_path, monkeypatch):
    inner = DurableStore.set
    looks = []

    async def looking(store, key, value, *rest, **more):
        await inner(store, key, value, *rest, **more)
        if key.startswith("cells/") and not looks:
            looks.append(key)
            await asyncio.to_thread(check_old, archive, tmp_path)

    with monkeypatch.context() as patch:
        patch.setattr(DurableStore, "set", looking)
        append(archive, cells)
    assert looks
    assert zarrmal.extract(Location(str(archive.place)), tmp_path / "new").n_cells == ALL


def test_damage_beside_an_interrupted_append_is_told(archive, cells, tmp_path, monkeypatch):
    interrupt(archive, cells, monkeypatch)
    archive.edit(0, flip(-3))
    with pytest.raises(CorruptionError, match="chunk"):
        zarrmal.extract(Location(str(archive.place)), tmp_path / "out")
    assert not zarrmal.recover_cells(archive.place)[1].all()


@pytest.mark.parametrize("archive", [{"zarr_format": 3}, {"zarr_format": 2}], indirect=True)
def test_damage_of_the_last_chunk_is_told(archive, cells, tmp_path, monkeypatch):
    interrupt(archive, cells, monkeypatch)
    archive.edit(2, lambda data: data[:-4])
    with pytest.raises(CorruptionError, match="cells 32 to 39"):
        zarrmal.extract(Location(str(archive.place)), tmp_path / "out")
    report = zarrmal.extract(Location(str(archive.place)), tmp_path / "all", skip_damaged=True)
    assert {cell.position for cell in report.damaged} <= set(range(32, OLD))
    assert report.n_cells + sum(cell.state == LOST for cell in report.damaged) == OLD


def test_without_a_copy_of_the_metadata(archive, cells, tmp_path, monkeypatch):
    """The arrays' documents tell of the new cells already."""
    interrupt(archive, cells, monkeypatch)
    remove_copies(archive)
    words = r"appending 20 cells to 40 was interrupted.*--resume.*zarrmal undo"
    for read in (
        lambda: zarrmal.recover_cells(archive.place),
        lambda: zarrmal.extract(Location(str(archive.place)), tmp_path / "out"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            read()
        assert "--skip-damaged" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    report = zarrmal.extract(Location(str(archive.place)), tmp_path / "all", skip_damaged=True)
    assert report.problems


@pytest.mark.parametrize("module", [extract_module, read_module])
@pytest.mark.parametrize("ends", [False, True])
def test_an_append_that_begins_meanwhile(archive, cells, tmp_path, monkeypatch, module, ends):
    inner = module.with_sound_cells

    def find_cells(*arguments, **more):
        if ends:
            append(archive, cells)
        else:
            interrupt(archive, cells, monkeypatch)
        return inner(*arguments, **more)

    monkeypatch.setattr(module, "with_sound_cells", find_cells)
    words = "changed by another process" if ends else "was interrupted.*zarrmal undo"
    target = Location(str(archive.place))
    read = {
        extract_module: lambda: zarrmal.extract(target, tmp_path / "out"),
        read_module: lambda: zarrmal.recover_cells(archive.place),
    }
    with pytest.raises(InputError, match=words):
        read[module]()


def test_a_journal_that_cannot_be_read_stops_nobody(archive, tmp_path):
    """It lies beside the archive, where somebody else may rule."""
    (archive.place.parent / f".{archive.place.name}.zarrmal-writing").write_text("a web page")
    check_old(archive, tmp_path)
