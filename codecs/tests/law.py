"""The law that every codec here obeys (STYLE 20)."""

from __future__ import annotations

import numpy as np
from zarrmal_codecs.chunk import decode_chunk, encode_chunk
from zarrmal_codecs.coder import Coder
from zarrmal_codecs.header import Header, parse_header


def same(found: np.ndarray, wanted: np.ndarray) -> None:
    """Dtype, shape and every bit are the same."""
    assert isinstance(found, np.ndarray)
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    assert found.tobytes() == wanted.tobytes()  # both in C order, whatever the memory order


def round_trip(array: np.ndarray, coder: Coder | None, **options: object) -> Header:
    """Encode, decode, compare; in either memory order. Gives the header for further checks."""
    before = array.tobytes()
    data = encode_chunk(array, coder, **options)
    assert array.tobytes() == before
    back = decode_chunk(data, coder, shape=array.shape)
    same(back, array)
    assert back.flags.c_contiguous
    for order in ("C", "F"):
        assert encode_chunk(np.asarray(array, order=order), coder, **options) == data
    return parse_header(memoryview(data))
