"""Ended at every single store: completed to the same bytes, or undone to the same bytes.

Some of the stores, unless `ZARRMAL_EXHAUSTIVE` is set (`make test EXHAUSTIVE=1`).
"""

import uuid
from functools import partial

import numpy as np
import pytest
import zarr
from every_moment import crossed, filled, killed_at_store, moments
from test_killed import bytes_of

import zarrmal
from zarrmal.archive import AppendOptions, Location, WriteOptions
from zarrmal.archive.lock.journal import read_journal
from zarrmal.errors import InputError
from zarrmal.sources import Subset

LAYOUTS = {
    "zarr3": {},
    "zarr2": {"zarr_format": 2},
    "shards": {"chunk_cells": 8, "shard_cells": 24},
}


@pytest.fixture
def wishes(request):
    return LAYOUTS[request.param]


def layouts_on(*places):
    """Each layout on each kind of place, or in turn."""
    pairs = crossed([*LAYOUTS], [*places])
    return pytest.mark.parametrize(("wishes", "new_place"), pairs, indirect=True)


class LocalPlaces:
    """New paths. Objects are staged in a folder, so few moments differ from one another."""

    step = 5

    def __init__(self, folder):
        self._folder = folder

    def __call__(self, objects=None):
        """A path where nothing is yet, or a copy of an archive's objects."""
        return filled(str(self._folder / uuid.uuid4().hex / "a"), objects)


class MemoryPlaces:
    """New URLs, without a staging folder, as in a bucket."""

    step = 1

    def __call__(self, objects=None):
        """A URL where nothing is yet, or a copy of an archive's objects."""
        return filled(f"memory://{uuid.uuid4().hex}/a", objects)


@pytest.fixture
def new_place(request, tmp_path):
    return LocalPlaces(tmp_path) if request.param == "local" else MemoryPlaces()


def n_stores(monkeypatch, work):
    """How many objects it stores."""
    with killed_at_store(10**6, monkeypatch) as keys:
        work()
    return len(keys)


def part(cells, first, last):
    return Subset(cells, range(first, last))


def write(source, place, model, **wishes):
    options = WriteOptions(**({"chunk_cells": 16, "workers": 1} | wishes))
    zarrmal.write(source, place, model=model, assign="labels", options=options)


def append(source, place, *, resume=False):
    zarrmal.append(source, place, options=AppendOptions(workers=1, resume=resume))


def check_whole(place, cells, n_cells):
    """Sound and complete; nothing else is beside it."""
    assert zarrmal.verify(Location(place), part(cells, 0, n_cells)).problems == ()
    group = zarr.open_group(place, mode="r")
    rows = group["source_index"][:]
    assert len(rows) == n_cells
    np.testing.assert_array_equal(group["cells"][:], cells.read(rows))
    check_alone(place)


def check_alone(place):
    """No journal and nothing else is beside the archive."""
    assert read_journal(Location(place)) is None
    fs, root = Location(place).filesystem()
    beside = fs.ls(root.rpartition("/")[0], detail=False)
    assert [path.rpartition("/")[2] for path in beside] == ["a"]


@layouts_on("memory", "local")
def test_a_new_archive(cells, model, wishes, new_place, monkeypatch):
    source, whole = part(cells, 0, 60), new_place()
    n = n_stores(monkeypatch, lambda: write(source, whole, model, **wishes))
    check_whole(whole, cells, 60)
    expected = bytes_of(whole)
    assert n >= len(expected)
    for moment in moments(n, new_place.step):
        place = new_place()
        with killed_at_store(moment, monkeypatch) as keys:
            write(source, place, model, **wishes)
        assert len(keys) > moment
        if Location(place).is_local or bytes_of(place) != expected:
            with pytest.raises(InputError):
                zarrmal.open(place)
        write(source, place, model, resume=True, **wishes)
        assert bytes_of(place) == expected
        check_alone(place)


@layouts_on("local", "memory")
def test_overwriting(cells, model, wishes, new_place, monkeypatch):
    """The old archive stays until the new one is whole; never are both gone."""
    new, old, whole = part(cells, 0, 60), part(cells, 0, 30), new_place()
    write(old, whole, model, **wishes)
    before = bytes_of(whole)
    n = n_stores(monkeypatch, lambda: write(new, whole, model, overwrite=True, **wishes))
    check_whole(whole, cells, 60)
    expected = bytes_of(whole)
    assert n >= len(expected)
    for moment in moments(n, new_place.step):
        place = new_place(before)
        with killed_at_store(moment, monkeypatch) as keys:
            write(new, place, model, overwrite=True, **wishes)
        assert len(keys) > moment
        assert bytes_of(place) == before
        write(new, place, model, resume=True, **wishes)
        assert bytes_of(place) == expected
        check_alone(place)


@layouts_on("memory", "local")
def test_appending(cells, model, wishes, new_place, monkeypatch):
    old, new, whole = part(cells, 0, 60), part(cells, 60, 100), new_place()
    write(old, whole, model, **wishes)
    before = bytes_of(whole)
    n = n_stores(monkeypatch, lambda: append(new, whole))
    check_whole(whole, cells, 100)
    expected = bytes_of(whole)
    assert n > 10
    n_undone = 0
    for k, moment in enumerate(moments(n, new_place.step)):
        place = new_place(before)
        with killed_at_store(moment, monkeypatch) as keys:
            append(new, place)
        assert len(keys) > moment
        group = zarr.open_group(place, mode="r")
        assert group["cells"].shape[0] in (60, 100)
        np.testing.assert_array_equal(group["cells"][:], cells.read(group["source_index"][:]))
        committed = zarrmal.info(Location(place)).n_cells == 100
        if k % 3 == 0 and not committed:
            n_undone += 1
            assert zarrmal.undo(Location(place)) == 40
            assert bytes_of(place) == before
            check_alone(place)
            append(new, place)
        else:
            append(new, place, resume=True)
        assert bytes_of(place) == expected
        check_alone(place)
    assert n_undone > 1


@layouts_on("local", "memory")
def test_undoing(cells, model, wishes, new_place, monkeypatch):
    """An undo that is itself ended: undone again, or appended again, whatever is stored."""
    old, new, whole = part(cells, 0, 60), part(cells, 60, 100), new_place()
    write(old, whole, model, **wishes)
    before = bytes_of(whole)
    with killed_at_store(10, monkeypatch):
        append(new, whole)
    n = n_stores(monkeypatch, lambda: zarrmal.undo(Location(whole)))
    assert n > 5
    for moment in moments(n, new_place.step):
        place = new_place(before)
        with killed_at_store(10, monkeypatch):
            append(new, place)
        with killed_at_store(moment, monkeypatch) as keys:
            zarrmal.undo(Location(place))
        assert len(keys) > moment
        if moment % 2:
            assert zarrmal.undo(Location(place)) == 40
            assert bytes_of(place) == before
        else:
            append(new, place, resume=True)
            check_whole(place, cells, 100)


@pytest.mark.parametrize("new_place", ["local", "memory"], indirect=True)
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
        patch.setattr("zarrmal.archive.write.append.order_cells", interrupted)
        patch.setattr("zarrmal.archive.write.append.commit", interrupted)
        second = partial(zarrmal.undo, Location(place))
        if again == "append":
            second = partial(append, new, place, resume=True)
        with pytest.raises(KeyboardInterrupt):
            second()
    assert read_journal(Location(place)) is not None
    zarrmal.undo(Location(place))
    assert bytes_of(place) == before
