"""Profile `hybrid`: cells of any size are decoded bit for bit (FORMAT 6)."""

from __future__ import annotations

import hybrid_models
import models
import numpy as np
import pytest
import zarr
from hybrid_cells import CODERS, cells_of, check_against_reference, sized
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from law import round_trip
from zarrmal_codecs import TruncatedError, array_arguments
from zarrmal_codecs.chunk.chunk import decode_chunk, encode_chunk
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.chunk.header import MODE_CELLS, MODE_DEFLATE
from zarrmal_codecs.constants import BLANK_CLASS

SIZES = [(1, 1), (1, 7), (7, 3), (2, 2), (13, 1)]


@pytest.mark.parametrize("name", CODERS)
@pytest.mark.parametrize("content", ["zeros", "ones", "full", "noise", "like cells"])
def test_contents(name, content):
    coder = CODERS[name]
    shape = (4, *coder.model.cell_shape)
    cells = {
        "zeros": np.zeros(shape, np.uint8),
        "ones": np.ones(shape, np.uint8),
        "full": np.full(shape, 255, np.uint8),
        "noise": models.array(42, shape, 0, 255, "uint8"),
        "like cells": cells_of(coder, 4),
    }[content]
    for view in (cells, np.asfortranarray(cells), cells[::-2]):
        header = round_trip(view, coder)
        assert header.mode == MODE_CELLS
        assert header.index.checks is None
        blank = ~view.reshape(len(view), -1).any(axis=1)
        np.testing.assert_array_equal(header.index.classes == BLANK_CLASS, blank)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", CODERS)
def test_other_sizes(name, size):
    coder = CODERS[name]
    cells = cells_of(coder, 5, *size)
    assert round_trip(cells, coder).mode == MODE_CELLS
    check_against_reference(cells, coder)


@pytest.mark.parametrize("name", CODERS)
def test_trained_size_through_the_reference_decoder(name):
    coder = CODERS[name]
    check_against_reference(cells_of(coder, 4), coder)


@pytest.mark.parametrize("name", CODERS)
def test_padded_cells_are_coded_at_their_own_size(name):
    coder = CODERS[name]
    cells, sizes = sized(coder, 12, 16, 14)
    header = round_trip(cells, coder)
    present = header.index.classes != BLANK_CLASS
    assert not present[2]
    np.testing.assert_array_equal(header.index.sizes[present], sizes[present])
    check_against_reference(cells, coder)
    # The same streams as of the cells alone: latents too, where the size is the model's.
    for k in np.flatnonzero(present).tolist():
        h, w = sizes[k].tolist()
        padded, cell, own = cells[k : k + 1], cells[k : k + 1, :h, :w], sizes[k : k + 1]
        for cut in {False, coder.takes_silhouettes}:
            outlined = (
                (coder.outline(padded, own, None), coder.outline(cell, None, None))
                if cut
                else (None, None)
            )
            alone = coder.cells(0).encode(cell, "mean", None, outlined[1])[1]
            assert coder.cells(0).encode(padded, "mean", own, outlined[0])[1] == alone


def test_sizes_are_stored_where_they_save_a_tenth_of_the_pixels():
    coder = CODERS["grey"]
    for rows, has_sizes in ((9, True), (10, False)):
        cells = models.pixels(73, (3, 10, 10))
        cells[:, rows:] = 0
        assert (round_trip(cells, coder).index.sizes is not None) == has_sizes
    assert round_trip(np.zeros((3, 10, 10), np.uint8), coder).index.sizes is None


def test_sized_cells_in_more_than_one_block(monkeypatch):
    from zarrmal_codecs.hybrid import blocks as hybrid

    coder = CODERS["colour_latent"]
    cells, _ = sized(coder, 40, 12, 11)
    data = encode_chunk(cells, coder)
    for name, value in (("BLOCK_CELLS", 7), ("BLOCK_PIXELS", 600), ("LANES", 3)):
        with monkeypatch.context() as patch:
            patch.setattr(hybrid, name, value)
            assert encode_chunk(cells, coder) == data
            np.testing.assert_array_equal(decode_chunk(data, coder), cells)


def test_the_class_of_a_sized_cell_is_the_shortest():
    coder = CODERS["grey_latent"]
    cells, sizes = sized(coder, 12, 16, 14)
    header = round_trip(cells, coder)
    present = header.index.classes != BLANK_CLASS
    shortest = coder.bits(cells, sizes).argmin(axis=1)
    np.testing.assert_array_equal(header.index.classes[present], shortest[present])


def test_a_real_size():
    coder = CODERS["grey"]
    assert round_trip(cells_of(coder, 3, 50, 50), coder).mode == MODE_CELLS


def test_classes_as_asked():
    for name in ("grey_latent", "shared"):
        coder = CODERS[name]
        n = len(coder.model.classes)
        classes = np.arange(7) % n
        header = round_trip(cells_of(coder, 7), coder, classes=classes)
        kept = header.index.classes != BLANK_CLASS
        np.testing.assert_array_equal(header.index.classes[kept], classes[kept])
        check_against_reference(cells_of(coder, 7), coder, classes=classes)


