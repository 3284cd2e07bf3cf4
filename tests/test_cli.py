"""The command line, from a folder of images to an archive and back."""

import hashlib
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr
from measured import fixed_speeds
from PIL import Image
from typer.testing import CliRunner

from zarrmal.cli import app
from zarrmal.cli.terminal.console import print_json, progress_bars
from zarrmal.sources import open_source
from zarrmal.sources.synthetic import synthetic_cells

COMMANDS = (
    "train",
    "train-classifier",
    "train-lattice",
    "archive",
    "append",
    "undo",
    "adopt",
    "repack",
    "show",
    "scale",
    "info",
    "verify",
    "extract",
    "benchmark",
    "demo",
    "study",
    "ablation",
)
TINY = ("--profile", "paper", "--hidden", "8,4", "--epochs", "1")
PROGRAM = Path(sys.executable).with_name("zarrmal")


def run(*words):
    """The output of a command that succeeds."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.stderr or done.exception
    return done


def parsed(*words):
    return json.loads(run(*words, "--json").stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """48 drawn cells of 24 x 24 on 4 slides, in two class folders."""
    place = tmp_path_factory.mktemp("cli") / "cells"
    drawn = synthetic_cells(48, n_slides=4, size=24, seed=8, channels=1)
    for k, (cell, label, slide) in enumerate(zip(drawn.cells, drawn.label, drawn.slide)):
        path = place / str(label) / f"{slide}_{k:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(cell).save(path)
    return place


@pytest.fixture(scope="module")
def flat(tmp_path_factory, folder):
    """The same cells without labels."""
    place = tmp_path_factory.mktemp("flat")
    for path in folder.rglob("*.png"):
        (place / path.name).write_bytes(path.read_bytes())
    return place


@pytest.fixture(scope="module")
def model_file(tmp_path_factory, model):
    path = tmp_path_factory.mktemp("model") / "cells.zmal"
    model.save(path)
    return path


def digests(folder):
    return {
        path.relative_to(folder): hashlib.sha256(np.asarray(Image.open(path)).tobytes()).digest()
        for path in folder.rglob("*.png")
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command):
    text = " ".join(run(command, "--help").stdout.split())
    assert f"Example: zarrmal {command} " in text


def test_help_and_version_of_the_program():
    command = [sys.executable, "-X", "importtime", PROGRAM, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert all(name in done.stdout for name in COMMANDS)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "zarrmal.archive.archive" in imported
    assert imported.isdisjoint({"torch", "xarray", "matplotlib"})  # a second or more, each
    assert re.fullmatch(r"zarrmal \d+\.\d+\.\d+\n", run("--version").stdout)


@pytest.mark.training
def test_the_whole_way_by_the_program(folder, tmp_path, monkeypatch):
    def program(*words):
        command = [PROGRAM, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    monkeypatch.chdir(tmp_path)
    trained = parsed("train", folder, "-o", "m.zmal", *TINY)
    assert trained
    archived = json.loads(program("archive", folder, "a.zarr", "--model", "m.zmal", "--json"))
    info = parsed("info", "a.zarr")
    assert {key: archived[key] for key in info} == info
    assert "48 cells" in run("verify", "a.zarr", "--source", folder).stdout
    program("extract", "a.zarr", "out")
    assert digests(tmp_path / "out") == digests(folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zarr", "m.zmal", "out"]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_info_accounts_for_every_byte(folder, model_file, zarr_format, tmp_path):
    place = tmp_path / "a.zarr"
    wishes = ("--zarr-format", zarr_format, "--chunk-cells", 20)
    run("archive", folder, place, "--model", model_file, *wishes)
    info = parsed("info", place)
    parts = ("payload", "latent", "model", "cells_metadata", "other_metadata", "columns")
    sizes = {path: path.stat().st_size for path in place.rglob("*") if path.is_file()}
    assert sum(info[f"{part}_bytes"] for part in parts) == sum(sizes.values())
    assert all(info[f"{part}_bytes"] > 0 for part in parts)
    stored = sum(n for path, n in sizes.items() if "cells" in path.relative_to(place).parts)
    assert info["cells_bytes"] == stored
    assert info["stored_bytes"] == sum(sizes.values())
    without = stored - info["model_bytes"]
    for rate, n_bytes in (
        ("bits_per_pixel", sum(sizes.values())),
        ("cells_bits_per_pixel", stored),
        ("cells_bits_per_pixel_without_model", without),
    ):
        assert info[rate] == 8 * n_bytes / (48 * 24 * 24)
    black = sum(not np.asarray(Image.open(path)).any() for path in folder.rglob("*.png"))
    assert info["latent_bytes"] == (48 - black) * 6  # the latent vector of the model is 6 wide
    assert info["raw_bytes"] == 48 * 24 * 24
    assert info["zarr_format"] == zarr_format
    assert info["classes"] == {"parasitized": 24, "uninfected": 24}
    assert info["complete"] is True
    table = run("info", place).stdout
    for part in (*parts, "stored"):
        assert f"{info[f'{part}_bytes']:,} bytes" in table
    assert f"everything stored │ {info['bits_per_pixel']:.3f}" in " ".join(table.split())
    assert f"{info['cells_bits_per_pixel']:.3f}" in table


def test_without_a_model_the_one_that_ships_is_used(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it fails
    done = run("archive", folder, tmp_path / "a.zarr")
    assert "using the shipped one" in done.stderr
    assert "zarrmal train" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]
    run("verify", tmp_path / "a.zarr", "--source", folder)


@pytest.mark.training
def test_with_an_effort_one_is_trained(folder, tmp_path):
    run("archive", folder, tmp_path / "a.zarr", "--effort", "fast", "--minutes", "0.05")
    info = parsed("info", tmp_path / "a.zarr")
    assert info["profile"] == "hybrid"
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]
    run("verify", tmp_path / "a.zarr", "--source", folder)


@pytest.mark.training
def test_without_a_model_the_papers_is_trained(folder, tmp_path):
    done = run("archive", folder, tmp_path / "a.zarr", *TINY)
    assert "training one on these cells" in done.stderr
    assert "48 of 24 x 24" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]
    run("verify", tmp_path / "a.zarr", "--source", folder)


@pytest.mark.training
def test_the_same_seed_gives_the_same_archive(folder, tmp_path):
    for name in ("a", "b"):
        run("archive", folder, tmp_path / name, *TINY, "--seed", 5)
    trees = [
        {path.relative_to(tmp_path / name): path.read_bytes()
         for path in (tmp_path / name).rglob("*") if path.is_file() and path.suffix != ".json"}
        for name in ("a", "b")
    ]  # fmt: skip
    assert len(trees[0]) == 6
    assert trees[0] == trees[1]
    infos = [parsed("info", tmp_path / name) for name in ("a", "b")]
    assert infos[0]["sha256"] == infos[1]["sha256"]


@pytest.mark.parametrize("assign", ["shortest", "auto"])
def test_cells_without_labels(flat, model_file, assign, tmp_path):
    info = parsed("archive", flat, tmp_path / "a", "--model", model_file, "--assign", assign)
    assert sum(info["classes"].values()) == 48
    assert "label" not in zarr.open_group(tmp_path / "a", mode="r")
    run("verify", tmp_path / "a", "--source", flat)


@pytest.mark.training
def test_a_classifier_tells_how_good_it_is(folder, flat, model_file, tmp_path):
    words = ("--model", model_file, "--assign", "classifier")
    report = parsed("archive", folder, tmp_path / "a", *words)["classifier"]
    assert report["classes"] == ["parasitized", "uninfected"]
    assert np.shape(report["confusion"]) == (2, 2)
    assert 0 <= report["accuracy"] <= 1
    assert set(report["misclassification"]) == {"P(C1|S0)", "P(C0|S1)"}
    assert zarr.open_group(tmp_path / "a", mode="r")["class_probability"][:].min() >= 0
    done = run("archive", flat, tmp_path / "b", *words, "--labelled", folder)
    assert "classifier on unseen" in done.stderr
    run("verify", tmp_path / "b", "--source", flat)


@pytest.mark.training
def test_size_and_channel(tmp_path):
    drawn = synthetic_cells(24, size=20, seed=1)
    np.savez(tmp_path / "rgb.npz", cells=drawn.cells, label=drawn.label, slide=drawn.slide)
    shaped = ("--size", 16, "--channel", "green")
    run("archive", tmp_path / "rgb.npz", tmp_path / "a", *shaped, *TINY)
    run("verify", tmp_path / "a", "--source", tmp_path / "rgb.npz", *shaped)
    wanted = open_source(drawn.cells, size=16, channel="green").read(np.arange(24))
    group = zarr.open_group(tmp_path / "a", mode="r")
    np.testing.assert_array_equal(group["cells"][:], wanted[group["source_index"][:]])


def test_an_archive_is_a_source(archive, model_file, tmp_path):
    run("archive", archive, tmp_path / "b", "--model", model_file, "--rice", "best-per-cell")
    run("verify", tmp_path / "b", "--source", archive)


def test_groups_by_pattern(folder, model_file, tmp_path):
    pattern = ("--group-pattern", r"slide-\d+")
    run("archive", folder, tmp_path / "a", "--model", model_file, *pattern)
    groups = zarr.open_group(tmp_path / "a", mode="r")["source_group"][:].tolist()
    assert sorted(set(groups)) == [f"slide-0{k}" for k in (1, 2, 3, 4)]
    run("verify", tmp_path / "a", "--source", folder, *pattern)


def test_unreadable_files_may_be_left_out(folder, model_file, tmp_path):
    place = tmp_path / "in"
    for path in folder.rglob("*.png"):
        (place / path.parent.name).mkdir(parents=True, exist_ok=True)
        (place / path.parent.name / path.name).write_bytes(path.read_bytes())
    broken = place / "uninfected" / "broken.png"
    broken.write_bytes(b"no image")
    words = ("archive", place, tmp_path / "a", "--model", model_file)
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exit_code == 2
    assert "--skip-unreadable" in done.stderr
    info = parsed(*words, "--skip-unreadable")
    assert info["n_cells"] == 48
    assert info["unreadable"] == ["uninfected/broken.png"]


@pytest.mark.training
def test_benchmark(folder, tmp_path, monkeypatch):
    fixed_speeds(monkeypatch)
    words = ("benchmark", folder, *TINY, "--pretrain-epochs", 0, "--group-pattern", "^[^_]+")
    words += ("--unseen", 0.5, "--save-models", tmp_path / "models", "--rival", "png")
    result = parsed(*words)
    assert {m["arrangement"] for m in result["measurements"]} == {"chunk", "cell", "sheet"}
    assert result["n_slides"] == {"training cells": 4, "unseen slides": 4}
    assert list((tmp_path / "models").glob("*.zmal"))


def test_demo(tmp_path, monkeypatch):
    module = importlib.import_module("zarrmal.cli.demo.command")
    monkeypatch.setattr(module, "DEMO_CELLS", 30)
    result = parsed("demo", "--keep", tmp_path / "demo")
    assert result["archive"]["n_cells"] == 30
    assert {row["coder"] for row in result["rivals"]} == set(module.SHOWN)
    assert parsed("info", tmp_path / "demo" / "cells.zarr")["n_cells"] == 30
    with Image.open(tmp_path / "demo" / "sheet.png") as sheet:
        assert sheet.mode == "RGB"
    region = result["slide"]["region"]
    assert result["slide"]["objects"]["cell"] == sum(region["slide"]) == 64
    assert region["n_shown"] == max(region["rectangle"]) > 9
    with Image.open(tmp_path / "demo" / "region.png") as picture:
        drawn = np.asarray(picture)
    share = region["n_shown"] * np.pi / 4 * region["diameter"] ** 2 / drawn[..., 0].size
    assert drawn.any(axis=2).mean() == pytest.approx(share, rel=0.1)
    assert (tmp_path / "demo" / "slide.png").stat().st_size > 1000
    program = tmp_path / "demo" / "read.py"
    assert len([line for line in program.read_text().splitlines() if line]) == 3
    shown = subprocess.run(
        [sys.executable, program.name], cwd=program.parent, capture_output=True, text=True
    )
    assert shown.stdout == "(30, 50, 50)\n", shown.stderr
    for kept in ("cells.zarr", "sheet.png", "read.py", "slide.svs", "region.png"):
        other = tmp_path / kept
        other.mkdir()
        (other / kept).touch()
        again = CliRunner().invoke(app, ["demo", "--keep", str(other)])
        assert again.exit_code == 2  # what is there may be dear to somebody
        assert "exists already" in again.stderr
        assert [path.name for path in other.iterdir()] == [kept]
    # As a table; the slide is that of above.
    monkeypatch.setattr(module.demo_slide, "demo_slide", lambda *_: result["slide"])
    table = run("demo").stdout
    assert "png:level=9" in table
    assert "64 cells of a drawn slide" in table


def test_json_has_no_numbers_that_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"never": float("inf"), "rates": [1.5, float("nan")], "n": (1, 2)})
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found == {"never": None, "rates": [1.5, None], "n": [1, 2]}


def test_progress_without_a_terminal_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 1.0, 25.0, 25.0, 26.0])
    monkeypatch.setattr("zarrmal.cli.terminal.console.time.monotonic", lambda: next(clock))
    with progress_bars() as progress:
        progress("training", 1, 9)
        progress("training", 2, 9, "5.9 bits/pixel")
        progress("training", 3, 9)
    assert capsys.readouterr().err == "training: 2 of 9 5.9 bits/pixel\n"
