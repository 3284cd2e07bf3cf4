"""kill -9 at any moment: the old archive is intact, or an unfinished one says so and can go on."""

import random
import threading

import numpy as np
import pytest
import xarray as xr
import zarr
from every_moment import EXHAUSTIVE, filled
from facts import facts_of
from killed import append, killed_at, part, write, write_but_the_end

import zarrmal
from zarrmal.archive import Location
from zarrmal.archive.lock.journal import read_journal
from zarrmal.errors import InputError

N_MOMENTS = 5 if EXHAUSTIVE else 3
WISHES = [{}, {"zarr_format": 2}, {"shard_cells": 48}]


def bytes_of(place):
    """Every stored object, without the leftovers of a run that was killed."""
    fs, root = Location(str(place)).filesystem()
    return {p.removeprefix(root): fs.cat_file(p) for p in fs.find(root)}


def moments(n, seed):
    """Some of n moments, the first and the last among them."""
    return sorted({0, n - 1, *random.Random(seed).sample(range(n), N_MOMENTS - 2)})


@pytest.fixture(params=WISHES, ids=["zarr3", "zarr2", "shards"])
def wishes(request):
    return request.param


def test_a_new_archive(cells, model, wishes, tmp_path):
    source = part(cells, 0, 120)
    write(source, tmp_path / "whole", model, wishes)
    expected = bytes_of(tmp_path / "whole")
    for moment in moments(len(expected), 1):
        place = tmp_path / f"at-{moment}"
        assert killed_at(moment, write, source, place, model, wishes)
        assert not place.exists()
        with pytest.raises(InputError, match="--resume"):
            write(source, place, model, wishes)
        with pytest.raises(InputError, match=r"was interrupted|no Zarr group"):
            zarrmal.open(place)
        write(source, place, model, wishes | {"resume": True})
        with pytest.raises(InputError, match="nothing to resume"):
            write(source, place, model, wishes | {"resume": True})
        assert bytes_of(place) == expected
        assert [p.name for p in tmp_path.iterdir() if place.name in p.name] == [place.name]


def test_overwriting(cells, model, tmp_path):
    place = tmp_path / "a"
    write(part(cells, 0, 50), place, model, {})
    before = bytes_of(place)
    for moment in (3, 12):
        arguments = (part(cells, 0, 120), place, model, {"overwrite": True})
        assert killed_at(moment, write, *arguments)
        assert bytes_of(place) == before
        write(part(cells, 0, 50), place, model, {"overwrite": True})  # anew
        assert bytes_of(place) == before


@pytest.mark.parametrize("overwriting", [False, True])
def test_at_the_very_end(cells, model, wishes, overwriting, tmp_path):
    place, new = tmp_path / "a", {"overwrite": overwriting} | wishes
    if overwriting:
        write(part(cells, 0, 50), place, model, wishes)
    source = part(cells, 0, 120)
    assert killed_at(-1, write_but_the_end, source, place, model, new)
    assert place.exists() == overwriting
    write(source, place, model, new | {"resume": True})
    assert zarrmal.verify(Location(str(place)), source).problems == ()
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_appending(cells, model, wishes, tmp_path):
    whole = tmp_path / "whole"
    write(part(cells, 0, 100), whole, model, wishes)
    before = bytes_of(whole)
    append(part(cells, 100, 240), whole, {})
    expected = bytes_of(whole)
    changed = [name for name in expected if expected[name] != before.get(name)]
    n_undone = n_resumed = 0
    for moment in moments(len(changed), 2):
        place = filled(tmp_path / f"at-{moment}", before)
        assert killed_at(moment, append, part(cells, 100, 240), place, {})
        n_cells = zarr.open_group(place, mode="r")["cells"].shape[0]
        assert n_cells in (100, 240)
        read = xr.open_zarr(place)
        expected_cells = cells.read(read.source_index.values)
        np.testing.assert_array_equal(read.cells.values, expected_cells)
        if n_undone <= n_resumed and n_cells == 100:
            n_undone += 1
            assert zarrmal.undo(Location(str(place))) == 140
            assert bytes_of(place) == before
            append(part(cells, 100, 240), place, {})
        else:
            n_resumed += 1
            append(part(cells, 100, 240), place, {"resume": True})
        assert bytes_of(place) == expected
        assert zarrmal.verify(Location(str(place)), cells).problems == ()
        assert read_journal(Location(str(place))) is None
    assert min(n_undone, n_resumed) >= 1


def test_readers_meanwhile_see_old_or_new(cells, model, tmp_path):
    place = tmp_path / "a"
    write(part(cells, 0, 100), place, model, {})
    seen, stop = [], threading.Event()

    def look():
        while not stop.is_set():
            group = zarr.open_group(place, mode="r")
            order = group["source_index"][:]
            same = np.array_equal(group["cells"][:], cells.read(order))
            labels = np.array_equal(group["label"][:], cells.labels[order])
            seen.append((len(order), facts_of(group)["n_cells"], same, labels))

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for first in (100, 135, 170, 205):
            append(part(cells, first, first + 35), place, {})
    finally:
        stop.set()
        reader.join()
    assert {(n, facts) for n, facts, *_ in seen} <= {(n, n) for n in (100, 135, 170, 205, 240)}
    assert len({n for n, *_ in seen}) > 1
    assert all(same and labels for *_, same, labels in seen)
