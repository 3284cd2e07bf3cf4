"""Damaged archives: verify names exactly what is lost, extract saves all the rest."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner
from zarrmal_codecs import CorruptionError, ZarrmalError
from zarrmal_codecs.chunk import encode_chunk
from zarrmal_codecs.coder import coder_for
from zarrmal_codecs.header import header_bytes, parse_header

import zarrmal
from zarrmal.archive import Target, WriteOptions, extract_archive, verify_archive
from zarrmal.archive.extract_report import LISTING, LOST, RECOVERED, UNNAMED
from zarrmal.cli import app
from zarrmal.cli.inspect import TOLD_PROBLEMS
from zarrmal.errors import InputError
from zarrmal.models import shipped_model
from zarrmal.sources import open_source

N, PER_CHUNK = 40, 16  # chunks of cells 0 to 15, 16 to 31, 32 to 39
BLANK = 2


class Archive:
    """An archive, its source, and what was done to it."""

    def __init__(self, place, source):
        self.place, self.source = place, source
        self.v3 = (place / "zarr.json").exists()
        order = zarrmal.open(place).source_index.values
        self.pixels = source.read(order)
        self.names = order if source.names is None else source.names[order]

    def copy(self, place):
        other = object.__new__(Archive)
        other.__dict__ = self.__dict__ | {"place": shutil.copytree(self.place, place)}
        return other

    def key(self, number, name="cells"):
        inner = "/0/0" if name == "cells" else ""
        return f"c/{number}{inner}" if self.v3 else f"{number}{inner}".replace("/", ".")

    def path(self, number, name="cells"):
        return self.place / name / self.key(number, name)

    def edit(self, number, change, name="cells"):
        path = self.path(number, name)
        path.write_bytes(change(path.read_bytes()))

    def ends(self, number):
        """Where the header of a chunk ends, and each stream."""
        data = memoryview(self.path(number).read_bytes())
        return [*(header_bytes(data) + np.cumsum([0, *parse_header(data).index.lengths]))]

    def check(self, tmp_path, lost, recovered=(), chunks=()):
        """verify, extract and read_cells agree on exactly this."""
        lost, recovered = set(lost), set(recovered)
        for source in (None, self.source):
            report = verify_archive(Target(str(self.place)), source)
            findings = [f for f in report.findings if f.kind != "differs"]
            assert [f.chunk for f in findings] == [self.key(k) for k in chunks]
            assert told_lost(findings) == sorted(lost)
            assert report.n_lost == len(lost)
            for finding in findings:
                assert list(finding.names) == [self.names[k] for k in told_lost([finding])]
                assert finding.line in report.problems
        with pytest.raises(CorruptionError, match="--skip-damaged"):
            extract_archive(Target(str(self.place)), tmp_path / "strict")
        assert not list((tmp_path / "strict").rglob("*.partial"))
        found = extract_archive(Target(str(self.place)), tmp_path / "out", skip_damaged=True)
        assert positions(found, LOST) == lost
        assert positions(found, RECOVERED) == recovered
        assert found.n_cells == N - len(lost)
        self.check_files(tmp_path / "out", {self.names[k]: k for k in set(range(N)) - lost})
        rows = [line.split("\t") for line in listing(tmp_path / "out")]
        assert [(int(r[0]), r[2]) for r in rows] == [
            (k, self.names[k]) for k in sorted(lost | recovered)
        ]
        pixels, good = zarrmal.read_cells(self.place)
        assert set(np.flatnonzero(~good).tolist()) == lost
        np.testing.assert_array_equal(pixels[good], self.pixels[good])
        assert not pixels[~good].any()

    def check_files(self, folder, expected):
        found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        assert found - {LISTING} == set(expected)
        for name, position in expected.items():
            with Image.open(folder / name) as image:
                np.testing.assert_array_equal(np.asarray(image), self.pixels[position])


def told_lost(findings):
    return [k for f in findings for first, last in f.lost for k in range(first, last + 1)]


def positions(report, state):
    return {cell.position for cell in report.damaged if cell.state == state}


def listing(folder):
    text = (folder / LISTING).read_text()
    return [line for line in text.splitlines() if not line.startswith("#")][1:]


@pytest.fixture(scope="module")
def source(cells):
    pixels = cells.read(np.arange(N))
    pixels[BLANK] = 0
    labels = np.array(cells.class_names)[cells.labels[:N]]
    return open_source(pixels, labels=labels, names=cells.names[:N], groups=cells.groups[:N])


def write(source, place, model, zarr_format):
    options = WriteOptions(chunk_cells=PER_CHUNK, zarr_format=zarr_format)
    zarrmal.write(source, place, model=model, assign="labels", options=options)
    return Archive(place, source)


@pytest.fixture(scope="module", params=[("paper", 2), ("hybrid", 3)], ids=str)
def whole(request, tmp_path_factory, source, model):
    profile, zarr_format = request.param
    chosen = model if profile == "paper" else shipped_model(1)
    return write(source, tmp_path_factory.mktemp("whole") / "a.zarr", chosen, zarr_format)


@pytest.fixture
def damaged(whole, tmp_path):
    return whole.copy(tmp_path / "a.zarr")


def flip(at):
    return lambda data: data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1 :]


# Chunks of cells


def test_a_sound_archive(damaged, tmp_path):
    report = extract_archive(Target(str(damaged.place)), tmp_path / "out", skip_damaged=True)
    assert (report.n_cells, report.damaged, report.problems, report.listing) == (N, (), (), None)
    damaged.check_files(tmp_path / "out", {name: k for k, name in enumerate(damaged.names)})
    pixels, good = zarrmal.read_cells(damaged.place, [31, 3, 39, 3])
    assert good.all()
    np.testing.assert_array_equal(pixels, damaged.pixels[[31, 3, 39, 3]])
    with pytest.raises(InputError, match="numbered 0 to 39"):
        zarrmal.read_cells(damaged.place, [40])


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
    assert any("cut off" in line for line in listing(tmp_path / "out"))


def test_zeros(damaged, tmp_path):
    damaged.edit(0, lambda data: bytes(len(data)))
    damaged.check(tmp_path, range(16), chunks=(0,))


def test_swapped_chunks(damaged, tmp_path):
    first, second = damaged.path(0).read_bytes(), damaged.path(1).read_bytes()
    damaged.edit(0, lambda data: second)
    damaged.edit(1, lambda data: first)
    damaged.check(tmp_path, range(32), chunks=(0, 1))
    problems = verify_archive(Target(str(damaged.place))).problems
    assert f"it holds the bytes of chunk {damaged.key(1)}" in problems[0]
    assert f"it holds the bytes of chunk {damaged.key(0)}" in problems[1]


def test_a_chunk_of_another_model(damaged, tmp_path, model):
    """Sound in itself, with the right shape."""
    sha256 = zarrmal.open(damaged.place).attrs["zarrmal"]["sha256"]
    other = next(m for m in (model, shipped_model(1)) if m.digest != sha256)
    data = encode_chunk(damaged.pixels[16:32], coder_for(other))
    damaged.edit(1, lambda _: data)
    damaged.check(tmp_path, range(16, 32), chunks=(1,))


def test_bytes_after_the_end_lose_nothing(damaged, tmp_path):
    damaged.edit(1, lambda data: data + bytes(100))
    damaged_report = verify_archive(Target(str(damaged.place)), damaged.source)
    (problem,) = damaged_report.problems
    assert "none of its cells is lost" in problem
    report = extract_archive(Target(str(damaged.place)), tmp_path / "out", skip_damaged=True)
    assert (report.n_cells, report.damaged, len(report.problems)) == (N, (), 1)


def test_a_disk_that_fails(damaged, tmp_path, monkeypatch):
    from zarrmal.archive import chunks

    read = chunks.stored_bytes

    def fail(group, key):
        if key.endswith(damaged.key(1)):
            raise OSError(5, "Input/output error")
        return read(group, key)

    monkeypatch.setattr(chunks, "stored_bytes", fail)
    damaged.check(tmp_path, range(16, 32), chunks=(1,))
    problems = verify_archive(Target(str(damaged.place))).problems
    assert "cannot be read: Input/output error" in problems[0]


# What is beside the pixels


@pytest.mark.parametrize("fault", ["missing", "changed", "no array", "metadata"])
@pytest.mark.parametrize("name", ["source_name", "source_index", "label", "predicted_class"])
def test_a_damaged_index_array(damaged, tmp_path, name, fault):
    if fault == "missing":
        damaged.path(0, name).unlink()
    elif fault == "changed":
        damaged.edit(0, flip(-3), name)
    elif fault == "no array":
        shutil.rmtree(damaged.place / name)
    else:
        (damaged.place / name / ("zarr.json" if damaged.v3 else ".zarray")).write_text("{")
    target = Target(str(damaged.place))
    report = verify_archive(target)
    assert any(f"`{name}`" in problem for problem in report.problems)
    assert report.n_lost == 0
    if fault in ("missing", "changed"):
        (finding,) = report.findings
        assert (finding.array, finding.chunk, finding.kind) == (name, damaged.key(0, name), fault)
        assert finding.lost == ((0, N - 1),)
    expected = {name: k for k, name in enumerate(damaged.names)}
    if name == "source_name" and fault != "metadata":
        expected = {f"position-{k:02d}.png": k for k in range(N)}
    if name in ("source_name", "source_index"):
        with pytest.raises(CorruptionError, match="--skip-damaged"):
            extract_archive(target, tmp_path / "strict")
        assert not (tmp_path / "strict").exists()
    found = extract_archive(target, tmp_path / "out", skip_damaged=True)
    damaged.check_files(tmp_path / "out", expected)
    assert found.n_lost == 0
    assert positions(found, UNNAMED) == (
        set(range(N)) if name == "source_name" and fault != "metadata" else set()
    )
    if name == "predicted_class" and fault != "metadata":
        with pytest.raises(CorruptionError, match="extract without --class"):
            extract_archive(target, tmp_path / "class", class_name="uninfected", skip_damaged=True)


@pytest.mark.parametrize("name", ["label", "source_index"])
def test_numbers_where_there_are_no_names(source, model, tmp_path, name):
    unnamed = open_source(
        source.read(np.arange(N)), labels=np.array(source.class_names)[source.labels]
    )
    archive = write(unnamed, tmp_path / "a.zarr", model, 3)
    archive.path(0, name).unlink()
    report = extract_archive(Target(str(archive.place)), tmp_path / "out", skip_damaged=True)
    assert len(positions(report, UNNAMED)) == N
    archive.check_files(tmp_path / "out", {f"position-{k:02d}.png": k for k in range(N)})


@pytest.mark.parametrize("where", ["array", "array without a copy", "archive"])
@pytest.mark.parametrize("n_cells", [38, 41, 1_000_000_000])
def test_a_wrong_number_of_cells(damaged, tmp_path, where, n_cells):
    """The other document tells the right one, or nothing is written."""
    name = {True: "zarr.json", False: ".zattrs" if where == "archive" else ".zarray"}[damaged.v3]
    path = damaged.place / name if where == "archive" else damaged.place / "cells" / name
    tree = json.loads(path.read_text())
    if where == "archive":
        (tree["attributes"] if damaged.v3 else tree)["zarrmal"]["n_cells"] = n_cells
    else:
        tree["shape"][0] = n_cells
    path.write_text(json.dumps(tree))
    if where == "array without a copy":
        remove_copies(damaged)
    if where == "archive":  # its segments contradict it
        with pytest.raises(CorruptionError, match="segments"):
            extract_archive(Target(str(damaged.place)), tmp_path / "out", skip_damaged=True)
        assert not (tmp_path / "out").exists()
        return
    found = extract_archive(Target(str(damaged.place)), tmp_path / "out", skip_damaged=True)
    assert found.damaged == ()
    assert len(found.problems) == 1
    damaged.check_files(tmp_path / "out", {name: k for k, name in enumerate(damaged.names)})


def remove_copies(archive):
    if not archive.v3:
        (archive.place / ".zmetadata").unlink()
        return
    tree = json.loads((archive.place / "zarr.json").read_text())
    del tree["consolidated_metadata"]
    (archive.place / "zarr.json").write_text(json.dumps(tree))


def documents(archive):
    names = ("zarr.json",) if archive.v3 else (".zgroup", ".zarray", ".zattrs", ".zmetadata")
    return [path for path in sorted(archive.place.rglob("*")) if path.name in names]


def test_every_metadata_document(damaged, tmp_path):
    """Whatever byte of them is damaged: told, and no image is ever a wrong one."""
    rng = np.random.default_rng(4)
    expected = {name: k for k, name in enumerate(damaged.names)}
    target = Target(str(damaged.place))
    for n, path in enumerate(documents(damaged)):
        data = path.read_bytes()
        at = int(rng.integers(0, len(data)))
        path.write_bytes(flip(at)(data))
        out = tmp_path / f"{n}-{at}"
        told = problems_or_error(target, out)
        assert told, (path, at)
        assert "\n" not in told
        for image in out.rglob("*.png"):
            position = expected.get(image.relative_to(out).as_posix())
            if position is None:
                position = int(image.stem.removeprefix("position-"))
            with Image.open(image) as picture:
                np.testing.assert_array_equal(picture, damaged.pixels[position])
        path.write_bytes(data)


def problems_or_error(target, out):
    try:
        problems = verify_archive(target).problems
        extract_archive(target, out, skip_damaged=True)
    except (ZarrmalError, InputError) as error:
        return str(error)
    return "; ".join(problems)


@pytest.mark.parametrize("fault", ["damaged", "missing", "model"])
def test_the_pixels_metadata_are_kept_twice(damaged, tmp_path, fault):
    """The model stands in the consolidated metadata too: without it nothing could be read."""
    path = damaged.place / "cells" / ("zarr.json" if damaged.v3 else ".zarray")
    text = path.read_text()
    at = text.index('"model"') + 2_000
    changed = {"damaged": text[:-5], "model": text[:at] + "AAAA" + text[at + 4 :]}
    path.write_text(changed.get(fault, ""))
    if fault == "missing":
        path.unlink()
    problems = verify_archive(Target(str(damaged.place)), damaged.source).problems
    assert "the consolidated copy of its metadata is used" in problems[0]
    assert not any("chunk" in problem for problem in problems)
    with pytest.raises(CorruptionError, match="--skip-damaged"):
        extract_archive(Target(str(damaged.place)), tmp_path / "strict")
    found = extract_archive(Target(str(damaged.place)), tmp_path / "out", skip_damaged=True)
    assert found.damaged == ()
    damaged.check_files(tmp_path / "out", {name: k for k, name in enumerate(damaged.names)})
    assert zarrmal.read_cells(damaged.place)[1].all()


# The command


def run(*words):
    return CliRunner().invoke(app, [*map(str, words)])


def test_the_commands(damaged, tmp_path):
    end = int(damaged.ends(1)[4])
    damaged.edit(1, flip(end - 4))
    told = run("verify", damaged.place)
    assert told.exit_code == 1
    assert f"1 of its 16 cells lost: 19 ({damaged.names[19]})" in told.stdout
    assert "1 of 40 cells are lost" in told.stdout
    tree = json.loads(run("verify", damaged.place, "--json").stdout)
    (finding,) = tree["findings"]
    assert finding["lost"] == [[19, 19]]
    assert finding["names"] == [damaged.names[19]]
    assert (finding["first_cell"], finding["last_cell"], tree["n_lost"]) == (16, 31, 1)
    refused = run("extract", damaged.place, tmp_path / "out")
    assert refused.exit_code == 1
    assert "--skip-damaged" in refused.stderr
    words = ("extract", damaged.place, tmp_path / "out", "--overwrite", "--skip-damaged")
    saved = run(*words)
    assert saved.exit_code == 1
    assert "1 cells are lost, 15 recovered" in saved.stdout
    assert "39 images" in saved.stdout
    tree = json.loads(run(*words, "--json").stdout)
    assert (tree["n_cells"], tree["n_lost"], tree["n_recovered"]) == (39, 1, 15)
    assert [cell["position"] for cell in tree["damaged"]] == list(range(16, 32))
    assert "CRC-16 only" in tree["damaged"][0]["state"]
    damaged.edit(1, flip(end - 4))  # mended: the listing goes
    assert run(*words).exit_code == 0
    assert not (tmp_path / "out" / LISTING).exists()


def test_the_listing_is_not_replaced_unasked(damaged, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / LISTING).write_text("notes of a month")
    with pytest.raises(InputError, match=LISTING):
        extract_archive(Target(str(damaged.place)), tmp_path / "out", skip_damaged=True)
    assert (tmp_path / "out" / LISTING).read_text() == "notes of a month"


def test_one_class_of_a_damaged_archive(damaged, tmp_path):
    damaged.path(0).unlink()
    report = extract_archive(
        Target(str(damaged.place)), tmp_path / "out", class_name="uninfected", skip_damaged=True
    )
    expected = {
        name: k for k, name in enumerate(damaged.names) if "uninfected" in name and k >= PER_CHUNK
    }
    damaged.check_files(tmp_path / "out", expected)
    assert positions(report, LOST) == {
        k for k, name in enumerate(damaged.names) if "uninfected" in name and k < PER_CHUNK
    }


def test_an_interrupted_extraction_lists_what_it_saved(damaged, tmp_path):
    damaged.edit(0, flip(int(damaged.ends(0)[1]) - 3))

    def interrupt(task, done, total, note=""):
        if done > PER_CHUNK:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_archive(
            Target(str(damaged.place)), tmp_path / "out", skip_damaged=True, progress=interrupt
        )
    assert len(listing(tmp_path / "out")) == PER_CHUNK
    assert not list((tmp_path / "out").rglob("*.partial"))


def test_thousands_of_problems_are_cut_short(source, tmp_path):
    pixels = np.repeat(source.read(np.arange(2))[:, :3, :3], TOLD_PROBLEMS, axis=0)
    options = WriteOptions(chunk_cells=1)
    zarrmal.write(pixels, tmp_path / "a.zarr", model=shipped_model(1), options=options)
    shutil.rmtree(tmp_path / "a.zarr" / "cells" / "c")
    told = run("verify", tmp_path / "a.zarr")
    assert told.exit_code == 1
    assert f"… and {TOLD_PROBLEMS} more: --json tells all" in told.stdout
    assert len(told.stdout.splitlines()) == TOLD_PROBLEMS + 2
    assert len(json.loads(run("verify", tmp_path / "a.zarr", "--json").stdout)["findings"]) == 80
