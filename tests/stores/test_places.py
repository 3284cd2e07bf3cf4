"""WriterLock to an object store removes nothing but an archive that it was told to replace."""

from __future__ import annotations

import pytest
import zarr
from object_store import write

import zarrmal
from zarrmal.archive import Location
from zarrmal.archive.lock.journal import read_journal
from zarrmal.archive.write import new as writer
from zarrmal.errors import InputError
from zarrmal.sources import Subset

THESIS = b"years of work"


def put(target, key):
    """Something of somebody else's, below the place."""
    fs, root = target.filesystem()
    fs.pipe_file(f"{root}/{key}", THESIS)


def kept(target, key):
    fs, root = target.filesystem()
    return fs.cat_file(f"{root}/{key}") == THESIS


class Changing(Subset):
    """Cells that can be read until an archive of them has begun; something else comes then."""

    target = None

    def read(self, indices):
        if self.target is not None and self.target.holds_zarr():
            put(self.target, "thesis.doc")
            raise InputError("an image has changed")
        return super().read(indices)


@pytest.mark.parametrize("wishes", [{}, {"overwrite": True}, {"resume": True}])
def test_what_lies_deep_is_not_removed(store, place, drawn, wishes):
    """A place under which others' archives lie, three folders down, is not free."""
    target = Location(place, store.options)
    put(target, "plates/2024/11/a.tif")
    with pytest.raises(InputError, match=r"exists already|not a Zarr archive"):
        write(drawn, place, store, **wishes)
    assert kept(target, "plates/2024/11/a.tif")
    assert list(target.sizes()) == ["plates/2024/11/a.tif"]
    assert read_journal(target) is None


@pytest.mark.parametrize("stage", ["begun", "planned"])
def test_what_has_come_meanwhile_is_not_removed(store, place, drawn, monkeypatch, stage):
    target = Location(place, store.options)

    def fails(*_, **__):
        raise OSError("the network is gone")

    with monkeypatch.context() as patch:
        if stage == "begun":
            patch.setattr(writer.StageWriter, "_create", fails)
        else:
            patch.setattr(writer, "write_segment", fails)
        with pytest.raises(OSError, match="network"):
            write(drawn, place, store)
    put(target, "thesis.doc")
    with pytest.raises(InputError, match="exists already"):
        write(drawn, place, store, resume=True)
    assert kept(target, "thesis.doc")


def test_after_a_mistake_only_the_archive_is_removed(store, place, drawn):
    cells = Changing(drawn, range(drawn.n_cells))
    cells.target = Location(place, store.options)
    with pytest.raises(InputError, match="an image has changed"):
        write(cells, place, store)
    assert list(cells.target.sizes()) == ["thesis.doc"]
    assert kept(cells.target, "thesis.doc")
    assert read_journal(cells.target) is None


@pytest.mark.parametrize("cache", ["simplecache", "filecache"])
def test_nothing_is_written_through_a_cache(store, place, drawn, cache):
    """It would show what was there before, the journal among it."""
    write(Subset(drawn, range(20)), place, store)
    url, options = f"{cache}::{place}", {place.partition("://")[0]: dict(store.options)}
    more = Subset(drawn, range(20, 30))
    with pytest.raises(InputError, match="cannot be written to"):
        zarrmal.append(more, url, storage_options=options)
    with pytest.raises(InputError, match="cannot be written to"):
        zarrmal.write(more, url, storage_options=options)
    assert zarrmal.verify(Location(place, store.options), Subset(drawn, range(20))).problems == ()


def test_a_whole_bucket(s3, drawn):
    """Its journal lies in it, and is not taken for something else."""
    for bucket in ("whole", "other"):
        s3.objects.client.create_bucket(Bucket=bucket)
    fs, _ = Location(f"{s3.root}/x", s3.options).filesystem()
    target = Location("s3://whole", s3.options)
    cells = Changing(drawn, range(30))
    write(cells, target.url, s3)
    zarrmal.append(Subset(drawn, range(30, 40)), target.url, storage_options=s3.options)
    assert zarrmal.verify(target, Subset(drawn, range(40))).problems == ()
    with pytest.raises(InputError, match="nothing can be written beside it"):
        write(cells, target.url, s3, overwrite=True)
    group = zarr.open_group(target.url, mode="r", storage_options=dict(s3.options))
    assert group["cells"].shape[0] == 40
    assert not [key for key in target.sizes() if "writing" in key]
    other = Location("s3://other", s3.options)
    cells.target = other
    with pytest.raises(InputError, match="an image has changed"):
        write(cells, other.url, s3)
    assert fs.exists("other")
    assert list(other.sizes()) == ["thesis.doc"]
