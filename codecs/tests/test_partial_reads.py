"""Requests of a partial read: few, and none of them empty (house, law 4)."""

from __future__ import annotations

import asyncio

import hybrid_models
import models
import numpy as np
import pytest
from stores import FakeGetter, spec_of
from zarrmal_codecs import ZarrmalCodec
from zarrmal_codecs.chunk.chunk import encode_chunk
from zarrmal_codecs.chunk.coder import coder_for
from zarrmal_codecs.chunk.header import header_bytes, known_header
from zarrmal_codecs.errors import CorruptionError, TruncatedError


@pytest.mark.parametrize("rows", [[0], [99], [0, 99], list(range(0, 100, 9))])
def test_requests_of_a_partial_read(rows):
    cells = models.array(5, (100, 30, 37), 0, 255, "uint8")
    model = models.wide()
    getter = FakeGetter(encode_chunk(cells, coder_for(model), keep_cells=True))
    codec = ZarrmalCodec.of(model)
    selection = (np.array(rows), slice(None), slice(None))
    result = asyncio.run(codec._decode_partial_single(getter, selection, spec_of(cells.shape)))
    np.testing.assert_array_equal(result.as_numpy_array(), cells[rows])
    assert len(getter.requests) <= 2 + len(rows)
    if len(rows) == 1:
        assert sum(stop - start for start, stop in getter.requests) < 4000


@pytest.mark.parametrize("name", ["grey_latent", "colour"])
@pytest.mark.parametrize("size", [None, (4, 6), "own"])
def test_requests_of_a_hybrid_partial_read(name, size):
    model = hybrid_models.HYBRID[name]()
    shape = model.cell_shape[:2] if size is None else (9, 8) if size == "own" else size
    cells = models.pixels(7, (60, *shape, *model.cell_shape[2:]))
    cells[33] = 0
    if size == "own":
        for k, cell in enumerate(cells):
            cell[1 + k % 9 :] = 0
            cell[:, 1 + k % 8 :] = 0
    getter = FakeGetter(encode_chunk(cells, coder_for(model)))
    for rows in ([0], [59], [33], [0, 33, 59]):
        getter.requests.clear()
        selection = (np.array(rows), *[slice(None)] * (cells.ndim - 1))
        reading = ZarrmalCodec.of(model)._decode_partial_single(
            getter, selection, spec_of(cells.shape)
        )
        np.testing.assert_array_equal(asyncio.run(reading).as_numpy_array(), cells[rows])
        assert len(getter.requests) <= 1 + len(rows)


def test_a_header_longer_than_the_first_read():
    cells = models.pixels(6, (300, 3, 3))
    model = models.model_of((3, 3), *[models.mirrored(k, f"{k}", 2, 9) for k in range(2)])
    classes = np.arange(300) % 2  # a run a cell: two bytes more for each
    getter = FakeGetter(encode_chunk(cells, coder_for(model), classes=classes))
    selection = (slice(299, 300), slice(None), slice(None))
    result = asyncio.run(
        ZarrmalCodec.of(model)._decode_partial_single(getter, selection, spec_of(cells.shape))
    )
    np.testing.assert_array_equal(result.as_numpy_array(), cells[299:])
    assert len(getter.requests) <= 3


def test_blank_cells_cost_no_request():
    cells = models.array(5, (40, 30, 37), 1, 255, "uint8")
    cells[[5, 20, 39]] = 0  # their empty streams lie beyond what the first request brings
    getter = FakeGetter(encode_chunk(cells, coder_for(models.wide()), keep_cells=True))
    codec = ZarrmalCodec.of(models.wide())
    for rows, n_requests in (([20], 1), ([39], 1), ([5, 20, 39], 1), ([4, 5, 6], 3)):
        getter.requests.clear()
        selection = (np.array(rows), slice(None), slice(None))
        result = asyncio.run(codec._decode_partial_single(getter, selection, spec_of(cells.shape)))
        np.testing.assert_array_equal(result.as_numpy_array(), cells[rows])
        assert len(getter.requests) == n_requests


class GrowingGetter(FakeGetter):
    """A last chunk to which cells are appended after its first read."""

    def __init__(self, before: bytes, after: bytes) -> None:
        super().__init__(before)
        self.after = after

    async def get(self, prototype, byte_range=None):
        result = await super().get(prototype, byte_range)
        self.data = self.after
        return result


@pytest.mark.parametrize("row", [0, 60, 99])
def test_a_last_chunk_that_grows_meanwhile(row):
    model = models.wide()
    after = models.array(5, (200, 30, 37), 0, 255, "uint8")
    before = after.copy()
    before[100:] = 0  # the chunk's padding
    after[:100] = after[:100][::-1].copy()  # another class came in between: all have moved
    chunks = [encode_chunk(cells, coder_for(model)) for cells in (before, after)]
    getter = GrowingGetter(*chunks)
    selection = (slice(row, row + 1), slice(None), slice(None))
    codec = ZarrmalCodec.of(model)
    result = asyncio.run(codec._decode_partial_single(getter, selection, spec_of(after.shape)))
    read = result.as_numpy_array()[0]
    # Of one state or the other, never of neither.
    states = [cells[row] for cells in (before, after)]
    assert any(np.array_equal(read, state) for state in states)
    quiet = FakeGetter(chunks[0])
    result = asyncio.run(codec._decode_partial_single(quiet, selection, spec_of(after.shape)))
    np.testing.assert_array_equal(result.as_numpy_array()[0], before[row])
    assert len(quiet.requests) <= 3
    assert all(stop - start < len(chunks[0]) / 4 for start, stop in quiet.requests)


def test_a_header_is_parsed_once_while_it_stays_the_same():
    cells = models.pixels(8, (40, 3, 3))
    model = models.model_of((3, 3), models.mirrored(1, "a", 2, 9))
    data = encode_chunk(cells, coder_for(model), keep_cells=True)
    other = encode_chunk(cells[::-1].copy(), coder_for(model), keep_cells=True)
    header = known_header(memoryview(data))
    assert known_header(memoryview(bytearray(data))) is header
    assert known_header(memoryview(other)) is not header
    damaged = bytearray(data)
    damaged[30] ^= 1
    for _ in range(2):
        with pytest.raises(CorruptionError, match="CRC-32"):
            known_header(memoryview(damaged))
    with pytest.raises(TruncatedError):
        known_header(memoryview(data)[: header_bytes(memoryview(data)) - 1])
