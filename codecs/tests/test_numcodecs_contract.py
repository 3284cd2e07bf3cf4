"""The contract of numcodecs: any buffer of bytes, configuration as JSON, no objects."""

from __future__ import annotations

import array
import hashlib
import json
import mmap
import pickle
from collections.abc import Callable

import models
import numcodecs
import numpy as np
import pytest
from law import same
from numcodecs.abc import Codec
from zarrmal_codecs import Model, NumcodecsZarrmal, TruncatedError
from zarrmal_codecs.paper.golomb_rice import RICE_CHOICES

CELLS = models.pixels(41, (20, 6, 5))  # 600 bytes: whole numbers of every item below


def codec_of(rice: str = "mean") -> NumcodecsZarrmal:
    return NumcodecsZarrmal.of(models.two_classes(), rice=rice)


def mapped(raw: bytes) -> mmap.mmap:
    """Mapped memory, which a store may return."""
    result = mmap.mmap(-1, max(1, len(raw)))
    result.write(raw)
    return result


def read_only(values: np.ndarray) -> np.ndarray:
    values.flags.writeable = False
    return values


def accepted() -> dict[str, object]:
    """Buffers that can be encoded."""
    raw = bytes(models.array(5, (96,), 0, 255, "uint8"))
    return {
        "bytes": raw,
        "bytearray": bytearray(raw),
        "memoryview": memoryview(raw),
        "array.array": array.array("B", raw),
        "mmap": mapped(raw),
        "empty": b"",
        "uint8": np.frombuffer(raw, np.uint8),
        "cells": CELLS,
        "read-only": read_only(CELLS.copy()),
        "fortran": np.asfortranarray(CELLS),
        "strided": CELLS[::2, ::-1, 1:4],
        "transposed": CELLS.transpose(1, 2, 0),
        "scalar": np.array(5, np.uint8),
        **of_other_items(raw),
    }


def of_other_items(raw: bytes) -> dict[str, object]:
    """Buffers with items that are not bytes."""
    return {
        "int8": np.frombuffer(raw, np.int8).reshape(2, 48),
        "uint16": np.frombuffer(raw, "<u2").reshape(4, 12),
        ">i2": np.asfortranarray(np.frombuffer(raw, ">i2").reshape(4, 12)),
        "uint64": np.frombuffer(raw, "<u8"),
        "float32": np.frombuffer(raw, "u1").astype("f4"),
        "float64": np.frombuffer(raw, "u1").astype("f8").reshape(2, 3, 16),
        "bool": np.frombuffer(raw, "u1") > 99,
        "datetime64": np.arange(7).astype("M8[ns]"),
        "timedelta64": np.arange(7).astype("m8[s]"),
        "S5": np.array([b"a", b"four"], "S5"),
        "U5": np.array(["a", "größe"], "U5"),
        "fields": np.zeros(3, [("a", "u1"), ("b", "f4")]),
        "int32": array.array("i", raw),
        "S1": memoryview(raw).cast("c"),
        "float64 in memory": memoryview(raw).cast("d"),
        "bool in memory": memoryview(b"\0\1\1").cast("?"),
    }


def memory_of(buffer: object) -> bytes:
    """The bytes in memory order; those of an array with gaps in C order."""
    return buffer.tobytes("A") if isinstance(buffer, np.ndarray) else bytes(buffer)


ENCODED: dict[str, Callable[[bytes], object]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "array.array": lambda data: array.array("b", data),
    "mmap": mapped,
    "ndarray": lambda data: np.frombuffer(data, np.uint8),
    "ndarray of two dimensions": lambda data: np.frombuffer(data, np.uint8)[None],
}
OUT: dict[str, Callable[[int], object]] = {
    "ndarray": lambda n: np.empty(n, np.uint8),
    "bytearray": bytearray,
    "memoryview": lambda n: memoryview(bytearray(n)),
    "array.array": lambda n: array.array("b", bytes(n)),
    "mmap": lambda n: mapped(bytes(n)),
}


@pytest.mark.parametrize("name", accepted())
def test_any_buffer(name):
    buffer, codec = accepted()[name], codec_of()
    expected = memory_of(buffer)
    data = codec.encode(buffer)
    assert isinstance(data, bytes)
    assert memory_of(buffer) == expected
    result = codec.decode(data)
    assert result.tobytes("A") == expected
    if isinstance(buffer, np.ndarray) and buffer.dtype == np.uint8:
        same(result, buffer)
        gaps = not (buffer.flags.c_contiguous or buffer.flags.f_contiguous)
        assert result.flags.c_contiguous == (buffer.flags.c_contiguous or gaps)
    for kind, make in ENCODED.items():
        assert codec.decode(make(data)).tobytes("A") == expected, kind
    for kind, make in OUT.items():
        if name == "empty" and kind == "mmap":  # a mapping has at least one byte
            continue
        out = make(len(expected))
        codec.decode(data, out=out)
        assert memory_of(out) == expected, kind


