"""The codec in zarr format 2; numcodecs' own contract is in test_numcodecs_contract."""

from __future__ import annotations

import json

import models
import numcodecs
import numpy as np
import pytest
import zarr
from conftest import VECTORS
from law import same
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore
from zarrmal_codecs import CompatibilityError, ModelError, NumcodecsZarrmal, array_arguments
from zarrmal_codecs.chunk.chunk import encode_chunk

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
def test_bytes_depend_on_the_order_of_the_array_alone(order):
    stores = [written(cells, order=order).store._store_dict for cells in (CELLS, CELLS.T.copy().T)]
    first, second = ({key: v.to_bytes() for key, v in store.items()} for store in stores)
    assert first == second


@pytest.mark.parametrize("order", ["C", "F"])
def test_parts_are_rewritten(order):
    out, expected = written(order=order), CELLS.copy()
    for selection, value in [(np.s_[0:3], 7), (np.s_[7:9], 0), (np.s_[:, 2, 2], 200)]:
        out[selection] = value
        expected[selection] = value
    np.testing.assert_array_equal(zarr.open_array(out.store, mode="r")[:], expected)


@pytest.mark.parametrize("order", ["C", "F"])
def test_bytes_of_another_dtype_can_be_read(order):
    """Earlier drafts stored other dtypes as their bytes, of rank 1."""
    cells = models.array(3, (8, 4), 0, 65535, "uint16")
    arguments = array_arguments(None, zarr_format=2)
    out = zarr.create_array(MemoryStore(), shape=(8, 4), chunks=(4, 4), dtype="<u2", order=order,
                            **arguments)  # fmt: skip
    for k in (0, 1):
        data = cells[4 * k : 4 * k + 4].astype("<u2").tobytes(order)
        chunk = encode_chunk(np.frombuffer(data, np.uint8), None)
        out.store._store_dict[f"{k}.0"] = default_buffer_prototype().buffer.from_bytes(chunk)
    np.testing.assert_array_equal(zarr.open_array(out.store, mode="r")[:], cells)


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


def test_newer_configuration_is_refused():
    with pytest.raises(CompatibilityError, match="upgrade"):
        numcodecs.get_codec({"id": "zarrmal", "version": 2})


def test_without_a_model():
    codec = numcodecs.get_codec({"id": "zarrmal"})
    assert codec == NumcodecsZarrmal.of(None)
    same(codec.decode(codec.encode(CELLS)), CELLS)
    with pytest.raises(ModelError, match="needs the model"):
        codec.decode((VECTORS / "cells-grey" / "chunk.bin").read_bytes())
