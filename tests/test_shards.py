"""Shards: their bytes are Zarr's, and damage in one costs what it touches."""

import shutil
import struct
from functools import partial

import google_crc32c
import numpy as np
import pytest
import zarr
from damaged import run
from zarrmal_codecs import CorruptionError, TruncatedError, ZarrmalError

import zarrmal
from zarrmal.archive import AppendOptions, Location, WriteOptions
from zarrmal.archive.shard import (
    join_shard,
    read_shard_index,
    shard_index_bytes,
    split_shard,
)
from zarrmal.sources import Subset


@pytest.fixture(scope="module", params=["start", "end"])
def whole(request, cells, model, tmp_path_factory):
    """100 cells in chunks of 8, shards of 32."""
    place = tmp_path_factory.mktemp("shards") / "a"
    options = WriteOptions(chunk_cells=8, shard_cells=32, shard_index=request.param)
    zarrmal.write(Subset(cells, range(100)), place, model=model, assign="labels", options=options)
    return place


@pytest.fixture
def archive(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "a")


def shard(archive, k=1):
    return archive / f"cells/c/{k}/0/0"


def index_location(archive):
    codec = zarr.open_group(archive, mode="r")["cells"].metadata.codecs[0]
    location = codec.index_location
    return getattr(location, "value", location)


