"""Silhouettes that callers give and get (FORMAT 4.7)."""

from __future__ import annotations

import asyncio

import hybrid_models
import models
import numpy as np
import pytest
from masks import ENGINES, NATIVE, masks_of, native
from stores import FakeGetter, spec_of
from zarrmal_codecs import CorruptionError, TruncatedError, ZarrmalCodec
from zarrmal_codecs.chunk.chunk import (
    decode_cells,
    decode_chunk,
    decode_silhouettes,
    encode_chunk,
)
from zarrmal_codecs.chunk.coder import Coder, coder_for
from zarrmal_codecs.chunk.header import header_bytes, parse_header
from zarrmal_codecs.hybrid import engine
from zarrmal_codecs.silhouette.coverage import FULL, RESAMPLINGS, coverage
from zarrmal_codecs.silhouette.lattice import expand, find_spacing
from zarrmal_codecs.silhouette.outlined import outline
from zarrmal_codecs.silhouette.silhouettes import Silhouettes, cut_out


def test_take_without_fitted():
    masks: list = masks_of(9, [(4, 3), (7, 5), (2, 6)])
    masks.insert(1, None)
    all_of = Silhouettes(masks=masks, resampling="area")
    assert len(all_of) == 4
    some = all_of.take([3, 1])
    assert (some.resampling, some.masks[1]) == ("area", None)
    assert some.masks[0] is masks[3]
    left = all_of.without(np.array([True, False, False, True]))
    assert left.resampling == "area"
    assert [mask is None for mask in left.masks] == [True, True, False, True]
    fitted = all_of.fitted(np.array([[4, 3], [9, 9], [3, 7], [1, 8]], np.uint16))
    assert fitted.resampling == "area"
    assert fitted.masks[0] is masks[0]
    assert fitted.masks[1] is None
    np.testing.assert_array_equal(fitted.masks[2][:, :5], masks[2][:3])
    assert not fitted.masks[2][:, 5:].any()
    np.testing.assert_array_equal(fitted.masks[3], np.pad(masks[3][:1], ((0, 0), (0, 2))))
    fit = all_of.fitted(np.array([[4, 3], [9, 9], [3, 7], [1, 8]], np.uint16))
    assert [mask is None or mask.shape for mask in fit.masks] == [(4, 3), True, (3, 7), (1, 8)]


def test_coverage_of_cells_with_sizes():
    masks: list = [masks_of(10, [(8, 8)])[0], None]
    silhouettes = Silhouettes(masks=masks, resampling="box")
    sizes = np.array([[5, 4], [2, 6]], np.uint16)
    covered = silhouettes.coverage((6, 7), sizes)
    np.testing.assert_array_equal(covered[0, :5, :4], coverage(masks[0], (5, 4), "box"))
    assert (covered[1, :2, :6] == FULL).all()
    for cell, (height, width) in zip(covered, sizes.tolist(), strict=True):
        assert not cell[height:].any()
        assert not cell[:, width:].any()
    assert (silhouettes.coverage((6, 7))[1] == FULL).all()


@pytest.mark.parametrize("channels", [(), (3,)])
def test_background_of_a_32nd_makes_a_silhouette(channels):
    cells = np.full((5, 8, 16, *channels), 9, np.uint8)
    cells[0, 0, :4] = 0  # 4 of 128
    cells[1, 0, :3] = 0
    cells[2] = 0
    cells[4, 7, 12:] = 0
    if channels:
        cells[4, 7, 15, 1] = 1  # no background
    masks = cut_out(cells).masks
    expected = [0, 4] if not channels else [0]
    assert [i for i, mask in enumerate(masks) if mask is not None] == expected
    np.testing.assert_array_equal(masks[0], cells[0].reshape(8, 16, -1).any(axis=2))
    assert cut_out(cells[1:4]) is None
    sizes = np.array([[8, 16], [1, 16], [8, 16], [4, 4], [7, 16]], np.uint16)
    masks = cut_out(cells, sizes).masks
    assert masks[1].shape == (1, 16)  # three of its sixteen
    assert [i for i, mask in enumerate(masks) if mask is not None] == [0, 1]


