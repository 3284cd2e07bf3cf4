"""Arrays of every dtype come back bit for bit, whichever their byte order and memory order."""

from __future__ import annotations

import zlib

import models
import numpy as np
import pytest
import reference_decoder
import zarr
from any_dtype import DTYPES, NUMBERS, SHAPES, filled, special_floats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from law import round_trip, same
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore
from zarrmal_codecs import CorruptionError, NumcodecsZarrmal, ZarrmalCodec, array_arguments
from zarrmal_codecs.chunk.chunk import decode_chunk, encode_chunk
from zarrmal_codecs.chunk.coder import coder_for
from zarrmal_codecs.chunk.header import MODE_CELLS, MODE_DEFLATE, header_bytes, parse_header
from zarrmal_codecs.chunk.items import stored_dtype

QUICK = settings(max_examples=200, deadline=None, derandomize=True)
NAMES = [dtype.str if dtype.names is None else "fields" for dtype in DTYPES]
EVERY = pytest.mark.parametrize("dtype", DTYPES, ids=NAMES)
FORMATS = pytest.mark.parametrize("zarr_format", [2, 3])
ORDERS = pytest.mark.parametrize("order", ["C", "F"])
pytestmark = pytest.mark.filterwarnings(
    "ignore:The data type:zarr.errors.UnstableSpecificationWarning"
)


def written(zarr_format: int, items: np.ndarray, **more: object) -> zarr.Array:
    """A zarr array of these items, in chunks that do not divide its shape."""
    chunks = tuple(min(2, max(1, n)) for n in items.shape)
    out = zarr.create_array(
        MemoryStore(),
        **{"shape": items.shape, "dtype": items.dtype, "chunks": chunks}
        | array_arguments(models.two_classes(), zarr_format=zarr_format)
        | more,
    )
    out[...] = items
    return out


def reopened(out: zarr.Array) -> zarr.Array:
    return zarr.open_array(out.store, mode="r")


def same_items(result: np.ndarray, expected: np.ndarray) -> None:
    """Assert that items are equal; format 3 gives them in little-endian order."""
    same(np.asarray(result, expected.dtype.newbyteorder("<")), little(expected))


def little(items: np.ndarray) -> np.ndarray:
    return items.astype(items.dtype.newbyteorder("<"))


@EVERY
@ORDERS
def test_chunks(dtype, order):
    for shape in SHAPES:
        items = filled(dtype, shape, order=order)
        data = encode_chunk(items, None)
        back = decode_chunk(data, None, shape=shape, dtype=dtype)
        assert back.dtype == dtype
        assert (back.shape, back.tobytes()) == (shape, items.tobytes())
        stored = decode_chunk(data, None)
        same(stored, items.view(stored_dtype(dtype)))
        if dtype in NUMBERS:
            same(stored, items)
        data = encode_chunk(items, None, fortran_order=True)
        assert decode_chunk(data, None).tobytes("A") == items.tobytes("F")


@EVERY
@ORDERS
def test_numcodecs(dtype, order):
    codec = NumcodecsZarrmal.of(models.two_classes())
    for shape in SHAPES:
        items = filled(dtype, shape, order=order)
        data = codec.encode(items)
        result = codec.decode(data)
        assert (result.shape, result.tobytes("A")) == (shape, items.tobytes("A"))
        out = np.empty_like(items)
        assert codec.decode(data, out=out) is out
        assert out.tobytes("A") == items.tobytes("A")
        out = bytearray(items.nbytes)
        codec.decode(data, out=out)
        assert bytes(out) == items.tobytes("A")


@FORMATS
@EVERY
@ORDERS
def test_zarr(zarr_format, dtype, order):
    for shape in SHAPES:
        items = filled(dtype, shape, order=order)
        more = {"order": order} if zarr_format == 2 else {}
        again = reopened(written(zarr_format, items, **more))
        same_items(again[...], items)
        if zarr_format == 2:
            assert again.dtype == dtype
        if 0 not in shape and shape:
            same_items(np.asarray(again[0]), np.asarray(items[0]))
            same_items(again[-1:], items[-1:])
            same_items(again[::2, ...], items[::2, ...])


