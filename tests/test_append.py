"""More cells for an archive: what readers see before, meanwhile and after."""

import uuid
import warnings
from functools import cache

import numpy as np
import pytest
import xarray as xr
import zarr
from every_moment import crossed, filled
from facts import facts_of
from test_killed import bytes_of
from zarrmal_codecs import ZarrmalError

import zarrmal
from zarrmal.archive import AppendOptions, Location, WriteOptions
from zarrmal.archive.lock.journal import read_journal
from zarrmal.errors import InputError
from zarrmal.sources import Source, Subset, open_source

LAYOUTS = {"zarr3": {}, "shards": {"shard_cells": 64}, "zarr2": {"zarr_format": 2}}


@pytest.fixture(scope="module")
def objects(tmp_path_factory, cells, model):
    """Of an archive of the first 100 cells, in chunks of 32, for each layout."""

    @cache
    def written(layout):
        path = tmp_path_factory.mktemp("append") / "cells.zarr"
        options = WriteOptions(chunk_cells=32, **LAYOUTS[layout])
        zarrmal.write(Subset(cells, np.arange(100)), path, model=model, options=options)
        return bytes_of(path)

    return written


@pytest.fixture(params=crossed([*LAYOUTS], ["local", "memory"]), ids="-".join)
def archive(request, objects, tmp_path):
    """A copy of them: each layout on a disk or in memory, in turn."""
    layout, kind = request.param
    if kind == "local":
        yield filled(str(tmp_path / "cells.zarr"), objects(layout))
        return
    url = f"memory://{uuid.uuid4().hex}/cells.zarr"
    yield filled(url, objects(layout))
    Location(url).remove()


def part(cells, first, last):
    return Subset(cells, np.arange(first, last))


def pixels(dataset):
    """In the order of the sources."""
    return dataset["cells"].values[np.argsort(dataset["source_index"].values)]


def problems(place, source=None):
    return zarrmal.verify(Location(place), source).problems


class Stopping(Source):
    """Cells of which the chunk after so many cannot be read."""

    def __init__(self, source, error, after):
        self._source, self._error, self._released = source, error, after
        for name in ("n_cells", "cell_shape", "class_names", "labels", "names", "groups"):
            setattr(self, name, getattr(source, name))

    def read(self, indices):
        self._released -= 1
        if self._released < 0:
            raise self._error
        return self._source.read(indices)


def test_appending_twice_is_as_writing_all(archive, cells, model):
    for first, last in ((100, 130), (130, 240)):
        info = zarrmal.append(part(cells, first, last), archive)
        assert info.n_cells == last
        assert problems(archive, part(cells, 0, last)) == ()
        expected = cells.read(np.arange(last))
        np.testing.assert_array_equal(pixels(zarrmal.open(archive)), expected)
        np.testing.assert_array_equal(pixels(xr.open_zarr(archive)), expected)
        group = zarr.open_group(archive, mode="r")
        order = group["source_index"][:]
        np.testing.assert_array_equal(
            group["cells"][90 : last - 1 : 7], expected[order][90 : last - 1 : 7]
        )
        assert group["source_name"][:].tolist() == cells.names[order].tolist()
        labels = np.array(cells.class_names)[cells.labels[order]]
        assert (
            np.array(facts_of(group)["label_names"])[group["label"][:]].tolist() == labels.tolist()
        )
    counts = np.bincount(cells.labels, minlength=2)
    assert info.classes == dict(zip(model.class_names, counts.tolist(), strict=True))
    assert len(facts_of(zarr.open_group(archive, mode="r"))["segments"]) == 3


@pytest.mark.parametrize("after", [2, 3, 4])
def test_readers_see_the_old_until_the_end(archive, cells, after):
    before = {
        k: zarr.open_group(archive, mode="r")[k][:] for k in ("cells", "source_index", "label")
    }
    stopping = Stopping(part(cells, 100, 240), OSError("the network is gone"), after)
    with pytest.raises(OSError, match="network"):
        zarrmal.append(stopping, archive, options=AppendOptions(workers=1))
    group = zarr.open_group(archive, mode="r")
    for name, values in before.items():
        np.testing.assert_array_equal(group[name][:], values)
        np.testing.assert_array_equal(xr.open_zarr(archive)[name].values, values)
    with pytest.raises(InputError, match=r"interrupted in appending 140 cells.*--resume.*undo"):
        zarrmal.append(part(cells, 100, 240), archive)
    assert any("interrupted" in line for line in problems(archive))


