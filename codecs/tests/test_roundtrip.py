"""Any array is decoded bit for bit: any rank, shape, order and strides (house, law 2)."""

from __future__ import annotations

import models
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from law import round_trip, same
from zarrmal_codecs import ModelError, NumcodecsZarrmal
from zarrmal_codecs.chunk.chunk import decode_chunk, encode_chunk
from zarrmal_codecs.chunk.coder import Coder, coder_for
from zarrmal_codecs.chunk.header import MODE_CELLS, MODE_STORED
from zarrmal_codecs.constants import BLANK_CLASS
from zarrmal_codecs.paper.golomb_rice import RICE_CHOICES

QUICK = settings(max_examples=150, deadline=None, derandomize=True)
CODERS = {name: Coder(make()) for name, make in models.SMALL.items() if name != "wide"}


@st.composite
def views(draw: st.DrawFn, array: np.ndarray) -> np.ndarray:
    """The array, or a view of it: reversed, strided, transposed, in Fortran order."""
    kind = draw(st.sampled_from(["as it is", "reversed", "strided", "turned", "fortran"]))
    if kind == "reversed":
        return np.flip(array, axis=draw(st.integers(0, array.ndim - 1))) if array.ndim else array
    if kind == "strided":
        return np.repeat(array, 2, axis=-1)[..., ::2] if array.ndim else array
    if kind == "turned":
        order = draw(st.permutations(range(array.ndim)))
        return array.transpose(order).copy("C").transpose(np.argsort(order))
    return np.asfortranarray(array).reshape(array.shape) if kind == "fortran" else array


@st.composite
def any_array(draw: st.DrawFn) -> np.ndarray:
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=6, min_side=0, max_side=5))
    return draw(views(draw(hnp.arrays(np.uint8, shape))))


@st.composite
def cells_and_classes(draw: st.DrawFn) -> tuple[Coder, np.ndarray, np.ndarray | None]:
    coder = CODERS[draw(st.sampled_from(sorted(CODERS)))]
    n = draw(st.integers(0, 6))
    cells = draw(hnp.arrays(np.uint8, (n, *coder.model.cell_shape)))
    k = len(coder.model.classes)
    classes = st.none() | hnp.arrays(np.int64, (n,), elements=st.integers(0, k - 1))
    return coder, draw(views(cells)), draw(classes)


@QUICK
@given(any_array(), st.sampled_from([None, *CODERS]), st.sampled_from(RICE_CHOICES))
@example(np.uint8(3) + np.zeros((), np.uint8), None, "mean")
@example(np.broadcast_to(np.arange(5, dtype=np.uint8), (4, 3, 5)), "two_classes", "mean")
@example(np.zeros((0, 6, 5), np.uint8), "two_classes", "best")
@example(np.zeros((1,) * 32, np.uint8), "line", "mean")
def test_any_array(array, name, rice):
    round_trip(array, CODERS[name] if name else None, rice=rice)


@QUICK
@given(cells_and_classes(), st.sampled_from(RICE_CHOICES))
def test_cells(case, rice):
    coder, cells, classes = case
    header = round_trip(cells, coder, classes=classes, rice=rice)
    if cells.size:
        assert header.mode == MODE_CELLS
        blank = ~cells.reshape(len(cells), -1).any(axis=1)
        np.testing.assert_array_equal(header.index.classes == BLANK_CLASS, blank)
        if classes is not None:
            np.testing.assert_array_equal(header.index.classes[~blank], classes[~blank])


@pytest.mark.parametrize("rice", RICE_CHOICES)
@pytest.mark.parametrize("content", ["zeros", "ones", "full", "noise", "like cells"])
def test_edges(coder, rice, content):
    shape = (5, *coder.model.cell_shape)
    made = {
        "zeros": np.zeros(shape, np.uint8),
        "ones": np.ones(shape, np.uint8),
        "full": np.full(shape, 255, np.uint8),
        "noise": models.array(5, shape, 0, 255, "uint8"),
        "like cells": models.array(5, shape, 90, 130, "uint8"),
    }
    for cells in (made[content], np.asfortranarray(made[content]), made[content][::-2]):
        assert round_trip(cells, coder, rice=rice, keep_cells=True).mode == MODE_CELLS


