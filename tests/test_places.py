"""One name of a local place leads to one place, and what cannot be replaced is refused at once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import zarrmal
from zarrmal.archive import AppendOptions, Location, WriteOptions
from zarrmal.archive.lock.journal import read_journal
from zarrmal.archive.lock.writer_lock import WriterLock
from zarrmal.archive.write import segment as segments
from zarrmal.archive.write.commit import resized
from zarrmal.archive.write.new import refuse_location
from zarrmal.classify import Assignment
from zarrmal.cli import app
from zarrmal.errors import InputError
from zarrmal.sources import Subset


def write(cells, url, model, **wishes):
    assign = wishes.pop("assign", "labels")
    options = WriteOptions(chunk_cells=50, **wishes)
    return zarrmal.write(cells, url, model=model, assign=assign, options=options)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The user's folder; another one is the current folder."""
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("~/a.zarr", "home"),
        ("file://~/a.zarr", "home"),
        ("local://~/a.zarr", "home"),
        ("file://{}/here/a.zarr", "here"),
        ("local://{}/here/a.zarr", "here"),
        ("file:{}/here/a.zarr", "here"),
        ("file:a.zarr", "here"),
        ("file://a.zarr", "here"),
        ("a.zarr", "here"),
    ],
)
def test_every_spelling_is_one_place(cells, model, home, url, folder):
    url = url.format(home.parent)
    write(Subset(cells, range(120)), url, model)
    zarrmal.append(Subset(cells, range(120, 240)), url)
    target = Location(url)
    assert zarrmal.verify(target, cells).problems == ()
    assert target.sizes() == Location(str(home.parent / folder / "a.zarr")).sizes() != {}
    write(cells, url, model, overwrite=True)
    found = [path.relative_to(home.parent) for path in home.parent.glob("*/*")]
    assert found == [Path(folder, "a.zarr")]


@pytest.mark.parametrize("url", ["", "file:", "file://", "local:", "local://"])
def test_a_place_without_a_name(url):
    with pytest.raises(InputError, match="is empty"):
        Location(url)


def test_where_a_volume_is_mounted_nothing_can_take_the_place(tmp_path, monkeypatch):
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == tmp_path / "volume")
    with pytest.raises(InputError, match="mount point"):
        refuse_location(Location(str(tmp_path / "volume")), WriteOptions(overwrite=True))
    refuse_location(Location(str(tmp_path / "volume" / "a.zarr")), WriteOptions())


def test_other_cells_are_not_told_to_be_stored(cells, model, tmp_path, monkeypatch):
    """A run that was ended when only its journal had to be removed."""
    url = str(tmp_path / "a.zarr")

    def fails(*_):
        raise OSError("the network is gone")

    def cut(work):
        with monkeypatch.context() as patch:
            patch.setattr(WriterLock, "_remove", fails)
            with pytest.raises(OSError, match="network"):
                work()

    first, second, others = (Subset(cells, range(a, a + 60)) for a in (0, 60, 120))
    cut(lambda: write(first, url, model))
    with pytest.raises(InputError, match="NOT in it"):
        write(others, url, model, resume=True)
    assert read_journal(Location(url)) is None
    assert zarrmal.verify(Location(url), first).problems == ()
    cut(lambda: zarrmal.append(second, url))
    with pytest.raises(InputError, match=r"(?i)not in"):
        zarrmal.append(others, url, options=AppendOptions(resume=True))
    assert read_journal(Location(url)) is None
    assert zarrmal.verify(Location(url), Subset(cells, range(120))).problems == ()


def sure(_, rows):
    return Assignment(
        predicted_class=(rows % 2).astype(np.uint8), probability=np.full(len(rows), 0.5)
    )


def unsure(_, rows):
    return (rows % 2).astype(np.uint8)


@pytest.mark.parametrize(("before", "after"), [(sure, unsure), (unsure, sure)])
def test_a_lost_order_is_made_anew_by_another_assigner(
    cells, model, tmp_path, monkeypatch, before, after
):
    """Of the arrays that the archive has."""
    url = tmp_path / "a.zarr"

    def fails(*_, **__):
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(segments, "commit", fails)
        with pytest.raises(OSError, match="full"):
            write(cells, url, model, assign=before)
    stage = Location(str(tmp_path / ".a.zarr.zarrmal-part")).open_group("r+", consolidated=False)
    resized(stage["source_index"], cells.n_cells)[:] = 7
    write(cells, url, model, assign=after, resume=True)
    assert zarrmal.verify(Location(str(url)), cells).problems == ()
    found = zarrmal.open(url)
    assert ("class_probability" in found) == (before is sure)
    assert before is unsure or np.isnan(found.class_probability.values).all()


def test_an_archive_is_not_appended_to_itself(cells, model, tmp_path, monkeypatch):
    """Such an append could not be taken back once it is whole."""
    url = tmp_path / "a.zarr"
    write(cells, url, model)
    (tmp_path / "link.zarr").symlink_to(url)
    monkeypatch.chdir(tmp_path)
    for source in (url, "a.zarr", f"file://{url}", tmp_path / "link.zarr", url / "cells"):
        with pytest.raises(InputError, match="is the source itself"):
            zarrmal.append(source, url)
    done = CliRunner().invoke(app, ["append", "a.zarr", str(url)])
    assert done.exit_code == 2
    assert "is the source itself" in done.stderr
    assert zarrmal.verify(Location(str(url)), cells).problems == ()