def test_an_interrupted_append_goes_on_without_doing_chunks_again(archive, cells):
    stopping = Stopping(part(cells, 100, 240), KeyboardInterrupt(), 4)
    with pytest.raises(KeyboardInterrupt):
        zarrmal.append(stopping, archive, options=AppendOptions(workers=1))
    with pytest.raises(InputError, match="not those of the interrupted run"):
        zarrmal.append(part(cells, 101, 240), archive, options=AppendOptions(resume=True))
    zarrmal.append(part(cells, 100, 240), archive, options=AppendOptions(resume=True))
    assert problems(archive, cells) == ()
    assert read_journal(Location(archive)) is None


def test_an_array_of_the_users_own_outlasts_what_is_cleared_away(archive, cells):
    """Its name begins like that of one of ours."""
    group = zarr.open_group(archive, mode="r+", use_consolidated=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)  # consolidated metadata
        group.create_array("label_by_hand", shape=(9,), chunks=(3,), dtype="u1")[:] = 5
    stopping = Stopping(part(cells, 100, 240), KeyboardInterrupt(), 4)
    with pytest.raises(KeyboardInterrupt):
        zarrmal.append(stopping, archive, options=AppendOptions(workers=1))
    zarrmal.append(part(cells, 100, 240), archive, options=AppendOptions(resume=True))
    group = zarr.open_group(archive, mode="r", use_consolidated=False)
    assert group["label_by_hand"][:].tolist() == [5] * 9


def test_half_an_object_of_an_interrupted_run_is_written_again(archive, cells):
    before = stored(archive)
    stopping = Stopping(part(cells, 100, 240), KeyboardInterrupt(), 4)
    with pytest.raises(KeyboardInterrupt):
        zarrmal.append(stopping, archive, options=AppendOptions(workers=1))
    fs, _ = Location(archive).filesystem()
    new = [path for path in stored(archive) if "/cells/" in path and path not in before]
    assert new
    for path in new:
        fs.pipe_file(path, fs.cat_file(path)[:-3])
    zarrmal.append(part(cells, 100, 240), archive, options=AppendOptions(resume=True))
    assert problems(archive, cells) == ()


@pytest.mark.parametrize("differs", ["pixels", "labels", "names", "groups"])
def test_an_interrupted_append_goes_on_with_its_own_cells_only(archive, cells, differs):
    stopping = Stopping(part(cells, 100, 240), KeyboardInterrupt(), 4)
    with pytest.raises(KeyboardInterrupt):
        zarrmal.append(stopping, archive, options=AppendOptions(workers=1))
    more = part(cells, 100, 240)
    given = {
        "pixels": more.read(np.arange(140)),
        "labels": np.array(cells.class_names)[more.labels],
        "names": more.names,
        "groups": more.groups,
    }
    given[differs] = given[differs][::-1]
    others = open_source(given.pop("pixels"), **given)
    with pytest.raises(InputError, match="not those of the interrupted run"):
        zarrmal.append(others, archive, options=AppendOptions(resume=True))


def test_undo_restores_every_byte(archive, cells):
    before = stored(archive)
    stopping = Stopping(part(cells, 100, 240), OSError("no"), 4)
    with pytest.raises(OSError, match="no"):
        zarrmal.append(stopping, archive, options=AppendOptions(workers=1))
    assert stored(archive) != before
    assert zarrmal.undo(Location(archive)) == 140
    assert stored(archive) == before
    assert problems(archive, part(cells, 0, 100)) == ()
    with pytest.raises(InputError, match="nothing to undo"):
        zarrmal.undo(Location(archive))
    zarrmal.append(part(cells, 100, 240), archive)
    assert problems(archive, cells) == ()