@pytest.mark.parametrize("dtype", ["int8", "<i2", "f4", "S6", "M8[s]"])
def test_out_of_another_dtype(dtype):
    out = np.zeros(CELLS.nbytes // np.dtype(dtype).itemsize, dtype)
    codec_of().decode(codec_of().encode(CELLS), out=out)
    assert out.tobytes() == CELLS.tobytes()


def test_out_of_the_same_shape():
    codec = codec_of()
    for cells in (CELLS, np.asfortranarray(CELLS)):
        out = np.empty_like(cells)
        assert codec.decode(codec.encode(cells), out=out) is out
        same(out, cells)
    gaps = np.zeros((40, 6, 5), np.uint8)
    codec.decode(codec.encode(CELLS), out=gaps[::2])
    same(gaps[::2], CELLS)
    assert not gaps[1::2].any()


@pytest.mark.parametrize("n", [0, 1, CELLS.nbytes - 1, CELLS.nbytes + 1, 2 * CELLS.nbytes])
def test_out_of_another_size_is_refused_and_untouched(n):
    data = codec_of().encode(CELLS)
    for out in (np.full(n, 7, np.uint8), bytearray(b"\7" * n), memoryview(bytearray(b"\7" * n))):
        with pytest.raises(ValueError, match=f"out has {n} bytes, the chunk decodes to 600"):
            codec_of().decode(data, out=out)
        assert memory_of(out) == b"\7" * n


def test_out_that_cannot_be_written_is_refused():
    data = codec_of().encode(CELLS)
    for out in (read_only(np.zeros_like(CELLS)), bytes(CELLS.nbytes)):
        with pytest.raises(ValueError, match="read-only"):
            codec_of().decode(data, out=out)


def test_objects_are_not_encoded():
    for objects in (np.array(["a", None], object), np.zeros(2, [("a", object)])):
        for codec in (codec_of(), NumcodecsZarrmal.of(None)):
            with pytest.raises(TypeError, match=r"fixed number of bytes, not .*: choose"):
                codec.encode(objects)


def test_objects_are_not_decoded():
    codec = codec_of()
    data = codec.encode(CELLS)
    for objects in (np.array(["a", None], object), np.zeros(2, [("a", object)])):
        with pytest.raises(TypeError):
            codec.decode(objects)
    with pytest.raises(TypeError, match="objects"):
        codec.decode(data, out=np.empty(CELLS.shape, object))


@pytest.mark.parametrize("nothing", [None, 3, "text", [1, 2, 3], {"a": 1}])
def test_what_is_no_buffer_is_refused(nothing):
    with pytest.raises(TypeError):
        codec_of().encode(nothing)
    with pytest.raises(TypeError):
        codec_of().decode(nothing)


def test_too_large_a_buffer_is_refused():
    with pytest.raises(ValueError, match="choose smaller chunks"):
        codec_of().encode(np.broadcast_to(np.uint8(0), (2**31,)))


def test_what_is_decoded_belongs_to_the_caller():
    codec = codec_of()
    data = bytearray(codec.encode(CELLS))
    first, second = codec.decode(data), codec.decode(data)
    first[:] = 0
    data[:] = bytes(len(data))
    same(second, CELLS)


def test_empty_and_cut_buffers_are_refused():
    data = codec_of().encode(CELLS)
    for cut in (b"", data[:3], data[:-1]):
        with pytest.raises(TruncatedError):
            codec_of().decode(cut)


def test_configuration_round_trip():
    codec = codec_of()
    configuration = json.loads(json.dumps(codec.get_config(), allow_nan=False))
    assert configuration["id"] == NumcodecsZarrmal.codec_id == "zarrmal"
    again = numcodecs.get_codec(configuration)
    assert isinstance(again, NumcodecsZarrmal)
    assert isinstance(again, Codec)
    assert again == codec
    assert hash(again) == hash(codec)
    assert repr(again) == repr(codec)
    assert again.get_config() == codec.get_config()
    assert again.encode(CELLS) == codec.encode(CELLS)
    assert NumcodecsZarrmal.from_config(configuration) == codec


@pytest.mark.parametrize("rice", RICE_CHOICES)
def test_the_choice_of_rice_parameters_is_not_stored(rice):
    codec = codec_of(rice)
    assert set(codec.get_config()) == {"id", "version", "model", "sha256"}
    assert codec == codec_of()
    assert pickle.loads(pickle.dumps(codec)).encode(CELLS) == codec.encode(CELLS)
    assert (codec.encode(CELLS) == codec_of().encode(CELLS)) == (rice == "mean")


def test_configuration_belongs_to_the_caller():
    codec = codec_of()
    codec.get_config()["model"] = ""
    same(codec.decode(codec.encode(CELLS)), CELLS)


def test_unequal_to_other_codecs():
    assert codec_of() != numcodecs.Zlib()
    assert codec_of() != NumcodecsZarrmal.of(None)
    assert {codec_of(), codec_of(), codec_of("best")} == {codec_of(), codec_of("best")}


def test_in_a_registry_beside_others():
    numcodecs.get_codec({"id": "zarrmal"})
    assert numcodecs.registry.codec_registry["zarrmal"] is NumcodecsZarrmal
    assert issubclass(NumcodecsZarrmal, Codec)


def test_golden_vectors(vector):
    """Bytes of earlier releases decode to the same pixels."""
    folder, entry = vector
    model = Model.load(folder / "model.zmal") if entry["model"] else None
    codec = numcodecs.get_codec(NumcodecsZarrmal.of(model).get_config())
    data = (folder / "chunk.bin").read_bytes()
    result = codec.decode(data)
    assert list(result.shape) == entry["shape"]
    assert hashlib.sha256(result.tobytes()).hexdigest() == entry["pixels_sha256"]
    out = bytearray(result.nbytes)
    codec.decode(data, out=out)
    assert bytes(out) == result.tobytes("A")
