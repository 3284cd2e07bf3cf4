"""Damaged zip and tar files around an archive: the damage is told as that of single files is."""

from __future__ import annotations

import tarfile
import zipfile

import numpy as np
import pytest
from damaged import N, flip, run

import zarrmal
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


@pytest.mark.parametrize("kept", [0.02, 0.6])
@pytest.mark.parametrize("compression", ["", "gz"])
def test_a_tar_that_is_cut_off(whole, tmp_path, kept, compression):
    place = tmp_path / f"a.tar{compression and '.gz'}"
    with tarfile.open(place, f"w:{compression}") as packed:
        for path in sorted(whole.place.iterdir()):
            packed.add(path, path.name)
    data = place.read_bytes()
    place.write_bytes(data[: int(kept * len(data))])
    for words in (["verify"], ["info"], ["extract", "--skip-damaged", tmp_path / "out"]):
        told = run(words[0], f"tar::{place}", *words[:0:-1])
        assert isinstance(told.exception, SystemExit)
        assert told.exit_code == 1
        assert told.stderr.startswith("error: ")
