"""Learned classes: groups that compress best, found without labels, counted in full."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from typer.testing import CliRunner
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.coder import Coder

import zarrmal
from zarrmal import InputError
from zarrmal.archive import Location
from zarrmal.benchmark import split_source
from zarrmal.choose import Assignment
from zarrmal.cli import app
from zarrmal.learn import HybridOptions, HybridResult, train_hybrid
from zarrmal.learn.hybrid.groups.report import cross_table
from zarrmal.sources import Source, open_source
from zarrmal.sources.synthetic import synthetic_cells

TWO = HybridOptions(effort="fast", steps=120, sae=0, seed=1, classes=2, validation=0.0)
N = 80  # of each kind


@pytest.fixture(scope="module")
def kinds() -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """Smooth and striped cells of 20 x 20, equally large and bright on average, in random order."""
    cells = synthetic_cells(2 * N, n_slides=4, size=20, seed=5, channels=1).cells
    kind = np.random.default_rng(0).permutation(np.repeat(["smooth", "striped"], N))
    striped = cells[kind == "striped"].astype(np.int64)
    wave = np.where(np.arange(20) % 2, 30, -30)
    cells[kind == "striped"] = np.where(striped > 0, np.clip(striped + wave, 1, 255), 0)
    return cells, kind


@pytest.fixture(scope="module")
def plain(kinds: tuple[NDArray[np.uint8], NDArray[np.str_]]) -> Source:
    """The cells without labels or slides."""
    return open_source(kinds[0])


@pytest.fixture(scope="module")
def labelled(kinds: tuple[NDArray[np.uint8], NDArray[np.str_]]) -> Source:
    """The labels do not depend on the kind; the slides are the kind."""
    labels = np.where(np.arange(2 * N) % 2, "odd", "even")
    return open_source(kinds[0], labels=labels, groups=kinds[1])


@pytest.fixture(scope="module")
def two(labelled: Source) -> HybridResult:
    return train_hybrid(labelled, TWO)


def run(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.stderr or done.exception
    return done.stdout


def test_two_kinds_are_separated_without_labels(
    two: HybridResult, plain: Source, kinds: tuple[NDArray[np.uint8], NDArray[np.str_]]
) -> None:
    assert two.model.class_names == ("group-1", "group-2")
    assert two.model.about["classes"] == "learned"
    assert two.model.about["n_classes"] == 2
    table = cross_table("kind", kinds[1], Coder(two.model).shortest(kinds[0]).astype(np.int64), 2)
    assert table.concentration > 0.95
    assert table.explained > 0.7
    # Labels play no part: without them the model is the same.
    assert train_hybrid(plain, TWO).model.to_bytes() == two.model.to_bytes()


def test_the_total_falls(
    two: HybridResult, plain: Source, kinds: tuple[NDArray[np.uint8], NDArray[np.str_]]
) -> None:
    single = train_hybrid(plain, replace(TWO, classes=1)).model

    def total(model: Model) -> float:
        return Coder(model).bits(kinds[0]).min(axis=1).sum() / 8 + len(model.to_base64())

    group_bytes = 2 * N / 8  # a bit a cell
    assert total(two.model) + group_bytes < total(single)


def test_the_report_says_what_the_groups_are(two: HybridResult) -> None:
    groups = two.report.groups
    assert groups is not None
    assert sum(groups.n_cells) == 2 * N
    assert groups.n_cells[0] >= groups.n_cells[1]
    label, slide = groups.tables
    assert (label.variable, label.values) == ("label", ("even", "odd"))
    assert (slide.variable, slide.values) == ("slide", ("smooth", "striped"))
    assert label.explained < 0.1
    assert slide.explained > 0.7
    assert slide.cramers_v > 0.9
    assert np.sum(slide.counts, axis=0).tolist() == list(groups.n_cells)


def test_auto_takes_more_than_one_for_two_kinds(
    plain: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zarrmal.learn.hybrid.trials.GROUP_CANDIDATES", (1, 2))
    monkeypatch.setattr("zarrmal.learn.hybrid.trials.MORE_GROUPS", ())
    options = replace(TWO, classes="auto", n_archive_cells=1_000_000, steps=96)
    report = train_hybrid(plain, options).report
    assert [trial.n_groups for trial in report.group_trials] == [1, 2]
    one_group, two_groups = report.group_trials
    assert two_groups.total_bytes < one_group.total_bytes
    assert report.groups is not None
    assert len(report.groups.names) == 2
    for trial in report.group_trials:
        bits = (trial.bits_per_pixel * 400 + trial.group_entropy) * 1_000_000
        assert trial.total_bytes == pytest.approx(bits / 8 + trial.model_bytes, abs=1)


def test_auto_takes_one_for_few_cells_of_one_kind_and_stores_its_trials(tmp_path: Path) -> None:
    drawn = synthetic_cells(40, n_slides=1, size=16, seed=2, channels=1)
    source, path = open_source(drawn.cells), tmp_path / "run.checkpoint"
    options = HybridOptions(effort="fast", steps=10, seed=0, classes="auto")
    tasks: list[str] = []

    def interrupt(task: str, done: int, total: int, note: str = "") -> None:
        tasks.append(task)
        if task == "training":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_hybrid(source, options, checkpoint=path, progress=interrupt)
    assert any(task.startswith("trying 2 groups") for task in tasks)
    tasks.clear()
    result = train_hybrid(
        source, options, checkpoint=path, progress=lambda task, *rest: tasks.append(task)
    )
    assert "training" in tasks
    assert not any(task.startswith("trying") for task in tasks)
    assert not list(tmp_path.iterdir())
    assert result.model.class_names == ("group-1",)
    assert result.report.group_trials[0].n_groups == 1
    # One of the trials of autoencoders is that of one group.
    assert result.report.group_trials[0] in result.report.trials


def test_groups_that_cost_more_than_they_save_are_dropped() -> None:
    cells = np.repeat(synthetic_cells(4, n_slides=1, size=16, seed=2, channels=1).cells, 5, axis=0)
    options = HybridOptions(effort="fast", steps=4, sae=0, classes=3)
    result = train_hybrid(open_source(cells), options)
    assert result.report.groups is not None
    assert result.report.groups.n_dropped == 2
    assert result.model.class_names == ("group-1",)


@pytest.mark.parametrize("stop_after", [2, 27])
def test_resumed_run_gives_the_same_model(
    two: HybridResult,
    labelled: Source,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop_after: int,
) -> None:
    monkeypatch.setattr("zarrmal.learn.loop.CHECKPOINT_SECONDS", -1.0)
    path = tmp_path / "run.checkpoint"
    n_steps = 0

    def interrupt(task: str, done: int, total: int, note: str = "") -> None:
        nonlocal n_steps
        n_steps += task == "training"
        if n_steps > stop_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_hybrid(labelled, TWO, checkpoint=path, progress=interrupt)
    tasks: list[str] = []
    resumed = train_hybrid(
        labelled, TWO, checkpoint=path, progress=lambda task, *rest, **note: tasks.append(task)
    )
    assert resumed.model.to_bytes() == two.model.to_bytes()
    assert tasks.count("training") == 120 + 1 - stop_after
    assert not list(tmp_path.iterdir())


def test_minutes_end_the_training(plain: Source) -> None:
    report = train_hybrid(plain, replace(TWO, steps=10**6, minutes=0.03)).report
    assert 1 < report.n_steps < 10**5
    assert report.groups is not None


@pytest.mark.parametrize("assign", ["auto", "shortest"])
def test_labelled_cells_go_to_the_shorter_group(
    two: HybridResult, labelled: Source, tmp_path: Path, assign: Assignment
) -> None:
    path = tmp_path / "a.zarr"
    info = zarrmal.write(labelled, path, model=two.model, assign=assign)
    assert not zarrmal.verify(Location(str(path)), labelled).problems
    groups = two.report.groups
    assert groups is not None
    assert info.classes == dict(zip(groups.names, groups.n_cells, strict=True))
    group = zarr.open(path, mode="r")
    assert labelled.labels is not None
    np.testing.assert_array_equal(group["label"][:], labelled.labels[group["source_index"][:]])


def test_labels_are_refused_for_learned_classes(
    two: HybridResult, labelled: Source, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="shortest"):
        zarrmal.write(labelled, tmp_path / "a.zarr", model=two.model, assign="labels")


@pytest.mark.parametrize("wrong", [0, -1, 65, 255, "many", 1.5], ids=str)
def test_impossible_numbers_of_groups_are_refused(wrong: object) -> None:
    with pytest.raises(InputError, match="class"):
        HybridOptions(classes=wrong)  # type: ignore[arg-type]


def test_more_groups_than_cells() -> None:
    with pytest.raises(InputError, match="2 cells a group"):
        train_hybrid(open_source(np.zeros((5, 8, 8), np.uint8)), replace(TWO, classes=6))


@pytest.fixture(scope="module")
def file(kinds: tuple[NDArray[np.uint8], NDArray[np.str_]], tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("learned") / "cells.npz"
    slide = np.char.add("slide-", (np.arange(2 * N) % 8).astype(str))
    np.savez(path, cells=kinds[0], label=kinds[1], slide=slide)
    return path


def test_the_command_leaves_the_benchmark_its_slides(file: Path, tmp_path: Path) -> None:
    model = tmp_path / "two.zmal"
    options = ("--effort", "fast", "--steps", 2, "--classes", 2, "--seed", 3, "--unseen", 0.25)
    report = json.loads(run("train", file, "-o", model, *options, "--validation", 0, "--json"))
    training, unseen = split_source(open_source(file), 0.25, 3)
    assert report["n_training"] == training.n_cells == 2 * N - unseen.n_cells
    slides = next(t for t in report["groups"]["tables"] if t["variable"] == "slide")
    assert slides["values"] == np.unique(training.groups).tolist()
    assert Model.load(model).about["classes"] == "learned"


def test_the_command_reports_on_the_groups(file: Path, tmp_path: Path) -> None:
    text = run("train", file, "-o", tmp_path / "a.zmal", "--effort", "fast", "--steps", 2,
               "--classes", "auto")  # fmt: skip
    assert "bits to tell the group" in text
    assert "groups by label" in text
    assert "Cramér's V" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--classes", "some"), "labels, auto or a number"),
        (("--classes", "0"), "1 to 64"),
        (("--classes", "2", "--profile", "paper"), "--profile hybrid"),
    ],
    ids=str,
)
def test_the_command_refuses(
    options: tuple[str, ...], message: str, file: Path, tmp_path: Path
) -> None:
    done = CliRunner().invoke(app, ["train", str(file), "-o", str(tmp_path / "m"), *options])
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
