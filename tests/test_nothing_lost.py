"""What was there stays, until the whole new archive is."""

import hashlib
import uuid

import fsspec
import numpy as np
import pytest

import zarrmal
from zarrmal.archive import Archive, Location, WriteOptions
from zarrmal.classify import LabelAssigner
from zarrmal.errors import InputError
from zarrmal.sources import Source, Subset

CLASSES = ("parasitized", "uninfected")


class Failing(Source):
    """Raises at the second chunk, which is the third read after the sample."""

    def __init__(self, source, error):
        self._source, self._error, self._n_reads = source, error, 0
        for name in ("n_cells", "cell_shape", "class_names", "labels"):
            setattr(self, name, getattr(source, name))

    def read(self, indices):
        self._n_reads += 1
        if self._n_reads == 3:
            raise self._error
        return self._source.read(indices)


@pytest.fixture(params=[InputError("an image has changed"), KeyboardInterrupt(), OSError("disk")])
def failing(request, cells):
    return Failing(cells, request.param), type(request.param)


def rest(folder):
    """What lies there beside what an interrupted run goes on with."""
    return {name: d for name, d in tree(folder).items() if ".zarrmal-" not in name.split("/")[0]}


def sound(cells):
    """The failing source, mended."""
    source = Failing(cells, None)
    source._n_reads = 100
    return source


def tree(folder):
    """Every file and folder below, with the digest of its bytes."""
    return {
        str(path.relative_to(folder)): path.is_file()
        and hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
    }


def write(source, url, model, *, workers=1, **wishes):
    options = WriteOptions(chunk_cells=50, workers=workers, **wishes)
    assigner = LabelAssigner(source, CLASSES)
    return Archive.write(source, str(url), model=model, assigner=assigner, options=options)


def test_an_archive_is_not_overwritten_unasked(archive, cells, model):
    before = tree(archive.parent)
    with pytest.raises(InputError, match="exists already"):
        write(cells, archive, model)
    assert tree(archive.parent) == before


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_while_overwriting_keeps_the_old(archive, failing, cells, model, workers):
    source, error = failing
    before = tree(archive.parent)
    with pytest.raises(error):
        write(source, archive, model, overwrite=True, workers=workers)
    assert rest(archive.parent) == before
    assert (tree(archive.parent) == before) == (error is InputError)  # else it can go on
    write(sound(cells), archive, model, overwrite=True, resume=error is not InputError)
    assert not zarrmal.verify(Location(str(archive)), sound(cells)).problems
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]


def test_an_error_while_the_new_takes_its_place_keeps_the_old(archive, cells, model, monkeypatch):
    before = tree(archive.parent)
    rename = type(archive).rename

    def refuse_second(path, target):
        if ".zarrmal-" in path.name and "-old-" not in path.name:
            raise PermissionError("no")
        return rename(path, target)

    monkeypatch.setattr(type(archive), "rename", refuse_second)
    with pytest.raises(PermissionError):
        write(cells, archive, model, overwrite=True)
    assert rest(archive.parent) == before


@pytest.mark.parametrize("remote", [False, True], ids=["local", "memory"])
def test_a_failed_first_write_can_go_on(failing, cells, model, tmp_path, remote):
    source, error = failing
    url = f"memory://{uuid.uuid4().hex}/a" if remote else str(tmp_path / "a")
    with pytest.raises(error):
        write(source, url, model)
    if error is InputError:
        assert Location(url).sizes() == {}
        assert not remote or not fsspec.filesystem("memory").exists(url)
        assert list(tmp_path.iterdir()) == []
        return
    with pytest.raises(InputError, match="incomplete" if remote else "was interrupted"):
        zarrmal.open(url)
    with pytest.raises(InputError, match="--resume"):
        write(sound(cells), url, model)
    write(sound(cells), url, model, resume=True)
    assert not zarrmal.verify(Location(url), cells).problems
    assert remote or [path.name for path in tmp_path.iterdir()] == ["a"]


def test_overwriting(archive, cells, model):
    fewer = Subset(cells, np.arange(60))
    write(fewer, archive, model, overwrite=True)
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]
    assert not zarrmal.verify(Location(str(archive)), fewer).problems
    assert zarrmal.open(archive).sizes["cell"] == 60


def test_an_archive_can_be_overwritten_with_its_own_cells(archive, cells, model):
    options = WriteOptions(overwrite=True, chunk_cells=80)
    zarrmal.write(archive, archive, model=model, assign="labels", options=options)
    dataset = zarrmal.open(archive)
    np.testing.assert_array_equal(dataset["cells"], cells.read(np.argsort(cells.labels, stable=1)))