def test_noise_takes_no_more_bytes_than_its_pixels(coder):
    n = 1 + 2048 // coder.model.n_pixels
    noise = models.array(5, (n, *coder.model.cell_shape), 0, 255, "uint8")
    classes = np.zeros(n, np.int64)
    data = encode_chunk(noise, coder, classes=classes)
    assert len(data) <= noise.size + 64
    assert round_trip(noise, coder, classes=classes).mode == MODE_STORED
    assert len(encode_chunk(noise, coder, classes=classes, keep_cells=True)) > len(data)
    assert round_trip(noise, coder, keep_cells=True).mode == MODE_CELLS


def test_best_is_never_longer_than_mean(coder):
    cells = models.array(6, (8, *coder.model.cell_shape), 0, 255, "uint8")
    classes = np.zeros(8, np.int64)
    sizes = {
        rice: len(encode_chunk(cells, coder, classes=classes, rice=rice)) for rice in RICE_CHOICES
    }
    assert sizes["best"] <= sizes["mean"]


def test_one_cell_coded_alone_or_among_others_is_the_same(two_classes):
    coder = Coder(two_classes)
    cells = models.pixels(3, (130, 6, 5))  # more than one block of rows in Network
    classes = np.arange(130) % 2
    round_trip(cells, coder, classes=classes)
    for k in (0, 63, 64, 129):
        latents, values = coder.cells(0).transform(cells.reshape(130, -1))
        alone = coder.cells(0).transform(cells[k].reshape(1, -1))
        np.testing.assert_array_equal(alone[0][0], latents[k])
        np.testing.assert_array_equal(alone[1][0], values[k])


def test_a_model_without_encoder_decodes_and_falls_back(two_classes):
    cells = models.pixels(4, (6, 6, 5))
    coder = coder_for(models.decode_only())
    assert round_trip(cells, coder).mode != MODE_CELLS
    assert round_trip(cells, coder, classes=np.zeros(6, int)).mode != MODE_CELLS
    # Its decoders are those of two_classes: so are the pixels, with the digest made to fit.
    expected = Coder(two_classes).cells(1)
    coding, streams = expected.encode(cells, "mean")
    result = coder.cells(1).decode([memoryview(s) for s in streams], coding, (6, 5))
    np.testing.assert_array_equal(result, cells)
    with pytest.raises(ModelError, match="no encoder"):
        coder.cells(0).transform(cells.reshape(6, -1))
    codec = NumcodecsZarrmal.of(models.decode_only())
    same(codec.decode(codec.encode(cells)), cells)


@pytest.mark.parametrize(
    ("classes", "message"),
    [([0, 2], "0..1"), ([-1, 0], "0..1"), ([0], "2 integers"), ([0.0, 1.0], "2 integers")],
)
def test_wrong_classes_are_the_callers_mistake(two_classes, classes, message):
    cells = models.pixels(1, (2, 6, 5))
    with pytest.raises(ValueError, match=message):
        encode_chunk(cells, Coder(two_classes), classes=np.array(classes))


def test_classes_need_cells_of_the_model(two_classes):
    with pytest.raises(ValueError, match="need an array of the model's cells"):
        encode_chunk(np.zeros((2, 3, 3), np.uint8), Coder(two_classes), classes=np.zeros(2, int))


def test_callers_classes_are_left_alone(two_classes):
    cells = np.zeros((2, 6, 5), np.uint8)  # blank: coded as class 255
    classes = np.zeros(2, np.uint8)
    encode_chunk(cells, Coder(two_classes), classes=classes)
    assert classes.tolist() == [0, 0]


@pytest.mark.parametrize("shape", [(0, 1 << 32), (0, 1 << 31, 3), (1 << 16, 1 << 15)])
def test_too_many_pixels_are_the_callers_mistake(shape):
    array = np.broadcast_to(np.uint8(0), shape)
    with pytest.raises(ValueError, match="choose smaller chunks"):
        encode_chunk(array, None)


def test_expected_shape_is_checked():
    data = encode_chunk(np.zeros((2, 3), np.uint8), None)
    with pytest.raises(ValueError, match=r"shape \(2, 3\)"):
        decode_chunk(data, None, shape=(3, 2))
