"""Archives of resampled cells and of one channel: recorded, applied to further sources, told."""

from __future__ import annotations

import json

import numpy as np
import pytest
import zarr
from click.testing import Result
from facts import change_facts, facts_of
from PIL import Image
from typer.testing import CliRunner
from zarrmal_codecs import ZarrmalError

import zarrmal
from zarrmal.archive import WriteOptions
from zarrmal.cli.app import app
from zarrmal.errors import InputError
from zarrmal.models import shipped_model
from zarrmal.sources import open_source

RNG = np.random.default_rng(0)
RED_8 = {"channel": "red", "size": 8}


def images(folder, n, shape=(10, 9, 3)):
    folder.mkdir()
    for k in range(n):
        Image.fromarray(RNG.integers(0, 256, shape, np.uint8)).save(folder / f"{k}.png")
    return folder


def write(source, archive, **more):
    return zarrmal.write(source, archive, model=shipped_model(1), assign="shortest", **more)


def run(*arguments) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def red_archive(tmp_path):
    write(images(tmp_path / "a", 3), tmp_path / "cells.zarr", **RED_8)
    return tmp_path / "cells.zarr"


def test_what_was_done_to_the_pixels_is_a_fact(red_archive):
    record = zarrmal.info(red_archive).preprocessing
    assert (record.channel, record.size, record.resampling) == ("red", 8, "bilinear")
    assert (record.native_heights, record.native_widths) == ((10, 10), (9, 9))
    assert zarrmal.info(red_archive).to_json()["preprocessing"] == record.to_json()


@pytest.mark.parametrize("given", [{"channel": "green"}, {"channel": "all"}, {"size": 9}])
def test_others_are_refused(red_archive, tmp_path, given):
    more = images(tmp_path / "b", 2)
    with pytest.raises(InputError, match="resampled to 8 x 8, bilinear, red channel only"):
        zarrmal.append(more, red_archive, **given)
    with pytest.raises(InputError, match="leave --size and --channel out"):
        zarrmal.verify(red_archive, tmp_path / "a", **given)
    assert zarrmal.info(red_archive).n_cells == 3


def test_a_green_source_is_refused_by_the_archive_too(red_archive, tmp_path):
    green = open_source(images(tmp_path / "b", 2), channel="green", size=8)
    archive = zarrmal.Archive.open(red_archive)
    for verb in (archive.verify, lambda cells: archive.append(cells, assigner=None)):
        with pytest.raises(InputError, match=r"red channel only, these are .*green channel only"):
            verb(green)


def test_append_and_verify_take_them_from_the_archive(red_archive, tmp_path):
    more = images(tmp_path / "b", 2, (30, 20, 3))
    zarrmal.append(more, red_archive)
    assert zarrmal.info(red_archive).preprocessing.native_heights == (10, 30)
    report = zarrmal.verify(red_archive, [tmp_path / "a", more])
    assert (report.problems, report.compared) == ((), True)
    expected = open_source(more, **RED_8).read(np.arange(2))
    cells = zarrmal.open(red_archive, source_order=True).cells[3:]
    np.testing.assert_array_equal(cells, expected)


def test_grey_cells_of_the_size_fit(red_archive):
    grey = RNG.integers(0, 256, (2, 8, 8), np.uint8)
    zarrmal.append(grey, red_archive, names=["x", "y"])
    assert zarrmal.info(red_archive).preprocessing.channel == "red"


def test_originals_stay_originals(tmp_path):
    """Resampled cells would make a liar of an archive that holds original pixels."""
    write(RNG.integers(0, 256, (3, 8, 8), np.uint8), tmp_path / "cells.zarr", size=8)
    assert not zarrmal.info(tmp_path / "cells.zarr").pixels_notice  # it was their size
    with pytest.raises(InputError, match="are the original pixels, these are resampled to 8 x 8"):
        zarrmal.append(images(tmp_path / "b", 2, (10, 9)), tmp_path / "cells.zarr", size=8)
    with pytest.raises(InputError, match="--channel red does not give"):
        zarrmal.append(tmp_path / "b", tmp_path / "cells.zarr", channel="red")


def test_an_interrupted_write_goes_on_with_its_own(tmp_path):
    source = images(tmp_path / "a", 20)

    def stop(stage, done, total, note=""):
        if stage == "writing cells":
            raise KeyboardInterrupt

    archive, few = tmp_path / "cells.zarr", {"chunk_cells": 4, "workers": 1}
    with pytest.raises(KeyboardInterrupt):
        write(source, archive, options=WriteOptions(**few), progress=stop, **RED_8)
    resume = WriteOptions(resume=True, **few)
    with pytest.raises(InputError, match="leave --size and --channel out"):
        write(source, archive, options=resume, channel="green", size=8)
    write(source, archive, options=resume)
    assert zarrmal.verify(archive, source).comparison == (
        "equal to the red channel of the source as resampled to 8 x 8, bilinear"
    )


def test_every_command_says_so(tmp_path):
    source, archive = images(tmp_path / "a", 3), tmp_path / "cells.zarr"
    said = "the original pixels are NOT in the archive: resampled (bilinear) to 8 x 8 pixels"
    for command in (
        ["archive", source, archive, "--size", 8, "--channel", "red"],
        ["append", images(tmp_path / "b", 2), archive],
        ["info", archive],
        ["verify", archive],
        ["extract", archive, tmp_path / "out"],
    ):
        result = run(*command)
        assert result.exit_code == 0, result.output
        assert any(line.startswith(said) for line in result.stdout.splitlines()), command
    for command in (["info"], ["verify"]):
        tree = json.loads(run(*command, archive, "--json").stdout)
        assert tree["pixels_notice"].startswith(said)
        assert tree["preprocessing"]["size"] == 8
    compared = run("verify", archive, "--source", source, "--source", tmp_path / "b").stdout
    assert "equal to the red channel of the source as resampled to 8 x 8, bilinear" in compared
    assert "NOT in the archive" not in run("info", original(tmp_path)).stdout


def original(tmp_path):
    write(RNG.integers(0, 256, (3, 8, 8), np.uint8), tmp_path / "original.zarr")
    return tmp_path / "original.zarr"


def test_an_archive_that_does_not_record_it_takes_any(red_archive, tmp_path):
    """As archives of earlier drafts."""
    edit_facts(red_archive, lambda facts: facts.pop("preprocessing"))
    assert zarrmal.info(red_archive).preprocessing is None
    zarrmal.append(images(tmp_path / "b", 2), red_archive, channel="green", size=8)
    assert zarrmal.info(red_archive).preprocessing is None


def test_a_damaged_record_is_named(red_archive):
    edit_facts(red_archive, lambda facts: facts.update(preprocessing={"size": 8}))
    with pytest.raises(ZarrmalError, match="attribute `zarrmal` is damaged"):
        zarrmal.info(red_archive)


def edit_facts(archive, change):
    group = zarr.open_group(archive, mode="r+")
    change_facts(group.attrs, change)
    backup = archive / "cells/zarrmal.json"
    backup.write_text(json.dumps(facts_of(group)))
