"""Coefficients of cells in streams: NumPy and kernel, damage, hostile weights."""

from __future__ import annotations

from dataclasses import fields, replace

import lattice_models
import numpy as np
import pytest
from zarrmal_codecs import CorruptionError, ModelError
from zarrmal_codecs.lattice import cells as plain
from zarrmal_codecs.lattice.cells import Layout
from zarrmal_codecs.lattice.engine import Engine, levels
from zarrmal_codecs.lattice.jpeg.picture import Camera
from zarrmal_codecs.lattice.numbers import CURVE, EXP, LOG, LOG_STEP, SHARE, SLOPE
from zarrmal_codecs.lattice.weights import Weights

LEVELS = ["numpy", *levels()]
WEIGHTS = lattice_models.weights()


def same(a, b) -> bool:
    return all(
        x.dtype == y.dtype and np.array_equal(x, y)
        for one, other in zip(a, b, strict=True)
        for x, y in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("masked", [True, False])
def test_coefficients_come_back_at_every_level(masked):
    layouts, cells = lattice_models.cells(4, largest=14, masked=masked)
    streams = plain.encode(WEIGHTS, layouts, cells)
    for level in LEVELS:
        engine = Engine(WEIGHTS, level)
        assert engine.encode(layouts, cells) == streams, level
        assert same(engine.decode(layouts, streams), cells), level


def test_each_cell_stands_alone():
    layouts, cells = lattice_models.cells(5, seed=7, largest=9)
    streams = plain.encode(WEIGHTS, layouts, cells)
    for layout, cell, stream in zip(layouts, cells, streams, strict=True):
        assert plain.encode(WEIGHTS, [layout], [cell]) == [stream]
        assert same(Engine(WEIGHTS).decode([layout], [stream]), [cell])


def test_grey_cells_have_one_plane():
    rng = np.random.default_rng(3)
    camera = Camera(
        tables=rng.integers(1, 30, (1, 8, 8)).astype(np.uint16), ratios=((1, 1),), colour="grey"
    )
    layout = Layout(camera=camera, n_blocks=((3, 2),))
    cell = [rng.integers(-3, 4, (3, 2, 8, 8)).astype(np.int16)]
    for level in LEVELS:
        engine = Engine(WEIGHTS, level)
        assert same(engine.decode([layout], engine.encode([layout], [cell])), [cell])
    assert Engine(WEIGHTS).encode([], []) == []
    assert Engine(WEIGHTS).decode([], []) == []


def test_every_logarithm_of_a_magnitude_is_the_same_at_every_level():
    rng = np.random.default_rng(11)
    tables = np.ones((3, 8, 8), np.uint16)
    layout = Layout(
        camera=Camera(tables=tables, ratios=((1, 1),) * 3, colour="ycbcr"), n_blocks=((5, 5),) * 3
    )
    # Each magnitude up to 1599 once in a plane: of neighbours, in sums, and of other planes.
    cell = [
        (rng.permutation(1600) * rng.choice([-1, 1], 1600)).reshape(5, 5, 8, 8).astype(np.int16)
        for _ in range(3)
    ]
    streams = plain.encode(WEIGHTS, [layout], [cell])
    for level in LEVELS:
        engine = Engine(WEIGHTS, level)
        assert engine.encode([layout], [cell]) == streams, level
        assert same(engine.decode([layout], streams), [cell]), level


@pytest.mark.parametrize("level", dict.fromkeys(["numpy", LEVELS[-1]]))
def test_damage_is_named(level):
    layouts, cells = lattice_models.cells(1, seed=2, largest=10)
    engine = Engine(WEIGHTS, level)
    (stream,) = engine.encode(layouts, cells)
    for length in range(0, len(stream), 1 + len(stream) // 8):
        with pytest.raises(CorruptionError):
            engine.decode(layouts, [stream[:length]])
    with pytest.raises(CorruptionError):
        engine.decode(layouts, [stream + b"\0\0"])
    for at in range(0, len(stream), 1 + len(stream) // 8):
        changed = bytearray(stream)
        changed[at] ^= 4
        with pytest.raises(CorruptionError):
            engine.decode(layouts, [bytes(changed)])


def test_noise_gives_an_error_alike_at_every_level():
    layouts, _ = lattice_models.cells(3, seed=4, largest=9)
    noise = [np.random.default_rng(k).bytes(300) for k in range(3)]
    for level in LEVELS:
        with pytest.raises(CorruptionError):
            Engine(WEIGHTS, level).decode(layouts, noise)


def test_wrong_arguments_are_named():
    layouts, cells = lattice_models.cells(2, seed=5)
    for level in LEVELS:
        engine = Engine(WEIGHTS, level)
        full = [np.ones_like(plane) for plane in cells[0]]
        with pytest.raises(ValueError, match="not coded"):
            engine.encode(layouts[:1], [full])
        with pytest.raises(ValueError, match="int16"):
            engine.encode(layouts[:1], [[plane.astype(np.int32) for plane in cells[0]]])
    with pytest.raises(ValueError, match="shapes"):
        replace(layouts[0], coded=layouts[1].coded)


def test_hostile_weights_are_refused():
    plane = WEIGHTS.planes[0]
    arrays = {field.name: getattr(plane, field.name) for field in fields(plane)}
    hostile = {
        "from_earlier": np.ones((64, 64), np.int16),
        "from_luma": np.full((64, 64), 32767, np.int16),
        "hidden_shift": np.zeros((8, 32), np.uint8),
        "output_bias": np.full((64, 5), -(1 << 31), np.int32),
        "hidden_weight": np.zeros((8, 32, 31), np.int8),
        "networks": np.array([16], np.uint8),
        "scale_from_earlier": np.ones((64, 64, 2), np.int16),
    }
    for name, value in hostile.items():
        with pytest.raises(ModelError):
            type(plane)(**(arrays | {name: value}))
    with pytest.raises(ModelError):
        Weights((plane,))


def test_tables_are_far_from_ties():
    # So that every machine rounds their formulas alike.
    i = np.arange(128)
    for exact in (
        12 * np.log2(1 + 2 * np.arange(1, 4096)),
        12 * np.log2(np.arange(1, 65536)),
        2.0 ** (29 - i / 8),
        65536 / (1 + np.exp(-np.arange(-1536, 1536) / 128)),
        1024 / (1 + np.exp(-(np.arange(256) - 128) / 16)),
        4096 * np.exp(-np.arange(512) / 16),
    ):
        assert np.abs(exact - np.floor(exact) - 0.5).min() > 1e-6
    sums = [int(t.sum()) for t in (LOG, LOG_STEP, CURVE, SLOPE, SHARE, EXP)]
    assert sums == [506919, 11448413, 100630528, 6468540645, 130560, 67606]