def test_undo_forgets_new_labels(archive, cells, monkeypatch):
    """The label array's own document told them already."""
    before, more = stored(archive), part(cells, 100, 240)
    names = [f"new {k % 2}" for k in range(140)]
    source = open_source(
        more.read(np.arange(140)), labels=names, names=more.names, groups=more.groups
    )

    def stop(*_, **__):
        raise OSError("no")

    with monkeypatch.context() as patch:
        patch.setattr("zarrmal.archive.write.commit.group_documents", stop)
        with pytest.raises(OSError, match="no"):
            zarrmal.append(source, archive, assign="shortest")
    label = zarr.open_group(archive, mode="r", use_consolidated=False)["label"]
    assert "new_1" in label.attrs["flag_meanings"]
    zarrmal.undo(Location(archive))
    assert stored(archive) == before
    assert problems(archive, part(cells, 0, 100)) == ()


@pytest.mark.parametrize("last", [150, 240])
def test_resuming_with_other_cells_what_was_complete(archive, cells, monkeypatch, last):
    """As many of them, or more: the earlier ones stay, and that these are not in is told."""

    def fail(_):
        raise OSError("the network is gone")

    with monkeypatch.context() as patch:
        patch.setattr("zarrmal.archive.lock.writer_lock.WriterLock._remove", fail)
        with pytest.raises(OSError, match="network"):
            zarrmal.append(part(cells, 100, 125), archive)
    others = part(cells, 125, last)
    with pytest.raises(InputError, match="are NOT in the archive: append them without --resume"):
        zarrmal.append(others, archive, options=AppendOptions(resume=True))
    assert read_journal(Location(archive)) is None
    assert problems(archive, part(cells, 0, 125)) == ()
    assert zarrmal.append(others, archive).n_cells == last
    assert problems(archive, part(cells, 0, last)) == ()


def stored(place):
    fs, root = Location(place).filesystem()
    return {path: fs.cat_file(path) for path in fs.find(root)}


def test_cells_that_do_not_fit_change_nothing(archive, cells):
    before = stored(archive)
    whole = part(cells, 100, 200)
    numbers = np.arange(100)
    bare = {
        "no labels": open_source(whole.read(numbers), names=whole.names, groups=whole.groups),
        "no names": open_source(whole.read(numbers), labels=whole.labels, groups=whole.groups),
        "other shape": open_source(np.ones((9, 20, 20), np.uint8)),
    }
    for what, source in bare.items():
        with pytest.raises(InputError, match=r"holds for each cell|20 x 20"):
            zarrmal.append(source, archive, assign="shortest")
        assert stored(archive) == before, what
    assert read_journal(Location(archive)) is None


def test_new_labels_join_the_old_ones(archive, cells):
    names = np.array(cells.class_names)[cells.labels[100:150]]
    names[:10] = "unsure"
    more = part(cells, 100, 150)
    source = open_source(
        more.read(np.arange(50)), labels=names, names=more.names, groups=more.groups
    )
    zarrmal.append(source, archive, assign="shortest")
    group = zarr.open_group(archive, mode="r")
    known = facts_of(group)["label_names"]
    assert known == [*cells.class_names, "unsure"]
    assert group["label"].attrs["flag_meanings"].split()[-1] == "unsure"
    found = np.array(known)[group["label"][:][np.argsort(group["source_index"][:])]]
    assert found[100:].tolist() == names.tolist()
    assert problems(archive) == ()


def test_a_second_writer_is_refused(archive, cells):
    refused = []
    source = part(cells, 100, 240)
    inner = source.read

    def read(rows):
        if not refused and len(rows) < 60:
            with pytest.raises(InputError) as error:
                zarrmal.append(part(cells, 100, 110), archive, options=AppendOptions(resume=True))
            refused.append(str(error.value))
        return inner(rows)

    source.read = read
    zarrmal.append(source, archive, options=AppendOptions(workers=1))
    assert "another process" in refused[0]
    assert problems(archive, cells) == ()


@pytest.mark.parametrize("name", ["cells/c/3/0/0", "source_index/c/0", "source_name/c/0"])
def test_a_damaged_last_chunk_stops_the_append(cells, model, tmp_path, name):
    place = tmp_path / "a"
    options = WriteOptions(chunk_cells=32)
    zarrmal.write(part(cells, 0, 100), place, model=model, options=options)
    data = bytearray((place / name).read_bytes())
    data[-1] ^= 1
    (place / name).write_bytes(data)
    before = stored(str(place))
    with pytest.raises(ZarrmalError, match="sha256"):
        zarrmal.append(part(cells, 100, 240), place)
    assert stored(str(place)) == before
    assert read_journal(Location(str(place))) is None
