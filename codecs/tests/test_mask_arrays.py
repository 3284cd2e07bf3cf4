"""Arrays of masks, bool (cell, y, x), come back bit for bit (FORMAT 4.8)."""

from __future__ import annotations

import hybrid_models
import models
import numpy as np
import pytest
import reference_decoder
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from law import round_trip, same
from masks import masks_of
from zarr.storage import MemoryStore
from zarrmal_codecs import array_arguments
from zarrmal_codecs.chunk.chunk import decode_chunk, encode_chunk
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.chunk.header import MODE_MASKS, MODE_NAMES
from zarrmal_codecs.chunk.mask_cells import decode_masks, encode_masks
from zarrmal_codecs.hybrid import engine
from zarrmal_codecs.silhouette.lattice import expand


def discs(n: int, height: int, width: int) -> np.ndarray:
    """Masks with smooth edges, some of which reach beyond the array; one is empty."""
    y, x = np.ogrid[:height, :width]
    places = models.array(31, (n, 3), 0, 99, "int64").tolist()
    out = [
        (y - a * height // 100) ** 2 + (x - b * width // 100) ** 2 < (8 + r * height // 300) ** 2
        for a, b, r in places
    ]
    out[n // 2][:] = False
    return np.stack(out)


KINDS = {
    "discs": discs(9, 60, 50),
    "whole": np.ones((5, 70, 30), bool),
    "one empty": np.stack([np.zeros((40, 40), bool), *masks_of(32, [(40, 40)] * 6)]),
    "one pixel": np.eye(20, dtype=bool)[:, None, :].repeat(1, axis=1),
    "one row": np.stack(masks_of(33, [(1, 300)] * 9)),
    "one column": np.stack(masks_of(34, [(300, 1)] * 9)),
    "lattice": np.stack([expand(m, 7) for m in masks_of(35, [(9, 8)] * 8)]),
    "many": discs(150, 30, 20),
    "of a pixel": np.ones((200, 1, 1), bool),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds(name):
    masks = KINDS[name]
    for view in (masks, masks[::-2, :, ::-1]):
        round_trip(view, None)
    coded = encode_masks(masks)
    assert coded is not None
    same(decode_masks(coded[0], masks.shape, memoryview(coded[1])), masks)
    if name in ("discs", "lattice", "one empty"):  # others are shorter deflated, perhaps
        data = encode_chunk(masks, None)
        assert MODE_NAMES[data[5]] == "masks"
        assert reference_decoder.decode_chunk(data, None)[2] == masks.tobytes()


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    hnp.arrays(bool, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9)),
    st.integers(1, 6),
)
def test_any_masks(masks, spacing):
    round_trip(masks, None)
    grown = np.stack([expand(mask, spacing) for mask in masks])
    coded = encode_masks(grown)
    if coded is None:
        assert not masks.any()
        return
    index, payload = coded
    same(decode_masks(index, grown.shape, memoryview(payload)), grown)
    assert (index.spacings > 0).tolist() == grown.any(axis=(1, 2)).tolist()


def test_every_level_gives_the_same_bytes(monkeypatch):
    results = set()
    for level in engine.levels():
        monkeypatch.setenv(engine.VARIABLE, level)
        results.add(encode_chunk(KINDS["discs"], None))
        same(decode_chunk(max(results), None), KINDS["discs"])
    assert len(results) == 1


def test_masks_in_more_than_one_block(monkeypatch):
    data = encode_chunk(KINDS["many"], None)
    monkeypatch.setattr("zarrmal_codecs.chunk.mask_cells.BLOCK_CELLS", 70)
    assert encode_chunk(KINDS["many"], None) == data
    same(decode_chunk(data, None), KINDS["many"])


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 40, 40), bool),
        np.zeros((0, 4, 4), bool),
        np.zeros((4, 0, 4), bool),
        KINDS["discs"][0],
        KINDS["discs"][None],
        KINDS["discs"].view(np.uint8),
        KINDS["discs"].view(np.int8),
        np.ones((1, 1, 4097), bool),
        np.ones((1, 4097, 2), bool),
    ],
    ids=lambda array: f"{array.dtype} {array.shape}",
)
def test_what_is_no_array_of_masks_falls_back(array):
    assert round_trip(array, None).mode != MODE_MASKS


def test_other_values_than_0_and_1_come_back():
    octets = KINDS["discs"].view(np.uint8) * np.uint8(1)
    octets[0, 0, 0] = 2
    data = encode_chunk(octets.view(bool), None)
    assert data[5] != MODE_MASKS
    assert decode_chunk(data, None).view(np.uint8).tobytes() == octets.tobytes()


def test_a_model_makes_no_difference():
    coder = Coder(hybrid_models.cut_out())
    assert encode_chunk(KINDS["discs"], coder) == encode_chunk(KINDS["discs"], None)


def test_masks_take_fewer_bytes_than_deflated():
    masks = discs(40, 90, 80)
    assert len(encode_chunk(masks, None)) < 0.8 * len(encode_chunk(masks.view(np.uint8), None))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarr_arrays(zarr_format):
    masks, store = discs(61, 90, 80), MemoryStore()
    array = zarr.create_array(
        store,
        shape=masks.shape,
        chunks=(25, *masks.shape[1:]),  # the last one is padded
        dtype=bool,
        **array_arguments(hybrid_models.grey(), zarr_format=zarr_format),
    )
    array[:] = masks
    keys = [key for key in store._store_dict if key[-1].isdigit()]
    assert {store._store_dict[key].to_bytes()[5] for key in keys} == {MODE_MASKS}
    again = zarr.open_array(store, mode="r")
    np.testing.assert_array_equal(again[:], masks)
    for selection in (np.s_[3], np.s_[60], np.s_[20:30, 44], np.s_[7, 2, 1]):
        np.testing.assert_array_equal(again[selection], masks[selection])
