"""Weights of the lattice's coder, learned from drawn pictures."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from zarrmal_codecs.lattice.cells import Layout
from zarrmal_codecs.lattice.engine import Engine
from zarrmal_codecs.lattice.weights import SHAPES, PlaneWeights, Weights
from zarrmal_codecs.lattice.weights_file import read_weights

from zarrmal.lattice.jpeg_file import read_jpeg

torch = pytest.importorskip("torch")
from zarrmal.learn.lattice import LatticeOptions, fit_weights  # noqa: E402


def drawn(seed: int, quality: int):
    """A layout and coefficients of a smooth noisy picture."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:80, :80]
    waves = [128 + 60 * np.sin((y * a + x * b) / 25 + c) for a, b, c in rng.normal(size=(3, 3))]
    picture = np.clip(np.stack(waves, -1) + rng.normal(0, 5, (80, 80, 3)), 0, 255)
    stream = io.BytesIO()
    Image.fromarray(picture.astype(np.uint8)).save(stream, "JPEG", quality=quality, subsampling=0)
    file = read_jpeg(stream.getvalue())
    counts = tuple(plane.shape[:2] for plane in file.coefficients)
    cell = [np.ascontiguousarray(plane) for plane in file.coefficients]
    return Layout(camera=file.camera, n_blocks=counts), cell


def test_learned_weights_shorten_pictures_of_an_unseen_camera():
    layouts, cells = zip(*(drawn(seed, 70 + 4 * seed) for seed in range(5)), strict=True)
    options = LatticeOptions(n_steps=60, n_batch=64)
    learned = fit_weights(layouts, cells, options=options)
    again = fit_weights(layouts, cells, options=options)
    blank = {name: np.zeros(shape, dtype) for name, (dtype, shape) in SHAPES.items()}
    blank |= {name: np.full_like(a, 8) for name, a in blank.items() if name.endswith("shift")}
    blank["output_bias"][:, 2:4] = 40 << 8
    layout, cell = drawn(9, 83)
    streams = {}
    for name, weights in (
        ("learned", learned),
        ("again", again),
        ("blank", Weights((PlaneWeights(**blank),) * 3)),
    ):
        engine = Engine(weights)
        (streams[name],) = engine.encode([layout], [cell])
        for a, b in zip(engine.decode([layout], [streams[name]])[0], cell, strict=True):
            np.testing.assert_array_equal(a, b)
    assert streams["learned"] == streams["again"]
    assert len(streams["learned"]) < 0.85 * len(streams["blank"])


def test_frozen_weights_read_and_code():
    data = (Path(__file__).parent / "frozen" / "lattice.zmlw").read_bytes()
    weights = read_weights(data)
    assert len(data) < 80_000
    layout, cell = drawn(11, 90)
    engine = Engine(weights)
    (stream,) = engine.encode([layout], [cell])
    for a, b in zip(engine.decode([layout], [stream])[0], cell, strict=True):
        np.testing.assert_array_equal(a, b)
