"""Training a classifier: what it learns, what it reports, that it can be interrupted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from zarrmal import InputError
from zarrmal.classify import CellClassifier
from zarrmal.cli import app
from zarrmal.learn.classifier import (
    ClassifierOptions,
    CrossFittedClassifier,
    TrainedClassifier,
    train_classifier,
)
from zarrmal.sources import Source, Subset, open_source
from zarrmal.sources.synthetic import synthetic_cells
from zarrmal.split import split_by_group

FAST = ClassifierOptions(epochs=1, unseen=0.2)


def test_it_learns_and_reports_on_unseen_slides() -> None:
    drawn = synthetic_cells(480, n_slides=8, size=40, seed=1, channels=3)
    source = open_source(drawn.cells, labels=drawn.label, groups=drawn.slide)
    result = train_classifier(source, ClassifierOptions(epochs=6))
    assert result.report.unseen == "slides"
    assert (result.n_training, result.n_calibration) == (300, 60)
    assert result.report.confusion.sum() == 120  # two slides of eight
    assert result.report.accuracy > 0.8
    _, unseen = split_by_group(480, source.groups, 0.25, 0)
    assert source.labels is not None
    again = CellClassifier.from_bytes(result.classifier.to_bytes()).predict(source.read(unseen))
    right = again.argmax(axis=1) == source.labels[unseen]
    assert right.mean() == pytest.approx(result.report.accuracy)
    assert result.report.calibration_error is not None
    assert 0 <= result.report.calibration_error < 0.3


def test_every_cell_is_classified_by_a_network_that_has_not_seen_its_slide(cells: Source) -> None:
    options = ClassifierOptions(epochs=1)
    classifier = CrossFittedClassifier(cells, cells.class_names[::-1], options)
    assert classifier.report.unseen == "slides"
    assert classifier.report.confusion.sum() == cells.n_cells
    assert classifier.report.calibration_error is not None
    assignment = classifier(np.empty(0, np.uint8), np.array([5, 2, 239]))
    assert assignment.probability is not None
    assert ((assignment.probability >= 0.5) & (assignment.probability <= 1)).all()


def test_trained_on_others_it_predicts_unlabelled(cells: Source) -> None:
    few = Subset(cells, np.arange(120))
    classifier, again = (TrainedClassifier(few, cells.class_names, FAST) for _ in range(2))
    pixels = cells.read(np.arange(20))
    first, second = (c(pixels, np.arange(20)) for c in (classifier, again))
    np.testing.assert_array_equal(first.predicted_class, second.predicted_class)
    np.testing.assert_array_equal(first.probability, second.probability)
    assert classifier.report.confusion.sum() == 20  # one slide of six held out


def test_it_needs_labels_of_two_classes(cells: Source) -> None:
    with pytest.raises(InputError, match="--labelled"):
        CrossFittedClassifier(open_source(cells.read(np.arange(6))), ("a", "b"))
    assert cells.labels is not None
    one_class = Subset(cells, np.flatnonzero(cells.labels == 0))
    with pytest.raises(InputError, match="two classes"):
        train_classifier(one_class)
    with pytest.raises(InputError, match="cannot learn from"):
        train_classifier(Subset(cells, np.arange(2)))


def test_resumed_run_gives_the_same_classifier(
    cells: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zarrmal.learn.loop.CHECKPOINT_SECONDS", -1.0)
    few = Subset(cells, np.arange(90))
    options = ClassifierOptions(epochs=3, unseen=0)
    uninterrupted = train_classifier(few, options)
    path, resumed_at = tmp_path / "checkpoint", []

    def interrupt(task: str, done: int, total: int, note: str = "") -> None:
        if done > 2 * total // 3:
            raise KeyboardInterrupt

    def record(task: str, done: int, total: int, note: str = "") -> None:
        resumed_at.append(done)

    with pytest.raises(KeyboardInterrupt):
        train_classifier(few, options, checkpoint=path, progress=interrupt)
    assert path.exists()
    resumed = train_classifier(few, options, checkpoint=path, progress=record)
    assert resumed.classifier.digest == uninterrupted.classifier.digest
    assert resumed.epochs == uninterrupted.epochs == 3
    assert resumed_at[0] >= 666  # thousandths: after two epochs of three
    assert not list(tmp_path.iterdir())


def test_minutes_end_the_training(cells: Source) -> None:
    few = Subset(cells, np.arange(90))
    result = train_classifier(few, ClassifierOptions(epochs=1000, minutes=0.01, unseen=0))
    assert 1 <= result.epochs < 900
    assert result.seconds < 30


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": 0}, {"minutes": 0.0}, {"unseen": 1.0}, {"calibration": 0.0}],
    ids=str,
)
def test_impossible_options_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=str(*wrong.values())):
        ClassifierOptions(**wrong)  # type: ignore[arg-type]


def test_the_command_writes_a_file_that_archives(tmp_path: Path) -> None:
    drawn = synthetic_cells(60, n_slides=6, size=24, seed=2, channels=1)
    columns = {"cells": drawn.cells, "label": drawn.label, "slide": drawn.slide}
    np.savez(tmp_path / "cells.npz", **columns)

    def run(*words: object) -> str:
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == 0, done.stderr or done.exception
        return done.stdout

    source, file = tmp_path / "cells.npz", tmp_path / "a.zcls"
    training = json.loads(run("train-classifier", source, "-o", file, "--epochs", 1, "--json"))
    assert training["n_cells"] == 20  # two slides of six
    assert training["sha256"] == CellClassifier.load(file).digest
    words = ("archive", source, tmp_path / "a", "--assign", "classifier", "--classifier", file)
    report = json.loads(run(*words, "--json"))["classifier"]
    assert report["unseen"] == ""
    assert report["n_cells"] == 60
    table = run("train-classifier", source, "--epochs", 1, "--unseen", 0)
    assert "which the report is on as well" in table
    assert "expected calibration error" in table
