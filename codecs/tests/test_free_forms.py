"""What has several encodings is read from each of them, by both decoders (FORMAT 1.3, 1.8)."""

from __future__ import annotations

import json
from dataclasses import replace

import hybrid_models
import models
import numpy as np
import pytest
import reference_decoder
from invalid_models import body_of, changed, model_file, put, tree_and_tensors
from zarrmal_codecs import CorruptionError, Model, ModelError
from zarrmal_codecs.chunk import header
from zarrmal_codecs.chunk.chunk import decode_chunk, encode_chunk
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.chunk.index.cell_index import CellIndex
from zarrmal_codecs.wire import Writer, pack_bits


def long_varint(value: int) -> bytes:
    return bytes((value >> 7 * k) & 127 | 128 * (k < 4) for k in range(5))


def wide_index(out: Writer, index: CellIndex) -> None:
    """The cell index in its longest form: runs of one cell, `least` 0, as many bits as allowed."""
    out.block(index.digest_prefix + bytes([len(index.codings)]) + index.codings)
    out.block(long_varint(len(index.classes)))
    for k in index.classes.tolist():
        out.block(bytes([k]) + long_varint(1))
    for column in () if index.sizes is None else index.sizes.T:
        out.block(bytes([0, 0, 16]) + pack_bits(column.astype(np.int64), 16))
    words = index.checks is None
    out.block(bytes([0, 0, 0, 0, 32]) + pack_bits(index.lengths // (1 + words), 32))
    if index.checks is not None:
        out.block(index.checks.astype("<u2").tobytes())


@pytest.mark.parametrize("make", [models.two_classes, hybrid_models.grey])
def test_an_index_can_be_longer(make, monkeypatch):
    model = make()
    cells = models.pixels(7, (5, *model.cell_shape))
    cells[2], cells[:, 3:] = 0, 0
    short = encode_chunk(cells, Coder(model), keep_cells=True)
    monkeypatch.setattr(header, "write_index", wide_index)
    long = encode_chunk(cells, Coder(model), keep_cells=True)
    assert len(long) > len(short)
    np.testing.assert_array_equal(decode_chunk(long, Coder(model)), cells)
    parsed = reference_decoder.parse_model(model.to_bytes())
    assert reference_decoder.decode_chunk(long, parsed)[2] == cells.tobytes()


def nested(depth: int) -> object:
    return json.loads("[" * depth + "]" * depth)


@pytest.mark.parametrize(
    "about",
    ["null", "true", '"\\ud800 [[["', "[1e999, -0.0, 1E+2]", "9" * 5000, json.dumps(nested(63)),
     '["\\"[[", "\\\\", {"{": "{{"}]'],
    ids=["null", "true", "surrogate", "floats", "long", "deep", "brackets"],
)  # fmt: skip
def test_about_and_unknown_members_can_be_anything(about):
    tree, tensors = tree_and_tensors()
    text = json.dumps(tree | {"about": "@", "more": "@"}).replace('"@"', about)
    data = model_file(body_of(text.encode(), tensors))
    assert Model.from_bytes(data).cell_shape == (1, 2)
    assert reference_decoder.parse_model(data)["cell_shape"] == (1, 2)


def test_json_that_is_one_deeper_is_refused():
    deeper = changed(put("about", nested(64)))
    with pytest.raises(CorruptionError, match="more than 64"):
        Model.from_bytes(deeper)
    with pytest.raises(reference_decoder.FormatError):
        reference_decoder.parse_model(deeper)
    with pytest.raises(ModelError, match="about"):
        replace(models.one_layer(), about={"a": nested(63)}).to_bytes()