def test_each_cell_goes_to_its_shortest_class():
    coder = CODERS["grey_latent"]
    cells = models.pixels(43, (9, 7, 5))
    header = round_trip(cells, coder)
    bits = coder.bits(cells)
    np.testing.assert_array_equal(header.index.classes, bits.argmin(axis=1))
    for k in range(2):
        streams = coder.cells(k).encode(cells, "mean")[1]
        lengths = np.array([8 * len(stream) for stream in streams])
        assert (np.abs(lengths - bits[:, k] - 8) <= 10).all()  # half a word, the last state


def test_a_stream_does_not_depend_on_its_neighbours():
    coder = CODERS["colour_latent"].cells(0)
    cells = models.pixels(44, (9, 5, 4, 3))
    together = coder.encode(cells, "mean")[1]
    assert together == [coder.encode(cell[None], "mean")[1][0] for cell in cells]


def test_more_cells_than_a_block(monkeypatch):
    from zarrmal_codecs.hybrid import blocks as hybrid

    cells = models.pixels(45, (11, 7, 5))
    data = encode_chunk(cells, CODERS["grey_latent"])
    monkeypatch.setattr(hybrid, "BLOCK_CELLS", 4)
    assert encode_chunk(cells, CODERS["grey_latent"]) == data
    round_trip(cells, CODERS["grey_latent"])


@pytest.mark.parametrize(
    "shape",
    [(0, 7, 5), (3, 0, 5), (3, 7, 0), (7,), (3, 7), (3, 7, 5, 1), (3, 7, 5, 3), ()],
    ids=str,
)
def test_what_is_no_cell_falls_back(shape):
    array = models.array(46, shape, 0, 255, "uint8")
    assert round_trip(array, CODERS["grey"]).mode != MODE_CELLS


def test_channels_first_and_otherwise_transposed_colours():
    cells = cells_of(CODERS["colour"], 4)
    data = encode_chunk(cells, CODERS["colour"])
    for axes in ((0, 3, 1, 2), (3, 1, 2, 0), (1, 2, 3, 0)):
        turned = cells.transpose(axes)
        header = round_trip(turned, CODERS["colour"])
        assert (header.mode == MODE_CELLS) == (axes == (0, 3, 1, 2))
        assert header.channels_first == (axes == (0, 3, 1, 2))
    turned = cells.transpose(0, 3, 1, 2)
    check_against_reference(np.ascontiguousarray(turned), CODERS["colour"])
    # The streams are those of the cells with channels last.
    assert encode_chunk(turned, CODERS["colour"])[-50:] == data[-50:]
    # Where both could be meant, channels are last.
    assert not round_trip(cells_of(CODERS["colour"], 2, 3, 4), CODERS["colour"]).channels_first


def test_a_cell_of_too_many_pixels_falls_back():
    cells = np.zeros((1, 1 << 12, (1 << 10) + 1), np.uint8)
    assert round_trip(cells, CODERS["grey"]).mode != MODE_CELLS


def test_blank_cells_of_the_largest_size():
    cells = np.zeros((64, 1 << 11, 1 << 11), np.uint8)
    assert round_trip(cells[:, :128, :256], CODERS["grey"]).mode == MODE_CELLS
    # More pixels for a byte than a reader believes in cells: deflated.
    assert round_trip(cells[:2], CODERS["grey"]).mode == MODE_DEFLATE


@st.composite
def any_cells(draw: st.DrawFn) -> tuple[Coder, np.ndarray]:
    coder = CODERS[draw(st.sampled_from(sorted(CODERS)))]
    n, y, x = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    shape = draw(st.sampled_from([(y, x, *coder.model.cell_shape[2:]), coder.model.cell_shape]))
    return coder, draw(hnp.arrays(np.uint8, (n, *shape)))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(any_cells())
def test_any_cells(case):
    coder, cells = case
    assert round_trip(cells, coder).mode == MODE_CELLS


def test_without_an_encoder_latents_are_zero():
    coder = CODERS["no_encoder"]
    assert coder.can_encode
    cells = cells_of(coder, 2)
    twin = hybrid_models.hybrid_model((7, 5), hybrid_models.hybrid_class(7, "x", 1, n_latents=3))
    assert Coder(twin).cells(0).encode(cells, "mean")[1] != coder.cells(0).encode(cells, "mean")[1]
    check_against_reference(cells, coder)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarr_arrays_of_any_size(zarr_format):
    model = hybrid_models.colour_latent()
    for size in ((5, 4), (6, 3)):
        cells = models.pixels(47, (10, *size, 3))
        store = zarr.storage.MemoryStore()
        array = zarr.create_array(
            store,
            shape=cells.shape,
            chunks=(4, *cells.shape[1:]),
            dtype="uint8",
            **array_arguments(model, zarr_format=zarr_format),
        )
        array[:] = cells
        result = zarr.open_array(store, mode="r")
        np.testing.assert_array_equal(result[:], cells)
        for row in range(10):
            np.testing.assert_array_equal(result[row], cells[row])


@pytest.mark.parametrize("n_bytes", [0, 2, 3, 5, 7])
def test_streams_are_a_state_and_whole_words(n_bytes):
    with pytest.raises(TruncatedError, match="whole words"):
        CODERS["grey"].cells(0).decode([memoryview(bytes(n_bytes))], 0, (2, 2))
