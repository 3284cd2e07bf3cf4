"""The codec in zarr format 2, and numcodecs' own contract."""

from __future__ import annotations

import array
import json

import models
import numcodecs
import numpy as np
import pytest
import zarr
from law import same
from zarr.storage import MemoryStore
from zarrmal_codecs import CompatibilityError, ModelError, NumcodecsZarrmal, array_arguments

CELLS = models.pixels(41, (21, 6, 5))


def codec_of(rice: str = "mean") -> NumcodecsZarrmal:
    return NumcodecsZarrmal.of(models.two_classes(), rice=rice)


def written(cells=CELLS, chunks=(8, 6, 5), **more) -> zarr.Array:
    arguments = array_arguments(models.two_classes(), zarr_format=2) | more
    out = zarr.create_array(
        store=MemoryStore(), shape=cells.shape, dtype=cells.dtype, chunks=chunks, **arguments
    )
    out[:] = cells
    return out


@pytest.mark.parametrize("order", ["C", "F"])
def test_array_order(order):
    again = zarr.open_array(written(order=order).store, mode="r")
    np.testing.assert_array_equal(again[:], CELLS)
    np.testing.assert_array_equal(again[4], CELLS[4])
    np.testing.assert_array_equal(again[2:19:3, 1:3, 4], CELLS[2:19:3, 1:3, 4])
    assert again.metadata.order == order
    assert again.fill_value is None


@pytest.mark.parametrize("order", ["C", "F"])
def test_parts_are_rewritten(order):
    out, wanted = written(order=order), CELLS.copy()
    for selection, value in [(np.s_[0:3], 7), (np.s_[7:9], 0), (np.s_[:, 2, 2], 200)]:
        out[selection] = value
        wanted[selection] = value
    np.testing.assert_array_equal(zarr.open_array(out.store, mode="r")[:], wanted)


@pytest.mark.parametrize("dtype", ["uint16", "float32", "int8", "bool", "<M8[s]", "S3"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_other_dtypes_are_stored_as_bytes(dtype, order):
    cells = models.array(3, (9, 4), 0, 1, "int64").astype(dtype)
    again = zarr.open_array(written(cells, (4, 4), order=order).store, mode="r")
    np.testing.assert_array_equal(again[:], cells)


def test_black_chunks_are_written_and_lost_ones_are_not_black():
    out = written(np.zeros_like(CELLS))
    assert {"0.0.0", "1.0.0", "2.0.0"} <= set(out.store._store_dict)


def test_metadata_are_those_of_the_format():
    model = models.two_classes()
    metadata = json.loads(written().store._store_dict[".zarray"].to_bytes())
    assert metadata["compressor"] == {
        "id": "zarrmal",
        "version": 1,
        "model": model.to_base64(),
        "sha256": model.digest,
    }
    assert metadata["filters"] is None
    assert metadata["fill_value"] is None


# numcodecs' contract


def buffers() -> dict[str, object]:
    raw = bytes(models.array(5, (96,), 0, 255, "uint8"))
    return {
        "bytes": raw,
        "bytearray": bytearray(raw),
        "memoryview": memoryview(raw),
        "array.array": array.array("i", raw),
        "empty": b"",
        "uint8": np.frombuffer(raw, np.uint8),
        "cells": CELLS,
        "fortran": np.asfortranarray(CELLS),
        "strided": CELLS[::2, ::-1, 1:4],
        "int16": np.frombuffer(raw, "<i2").reshape(4, 12),
        "int16 fortran": np.asfortranarray(np.frombuffer(raw, ">i2").reshape(4, 12)),
        "float64": np.frombuffer(raw, "u1").astype("f8").reshape(2, 3, 16),
        "bool": np.frombuffer(raw, "u1") > 99,
        "datetime": np.arange(7).astype("M8[ns]"),
        "structure": np.zeros(3, [("a", "u1"), ("b", "f4")]),
        "scalar": np.array(5, np.uint8),
    }


def memory_of(buffer: object) -> bytes:
    """The bytes as they lie in memory; of what has gaps, in C order."""
    if isinstance(buffer, np.ndarray):
        return buffer.tobytes("A")
    return bytes(buffer)


@pytest.mark.parametrize("name", buffers())
def test_any_buffer(name):
    buffer, codec = buffers()[name], codec_of()
    data = codec.encode(buffer)
    assert isinstance(data, bytes)
    found = codec.decode(data)
    assert found.tobytes("A") == memory_of(buffer)
    if isinstance(buffer, np.ndarray) and buffer.dtype == np.uint8:
        same(found, buffer)
    for kind in (bytearray, memoryview, lambda data: np.frombuffer(data, np.uint8)):
        same(codec.decode(kind(data)), found)
    out = np.empty(len(memory_of(buffer)), np.uint8)
    codec.decode(data, out=out)
    assert out.tobytes() == memory_of(buffer)
    out = bytearray(len(out))
    codec.decode(data, out=out)
    assert bytes(out) == memory_of(buffer)


def test_out_of_the_same_shape_and_order():
    codec = codec_of()
    for cells in (CELLS, np.asfortranarray(CELLS)):
        out = np.empty_like(cells)
        codec.decode(codec.encode(cells), out=out)
        same(out, cells)


def test_objects_are_refused():
    for objects in (np.array(["a", None], object), np.zeros(2, [("a", object)])):
        with pytest.raises(TypeError):
            codec_of().encode(objects)


@pytest.mark.parametrize("rice", ["mean", "best", "best-per-cell"])
def test_configuration_round_trip(rice):
    codec = codec_of(rice)
    configuration = json.loads(json.dumps(codec.get_config()))
    again = numcodecs.get_codec(configuration)
    assert isinstance(again, NumcodecsZarrmal)
    assert again == codec
    assert again.get_config() == codec.get_config()
    assert again.encode(CELLS) == codec.encode(CELLS)
    assert "rice" in configuration or rice == "mean"


def test_newer_configuration_is_refused():
    with pytest.raises(CompatibilityError, match="upgrade"):
        numcodecs.get_codec({"id": "zarrmal", "version": 2})


def test_without_a_model():
    codec = numcodecs.get_codec({"id": "zarrmal"})
    assert codec == NumcodecsZarrmal.of(None)
    same(codec.decode(codec.encode(CELLS)), CELLS)
    with pytest.raises(ModelError, match="needs the model"):
        codec.decode(codec_of().encode(CELLS))
