"""Damaged archives: what the commands say, write and leave."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from damaged import PER_CHUNK, flip, listing, positions, run

import zarrmal
from zarrmal.archive import Location, WriteOptions
from zarrmal.archive.extract.report import LISTING, LOST
from zarrmal.cli.inspect import MAX_PROBLEMS
from zarrmal.errors import InputError
from zarrmal.models import shipped_model


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
        zarrmal.extract(Location(str(damaged.place)), tmp_path / "out", skip_damaged=True)
    assert (tmp_path / "out" / LISTING).read_text() == "notes of a month"


def test_one_class_of_a_damaged_archive(damaged, tmp_path):
    damaged.path(0).unlink()
    report = zarrmal.extract(
        Location(str(damaged.place)), tmp_path / "out", class_name="uninfected", skip_damaged=True
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
        zarrmal.extract(
            Location(str(damaged.place)), tmp_path / "out", skip_damaged=True, progress=interrupt
        )
    assert len(listing(tmp_path / "out")) == PER_CHUNK
    assert not list((tmp_path / "out").rglob("*.partial"))


def test_thousands_of_problems_are_cut_short(cells, tmp_path):
    pixels = np.repeat(cells.read(np.arange(2))[:, :3, :3], MAX_PROBLEMS, axis=0)
    options = WriteOptions(chunk_cells=1)
    zarrmal.write(pixels, tmp_path / "a.zarr", model=shipped_model(1), options=options)
    shutil.rmtree(tmp_path / "a.zarr" / "cells" / "c")
    told = run("verify", tmp_path / "a.zarr")
    assert told.exit_code == 1
    assert f"… and {MAX_PROBLEMS} more: --json lists all" in told.stdout
    assert len(told.stdout.splitlines()) == MAX_PROBLEMS + 2
    assert len(json.loads(run("verify", tmp_path / "a.zarr", "--json").stdout)["findings"]) == 80


def test_the_advice_of_a_refusal_works(damaged, tmp_path):
    """Images before the damage are written by then: they are in the way of a second run."""
    damaged.edit(2, flip(30))
    out = tmp_path / "out"
    refused = run("extract", damaged.place, out)
    assert refused.exit_code == 1
    assert "32 images were written before" in refused.stderr
    assert "--skip-damaged --overwrite extracts the rest" in refused.stderr
    assert len(list(out.rglob("*.png"))) == 32
    run("extract", damaged.place, out, "--skip-damaged", "--overwrite")
    damaged.check_files(out, {damaged.names[k]: k for k in range(32)})


def test_an_older_file_of_a_lost_cell_stays_and_is_told(damaged, tmp_path):
    """It may be the last good image of that cell."""
    target, out = Location(str(damaged.place)), tmp_path / "out"
    old = out / damaged.names[20]
    old.parent.mkdir(parents=True)
    old.write_bytes(b"of an earlier extraction")
    damaged.path(1).unlink()
    zarrmal.extract(target, out, skip_damaged=True, overwrite=True)
    assert old.read_bytes() == b"of an earlier extraction"
    told = [line for line in (out / LISTING).read_text().splitlines() if damaged.names[20] in line]
    assert len(told) == 1
    assert "is of an earlier extraction" in told[0]
    old.unlink()
    saved = [*range(16), *range(32, 40)]
    damaged.check_files(out, {damaged.names[k]: k for k in saved})
