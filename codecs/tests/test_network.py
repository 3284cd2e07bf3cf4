"""The float engine gives the integers of the plain one; models without proof are refused."""

from __future__ import annotations

from dataclasses import replace

import models
import numpy as np
import pytest
import reference_base
from zarrmal_codecs import ModelError
from zarrmal_codecs.constants import INPUT_RANGES, MAX_ACCUMULATOR, MAX_EXACT_FLOAT32
from zarrmal_codecs.model import network
from zarrmal_codecs.model.layer import Layer
from zarrmal_codecs.model.network import Network, exact_pieces, run_plain

DTYPE = {"uint7": "uint8"}
"""Of values in a range, where its name is another."""


def inputs(layer: Layer, n_rows: int, seed: int = 1) -> np.ndarray:
    """Random rows, then all lowest, all highest, and the worst of each sign."""
    (low, high), dtype = INPUT_RANGES[layer.input], DTYPE.get(layer.input, layer.input)
    rows = models.array(seed, (n_rows, layer.n_inputs), low, high, dtype)
    worst = np.where(layer.weight[0] > 0, high, low)
    more = [np.full(layer.n_inputs, low), np.full(layer.n_inputs, high), worst, low + high - worst]
    return np.concatenate([rows, np.array(more).astype(dtype)])


LAYERS = {
    "mixed int8": models.layer(1, 20, 30, "int8 uint8"),
    "mixed uint8": models.layer(2, 30, 7, "uint8 int8", shift=17),
    "shift 0": models.extreme_layer(9, 11, "int8 int8", 0),
    "shift 46": models.extreme_layer(9, 11, "uint8 uint8", 46),
    "shift 30": models.extreme_layer(40, 5, "int8 uint8", 30),
    "one by one": models.extreme_layer(1, 1, "uint8 int8", 9),
    "uint7": models.layer(3, 20, 30, "uint7 uint7"),
    "int32": models.layer(4, 20, 30, "uint7 int32", shift=3),
    "int32 clipped": models.extreme_layer(9, 11, "uint8 int32", 0),
    "no multiplier": replace(models.layer(5, 20, 30, "uint8 int8"), multiplier=None),
    "shift by row": replace(
        models.layer(6, 20, 47, "int8 uint8"), shift=np.arange(47, dtype=np.uint8)
    ),
    "wide": models.wide_layer(),
    "wider": models.wide_layer(5000),
}


@pytest.mark.parametrize("name", LAYERS)
def test_equals_the_plain_twin_and_the_reference(name):
    layer = LAYERS[name]
    values = inputs(layer, 70)
    result = Network((layer,))(values)
    assert result.dtype == DTYPE.get(layer.output, layer.output)
    np.testing.assert_array_equal(result, run_plain((layer,), values))
    for row in (0, 69, 70, 71, 72, 73):
        plain = {
            "rows": layer.weight.tolist(),
            "bias": layer.bias.tolist(),
            "multiplier": [1] * layer.n_outputs
            if layer.multiplier is None
            else layer.multiplier.tolist(),
            "shift": layer.shift.tolist(),
            "ends": [layer.input, layer.output],
        }
        assert result[row].tolist() == reference_base.run([plain], values[row].tolist())


@pytest.mark.parametrize("more", [-1, 0, 1])
@pytest.mark.parametrize("name", ["mixed int8", "mixed uint8", "wide"])
def test_rows_that_are_multiplied_apart_come_out_the_same(monkeypatch, name, more):
    layer = LAYERS[name]
    monkeypatch.setattr(network, "SERIAL_PRODUCTS", layer.weight.size * network.LEAST_ROWS)
    values = inputs(layer, 2 * network.LEAST_ROWS - 4 + more)  # inputs adds four rows
    assert len(values) == 2 * network.LEAST_ROWS + more
    np.testing.assert_array_equal(Network((layer,))(values), run_plain((layer,), values))


def test_layers_that_clip_do_clip():
    result = Network((LAYERS["shift 0"],))(inputs(LAYERS["shift 0"], 50))
    assert {-128, 127} <= set(result.ravel().tolist())


def test_chains_equal_the_plain_twin(model):
    for part in model.classes:
        for layers in part.networks.values():
            values = inputs(layers[0], 65)
            np.testing.assert_array_equal(Network(layers)(values), run_plain(layers, values))


@pytest.mark.parametrize("name", LAYERS)
def test_pieces_are_exact_and_cover_all_columns(name):
    layer = LAYERS[name]
    pieces = exact_pieces(layer)
    assert [piece.start for piece in pieces[1:]] == [piece.stop for piece in pieces[:-1]]
    assert (pieces[0].start, pieces[-1].stop) == (0, layer.n_inputs)
    for piece in pieces:
        np.testing.assert_array_equal(piece.weight.T, layer.weight[:, piece.start : piece.stop])
        sums = np.abs(piece.weight.astype(np.int64)).sum(axis=0) * layer.input_magnitude
        assert sums.max() <= MAX_EXACT_FLOAT32
    assert (len(pieces) > 1) == name.startswith("wide")


