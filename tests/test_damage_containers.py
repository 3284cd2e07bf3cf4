"""Damaged zip and tar files around an archive: the damage is told as that of single files is."""

from __future__ import annotations

import tarfile
import zipfile

import numpy as np
import pytest
import zarr
from damaged import N, flip, run
from zarrmal_codecs import CorruptionError

import zarrmal
from zarrmal import InputError
from zarrmal.archive import Location


def packed_with_damage(archive, place, name, part):
    """The archive as a zip file, and a byte of one member changed."""
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(archive.place.rglob("*")):
            packed.write(path, path.relative_to(archive.place))
        member = packed.getinfo(name)
    at = member.header_offset  # of its header; its bytes come after 30 more, and its name
    if part == "bytes":
        at += 30 + len(name) + member.compress_size // 2
    place.write_bytes(flip(at)(place.read_bytes()))
    return f"zip::{place}"


@pytest.mark.parametrize("part", ["bytes", "header"])
def test_a_chunk_in_a_zip(whole, tmp_path, part):
    name = f"cells/{whole.key(1)}"
    url = packed_with_damage(whole, tmp_path / "a.zip", name, part)
    report = zarrmal.verify(Location(url), whole.source)
    (finding,) = report.findings
    assert (finding.chunk, finding.kind, finding.lost) == (whole.key(1), "unreadable", ((16, 31),))
    assert "cannot be read" in finding.fault
    found = zarrmal.extract(Location(url), tmp_path / "out", skip_damaged=True)
    assert (found.n_cells, found.n_lost) == (N - 16, 16)
    rest = [*range(16), *range(32, N)]
    whole.check_files(tmp_path / "out", {whole.names[k]: k for k in rest})
    pixels, good = zarrmal.recover_cells(url)
    assert np.flatnonzero(good).tolist() == rest
    np.testing.assert_array_equal(pixels[rest], whole.pixels[rest])


@pytest.mark.parametrize("part", ["bytes", "header"])
@pytest.mark.parametrize("what", ["cells metadata", "names", "names metadata"])
def test_what_is_beside_the_pixels_in_a_zip(whole, tmp_path, what, part):
    document = "zarr.json" if whole.v3 else ".zarray"
    name = {
        "cells metadata": f"cells/{document}",
        "names": f"source_name/{whole.key(0, 'source_name')}",
        "names metadata": f"source_name/{document}",
    }[what]
    url = packed_with_damage(whole, tmp_path / "a.zip", name, part)
    assert zarrmal.verify(Location(url)).problems
    found = zarrmal.extract(Location(url), tmp_path / "out", skip_damaged=True)
    assert (found.n_cells, found.n_lost) == (N, 0)
    names = [f"position-{k:02d}.png" for k in range(N)] if what == "names" else whole.names
    whole.check_files(tmp_path / "out", {name: k for k, name in enumerate(names)})


def test_the_commands_tell_it_in_lines(whole, tmp_path):
    url = packed_with_damage(whole, tmp_path / "a.zip", f"cells/{whole.key(1)}", "bytes")
    for words in (["verify", url], ["extract", url, tmp_path / "out", "--skip-damaged"]):
        told = run(*words)
        assert isinstance(told.exception, SystemExit)
        assert told.exit_code == 1
        assert "(cells 16 to 31) cannot be read" in told.stdout
    assert run("info", url).exit_code == 0


def in_a_tar(archive, place):
    """The archive as a tar file: where its members begin and the last one ends."""
    compression = place.suffix[1:] if place.suffix != ".tar" else ""
    with tarfile.open(place, f"w:{compression}") as packed:
        for path in sorted(archive.place.iterdir()):
            packed.add(path, path.name)
    with tarfile.open(place) as packed:
        members = packed.getmembers()
    starts = {member.name: member.offset for member in members}
    return starts, members[-1].offset_data + members[-1].size


def cut_off(place, length):
    place.write_bytes(place.read_bytes()[:length])


def group_document(archive):
    return "zarr.json" if archive.v3 else ".zgroup"


