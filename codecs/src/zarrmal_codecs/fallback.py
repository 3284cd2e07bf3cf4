"""The modes for arrays that are not cells of the model: stored or deflated (FORMAT 4.2)."""

from __future__ import annotations

import zlib
from math import prod

import numpy as np
from numpy.typing import NDArray

from .constants import DEFLATE_MAX_RATIO, MODE_DEFLATE, MODE_STORED
from .errors import CorruptionError, TruncatedError
from .header import Header


def encode_fallback(pixels: NDArray[np.uint8]) -> tuple[int, bytes]:
    """Mode and payload of pixels: stored or deflated, whichever is shorter."""
    raw = pixels.tobytes()
    deflated = zlib.compress(raw, 9, wbits=-15)
    return min([(MODE_STORED, raw), (MODE_DEFLATE, deflated)], key=lambda p: len(p[1]))


def decode_fallback(header: Header, payload: memoryview) -> bytes | memoryview:
    """Inverse of encode_fallback: the pixels in C order.

    Raises
    ------
    TruncatedError, CorruptionError
        If the payload is not exactly the pixels that the header declares.
    """
    n_pixels = prod(header.shape)
    if header.mode == MODE_STORED:
        if len(payload) != n_pixels:
            raise CorruptionError(f"the chunk stores {len(payload)} bytes for {n_pixels} pixels")
        return payload
    if n_pixels > DEFLATE_MAX_RATIO * (len(payload) + 1):
        raise CorruptionError(f"{len(payload)} deflated bytes cannot hold {n_pixels} pixels")
    inflate = zlib.decompressobj(wbits=-15)
    try:
        raw = inflate.decompress(payload, n_pixels + 1)
    except zlib.error as error:
        raise CorruptionError(f"the chunk's deflated pixels are damaged: {error}") from None
    if len(raw) > n_pixels or inflate.unused_data:
        raise CorruptionError(
            f"the chunk's deflated data hold more than {n_pixels} pixels, or bytes after them"
        )
    if len(raw) < n_pixels or not inflate.eof:
        raise TruncatedError(f"the chunk's deflated data end after {len(raw)} of {n_pixels} pixels")
    return raw