@FORMATS
@EVERY
def test_parts_are_rewritten_and_arrays_grow(zarr_format, dtype):
    items = filled(dtype, (5, 3, 2)).copy()
    out = written(zarr_format, items[::-1])
    out[1:4] = items[1:4]
    out[[0, 4]] = items[[0, 4]]
    same_items(reopened(out)[:], items)
    out.append(items[:3])
    same_items(reopened(out)[:], np.concatenate([items, items[:3]]))


@FORMATS
@pytest.mark.parametrize("dtype", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"])
def test_every_bit_of_a_float(zarr_format, dtype):
    items = special_floats(np.dtype(dtype))
    same(decode_chunk(encode_chunk(items, None), None), items)
    same_items(reopened(written(zarr_format, items))[:], items)
    pairs = np.stack([items, items[::-1]], -1).view(f"{dtype[0]}c{2 * items.itemsize}")[:, 0] \
        if items.itemsize > 2 else items  # fmt: skip
    same(decode_chunk(encode_chunk(pairs, None), None), pairs)
    same_items(reopened(written(zarr_format, pairs))[:], pairs)


@pytest.mark.parametrize("shape", [(4,), (3, 2, 2)])
def test_values_in_the_other_byte_order(shape):
    """zarr hands a codec values of either byte order, whatever the array's."""
    for dtype in DTYPES:
        items = filled(dtype, shape)
        for of_array in "<>":
            for zarr_format in (2, 3):
                array = written(zarr_format, items, dtype=dtype.newbyteorder(of_array))
                same_items(array[:], items)
                same_items(reopened(array)[:], items)
    with_little, with_big = (
        {k: v.to_bytes() for k, v in written(3, items).store._store_dict.items() if "c/" in k}
        for items in (np.arange(7, dtype="<i4"), np.arange(7, dtype=">i4"))
    )
    assert with_little == with_big


@FORMATS
def test_missing_chunks_have_the_fill_value(zarr_format):
    for dtype, value in [("f4", np.float32("nan")), (">i2", -7), ("bool", True), ("S3", b"ab")]:
        array = written(zarr_format, np.zeros(6, dtype), fill_value=value)
        for key in ("c/1", "1"):
            array.store._store_dict.pop(key, None)
        result = reopened(array)[:]
        np.testing.assert_array_equal(result[2:4], np.full(2, value, dtype))
        np.testing.assert_array_equal(result[4:], np.zeros(2, dtype))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", ">f4", "c16", "M8[s]", "S5"])
def test_in_shards(dtype):
    items = filled(np.dtype(dtype), (9, 3))
    out = written(3, items, chunks=(2, 3), shards=(4, 3))
    same_items(reopened(out)[:], items)
    same_items(reopened(out)[3:6], items[3:6])


@QUICK
@given(st.data())
def test_any_number(data):
    dtype = data.draw(st.sampled_from(NUMBERS))
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5))
    items = data.draw(hnp.arrays(dtype, shape))
    round_trip(items, coder_for(models.two_classes()))
    if items.ndim:
        round_trip(np.flip(np.repeat(items, 2, axis=-1), 0)[..., ::2], None)


@EVERY
def test_models_code_uint8_and_uint16(dtype):
    coder = coder_for(models.two_classes())
    items = filled(dtype, (3, 6, 5))
    header = parse_header(memoryview(encode_chunk(items, coder, keep_cells=True)))
    assert (header.mode == MODE_CELLS) == (dtype == np.uint8)  # else there are too many levels
    if dtype.newbyteorder("=") == np.uint16:
        few = (models.pixels(9, (3, 6, 5)).astype(dtype) * 9).astype(dtype)
        assert round_trip(few, coder, keep_cells=True, classes=np.zeros(3, int)).mode == MODE_CELLS
    elif dtype != np.uint8:
        with pytest.raises(ValueError, match="classes need an array of the model's cells"):
            encode_chunk(items, coder, classes=np.zeros(3, int))


def test_similar_numbers_are_shuffled_and_deflated():
    items = np.arange(1000, 3000, dtype="<u4").reshape(20, 100)
    data = encode_chunk(items, None)
    assert parse_header(memoryview(data)).mode == MODE_DEFLATE
    assert len(data) < len(zlib.compress(items.tobytes(), 9)) / 2


