"""The law of every codec here: decoding returns the encoded array."""

from __future__ import annotations

import numpy as np
from zarrmal_codecs.chunk.chunk import decode_chunk, encode_chunk
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.chunk.header import Header, parse_header


def same(result: np.ndarray, expected: np.ndarray) -> None:
    """Assert that dtype, shape and every bit are equal."""
    assert isinstance(result, np.ndarray)
    assert result.dtype == expected.dtype
    assert result.shape == expected.shape
    assert result.tobytes() == expected.tobytes()  # both in C order, whatever the memory order


def round_trip(array: np.ndarray, coder: Coder | None, **options: object) -> Header:
    """Encode in both memory orders, decode and compare. Returns the header for further checks."""
    before = array.tobytes()
    data = encode_chunk(array, coder, **options)
    assert array.tobytes() == before
    back = decode_chunk(data, coder, shape=array.shape)
    same(back, array)
    assert back.flags.c_contiguous
    for order in ("C", "F"):
        assert encode_chunk(np.asarray(array, order=order), coder, **options) == data
    return parse_header(memoryview(data))