def check_commands(url, tmp_path, codes_of_info=(1,)):
    """Damage, in one line, whatever is asked."""
    for words, codes in (
        (["verify", url], (1,)),
        (["info", url], codes_of_info),
        (["extract", url, tmp_path / "out", "--skip-damaged"], (1,)),
    ):
        told = run(*words)
        assert told.exit_code in codes, told.output
        assert isinstance(told.exception, SystemExit | None), told.exception


@pytest.mark.parametrize("kept", [0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95])
def test_a_tar_that_is_cut_off(whole, tmp_path, kept):
    place = tmp_path / "a.tar"
    _, end = in_a_tar(whole, place)
    cut_off(place, int(kept * end))
    # The group's documents of format 2 come first: they may be all that info needs.
    check_commands(f"tar::{place}", tmp_path, (1,) if whole.v3 else (0, 1))


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.95])
def test_a_compressed_tar_that_is_cut_off(whole, tmp_path, kept):
    place = tmp_path / "a.tar.gz"
    in_a_tar(whole, place)
    cut_off(place, int(kept * place.stat().st_size))
    check_commands(f"tar::{place}", tmp_path)


@pytest.mark.parametrize("n_bytes", [0, 100])
def test_a_tar_that_is_cut_off_in_a_header(whole, tmp_path, n_bytes):
    """tarfile takes what is left for the whole."""
    place = tmp_path / "a.tar"
    starts, _ = in_a_tar(whole, place)
    cut_off(place, starts[group_document(whole)] + n_bytes)
    check_commands(f"tar::{place}", tmp_path)
    with pytest.raises(CorruptionError, match="the tar file is cut off"):
        zarrmal.open(f"tar::{place}")


def test_a_damaged_header_in_a_tar(whole, tmp_path):
    place = tmp_path / "a.tar"
    starts, _ = in_a_tar(whole, place)
    place.write_bytes(flip(starts[group_document(whole)])(place.read_bytes()))
    check_commands(f"tar::{place}", tmp_path)


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.95])
def test_a_zip_that_is_cut_off(whole, tmp_path, kept):
    """Its table of contents is at the end."""
    place = tmp_path / "a.zip"
    with zipfile.ZipFile(place, "w") as packed:
        for path in sorted(whole.place.rglob("*")):
            packed.write(path, path.relative_to(whole.place))
    cut_off(place, int(kept * place.stat().st_size))
    check_commands(f"zip::{place}", tmp_path)


def test_a_source_in_a_tar_that_is_cut_off(tmp_path):
    """Chunks that are missing are not read as black cells."""
    pixels = np.full((6, 4, 4), 7, np.uint8)
    zarr.create_array(tmp_path / "a.zarr", data=pixels, chunks=(2, 4, 4))
    with tarfile.open(tmp_path / "a.tar", "w") as packed:
        packed.add(tmp_path / "a.zarr" / "zarr.json", "zarr.json")
        for k in range(3):
            packed.add(tmp_path / "a.zarr" / f"c/{k}/0/0", f"c/{k}/0/0")
    with tarfile.open(tmp_path / "a.tar") as packed:
        starts = [member.offset for member in packed.getmembers()]
    url = f"tar::{tmp_path / 'a.tar'}"
    np.testing.assert_array_equal(zarrmal.open_source(url).read(np.arange(6)), pixels)
    for length in (starts[3], starts[3] + 100, starts[3] + 520):
        cut_off(tmp_path / "a.tar", length)
        with pytest.raises(InputError):
            zarrmal.open_source(url)


@pytest.mark.parametrize("is_archive", [True, False])
def test_a_damaged_chunk_of_a_source_in_a_zip(whole, tmp_path, is_archive):
    place, key = whole.place, f"cells/{whole.key(1)}"
    if not is_archive:
        place, key = tmp_path / "a.zarr", "c/1/0/0"
        zarr.create_array(place, data=whole.pixels, chunks=(16, 24, 24))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        for path in sorted(place.rglob("*")):
            packed.write(path, path.relative_to(place))
        at = packed.getinfo(key).header_offset + 30 + len(key) + 5
    (tmp_path / "a.zip").write_bytes(flip(at)((tmp_path / "a.zip").read_bytes()))
    source = zarrmal.open_source(f"zip::{tmp_path / 'a.zip'}")
    with pytest.raises(InputError):
        source.read(np.arange(N))