def test_byte_orders_differ_in_one_flag():
    items = filled(np.dtype("<f8"), (4, 3))
    little, big = (encode_chunk(items.astype(order + "f8"), None) for order in "<>")
    n = header_bytes(memoryview(little))
    assert (little[:7], little[7] | 4, little[8 : n - 4], little[n:]) == (
        big[:7], big[7], big[8 : n - 4], big[n:])  # fmt: skip


def of_another_dtype(array: zarr.Array, items: np.ndarray) -> None:
    """Replace the array's first chunk by one of other items."""
    chunk = default_buffer_prototype().buffer.from_bytes(encode_chunk(items, None))
    array.store._store_dict["c" + "/0" * items.ndim] = chunk


PAIRS = [("i4", "f4"), ("i1", "u1"), ("u1", "i1"), ("u1", "bool"), ("u2", "u4"), ("S4", "i4"),
         ("S4", "S5"), ("f8", "c8"), ("M8[s]", "f8")]  # fmt: skip


@pytest.mark.parametrize(("in_metadata", "in_chunk"), PAIRS)
def test_items_are_not_read_as_others(in_metadata, in_chunk):
    array = written(3, np.zeros((4, 2), in_metadata), chunks=(4, 2))
    of_another_dtype(array, np.zeros((4, 2), in_chunk))
    for selection in (np.s_[:], np.s_[0]):
        with pytest.raises(CorruptionError, match=r"holds items of dtype .*metadata say"):
            reopened(array)[selection]


def test_a_chunk_in_big_endian_order_can_be_read():
    array = written(3, np.zeros((4, 2), "f4"), chunks=(4, 2))
    items = filled(np.dtype(">f4"), (4, 2))
    of_another_dtype(array, items)
    same_items(reopened(array)[:], items)


def test_padding_between_fields_is_kept():
    dtype = np.dtype([("a", "u1"), ("b", "f8")], align=True)
    octets = models.array(3, (5, dtype.itemsize), 0, 255, "uint8")
    items = octets.reshape(-1).view(dtype)
    codec = NumcodecsZarrmal.of(None)
    for step in (1, 2):
        assert codec.decode(codec.encode(items[::step])).tobytes() == octets[::step].tobytes()


def test_items_of_no_kind_that_the_format_knows():
    for dtype in (np.longdouble, np.clongdouble):
        items = np.arange(6).astype(dtype).reshape(2, 3)
        assert decode_chunk(encode_chunk(items, None), None).tobytes() == items.tobytes()
        same(decode_chunk(encode_chunk(items, None), None, dtype=items.dtype), items)


@pytest.mark.parametrize("dtype", [object, [("a", object)], np.dtypes.StringDType(), []])
def test_items_of_no_fixed_size_are_refused(dtype):
    items = np.zeros(3, dtype)
    for encode in (NumcodecsZarrmal.of(None).encode, lambda items: encode_chunk(items, None)):
        with pytest.raises(TypeError, match=r"fixed number of bytes, not .*: choose"):
            encode(items)
    codec = ZarrmalCodec.of(None)
    with pytest.raises(TypeError, match="fixed number of bytes"):
        codec.validate(shape=(3,), dtype=items.dtype, chunk_grid=None)


@pytest.mark.parametrize("shape", [(1 << 29,), (0, 1 << 29)])
def test_a_chunk_has_two_gigabytes_at_most(shape):
    with pytest.raises(ValueError, match=r"2147483647 bytes.*float32: choose smaller chunks"):
        encode_chunk(np.broadcast_to(np.float32(0), shape), None)


def test_the_independent_decoder():
    for dtype in DTYPES:
        for items in (filled(dtype, (3, 5, 2)), np.zeros((3, 5, 2), dtype), filled(dtype, ())):
            data = encode_chunk(items, None)
            stored = items.view(stored_dtype(dtype))
            shape, _, result = reference_decoder.decode_chunk(data, None)
            assert (shape, result) == (items.shape, stored.tobytes())
