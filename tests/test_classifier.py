"""The classifier: seen by NumPy as by torch, stored, calibrated, used for an archive."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from zarrmal_codecs import Model

from zarrmal import InputError
from zarrmal.choose import choose_assigner
from zarrmal.classify import CellClassifier, ClassifierAssigner, EvaluatedClassifierAssigner
from zarrmal.classify.calibration import calibration_error, fitted_temperature
from zarrmal.classify.network import softmax
from zarrmal.classify.network_file import MAGIC
from zarrmal.classify.normalise import normalise, resampling_matrix
from zarrmal.models.classifiers import NAMES, shipped_classifier
from zarrmal.sources import Source, Subset, open_source
from zarrmal.sources.synthetic import synthetic_cells


@pytest.fixture(scope="module")
def colour() -> Source:
    drawn = synthetic_cells(64, n_slides=8, size=50, seed=1, channels=3)
    return open_source(drawn.cells, labels=drawn.label, groups=drawn.slide)


def small(class_names: tuple[str, ...] = ("a", "b"), n_channels: int = 1) -> CellClassifier:
    """An untrained one, as it comes out of a file."""
    from zarrmal.learn.classifier.network import fold_batch_norms

    network = stirred(n_channels)
    layers, weight, bias = fold_batch_norms(network)
    found = CellClassifier(
        class_names=class_names,
        n_channels=n_channels,
        size=50,
        layers=layers,
        head_weight=weight,
        head_bias=bias,
        temperature=1.5,
        trained_on="nothing",
    )
    return CellClassifier.from_bytes(found.to_bytes())


def stirred(n_channels: int) -> torch.nn.Module:
    """An untrained network whose batch norms have seen cells."""
    from zarrmal.learn.classifier.network import CellNet

    torch.manual_seed(n_channels)
    network = CellNet(n_channels + 1, 2)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean over all batches, and there is but one
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.2)
    with torch.no_grad():
        network(0.3 * torch.randn(32, n_channels + 1, 50, 50))
    return network.eval()


@pytest.mark.parametrize("n_channels", [1, 3])
def test_numpy_gives_what_torch_gives(colour: Source, n_channels: int) -> None:
    from zarrmal.learn.classifier.network import fold_batch_norms

    cells = colour.read(np.arange(40))
    cells = cells if n_channels == 3 else cells[..., 0]
    network = stirred(n_channels)
    layers, weight, bias = fold_batch_norms(network)
    classifier = CellClassifier(
        class_names=("a", "b"),
        n_channels=n_channels,
        size=50,
        layers=layers,
        head_weight=weight,
        head_bias=bias,
    )
    with torch.no_grad():
        images = torch.from_numpy(normalise(cells, 50).transpose(0, 3, 1, 2))
        wanted = network(images).softmax(dim=1).numpy()
    found = classifier.predict(cells)
    assert found.dtype == np.float32
    assert np.ptp(found[:, 0]) > 1e-2  # it does tell cells apart
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("shape", [(0, 50, 50), (3, 1, 1), (2, 24, 31), (2, 80, 64), (2, 50, 50)])
def test_cells_of_any_size(shape: tuple[int, ...]) -> None:
    cells = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    found = small().predict(cells)
    assert found.shape == (shape[0], 2)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(found, small().predict(cells[..., None]))
    assert np.isfinite(small().predict(np.zeros((2, 7, 7), np.uint8))).all()


def test_other_cells_are_refused() -> None:
    with pytest.raises(InputError, match="1 channels"):
        small().predict(np.zeros((2, 50, 50, 3), np.uint8))
    with pytest.raises(InputError, match="float32"):
        small().predict(np.zeros((2, 50, 50), np.float32))


def test_another_exposure_looks_alike(colour: Source) -> None:
    cells = colour.read(np.arange(8))
    darker = np.round(cells * 0.8).astype(np.uint8)
    middle = normalise(cells, 50)[:, 20:30, 20:30]
    assert np.abs(normalise(darker, 50)[:, 20:30, 20:30] - middle).max() < 0.05
    assert middle[..., 0].std() > 0.02


@pytest.mark.parametrize(("old", "new"), [(50, 50), (80, 50), (24, 50), (1, 50), (101, 50)])
def test_resampling_keeps_a_plane_plane(old: int, new: int) -> None:
    table = resampling_matrix(old, new)
    assert table.shape == (new, old)
    assert table.min() >= 0
    np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-6)


def test_file_and_back(tmp_path: Path, colour: Source) -> None:
    classifier = small(("Ä", "b"), 3)
    classifier.save(tmp_path / "a.zcls")
    again = CellClassifier.load(tmp_path / "a.zcls")
    assert again.to_bytes() == classifier.to_bytes()
    assert (again.digest, again.class_names) == (classifier.digest, ("Ä", "b"))
    cells = colour.read(np.arange(8))
    np.testing.assert_array_equal(again.predict(cells), classifier.predict(cells))
    assert [path.name for path in tmp_path.iterdir()] == ["a.zcls"]


def test_no_more_classes_than_an_archive_has_labels() -> None:
    with pytest.raises(InputError, match="more than 255 classes"):
        small(tuple(map(str, range(256))))
    with pytest.raises(InputError, match="last layer does not fit"):  # 255 are no fault
        small(tuple(map(str, range(255))))


def test_no_file_and_no_classifier(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train-classifier"):
        CellClassifier.load(tmp_path / "nothing")
    (tmp_path / "text").write_bytes(b"text")
    with pytest.raises(InputError, match="text: this is no file of a zarrmal classifier"):
        CellClassifier.load(tmp_path / "text")


def test_damaged_bytes_are_refused() -> None:
    data = small().to_bytes()
    generator = np.random.default_rng(0)
    for end in [*range(0, 40), *generator.integers(0, len(data), 40).tolist()]:
        with pytest.raises(InputError):
            CellClassifier.from_bytes(data[:end])
    for at in [*range(0, 40), *generator.integers(0, len(data), 40).tolist()]:
        wrong = bytearray(data)
        wrong[at] ^= 1 << int(generator.integers(8))
        with pytest.raises(InputError):
            CellClassifier.from_bytes(bytes(wrong))


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"temperature": 0},
        {"temperature": float("nan")},
        {"temperature": None},
        {"class_names": ["a"]},
        {"class_names": ["a", "a"]},
        {"class_names": ["a", "b", "c"]},
        {"class_names": 7},
        {"n_channels": 3},
        {"size": 0},
        {"size": 4},
        {"size": 10**9},
        {"layers": []},
        {"layers": [{}] * 6},
        {"layers": None},
        {"shapes": []},
        {"shapes": [[1 << 40, 1 << 40]]},
        {"shapes": [[-1]] * 14},
        {"shapes": "abc"},
        {"shapes": [[True]]},
    ],
    ids=str,
)
def test_headers_that_lie_are_refused(change: dict[str, object]) -> None:
    data = small().to_bytes()
    (n,) = struct.unpack("<I", data[8:12])
    text = json.dumps(json.loads(data[12 : 12 + n]) | change).encode()
    wrong = MAGIC + struct.pack("<I", len(text)) + text + data[12 + n : -4]
    with pytest.raises(InputError):
        CellClassifier.from_bytes(wrong + struct.pack("<I", zlib.crc32(wrong)))


def test_temperature_mends_what_is_too_sure() -> None:
    generator = np.random.default_rng(0)
    honest = generator.normal(0, 1.5, (4000, 2)).astype(np.float32)
    chance = softmax(honest)[:, 1]
    true = (generator.random(4000) < chance).astype(np.uint8)
    temperature = fitted_temperature(3 * honest, true)
    assert temperature == pytest.approx(3, rel=0.1)
    before = calibration_error(softmax(3 * honest), true)
    after = calibration_error(softmax(3 * honest / temperature), true)
    assert after < 0.02 < 0.1 < before


def test_calibration_error_by_hand() -> None:
    sure = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [1.0, 0.0]], np.float32)
    true = np.array([0, 1, 1, 0], np.uint8)  # of three at 0.9 two are right; one at 1 is
    assert calibration_error(sure, true) == pytest.approx(3 / 4 * (0.9 - 2 / 3), abs=1e-6)


def test_classes_are_matched_by_name_whatever_their_case(cells: Source) -> None:
    classifier, pixels = small(("Uninfected", "Parasitized")), cells.read(np.arange(30))
    straight = classifier.predict(pixels)
    found = ClassifierAssigner(classifier, ("parasitized", "other", "uninfected"))(
        pixels, np.arange(30)
    )
    np.testing.assert_array_equal(
        found.predicted_class, np.where(straight[:, 0] >= 0.5, 2, 0).astype(np.uint8)
    )
    np.testing.assert_array_equal(found.probability, straight.max(axis=1))
    for names in [("parasitized", "other"), ("uninfected",), ("a", "b")]:
        with pytest.raises(InputError, match="the model"):
            ClassifierAssigner(classifier, names)


def test_labels_are_compared_where_there_are_some(cells: Source) -> None:
    assigner = EvaluatedClassifierAssigner(
        small(("Uninfected", "Parasitized")), cells.class_names, cells
    )
    wrong: list[NDArray[np.bool_]] = []
    for rows in np.array_split(np.arange(cells.n_cells), 3):
        assert cells.labels is not None
        wrong.append(assigner(cells.read(rows), rows).predicted_class != cells.labels[rows])
    report = assigner.report
    assert report is not None
    assert report.unseen == ""
    assert report.confusion.sum() == cells.n_cells
    assert report.accuracy == pytest.approx(1 - np.concatenate(wrong).mean())


def test_ways_of_classifying_exclude_each_other(cells: Source, model: Model) -> None:
    with pytest.raises(InputError, match="choose one"):
        choose_assigner("classifier", cells, model, classifier=small(), cross_fit=True)
    with pytest.raises(InputError, match="for --assign"):
        choose_assigner("labels", cells, model, cross_fit=True)
    colour = small(("Uninfected", "Parasitized"), 3)
    with pytest.raises(InputError, match="the classifier is for cells of 3 channels"):
        choose_assigner("classifier", cells, model, classifier=colour)


def test_shipped_ones_are_small_and_for_these_classes() -> None:
    for n_channels in NAMES:
        found = shipped_classifier(n_channels)
        assert found is not None
        assert found.class_names == ("parasitized", "uninfected")
        assert found.n_channels == n_channels
        assert len(found.to_bytes()) < 300_000
    assert shipped_classifier(2) is None


def test_an_archive_by_the_shipped_classifier_needs_no_torch(tmp_path: Path) -> None:
    drawn = synthetic_cells(6, size=30, channels=1)
    np.savez(tmp_path / "cells.npz", cells=drawn.cells)
    program = (
        "import sys; sys.modules['torch'] = None; from zarrmal.cli import main; "
        "sys.argv[0] = 'zarrmal'; main()"
    )
    words = ["archive", "cells.npz", "a.zarr", "--assign", "classifier", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "using the shipped classifier, trained on" in done.stderr
    info = json.loads(done.stdout)
    assert sum(info["classes"].values()) == 6
    assert "classifier" not in info  # without labels there is nothing to report


def test_other_classes_need_another_classifier(cells: Source, model: Model) -> None:
    plane = np.zeros((4, 24, 24, 2), np.uint8)
    with pytest.raises(InputError, match=r"24 x 24 x 2.*--classifier FILE.*--cross-fit"):
        choose_assigner("classifier", open_source(plane), model)


@pytest.mark.parametrize("n_channels", sorted(NAMES))
def test_real_cells_reach_the_shipped_classifier(shared: Path, n_channels: int) -> None:
    # A check of the wiring only: it was trained on most of these cells.
    classifier = shipped_classifier(n_channels)
    assert classifier is not None
    with np.load(shared / "nih50-rgb.npz") as held:
        rows = np.linspace(0, len(held["label"]) - 1, 300).astype(int)
        cells, labels = held["cells"][rows], held["label"][rows]
    cells = cells if n_channels == 3 else cells[..., 0]
    found = np.array(classifier.class_names)[classifier.predict(cells).argmax(axis=1)]
    assert (found == np.char.lower(labels)).mean() > 0.9


def test_subsets_of_a_source_keep_their_report(cells: Source) -> None:
    some = Subset(cells, np.arange(10))
    assigner = EvaluatedClassifierAssigner(
        small(("Uninfected", "Parasitized")), cells.class_names, some
    )
    assigner(some.read(np.arange(10)), np.arange(10))
    assert assigner.report is not None
    assert assigner.report.confusion.sum() == 10
