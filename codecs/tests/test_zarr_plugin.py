"""The codec in zarr format 3."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import models
import numpy as np
import pytest
import zarr
from stores import CountingStore
from zarr.storage import MemoryStore
from zarrmal_codecs import (
    CompatibilityError,
    CorruptionError,
    ModelError,
    ZarrmalCodec,
    array_arguments,
)
from zarrmal_codecs.chunk.chunk import encode_chunk
from zarrmal_codecs.chunk.coder import coder_for

CELLS = models.pixels(31, (21, 6, 5))  # chunks of 8: two whole ones and five cells


def written(store=None, *, model=None, cells=CELLS, chunks=(8, 6, 5), **more) -> zarr.Array:
    arguments = array_arguments(model or models.two_classes()) | more
    array = zarr.create_array(
        store=MemoryStore() if store is None else store,
        shape=cells.shape,
        dtype=np.uint8,
        chunks=chunks,
        **arguments,
    )
    array[...] = cells
    return array


def reopened(array: zarr.Array) -> zarr.Array:
    return zarr.open_array(array.store, mode="r")


SELECTIONS = {
    "int": np.s_[3],
    "last": np.s_[-1],
    "one": np.s_[9:10],
    "slice": np.s_[2:19],
    "steps": np.s_[1:20:7],
    "pixel": np.s_[20, 5, 4],
    "column": np.s_[:, :, 2],
    "inner": np.s_[7:9, 1:5:2, 3],
    "none": np.s_[4:4],
    "all": np.s_[...],
    "ellipsis": np.s_[..., 1],
}


@pytest.mark.parametrize("rice", ["mean", "best-per-cell"])
@pytest.mark.parametrize("name", SELECTIONS)
def test_basic_selections_equal_numpy(name, rice):
    array = reopened(written(**array_arguments(models.two_classes(), rice=rice)))
    selection = SELECTIONS[name]
    np.testing.assert_array_equal(array[selection], CELLS[selection])


def test_the_choice_of_rice_parameters_is_followed_and_not_stored():
    stored = {
        rice: written(**array_arguments(models.two_classes(), rice=rice)).store._store_dict
        for rice in ("mean", "best-per-cell")
    }
    (first, second) = (
        {key: data.to_bytes() for key, data in each.items()} for each in stored.values()
    )
    assert [key for key in first if first[key] == second[key]] == ["zarr.json"]


def test_other_selections_equal_numpy():
    array = reopened(written())
    rows = np.array([20, 3, 3, 0, 9])
    mask = np.arange(21) % 5 == 1
    y = np.array([1, 0, 5, 2, 2])
    np.testing.assert_array_equal(array[rows], CELLS[rows])
    np.testing.assert_array_equal(array.oindex[mask], CELLS[mask])
    np.testing.assert_array_equal(array.oindex[rows, :, [0, 3]], CELLS[rows][:, :, [0, 3]])
    np.testing.assert_array_equal(array.oindex[2:9, y], CELLS[2:9][:, y])
    np.testing.assert_array_equal(array.vindex[rows, y, y % 5], CELLS[rows, y, y % 5])
    np.testing.assert_array_equal(array.vindex[CELLS > 200], CELLS[CELLS > 200])
    np.testing.assert_array_equal(array.blocks[1], CELLS[8:16])


SHAPES = [(), (0,), (7,), (0, 6, 5), (5, 6), (3, 4, 5, 6), (2, 1, 3, 2, 2)]


@pytest.mark.parametrize("shape", SHAPES)
def test_any_shape(shape):
    pixels = models.array(1, shape, 0, 255, "uint8")
    chunks = tuple(max(1, n // 2) for n in shape)
    array = reopened(written(cells=pixels, chunks=chunks))
    np.testing.assert_array_equal(array[...], pixels)


def test_colour_and_chunks_of_other_shapes():
    cells = models.pixels(4, (5, 4, 4, 3))
    for chunks in ((2, 4, 4, 3), (2, 2, 4, 3), (5, 4, 4, 1)):
        array = reopened(written(model=models.colour(), cells=cells, chunks=chunks))
        np.testing.assert_array_equal(array[:], cells)
        np.testing.assert_array_equal(array[3], cells[3])


def test_parts_are_rewritten():
    array, expected = written(), CELLS.copy()
    for selection, value in [
        (np.s_[0:3], 7),
        (np.s_[7:9], models.array(2, (2, 6, 5), 0, 255, "uint8")),
        (np.s_[:, 2, 2], 0),
        (np.s_[20], 255),
        (np.s_[3], 0),
    ]:
        array[selection] = value
        expected[selection] = value
    np.testing.assert_array_equal(reopened(array)[:], expected)


def test_arrays_grow():
    array = written()
    array.append(CELLS[:10])
    np.testing.assert_array_equal(reopened(array)[:], np.concatenate([CELLS, CELLS[:10]]))
    array.resize((5, 6, 5))
    np.testing.assert_array_equal(reopened(array)[:], CELLS[:5])


def test_inside_shards():
    for location in ("start", "end"):
        array = zarr.create_array(
            store=MemoryStore(),
            shape=CELLS.shape,
            dtype=np.uint8,
            shards={"shape": (16, 6, 5), "index_location": location},
            chunks=(4, 6, 5),
            **array_arguments(models.two_classes()),
        )
        array[:] = CELLS
        again = reopened(array)
        np.testing.assert_array_equal(again[:], CELLS)
        for name, selection in SELECTIONS.items():
            np.testing.assert_array_equal(again[selection], CELLS[selection], err_msg=name)
        array[5:7] = 9
        assert (reopened(array)[5:7] == 9).all()


def test_transpose_before_the_codec():
    array = written(filters=[zarr.codecs.TransposeCodec(order=(2, 0, 1))])
    again = reopened(array)
    np.testing.assert_array_equal(again[:], CELLS)
    np.testing.assert_array_equal(again[4], CELLS[4])


@pytest.mark.parametrize("chunks", [(8, 6, 5), (21, 6, 5), (5, 3, 5)])
def test_memory_order_changes_no_byte(chunks):
    stores = []
    wide = np.repeat(CELLS, 2, axis=2)
    for cells in (CELLS, np.asfortranarray(CELLS), wide[..., ::2], CELLS.T.copy().T):
        stores.append(written(cells=cells, chunks=chunks).store._store_dict)
    for other in stores[1:]:
        assert {key: value.to_bytes() for key, value in other.items()} == {
            key: value.to_bytes() for key, value in stores[0].items()
        }


def test_a_chunk_in_fortran_order_can_be_read():
    """Earlier drafts set the flag in format 3, too."""
    array = written()
    for k, start in enumerate((0, 8)):
        cells = np.asfortranarray(CELLS[start : start + 8])
        data = encode_chunk(cells, coder_for(models.two_classes()), fortran_order=True)
        buffer = array.store._store_dict[f"c/{k}/0/0"]
        assert data != buffer.to_bytes()
        array.store._store_dict[f"c/{k}/0/0"] = type(buffer).from_bytes(data)
    again = reopened(array)
    np.testing.assert_array_equal(again[:], CELLS)
    np.testing.assert_array_equal(again[3], CELLS[3])


def test_missing_chunk_gives_the_fill_value():
    array = written(fill_value=9)
    asyncio.run(array.store.delete("c/1/0/0"))
    again = reopened(array)
    assert (again[8:16] == 9).all()
    assert (again[9] == 9).all()
    np.testing.assert_array_equal(again[16:], CELLS[16:])


def test_black_chunks_are_written():
    array = written(cells=np.zeros_like(CELLS))
    keys = [key for key in array.store._store_dict if key.startswith("c/")]
    assert len(keys) == 3
    assert not reopened(array)[:].any()


def test_a_cell_costs_few_requests_and_bytes():
    model = models.constant()
    cells = models.array(5, (2000, 3, 4), 126, 130, "uint8")
    store = CountingStore()
    array = written(store, model=model, cells=cells, chunks=(1000, 3, 4))
    total = sum(len(value) for key, value in store._store._store_dict.items() if "c/" in key)
    for row in (0, 999, 1500):
        store.reads.clear()
        np.testing.assert_array_equal(array[row], cells[row])
        assert len(store.reads) <= 3
        assert sum(n for _, n in store.reads) < total / 3
    store.reads.clear()
    array[:]
    assert len(store.reads) == 2


def test_as_a_compressor_it_is_refused():
    # zarr's own error: an array -> bytes codec is no bytes -> bytes codec.
    with pytest.raises((TypeError, ValueError)):
        zarr.create_array(
            store=MemoryStore(), shape=(4, 6, 5), dtype="uint8", chunks=(2, 6, 5),
            compressors=ZarrmalCodec.of(models.two_classes()),
        )  # fmt: skip


def stored_metadata(array: zarr.Array) -> dict:
    return json.loads(array.store._store_dict["zarr.json"].to_bytes())


def with_configuration(array: zarr.Array, **changes: object) -> MemoryStore:
    """A copy of the array whose codec has another configuration."""
    metadata = stored_metadata(array)
    metadata["codecs"][0]["configuration"] |= changes
    store = MemoryStore(dict(array.store._store_dict))
    buffer = zarr.core.buffer.default_buffer_prototype().buffer
    store._store_dict["zarr.json"] = buffer.from_bytes(json.dumps(metadata).encode())
    return store


def test_metadata_are_those_of_the_format():
    model = models.two_classes()
    assert stored_metadata(written(model=model))["codecs"] == [
        {
            "name": "zarrmal",
            "configuration": {"version": 1, "model": model.to_base64(), "sha256": model.digest},
        }
    ]


@pytest.mark.parametrize("changes", [{"version": 2}, {"speed": "fast"}, {"rice": "best"}])
def test_newer_configuration_is_refused_at_open(changes):
    store = with_configuration(written(), **changes)
    with pytest.raises(CompatibilityError, match="zarrmal"):
        zarr.open_array(store, mode="r")


def test_missing_or_other_model():
    array = written()
    store = with_configuration(array, model="", sha256="")
    with pytest.raises(ModelError, match="needs the model"):
        zarr.open_array(store, mode="r")[:]
    store = with_configuration(array, sha256="0" * 64)
    with pytest.raises(ModelError, match="configuration states"):
        zarr.open_array(store, mode="r")[:]
    other = models.one_class()
    store = with_configuration(array, model=other.to_base64(), sha256=other.digest)
    for selection in (np.s_[:], np.s_[0]):
        with pytest.raises(ModelError, match="written with model"):
            zarr.open_array(store, mode="r")[selection]


def test_damaged_chunk_is_named():
    array = written()
    buffer = array.store._store_dict["c/0/0/0"]
    data = bytearray(buffer.to_bytes())
    data[-1] ^= 1
    array.store._store_dict["c/0/0/0"] = type(buffer).from_bytes(bytes(data))
    with pytest.raises(CorruptionError, match="cell 7"):
        reopened(array)[:]
    np.testing.assert_array_equal(reopened(array)[1], CELLS[1])  # the other cells can be read


def test_chunk_of_another_shape_is_refused():
    array = written()
    store = array.store._store_dict
    store["c/0/0/0"] = type(store["c/0/0/0"]).from_bytes(
        encode_chunk(CELLS[:7], coder_for(models.two_classes()))
    )
    for selection in (np.s_[:], np.s_[0]):
        with pytest.raises(CorruptionError, match="metadata say"):
            reopened(array)[selection]


def test_threads_decode_the_same():
    array = reopened(written())
    with ThreadPoolExecutor(8) as pool:
        for result in pool.map(lambda k: array[k % 21 : k % 21 + 9], range(64)):
            assert any(np.array_equal(result, CELLS[k : k + 9]) for k in range(21))
        for k, result in enumerate(pool.map(lambda k: array[k % 21], range(64))):
            np.testing.assert_array_equal(result, CELLS[k % 21])
