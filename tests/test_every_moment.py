"""Ended at every single store: completed to the same bytes, or undone to the same bytes."""

import uuid
from functools import partial

import numpy as np
import pytest
import zarr
from every_moment import killed_at_store
from test_killed import bytes_of

import zarrmal
from zarrmal.archive import (
    AppendOptions,
    Target,
    WriteOptions,
    archive_info,
    undo_append,
    verify_archive,
)
from zarrmal.archive.journal import read_journal
from zarrmal.errors import InputError
from zarrmal.sources import Subset

WISHES = [{}, {"zarr_format": 2}, {"chunk_cells": 8, "shard_cells": 24}]


@pytest.fixture(params=WISHES, ids=["zarr3", "zarr2", "shards"])
def wishes(request):
    return request.param


class LocalPlaces:
    """A new place each time. What differs from object stores is staging; so not every moment."""

    step = 5

    def __init__(self, folder):
        self._folder = folder

    def __call__(self):
        return str(self._folder / uuid.uuid4().hex / "a")


class MemoryPlaces:
    """A new place each time, without a staging folder, as in a bucket: every moment."""

    step = 1

    def __call__(self):
        return f"memory://{uuid.uuid4().hex}/a"


@pytest.fixture(params=["local", "memory"])
def new_place(request, tmp_path):
    return LocalPlaces(tmp_path) if request.param == "local" else MemoryPlaces()


def part(cells, first, last):
    return Subset(cells, range(first, last))


def write(source, place, model, **wishes):
    options = WriteOptions(**({"chunk_cells": 16, "workers": 1} | wishes))
    zarrmal.write(source, place, model=model, assign="labels", options=options)


def append(source, place, *, resume=False):
    zarrmal.append(source, place, options=AppendOptions(workers=1, resume=resume))


def check_whole(place, cells, n_cells):
    """Sound, complete, and nothing else is there."""
    target = Target(place)
    assert verify_archive(target, part(cells, 0, n_cells)).problems == ()
    assert read_journal(target) is None
    group = zarr.open_group(place, mode="r")
    rows = group["source_index"][:]
    assert len(rows) == n_cells
    np.testing.assert_array_equal(group["cells"][:], cells.read(rows))
    fs, root = target.filesystem()
    assert [path.rpartition("/")[2] for path in fs.ls(root.rpartition("/")[0], detail=False)] == [
        "a"
    ]


def test_a_new_archive(cells, model, wishes, new_place, monkeypatch):
    source, whole = part(cells, 0, 60), new_place()
    write(source, whole, model, **wishes)
    expected = bytes_of(whole)
    moment = 0
    while True:
        place = new_place()
        with killed_at_store(moment, monkeypatch) as keys:
            write(source, place, model, **wishes)
        if len(keys) <= moment:
            break
        if Target(place).is_local or bytes_of(place) != expected:
            with pytest.raises(InputError):
                zarrmal.open(place)
        write(source, place, model, resume=True, **wishes)
        assert bytes_of(place) == expected
        check_whole(place, cells, 60)
        moment += max(3, new_place.step)
    assert moment > len(expected)


def test_overwriting(cells, model, wishes, new_place, monkeypatch):
    """The old archive stays until the new one is whole; never are both gone."""
    new, old, moment = part(cells, 0, 60), part(cells, 0, 30), 0
    while True:
        place = new_place()
        write(old, place, model, **wishes)
        before = bytes_of(place)
        with killed_at_store(moment, monkeypatch) as keys:
            write(new, place, model, overwrite=True, **wishes)
        if len(keys) <= moment:
            break
        assert bytes_of(place) == before
        write(new, place, model, resume=True, **wishes)
        check_whole(place, cells, 60)
        moment += max(3, new_place.step)
    assert moment > len(before)


def test_appending(cells, model, wishes, new_place, monkeypatch):
    old, new, whole = part(cells, 0, 60), part(cells, 60, 100), new_place()
    write(old, whole, model, **wishes)
    before = bytes_of(whole)
    append(new, whole)
    expected = bytes_of(whole)
    moment = 0
    while True:
        place = new_place()
        write(old, place, model, **wishes)
        with killed_at_store(moment, monkeypatch) as keys:
            append(new, place)
        if len(keys) <= moment:
            break
        group = zarr.open_group(place, mode="r")
        assert group["cells"].shape[0] in (60, 100)
        np.testing.assert_array_equal(group["cells"][:], cells.read(group["source_index"][:]))
        committed = archive_info(Target(place)).n_cells == 100
        if moment % 3 == 0 and not committed:
            assert undo_append(Target(place)) == 40
            assert bytes_of(place) == before
            append(new, place)
        else:
            append(new, place, resume=True)
        assert bytes_of(place) == expected
        check_whole(place, cells, 100)
        moment += new_place.step
    assert moment > 10


def test_undoing(cells, model, wishes, new_place, monkeypatch):
    """An undo that is itself ended: undone again, or appended again, whatever is stored."""
    old, new = part(cells, 0, 60), part(cells, 60, 100)
    for moment in range(0, 100, max(3, new_place.step)):
        place = new_place()
        write(old, place, model, **wishes)
        before = bytes_of(place)
        with killed_at_store(10, monkeypatch):
            append(new, place)
        with killed_at_store(moment, monkeypatch) as keys:
            undo_append(Target(place))
        if len(keys) <= moment:
            break
        if moment % 2:
            assert undo_append(Target(place)) == 40
            assert bytes_of(place) == before
        else:
            append(new, place, resume=True)
            check_whole(place, cells, 100)
    assert moment > 5


@pytest.mark.parametrize("again", ["append", "undo"])
def test_a_second_failure_keeps_what_the_first_has_left(
    cells, model, new_place, monkeypatch, again
):
    """Before anything is stored of the second: its journal is that of the first."""
    place, new = new_place(), part(cells, 60, 100)
    write(part(cells, 0, 60), place, model)
    before = bytes_of(place)
    with killed_at_store(2, monkeypatch):
        append(new, place)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("zarrmal.archive.append.make_plan", interrupted)
        patch.setattr("zarrmal.archive.append.commit", interrupted)
        second = partial(undo_append, Target(place))
        if again == "append":
            second = partial(append, new, place, resume=True)
        with pytest.raises(KeyboardInterrupt):
            second()
    assert read_journal(Target(place)) is not None
    undo_append(Target(place))
    assert bytes_of(place) == before