@pytest.mark.parametrize("remote", [False, True], ids=["local", "memory"])
def test_a_folder_of_something_else_is_never_deleted(cells, model, tmp_path, remote):
    url = f"memory://{uuid.uuid4().hex}" if remote else str(tmp_path)
    with fsspec.open(f"{url}/thesis.txt", "w") as file:
        file.write("years of work")
    with pytest.raises(InputError, match="not a Zarr archive"):
        write(cells, url, model, overwrite=True)
    with fsspec.open(f"{url}/thesis.txt") as file:
        assert file.read() == b"years of work"
    assert len(Location(url).sizes()) == 1


def test_a_file_is_never_overwritten(cells, model, tmp_path):
    (tmp_path / "a").write_text("years of work")
    with pytest.raises(InputError, match="not a Zarr archive"):
        write(cells, tmp_path / "a", model, overwrite=True)
    assert (tmp_path / "a").read_text() == "years of work"
    with pytest.raises(OSError):
        write(cells, tmp_path / "a" / "b", model)


def test_of_two_writers_one_is_refused(cells, model, tmp_path):
    slow = Failing(Subset(cells, np.arange(60)), None)
    refused = []

    def read(rows):
        if len(rows) == 50 and not refused:  # its first chunk
            with pytest.raises(InputError) as error:
                write(cells, tmp_path / "a", model, overwrite=True, resume=True)
            refused.append(str(error.value))
        return slow._source.read(rows)

    slow.read = read
    write(slow, tmp_path / "a", model)
    assert "another process" in refused[0]
    assert zarrmal.open(tmp_path / "a").sizes["cell"] == 60
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_appears_while_cells_are_written_stays(cells, model, tmp_path, overwrite):
    source = Failing(cells, None)

    def read(rows):
        if len(rows) == 50:  # a chunk; before, cells are sampled
            (tmp_path / "a").mkdir(exist_ok=True)
            (tmp_path / "a" / "thesis.txt").write_text("years of work")
        return source._source.read(rows)

    source.read = read
    with pytest.raises(InputError, match="not a Zarr archive" if overwrite else "exists already"):
        write(source, tmp_path / "a", model, overwrite=overwrite)
    assert (tmp_path / "a" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("zarr_format", "last"), [(3, ["zarr.json"]), (2, [".zattrs", ".zgroup", ".zmetadata"])]
)
def test_where_nothing_can_be_renamed_an_archive_appears_when_it_is_whole(
    cells, model, monkeypatch, zarr_format, last
):
    url, copied = f"memory://{uuid.uuid4().hex}/a", []
    fs, root = Location(url).filesystem()
    write(cells, url, model)
    copy = type(fs).cp_file

    def copying(self, source, target, **more):
        copied.append(target.removeprefix(f"{root}/"))
        copy(self, source, target, **more)

    monkeypatch.setattr(type(fs), "cp_file", copying)
    write(cells, url, model, overwrite=True, zarr_format=zarr_format)
    assert len(copied) == len(Location(url).sizes()) > len(last)
    assert sorted(copied[-len(last) :]) == last


def test_an_empty_folder_and_missing_parents_will_do(cells, model, tmp_path):
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "x" / "y" / "a"):
        write(cells, place, model)
        assert not zarrmal.verify(Location(str(place)), cells).problems


def test_a_link_stays_a_link(archive, cells, model):
    link = archive.with_name("link")
    link.symlink_to(archive)
    write(Subset(cells, np.arange(60)), link, model, overwrite=True)
    assert link.is_symlink()
    assert zarrmal.open(archive).sizes["cell"] == 60
    assert sorted(path.name for path in archive.parent.iterdir()) == ["cells.zarr", "link"]


def test_a_file_url_is_a_local_path(archive, failing, model):
    source, error = failing
    before = tree(archive.parent)
    with pytest.raises(error):
        write(source, f"file://{archive}", model, overwrite=True)
    assert rest(archive.parent) == before


def test_an_unwritable_place(cells, model):
    with pytest.raises((OSError, InputError)) as error:
        write(cells, "/proc/zarrmal-test", model)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("wish", [{"chunk_cells": 0}, {"zarr_format": 4}, {"workers": 0}])
def test_impossible_wishes(wish):
    with pytest.raises(InputError):
        WriteOptions(**wish)