def damage(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 16
    path.write_bytes(data)


def test_zarr_reads_its_own_shards(archive, cells):
    array = zarr.open_group(archive, mode="r")["cells"]
    assert (array.shards[0], array.chunks[0]) == (32, 8)
    order = zarr.open_group(archive, mode="r")["source_index"][:]
    np.testing.assert_array_equal(array[:], cells.read(order))
    np.testing.assert_array_equal(array[37], cells.read(order[37:38])[0])
    assert len(list((archive / "cells/c").iterdir())) == 4
    assert zarrmal.info(Location(str(archive))).n_cells == 100


@pytest.mark.parametrize("offset", [0, shard_index_bytes(2) - 1])
def test_an_index_that_names_itself_is_refused(offset):
    data = bytearray(join_shard([b"first", b"second"]))
    struct.pack_into("<Q", data, 16, offset)
    check = google_crc32c.value(bytes(data[:32]))
    data[32:36] = check.to_bytes(4, "little")
    with pytest.raises(TruncatedError, match="index names bytes"):
        split_shard(bytes(data), 2)


def test_auto_takes_what_the_target_reads():
    for url, location in (("a.zarr", "end"), ("s3://b/a", "end"), ("gs://b/a", "end"),
                          ("az://b/a", "start"), ("abfs://b/a", "start")):  # fmt: skip
        assert WriteOptions().index_location(url) == location
        assert WriteOptions(shard_index="start").index_location(url) == "start"
        assert WriteOptions(shard_index="end").index_location(url) == "end"
    with pytest.raises(zarrmal.InputError, match="start or end"):
        WriteOptions(shard_index="middle")


def test_the_command_line_chooses(cells, tmp_path):
    np.save(tmp_path / "cells.npy", cells.read(np.arange(20)))
    for choice, location in (("auto", "end"), ("start", "start"), ("end", "end")):
        done = run("archive", tmp_path / "cells.npy", tmp_path / choice, "--chunk-cells", 4,
                   "--shard-cells", 8, "--shard-index", choice)  # fmt: skip
        assert done.exit_code == 0, done.stderr
        assert index_location(tmp_path / choice) == location
    assert run("archive", "x", "y", "--shard-index", "middle").exit_code == 2


@pytest.mark.parametrize("location", ["start", "end"])
def test_through_a_cache(cells, model, tmp_path, location):
    """fsspec's cache takes no request for the last bytes of a file."""
    options = WriteOptions(chunk_cells=8, shard_cells=32, shard_index=location)
    zarrmal.write(Subset(cells, range(40)), f"memory://cache-{location}", model=model,
                  assign="labels", options=options)  # fmt: skip
    url = f"simplecache::memory://cache-{location}"
    assert zarrmal.verify(url, Subset(cells, range(40))).problems == ()
    assert zarrmal.info(url).n_cells == 40
    pixels, good = zarrmal.recover_cells(url)
    assert good.all()
    if location == "start":
        np.testing.assert_array_equal(zarrmal.open(url).cells.values, pixels)


def test_latent_vectors_are_counted(cells, model, tmp_path):
    """As many as without shards; the last shard is not full."""
    found, source = [], Subset(cells, range(100))
    for shard_cells in (None, 32):
        place = tmp_path / f"{shard_cells}"
        options = WriteOptions(chunk_cells=8, shard_cells=shard_cells)
        zarrmal.write(source, place, model=model, assign="labels", options=options)
        found.append(zarrmal.info(Location(str(place))).latent_bytes)
    assert found[0] == found[1] > 0
    damage(shard(tmp_path / "32"), shard(tmp_path / "32").stat().st_size - 3)
    assert 0 < zarrmal.info(Location(str(tmp_path / "32"))).latent_bytes < found[1]


@pytest.mark.parametrize("location", ["start", "end"])
def test_the_inverse_of_both(location):
    chunks = [b"one", None, b"", b"three"]
    data = join_shard(chunks, location)
    assert [None if c is None else bytes(c) for c in split_shard(data, 4, location)] == chunks
    for n in range(len(data)):
        with pytest.raises((TruncatedError, CorruptionError)):
            split_shard(data[:n], 4, location)
    first = 0 if location == "start" else len(data) - shard_index_bytes(4)
    for at in range(first, first + shard_index_bytes(4)):
        damaged = bytearray(data)
        damaged[at] ^= 1
        with pytest.raises(CorruptionError):
            split_shard(damaged, 4, location)


def test_the_inverse():
    chunks = [b"one", None, b"", b"three"]
    data = join_shard(chunks)
    assert [None if c is None else bytes(c) for c in split_shard(data, 4)] == chunks
    for n in range(shard_index_bytes(4)):
        with pytest.raises(TruncatedError):
            split_shard(data[:n], 4)
    with pytest.raises(TruncatedError, match="names bytes"):
        split_shard(data[:-1], 4)
    for at in range(shard_index_bytes(4)):
        damaged = bytearray(data)
        damaged[at] ^= 1
        with pytest.raises(CorruptionError):
            split_shard(damaged, 4)


def last_payload_byte(archive, k):
    """Behind it there may be the index."""
    n_index = shard_index_bytes(4) if index_location(archive) == "end" else 0
    return shard(archive, k).stat().st_size - n_index


def test_a_byte_takes_its_cell_alone(archive, cells, tmp_path):
    damage(shard(archive), last_payload_byte(archive, 1) - 3)  # of the last cell, 63
    report = zarrmal.verify(Location(str(archive)))
    assert report.n_lost == 1
    assert {cell for finding in report.findings for run in finding.lost for cell in run} == {63}
    pixels, good = zarrmal.recover_cells(archive)
    assert np.flatnonzero(~good).tolist() == [63]
    order = zarr.open_group(archive, mode="r")["source_index"][:]
    np.testing.assert_array_equal(pixels[good], cells.read(order[good]))
    found = zarrmal.extract(Location(str(archive)), tmp_path / "out", skip_damaged=True)
    assert (found.n_cells, found.n_lost) == (99, 1)
    with pytest.raises(CorruptionError, match="--skip-damaged"):
        zarrmal.extract(Location(str(archive)), tmp_path / "other")


def test_a_damaged_index_takes_the_shard(archive):
    at_end = index_location(archive) == "end"
    damage(shard(archive), shard(archive).stat().st_size - 3 if at_end else 3)
    assert zarrmal.verify(Location(str(archive))).n_lost == 32
    assert np.flatnonzero(~zarrmal.recover_cells(archive)[1]).tolist() == list(range(32, 64))


def test_a_shard_that_is_gone(archive):
    shard(archive, 3).unlink()
    assert zarrmal.verify(Location(str(archive))).n_lost == 4


def test_what_is_appended_leaves_full_shards_alone(archive, cells):
    before = {k: shard(archive, k).stat().st_mtime_ns for k in range(4)}
    zarrmal.append(Subset(cells, range(100, 240)), archive)
    after = {k: shard(archive, k).stat().st_mtime_ns for k in range(4)}
    assert [k for k in range(4) if before[k] != after[k]] == [3]
    assert not zarrmal.verify(Location(str(archive)), cells).problems


@pytest.mark.parametrize("again", ["resume", "undo"])
def test_damage_in_a_shard_gets_no_digest_of_its_own(cells, model, tmp_path, monkeypatch, again):
    """A full chunk of the last shard is damaged between an interrupted append and what follows."""
    place, new = tmp_path / "a", Subset(cells, range(80, 96))
    options = WriteOptions(chunk_cells=8, shard_cells=32, shard_index="start")
    zarrmal.write(Subset(cells, range(80)), place, model=model, assign="labels", options=options)

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("zarrmal.archive.write.segment.commit", stop)
        with pytest.raises(KeyboardInterrupt):
            zarrmal.append(new, place)
    offset, length = read_shard_index(shard(place, 2).read_bytes(), 4)[0]
    damage(shard(place, 2), offset + length - 4)
    second = partial(zarrmal.undo, Location(str(place)))
    if again == "resume":
        second = partial(zarrmal.append, new, place, options=AppendOptions(resume=True))
    with pytest.raises(ZarrmalError):
        second()
    assert any("c/2/0/0" in problem for problem in zarrmal.verify(Location(str(place))).problems)