@pytest.mark.parametrize("n", [0, 2, 4])
def test_another_number_of_silhouettes_is_refused(n):
    cells = models.pixels(91, (3, 7, 5))
    for name in ("cut_out", "grey"):
        with pytest.raises(ValueError, match=f"{n} silhouettes for 3 cells"):
            encode_chunk(
                cells,
                Coder(hybrid_models.HYBRID[name]()),
                silhouettes=Silhouettes(masks=[None] * n),
            )


@pytest.mark.parametrize(
    ("mask", "error"),
    [
        (np.zeros((0, 4), bool), ValueError),
        (np.zeros((4, 0), bool), ValueError),
        (np.zeros((4097, 1), bool), ValueError),
        (np.zeros((1, 4097), bool), ValueError),
        (np.zeros((2049, 2048), bool), ValueError),
        (np.zeros((4, 4), np.uint8), TypeError),
        (np.zeros((4, 4, 1), bool), TypeError),
        (np.zeros(4, bool), TypeError),
    ],
    ids=lambda value: f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else "",
)
def test_masks_that_no_chunk_can_hold_are_refused(mask, error):
    with pytest.raises(error, match="a mask must"):
        Silhouettes(masks=[None, mask], resampling="area")


def test_the_largest_masks_are_coded():
    coder = Coder(hybrid_models.cut_out())
    cells = models.pixels(92, (2, 7, 5))
    masks = [np.ones((4096, 1), bool), np.ones((1024, 4096), bool)]
    given = Silhouettes(masks=masks, resampling="box")
    data = encode_chunk(cells, coder, silhouettes=given, keep_cells=True)
    np.testing.assert_array_equal(decode_chunk(data, coder), cells)
    assert parse_header(memoryview(data)).index.outlines.spacings.tolist() == [15, 3]


def test_more_points_than_a_chunk_may_have_are_refused():
    mask = np.random.default_rng(1).random((1 << 11, 1 << 11)) < 0.5
    silhouettes = Silhouettes(masks=[mask] * 3, resampling="box")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zarrmal_codecs.silhouette.outlined.MAX_CHUNK_PIXELS", 3 << 22)
        assert outline(silhouettes, np.zeros((3, 1, 1), np.uint8), None, native=False)
        patch.setattr("zarrmal_codecs.silhouette.outlined.MAX_CHUNK_PIXELS", (3 << 22) - 1)
        with pytest.raises(ValueError, match="smaller chunks"):
            outline(silhouettes, np.zeros((3, 1, 1), np.uint8), None, native=False)


def test_an_unknown_resampling_is_refused():
    with pytest.raises(ValueError, match="resampling must be one of 'same', 'triangle'"):
        Silhouettes(masks=[], resampling="cubic")


# What callers get


