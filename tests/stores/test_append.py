"""Appending in every kind of store: two writers, and writers that are killed."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
import zarr
from every_moment import crossed
from killed import killed_at, write_but_the_journal
from object_store import write
from PIL import Image

import zarrmal
from zarrmal.archive import AppendOptions, Location
from zarrmal.archive.lock.journal import Journal, read_journal
from zarrmal.archive.lock.writer_lock import WriterLock
from zarrmal.errors import InputError
from zarrmal.sources import Subset, open_source


def part(cells, first, last):
    return Subset(cells, range(first, last))


def append(source, url, store, resume=False):
    options = AppendOptions(resume=resume)
    zarrmal.append(source, url, options=options, storage_options=store.options)


def bytes_of(store, url):
    prefix = store.inside(url)
    return {
        key.removeprefix(prefix): store.objects.get(key)
        for key in store.objects.keys(f"{prefix.rpartition('/')[0]}/")
    }


@pytest.mark.parametrize(
    ("store", "zarr_format"), crossed(["s3", "azure", "gcs", "memory"], [2, 3]), indirect=["store"]
)
def test_appending(store, place, drawn, zarr_format):
    write(part(drawn, 0, 25), place, store, zarr_format=zarr_format)
    append(part(drawn, 25, 40), place, store)
    target = Location(place, store.options)
    assert zarrmal.verify(target, drawn).problems == ()
    options = dict(store.options) or None
    dataset = xr.open_zarr(place, storage_options=options)
    np.testing.assert_array_equal(dataset.cells.values, drawn.read(dataset.source_index.values))
    dataset.close()
    assert not [key for key in bytes_of(store, place) if "zarrmal-writing" in key]


def test_shards(store, place, drawn):
    """Their index is at the start: at the end, some file systems cannot read it."""
    write(part(drawn, 0, 25), place, store, chunk_cells=8, shard_cells=16)
    append(part(drawn, 25, 40), place, store)
    assert zarrmal.verify(Location(place, store.options), drawn).problems == ()
    group = zarr.open(place, mode="r", storage_options=dict(store.options) or None)
    rows = group["source_index"][:]
    np.testing.assert_array_equal(group["cells"][20:30], drawn.read(rows)[20:30])


def test_of_two_writers_one_is_refused(store, place, drawn):
    write(part(drawn, 0, 25), place, store)
    target = Location(place, store.options)
    journal = Journal(operation="append", n_stored=25, n_new=15, source="0" * 64)
    first = WriterLock(target, journal, previous=None)
    with pytest.raises(InputError, match="another process"):  # by the store itself
        WriterLock(target, journal, previous=None)
    with pytest.raises(InputError, match="another process"):
        append(part(drawn, 25, 40), place, store, resume=True)
    first.abandon(remove=False)  # as one that has failed
    second = WriterLock(target, journal, previous=read_journal(target))
    with pytest.raises(InputError, match="taken over"):
        first.expect_held()
    second.release()
    append(part(drawn, 25, 40), place, store)
    assert zarrmal.verify(target, drawn).problems == ()


def _write(source, url, store, model, options):
    wishes = zarrmal.WriteOptions(chunk_cells=16, **store)
    zarrmal.write(source, url, model=model, options=wishes, storage_options=options)


def _append(source, url, options):
    zarrmal.append(source, url, storage_options=options)


SERVERS = ["s3", "azure", "gcs"]


@pytest.mark.parametrize(("store", "moment"), crossed(SERVERS, [0, 9, 19]), indirect=["store"])
def test_a_writer_is_killed(store, place, drawn, model, moment):
    assert killed_at(moment, _write, drawn, place, {}, model, store.options)
    with pytest.raises(InputError, match=r"incomplete|no Zarr group|interrupted"):
        zarrmal.open(place, storage_options=store.options)
    with pytest.raises(InputError, match="--resume"):
        _write(drawn, place, {}, model, store.options)
    _write(drawn, place, {"resume": True}, model, store.options)
    assert zarrmal.verify(Location(place, store.options), drawn).problems == ()
    whole = place.replace("cells.zarr", "whole/cells.zarr")
    _write(drawn, whole, {}, model, store.options)
    assert stored_below(store, place) == stored_below(store, whole)


@pytest.mark.parametrize("store", SERVERS, indirect=True)
def test_a_writer_is_killed_at_the_very_end(store, place, drawn, model):
    assert killed_at(-1, write_but_the_journal, drawn, place, model, store.options)
    _write(drawn, place, {"resume": True}, model, store.options)
    target = Location(place, store.options)
    assert zarrmal.verify(target, drawn).problems == ()
    assert read_journal(target) is None


def stored_below(store, url):
    prefix = f"{store.inside(url)}/"
    keys = store.objects.keys(prefix)
    return {key.removeprefix(prefix): store.objects.get(key) for key in keys}


@pytest.mark.parametrize(("store", "moment"), crossed(SERVERS, [12, 1, 6]), indirect=["store"])
def test_an_append_is_killed(store, place, drawn, model, moment):
    _write(part(drawn, 0, 25), place, {}, model, store.options)
    before = bytes_of(store, place)
    assert killed_at(moment, _append, part(drawn, 25, 40), place, store.options)
    target = Location(place, store.options)
    options = dict(store.options) or None
    dataset = xr.open_zarr(place, storage_options=options)
    assert dataset.sizes["cell"] in (25, 40)
    np.testing.assert_array_equal(dataset.cells.values, drawn.read(dataset.source_index.values))
    n_cells = dataset.sizes["cell"]
    dataset.close()
    if moment == 6 and n_cells == 25:
        zarrmal.undo(target)
        assert bytes_of(store, place) == before
        append(part(drawn, 25, 40), place, store)
    else:
        append(part(drawn, 25, 40), place, store, resume=True)
    assert zarrmal.verify(target, drawn).problems == ()
    assert read_journal(target) is None


@pytest.mark.parametrize(
    ("store", "zarr_format"), crossed(["s3", "azure", "gcs", "memory"], [3, 2]), indirect=["store"]
)
def test_cells_of_different_sizes(store, place, tmp_path, zarr_format):
    sizes = [(9, 12), (14, 8), (5, 5), (14, 12), (7, 9)]
    cells = [np.full(size, 60 + k, np.uint8) for k, size in enumerate(sizes)]
    first, second = (open_source(part, labels=["a"] * len(part)) for part in (cells[:4], cells[4:]))
    write(first, place, store, zarr_format=zarr_format)
    append(second, place, store)
    zarrmal.repack(place, storage_options=store.options)
    report = zarrmal.verify(place, [first, second], storage_options=store.options)
    assert report.problems == ()
    archive = zarrmal.Archive.open(place, storage_options=store.options)
    order = archive.dataset().source_index.values.tolist()
    for position, k in enumerate(order):
        np.testing.assert_array_equal(archive.cell(position), cells[k])
    zarrmal.extract(place, tmp_path, storage_options=store.options)
    shapes = {np.asarray(Image.open(path)).shape for path in tmp_path.rglob("*.png")}
    assert shapes == set(sizes)