def test_a_piece_may_reach_the_largest_exact_sum_and_no_more():
    # 255 * 127 * 518 = 16,775,430 <= 2**24 - 1 < 255 * 127 * 519
    for n_inputs, n_pieces in ((518, 1), (519, 2)):
        assert len(exact_pieces(models.wide_layer(n_inputs))) == n_pieces


@pytest.mark.parametrize("name", ["mixed int8", "shift 30", "wide"])
def test_order_of_additions_does_not_matter(name):
    layer = LAYERS[name]
    values = inputs(layer, 40)
    expected = Network((layer,))(values)
    for seed in range(5):
        order = np.argsort(models.array(seed, (layer.n_inputs,), 0, 60000, "int64"))
        turned = replace(layer, weight=np.ascontiguousarray(layer.weight[:, order]))
        np.testing.assert_array_equal(Network((turned,))(values[:, order]), expected)


@pytest.mark.parametrize("given", ["int8", "uint7", "uint8"])
@pytest.mark.parametrize("sign", [1, -1])
def test_bound_is_sharp(given, sign):
    magnitude = {"int8": 128, "uint7": 127, "uint8": 255}[given]
    weight = np.array([[-128, 127, 1]], np.int8)
    most = MAX_ACCUMULATOR - magnitude * 256

    def layer(bias: int) -> Layer:
        return Layer(
            weight=weight,
            bias=np.array([sign * bias], np.int32),
            multiplier=np.array([65535], np.uint16),
            shift=np.zeros(1, np.uint8),
            input=given,
            output="int8",
        )

    assert layer(most).bound == 2**30 - 1
    values = inputs(layer(most), 3)
    np.testing.assert_array_equal(
        Network((layer(most),))(values), run_plain((layer(most),), values)
    )
    with pytest.raises(ModelError, match="1073741824"):
        layer(most + 1)


def test_bound_of_the_lowest_bias():
    with pytest.raises(ModelError, match="is allowed"):
        replace(LAYERS["one by one"], bias=np.array([-(2**31)], np.int32))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shift": np.full(30, 47, np.uint8)}, "shift"),
        ({"shift": np.zeros(30, np.int8)}, "uint8"),
        ({"shift": np.zeros(29, np.uint8)}, "shift"),
        ({"multiplier": np.zeros(30, np.uint16)}, "at least 1"),
        ({"multiplier": np.ones(30, np.int32)}, "uint16"),
        ({"bias": np.zeros(29, np.int32)}, "bias"),
        ({"bias": np.zeros(30, np.int64)}, "int32"),
        ({"weight": np.zeros((30, 0), np.int8)}, "non-empty"),
        ({"weight": np.zeros((30, 20), np.uint8)}, "int8"),
        ({"input": "int16"}, "inputs must be among"),
        ({"input": "int32"}, "inputs must be among"),
        ({"output": "float32"}, "outputs among"),
    ],
)
def test_bad_layers_are_refused(change, message):
    with pytest.raises(ModelError, match=message):
        replace(LAYERS["mixed int8"], **change)


def test_layers_must_fit_each_other():
    a, b = models.layer(1, 4, 5, "int8 int8"), models.layer(2, 5, 6, "uint8 int8")
    for layers in ((a, a), (a, b), ()):
        with pytest.raises(ModelError, match=r"inputs|at least one"):
            Network(layers)


def test_a_matrix_product_of_less_precision_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A product as in the bfloat16 mode of a BLAS: weights have 8 bits of mantissa."""
    weight = np.tile(np.arange(-127, 128, dtype=np.int8), (40, 3))
    layer = Layer(
        weight=weight,
        bias=np.zeros(40, np.int32),
        shift=np.full(40, 10, np.uint8),
        input="uint8",
        output="uint8",
    )
    Network((layer,))

    class Coarse(np.ndarray):
        def __rmatmul__(self, other: np.ndarray) -> np.ndarray:
            exact = np.asarray(other) @ np.asarray(self)
            bits = exact.astype(np.float32).view(np.uint32) & 0xFFFF0000
            return bits.view(np.float32)

    honest = network.exact_pieces

    def coarse_pieces(layer: Layer) -> tuple[network.Piece, ...]:
        return tuple(network.Piece(p.start, p.stop, p.weight.view(Coarse)) for p in honest(layer))

    monkeypatch.setattr(network, "exact_pieces", coarse_pieces)
    with pytest.raises(ModelError, match="not exact"):
        Network((layer,))