def chunk_with(silhouettes: Silhouettes, name: str = "cut_out") -> tuple[bytes, np.ndarray, Coder]:
    coder = Coder(hybrid_models.HYBRID[name]())
    shape = coder.model.cell_shape
    cells = models.pixels(93, (len(silhouettes), *shape)).astype(int)
    covered = silhouettes.coverage(shape[:2]).astype(int)
    cells = (cells * covered.reshape(*covered.shape, *[1] * (len(shape) - 2)) // 255).astype("u1")
    cells[2] = 0
    return encode_chunk(cells, coder, silhouettes=silhouettes, keep_cells=True), cells, coder


def given_silhouettes() -> Silhouettes:
    masks: list = [expand(mask, 3) for mask in masks_of(11, [(5, 6)] * 9)]
    masks[4] = None
    masks[5] = np.ones((13, 16), bool)
    masks[6] = masks_of(12, [(20, 20)])[0]
    return Silhouettes(masks=masks, resampling="triangle")


def fetch_of(data: bytes):
    payload = memoryview(data)[header_bytes(memoryview(data)) :]
    return lambda start, stop: payload[start:stop]


@pytest.mark.parametrize("level", ENGINES)
@pytest.mark.parametrize("name", ["cut_out", "cut_out_colour"])
def test_silhouettes_come_back(level, name, monkeypatch):
    monkeypatch.setenv(engine.VARIABLE, level)
    silhouettes = given_silhouettes()
    data, _, coder = chunk_with(silhouettes, name)
    header = parse_header(memoryview(data))
    for rows in ([0, 1, 2, 3, 4, 5, 6, 7, 8], [7], [2], [4], [1, 2, 8]):
        result = decode_silhouettes(header, np.array(rows), fetch_of(data), coder)
        assert result.resampling == "triangle"
        for row, mask in zip(rows, result.masks, strict=True):
            if row in (2, 4):
                assert mask is None
            else:
                np.testing.assert_array_equal(mask, silhouettes.masks[row])


def test_chunks_without_silhouettes_give_none():
    coder = Coder(hybrid_models.cut_out())
    for cells in (np.full((3, 7, 5), 9, np.uint8), np.zeros((2, 3), np.uint8)):
        data = encode_chunk(cells, coder)
        header = parse_header(memoryview(data))
        assert decode_silhouettes(header, np.arange(1), fetch_of(data), coder) is None


@pytest.mark.parametrize("level", ENGINES)
@pytest.mark.parametrize("name", ["cut_out", "cut_out_colour"])
def test_single_cells_are_read_alone(level, name, monkeypatch):
    monkeypatch.setenv(engine.VARIABLE, level)
    data, cells, coder = chunk_with(given_silhouettes(), name)
    header = parse_header(memoryview(data))
    for rows in ([k] for k in range(9)):
        np.testing.assert_array_equal(
            decode_cells(header, np.array(rows), fetch_of(data), coder), cells[rows]
        )
    np.testing.assert_array_equal(
        decode_cells(header, np.array([1, 4, 7]), fetch_of(data), coder), cells[[1, 4, 7]]
    )


def test_requests_of_a_partial_read():
    cells = np.zeros((60, 9, 8), np.uint8)
    cells[:, 2:7, 1:6] = models.pixels(94, (60, 5, 5))
    model = hybrid_models.cut_out()
    data = encode_chunk(cells, coder_for(model))
    assert parse_header(memoryview(data)).index.outlines is not None
    getter = FakeGetter(data)
    for rows in ([0], [59], [0, 33, 59]):
        getter.requests.clear()
        selection = (np.array(rows), slice(None), slice(None))
        reading = ZarrmalCodec.of(model)._decode_partial_single(
            getter, selection, spec_of(cells.shape)
        )
        np.testing.assert_array_equal(asyncio.run(reading).as_numpy_array(), cells[rows])
        assert len(getter.requests) <= 1 + len(rows)


@pytest.mark.parametrize("level", ENGINES)
def test_a_damaged_stream_of_masks_is_named(level, monkeypatch):
    monkeypatch.setenv(engine.VARIABLE, level)
    data, _, coder = chunk_with(given_silhouettes())
    header = parse_header(memoryview(data))
    rows = np.array([0])

    def zeros(start: int, stop: int) -> memoryview:
        return memoryview(bytes(stop - start))

    with pytest.raises((CorruptionError, TruncatedError)):
        decode_cells(header, rows, zeros, coder)
    index = header.index
    assert index is not None
    with pytest.raises(TruncatedError, match="last point"):
        coder.cells(int(index.classes[6])).masks(
            [memoryview(b"\0\0\1\0")], index.outlines.take(np.array([6]))
        )


@native
@pytest.mark.parametrize("resampling", RESAMPLINGS)
@pytest.mark.parametrize("sized", [False, True])
def test_outlines_cover_the_same_in_both_engines(resampling, sized):
    shape, sizes = (13, 17), None
    if sized:
        sizes = 1 + models.array(95, (8, 2), 0, 99, "int64") % np.array(shape)
        sizes = sizes.astype(np.uint16)
    own = [shape] * 8 if sizes is None else [tuple(each) for each in sizes.tolist()]
    shapes = own if resampling == "same" else [(22, 9), (5, 33), (1, 1), (16, 16)] * 2
    masks: list = masks_of(13, shapes)
    masks[3] = None
    silhouettes = Silhouettes(masks=masks, resampling=resampling)
    expected = silhouettes.coverage(shape, sizes)
    cells = np.minimum(expected, 200)
    cells[5, 0, 0] |= 1  # whatever its silhouette says
    for each in NATIVE:
        outlined = outline(silhouettes, cells, sizes, native=each)
        for i in range(8):
            wrong = i == 5 and expected[5, 0, 0] == 0
            if wrong or masks[i] is None:
                assert outlined.outlines.spacings[i] == 0
            else:
                assert outlined.outlines.spacings[i] == find_spacing(masks[i])
                np.testing.assert_array_equal(outlined.coverage[i], expected[i])
