"""append, undo, --resume and shards on the command line."""

import json

import numpy as np
import pytest
from facts import change_facts
from PIL import Image
from typer.testing import CliRunner

import zarrmal
from zarrmal.archive import Location
from zarrmal.archive.lock.journal import Journal
from zarrmal.archive.lock.writer_lock import WriterLock
from zarrmal.cli import app
from zarrmal.sources.synthetic import synthetic_cells


def run(*words, code=0):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done


@pytest.fixture
def days(tmp_path):
    """Two folders of images of the same names."""
    drawn = synthetic_cells(40, n_slides=2, size=50, seed=8, channels=1)
    for k, (cell, label) in enumerate(zip(drawn.cells, drawn.label)):
        path = tmp_path / f"day-{k // 24}" / str(label) / f"{k % 24:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(cell).save(path)
    return tmp_path


@pytest.fixture
def archive(days):
    run("archive", days / "day-0", days / "a.zarr", "--chunk-cells", 8, "--shard-cells", 16)
    return days / "a.zarr"


def test_a_second_day(days, archive):
    found = json.loads(run("append", days / "day-1", archive, "--json").stdout)
    assert found["n_cells"] == 40
    sources = ("--source", days / "day-0", "--source", days / "day-1")
    assert "40 cells" in run("verify", archive, *sources).stdout
    swapped = ("--source", days / "day-1", "--source", days / "day-0")
    assert "differ" in run("verify", archive, *swapped, code=1).stdout
    run("extract", archive, days / "out")
    pictures = {p.read_bytes() for p in (days / "out").rglob("*.png")}
    given = [np.asarray(Image.open(p)) for d in (0, 1) for p in (days / f"day-{d}").rglob("*.png")]
    back = [np.asarray(Image.open(p)) for p in (days / "out").rglob("*.png")]
    assert len(pictures) == 40
    assert sorted(p.tobytes() for p in back) == sorted(p.tobytes() for p in given)


def test_an_archive_that_is_being_written_is_refused(days, archive):
    journal = Journal(operation="append", n_stored=24, n_new=16, source="0" * 64)
    writing = WriterLock(Location(str(archive)), journal, previous=None)
    for words in (("append", days / "day-1", archive), ("undo", archive)):
        said = run(*words, code=4).stderr
        assert "another process" in said
        assert len(said.splitlines()) == 1
    writing.abandon(remove=False)
    assert "interrupted" in run("verify", archive, code=1).stdout
    assert "--resume" in run("append", days / "day-1", archive, code=2).stderr
    assert "not those" in run("append", days / "day-1", archive, "--resume", code=2).stderr
    assert "16 cells is taken back" in run("undo", archive).stderr
    run("append", days / "day-1", archive)
    assert zarrmal.open(archive).sizes["cell"] == 40


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("append", "day-1", "nothing.zarr"), "no Zarr group"),
        (("append", "nothing", "a.zarr"), "no such file"),
        (("append", "day-1", "a.zarr", "--size", "20"), "archive's cells are 50 x 50"),
        (("append", "day-1", "a.zarr", "--dask", "tcp://127.0.0.1:9"), "scheduler"),
        (("undo", "a.zarr"), "nothing to undo"),
        (("archive", "day-1", "b.zarr", "--shard-cells", "1000"), "multiple of 1024"),
        (
            ("archive", "day-1", "b.zarr", "--shard-cells", "4096", "--zarr-format", "2"),
            "no shards",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(days, archive, words, told, monkeypatch):
    monkeypatch.chdir(days)
    if "--dask" in words:
        pytest.importorskip("distributed", reason="dask.distributed is not installed")
        monkeypatch.setattr("zarrmal.archive.write.cluster.CONNECT_SECONDS", 1)
    before = sorted(p.name for p in days.rglob("*"))
    said = run(*words, code=3 if "--dask" in words else 2).stderr
    assert told in said
    assert said.splitlines()[-1].startswith("error: ")
    assert sorted(p.name for p in days.rglob("*")) == before


def test_names_are_shown_not_obeyed(archive):
    """A class named by a stranger: markup of rich, and a terminal's clear-screen."""
    path = archive / "zarr.json"
    tree = json.loads(path.read_text())
    names = ["[red]\x1b[2J", "uninfected"]
    change_facts(tree["attributes"], lambda facts: facts.update(classes=names))
    path.write_text(json.dumps(tree))
    for words in (("info", archive), ("verify", archive)):
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert "\x1b" not in done.output
        assert "Traceback" not in done.output
    assert "[red]\\x1b[2J" in run("info", archive).stdout
