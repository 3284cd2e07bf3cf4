"""Weights of the lattice's coder, learned from drawn pictures."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner
from zarrmal_codecs import Model
from zarrmal_codecs.lattice.jpeg.picture import decode
from zarrmal_codecs.lattice.stored import lattice_of
from zarrmal_codecs.lattice.weights import SHAPES, PlaneWeights, Weights

from zarrmal.cli import app
from zarrmal.lattice.bits import bits_of
from zarrmal.models import SHIPPED
from zarrmal.sources import open_source

torch = pytest.importorskip("torch")
from zarrmal.learn.checkpoint import Checkpoint  # noqa: E402
from zarrmal.learn.lattice import LatticeOptions, fit_weights, known_cells  # noqa: E402
from zarrmal.learn.lattice.recompressed import recompressed  # noqa: E402
from zarrmal.learn.lattice.train import masks_of  # noqa: E402

FROZEN = Path(__file__).parent / "frozen"
FAST = LatticeOptions(n_steps=30, n_batch=64, n_blocks=300)
TINY = LatticeOptions(n_steps=2, n_batch=8, n_blocks=40)


def raw(weights: Weights) -> bytes:
    """All tensors, to compare weights."""
    return b"".join(getattr(plane, name).tobytes() for plane in weights.planes for name in SHAPES)


def draw(path: Path, seed: int, quality: int, side: int = 80) -> None:
    """A smooth noisy picture as a JPEG file."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    waves = [128 + 60 * np.sin((y * a + x * b) / 25 + c) for a, b, c in rng.normal(size=(3, 3))]
    picture = np.clip(np.stack(waves, -1) + rng.normal(0, 5, (side, side, 3)), 0, 255)
    Image.fromarray(picture.astype(np.uint8)).save(path, quality=quality, subsampling=seed % 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five files of five cameras."""
    place = tmp_path_factory.mktemp("jpeg")
    for seed in range(5):
        draw(place / f"{seed}.jpg", seed, 70 + 4 * seed, side=280 if seed == 4 else 80)
    return place


@pytest.fixture(scope="module")
def cells(folder):
    return known_cells(open_source(folder), np.arange(5), "reading", lambda *_: None)


@pytest.fixture(scope="module")
def learned(cells):
    return fit_weights(cells[:4], options=FAST)


def test_learned_weights_shorten_pictures_of_an_unseen_camera(cells, learned):
    blank = {name: np.zeros(shape, dtype) for name, (dtype, shape) in SHAPES.items()}
    blank |= {name: np.full_like(a, 8) for name, a in blank.items() if name.endswith("shift")}
    blank["output_bias"][:, 2:4] = 40 << 8
    unlearned = bits_of(Weights((PlaneWeights(**blank),) * 3), cells[4:])
    bits = bits_of(learned, cells[4:])
    assert bits.total < 0.85 * unlearned.total
    parts = bits.first, bits.second, bits.third, bits.rest
    assert min(parts) > 0
    assert sum(parts) == pytest.approx(bits.total)


@pytest.mark.parametrize("effort", ["fast", "max"])
def test_each_effort_learns(cells, effort, learned):
    weights = fit_weights(cells[:4], options=replace(FAST, effort=effort))
    first, unseen = weights.planes[0], bits_of(weights, cells[4:])
    used = np.flatnonzero(first.hidden_weight.any(axis=(1, 2)))
    assert used.tolist() == list(range({"fast": 0, "max": 8}[effort]))
    assert unseen.total < 1.15 * bits_of(learned, cells[4:]).total


def test_an_interrupted_training_ends_with_the_same_weights(cells, tmp_path):
    calls = 0

    def stop(task, done, total, note=""):
        nonlocal calls
        calls += 1
        if calls == 10:  # in the fourth part
            raise KeyboardInterrupt

    path = tmp_path / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        fit_weights(cells[:2], options=TINY, checkpoint=Checkpoint(path), progress=stop)
    tasks = set()
    again = fit_weights(
        cells[:2], options=TINY, checkpoint=Checkpoint(path),
        progress=lambda task, done, total, note="": tasks.add((task, done == total)),
    )  # fmt: skip
    assert ("first plane: coefficients", False) not in tasks
    assert ("second and third plane: coefficients", False) in tasks
    assert raw(again) == raw(fit_weights(cells[:2], options=TINY))


def test_recompressed_pictures_have_other_cameras_and_their_coefficients(cells):
    again = recompressed(cells, 12, seed=3)
    assert len({cell.jpeg.camera for cell in again}) >= 10
    assert 0 < sum(cell.visible is not None for cell in again) < 12
    assert masks_of(cells, 100) is None
    assert masks_of(again, 100) is not None
    for cell in again:
        camera, phase, shape = cell.jpeg.camera, cell.jpeg.phase, cell.frame.shape
        pixels = decode(camera, cell.jpeg.coefficients, shape, phase, cell.jpeg.coded)
        told = np.logical_and.reduce(cell.frame.told(cell.jpeg.coded)) & cell.frame.seen()
        assert told.mean() > 0.2
        true = cell.pixels if pixels.ndim == 3 else cell.pixels[..., 0]
        np.testing.assert_array_equal(pixels[told], true[told])


def test_the_command_learns_and_moves_weights(folder, tmp_path):
    def run(*words):
        done = CliRunner().invoke(app, ["train-lattice", *map(str, words), "--json"])
        assert done.exit_code == 0, done.stderr or done.exception
        return json.loads(done.stdout)

    first, second = tmp_path / "first.zmal", tmp_path / "second.zmal"
    report = run(folder, "-o", first, "--steps", 2, "--blocks", 200, "--recompressed", 6)
    assert report["sources"][0]["found"] == 4
    assert report["sources"][0]["held_out"]["n_cells"] == 1
    model = Model.load(first)
    assert report["sha256"] == model.digest
    assert not list(tmp_path.glob("*.checkpoint"))
    run("--weights-from", first, "--into", FROZEN / "hybrid.zmal", "-o", second)
    moved = Model.load(second)
    assert moved.about["lattice"] == model.about["lattice"]
    weights = [lattice_of(own) for own in (*moved.classes, *model.classes)]
    assert len({raw(own) for own in weights}) == 1
    assert moved.n_bytes - (FROZEN / "hybrid.zmal").stat().st_size < 80_000
    run("--weights-from", first, "--effort", "fast", "-o", tmp_path / "fast.zmal")
    fast = lattice_of(Model.load(tmp_path / "fast.zmal").classes[0])
    assert [plane.n_networks for plane in fast.planes] == [0, 15, 15]
    assert not fast.planes[0].hidden_weight.any()
    sums = [plane.scale_from_earlier for own in (fast, weights[-1]) for plane in own.planes]
    for own, before in zip(sums[:3], sums[3:], strict=True):
        np.testing.assert_array_equal(own, before)
    words = ["train-lattice", "--weights-from", str(first), "--effort", "max", "-o", "no.zmal"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert "fewer networks" in done.stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "give either sources"),
        (["--weights-from", FROZEN / "hybrid.zmal"], "no weights for coefficients"),
        (["cells", "--into", FROZEN / "paper.zmal"], "profile hybrid"),
        (["cells"], "none of these|no colour cell"),
    ],
)
def test_mistakes_of_the_command(words, says, tmp_path, monkeypatch):
    (tmp_path / "cells").mkdir()
    rng = np.random.default_rng(0)
    for k in range(2):
        picture = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / "cells" / f"{k}.png")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["train-lattice", *map(str, words), "-o", "out.zmal"])
    assert done.exit_code == 2
    assert any(word in done.stderr.replace("\n", " ") for word in says.split("|"))
    assert not (tmp_path / "out.zmal").exists()


def test_the_table_names_the_sources_shortly(folder, tmp_path):
    words = ["-o", tmp_path / "a.zmal", "--steps", 1, "--blocks", 100, "--recompressed", 6]
    done = CliRunner().invoke(app, ["train-lattice", f"{folder}/", *map(str, words)])
    assert done.exit_code == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("│")]
    assert f" {folder.name} " in rows[0]
    assert re.search(r"│ \d\.\d{3} │ \d+\.\d\d │", rows[0])
    assert "".join(row[2:5] for row in rows[1:]).startswith("rec")


def test_shipped_weights_code_cameras_that_they_never_saw(cells):
    (model,) = (m.load() for m in SHIPPED if m.name == "nih-native-rgb.zmal")
    weights = lattice_of(model.classes[0])
    assert len({raw(lattice_of(own)) for own in model.classes}) == 1
    assert bits_of(weights, cells).per_pixel < 3
