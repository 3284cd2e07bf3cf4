"""Where nothing can be renamed, too, the old archive stays until the new one is whole."""

from __future__ import annotations

import numpy as np
import pytest
import zarr
from every_moment import crossed
from killed import killed_at
from object_store import write

import zarrmal
from zarrmal.archive import Location
from zarrmal.archive.lock.journal import read_journal
from zarrmal.errors import InputError
from zarrmal.sources import Subset


def part(cells, first, last):
    return Subset(cells, range(first, last))


def below(store, folder):
    """Every object there, archives and what lies beside them."""
    prefix = f"{store.inside(folder)}/"
    return {key.removeprefix(prefix): store.objects.get(key) for key in store.objects.keys(prefix)}


def folder_of(place):
    return place.rpartition("/")[0]


def check_whole(store, place, cells, n_cells):
    target = Location(place, store.options)
    assert zarrmal.verify(target, part(cells, 0, n_cells)).problems == ()
    assert read_journal(target) is None
    assert {key.split("/")[0] for key in below(store, folder_of(place))} == {"cells.zarr"}
    group = zarr.open_group(place, mode="r", storage_options=dict(store.options) or None)
    np.testing.assert_array_equal(group["cells"][:], cells.read(group["source_index"][:]))


@pytest.mark.parametrize(
    ("store", "zarr_format"),
    crossed(["s3", "azure", "gcs", "memory"], [3, 2]),
    indirect=["store"],
)
def test_a_new_archive_takes_the_place_of_an_old_one(store, place, drawn, zarr_format):
    write(part(drawn, 0, 25), place, store, zarr_format=zarr_format)
    with pytest.raises(InputError, match="exists already"):
        write(part(drawn, 0, 40), place, store)
    write(part(drawn, 0, 40), place, store, zarr_format=5 - zarr_format, overwrite=True)
    check_whole(store, place, drawn, 40)


def test_its_own_cells(store, place, drawn, model):
    """They are read until the new archive is whole."""
    write(drawn, place, store)
    options = zarrmal.WriteOptions(chunk_cells=8, overwrite=True)
    cells = zarrmal.open_source(place, storage_options=dict(store.options) or None)
    zarrmal.write(cells, place, model=model, options=options, storage_options=store.options)
    found = zarrmal.open(place, storage_options=dict(store.options))
    expected = np.sort(drawn.read(np.arange(drawn.n_cells)).reshape(drawn.n_cells, -1), axis=0)
    np.testing.assert_array_equal(
        np.sort(found.cells.values.reshape(drawn.n_cells, -1), axis=0), expected
    )
    found.close()


def test_its_own_address_is_refused(store, place, drawn, model):
    """After a failure in the very end there would be nothing to read a second time."""
    write(drawn, place, store)
    before = below(store, folder_of(place))
    options = zarrmal.WriteOptions(overwrite=True)
    with pytest.raises(InputError, match="the source itself"):
        zarrmal.write(
            f"{place}/", place, model=model, options=options, storage_options=store.options
        )
    assert below(store, folder_of(place)) == before


def test_a_mistake_in_the_middle_keeps_the_old(store, place, drawn, monkeypatch):
    write(part(drawn, 0, 25), place, store)
    before = below(store, folder_of(place))

    class Changed(Subset):
        def read(self, indices):
            if len(indices) == 16:
                raise InputError("an image has changed")
            return super().read(indices)

    with pytest.raises(InputError, match="has changed"):
        write(Changed(drawn, range(40)), place, store, overwrite=True, chunk_cells=16)
    assert below(store, folder_of(place)) == before


def _write(source, url, model, options):
    wishes = zarrmal.WriteOptions(chunk_cells=16, overwrite=True)
    zarrmal.write(source, url, model=model, options=wishes, storage_options=options)


@pytest.mark.parametrize(
    ("store", "moment"), crossed(["s3", "azure", "gcs"], [13, 0]), indirect=["store"]
)
def test_killed_in_writing(store, place, drawn, model, moment):
    write(part(drawn, 0, 25), place, store)
    before = below(store, place)
    assert killed_at(moment, _write, drawn, place, model, store.options)
    assert below(store, place) == before
    write(drawn, place, store, resume=True)
    check_whole(store, place, drawn, drawn.n_cells)


@pytest.mark.parametrize(
    ("store", "stopped"),
    crossed(["gcs", "azure", "s3"], [(13, "planned"), (0, "begun")]),
    indirect=["store"],
)
def test_what_has_come_since_is_not_replaced(store, place, drawn, model, stopped):
    """Nothing was there when the run began, so that it has written in place."""
    moment, phase = stopped
    assert killed_at(moment, _write, drawn, place, model, store.options)
    target, other = (Location(url, store.options) for url in (place, f"{place}-other"))
    assert read_journal(target).phase == phase
    target.remove()
    write(part(drawn, 0, 25), other.url, store)
    fs, root = target.filesystem()
    fs.copy(other.filesystem()[1], root, recursive=True)
    before = below(store, place)
    assert zarrmal.open(place, storage_options=dict(store.options)).sizes["cell"] == 25
    with pytest.raises(InputError, match="another archive, and was written"):
        write(drawn, place, store, resume=True)
    assert below(store, place) == before
    other.remove()
    write(drawn, place, store, overwrite=True)
    check_whole(store, place, drawn, drawn.n_cells)


@pytest.mark.parametrize(
    ("store", "step"),
    crossed(
        ["gcs", "s3", "azure", "memory"],
        ["before the old is removed", "after", "copied", "at the end"],
    ),
    indirect=["store"],
)
def test_interrupted_in_taking_the_place(store, place, drawn, monkeypatch, step):
    """The old archive or the new one is whole, there or beside, and going on needs no decision."""
    write(part(drawn, 0, 25), place, store)
    remove, n_removed = Location.remove, 0

    def removing(self):
        nonlocal n_removed
        n_removed += (
            1  # 1: what may lie in the new one's way; 2: the old archive; 3: the copied one
        )
        if (n_removed, step) in {(2, "before the old is removed"), (3, "copied")}:
            raise KeyboardInterrupt
        remove(self)
        if (n_removed, step) in {(2, "after"), (3, "at the end")}:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Location, "remove", removing)
        with pytest.raises(KeyboardInterrupt):
            write(drawn, place, store, overwrite=True)
    if step == "after":
        with pytest.raises(InputError, match="interrupted"):
            zarrmal.open(place, storage_options=store.options)
    write(drawn, place, store, resume=True)
    check_whole(store, place, drawn, drawn.n_cells)
