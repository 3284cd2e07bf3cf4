"""Damaged chunks: verify names exactly the cells that are lost, extract saves all the rest."""

from __future__ import annotations

import numpy as np
import pytest
from damaged import PER_CHUNK, N, flip, listing
from facts import facts_of
from zarrmal_codecs.chunk.chunk import encode_chunk
from zarrmal_codecs.chunk.coder import coder_for

import zarrmal
from zarrmal.archive import Location
from zarrmal.errors import InputError
from zarrmal.models import shipped_model


def test_a_sound_archive(damaged, tmp_path):
    report = zarrmal.extract(Location(str(damaged.place)), tmp_path / "out", skip_damaged=True)
    assert (report.n_cells, report.damaged, report.problems, report.listing) == (N, (), (), None)
    damaged.check_files(tmp_path / "out", {name: k for k, name in enumerate(damaged.names)})
    pixels, good = zarrmal.recover_cells(damaged.place, [31, 3, 39, 3])
    assert good.all()
    np.testing.assert_array_equal(pixels, damaged.pixels[[31, 3, 39, 3]])
    with pytest.raises(InputError, match="numbered 0 to 39"):
        zarrmal.recover_cells(damaged.place, [40])


def test_flipped_bytes_of_two_chunks(damaged, tmp_path):
    lost = []
    for number, cells in [(0, (0, 5, 6)), (2, (7,))]:
        ends = damaged.ends(number)
        for k in cells:
            if ends[k + 1] > ends[k]:
                damaged.edit(number, flip(int(ends[k + 1]) - 5))
                lost.append(number * PER_CHUNK + k)
    assert len(lost) >= 3
    rest = {*range(16), *range(32, 40)} - set(lost)
    damaged.check(tmp_path, lost, rest, chunks=(0, 2))


def test_a_damaged_header(damaged, tmp_path):
    damaged.edit(1, flip(30))
    damaged.check(tmp_path, range(16, 32), chunks=(1,))
    assert "wholly lost" in listing(tmp_path / "out")[0]


def test_a_deleted_chunk(damaged, tmp_path):
    damaged.path(1).unlink()
    damaged.check(tmp_path, range(16, 32), chunks=(1,))


@pytest.mark.parametrize("whole_cells", [0, 6, 15])
def test_a_truncated_chunk(damaged, tmp_path, whole_cells):
    ends = damaged.ends(1)
    kept = int(ends[whole_cells]) + 2
    damaged.edit(1, lambda data: data[:kept])
    lost = [16 + k for k in range(16) if ends[k + 1] > kept and ends[k + 1] > ends[k]]
    damaged.check(tmp_path, lost, set(range(16, 32)) - set(lost), chunks=(1,))
    assert any("truncated" in line for line in listing(tmp_path / "out"))


def test_zeros(damaged, tmp_path):
    damaged.edit(0, lambda data: bytes(len(data)))
    damaged.check(tmp_path, range(16), chunks=(0,))


def test_swapped_chunks(damaged, tmp_path):
    first, second = damaged.path(0).read_bytes(), damaged.path(1).read_bytes()
    damaged.edit(0, lambda data: second)
    damaged.edit(1, lambda data: first)
    damaged.check(tmp_path, range(32), chunks=(0, 1))
    problems = zarrmal.verify(Location(str(damaged.place))).problems
    assert f"it holds the bytes of chunk {damaged.key(1)}" in problems[0]
    assert f"it holds the bytes of chunk {damaged.key(0)}" in problems[1]


def test_a_chunk_of_another_model(damaged, tmp_path, model):
    """Sound in itself, with the right shape."""
    sha256 = facts_of(zarrmal.open(damaged.place))["sha256"]
    other = next(m for m in (model, shipped_model(1)) if m.digest != sha256)
    data = encode_chunk(damaged.pixels[16:32], coder_for(other))
    damaged.edit(1, lambda _: data)
    damaged.check(tmp_path, range(16, 32), chunks=(1,))


def test_bytes_after_the_end_lose_nothing(damaged, tmp_path):
    damaged.edit(1, lambda data: data + bytes(100))
    damaged_report = zarrmal.verify(Location(str(damaged.place)), damaged.source)
    (problem,) = damaged_report.problems
    assert "none of its cells is lost" in problem
    report = zarrmal.extract(Location(str(damaged.place)), tmp_path / "out", skip_damaged=True)
    assert (report.n_cells, report.damaged, len(report.problems)) == (N, (), 1)


def test_a_disk_that_fails(damaged, tmp_path, monkeypatch):
    from zarrmal.archive.read.chunks import chunks

    read = chunks.get_bytes

    def fail(store, key):
        if key.endswith(damaged.key(1)):
            raise OSError(5, "Input/output error")
        return read(store, key)

    monkeypatch.setattr(chunks, "get_bytes", fail)
    damaged.check(tmp_path, range(16, 32), chunks=(1,))
    problems = zarrmal.verify(Location(str(damaged.place))).problems
    assert "cannot be read: Input/output error" in problems[0]
