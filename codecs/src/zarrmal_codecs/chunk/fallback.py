"""The modes for arrays that are not cells of the model: stored or deflated (FORMAT 4.2)."""

from __future__ import annotations

import zlib
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..constants import DEFLATE_MAX_RATIO, MODE_DEFLATE, MODE_STORED
from ..errors import CorruptionError, TruncatedError
from .header import Header


def encode_fallback(octets: NDArray[np.uint8], item_bytes: int) -> tuple[int, bytes]:
    """Mode and payload of items: shuffled, then stored or deflated, whichever is shorter."""
    raw = octets.reshape(-1, item_bytes).T.tobytes()
    deflated = zlib.compress(raw, 9, wbits=-15)
    return min([(MODE_STORED, raw), (MODE_DEFLATE, deflated)], key=lambda p: len(p[1]))


def decode_fallback(header: Header, payload: memoryview) -> NDArray[np.uint8]:
    """Inverse of encode_fallback: the bytes of the items in C order.

    Raises
    ------
    TruncatedError, CorruptionError
        If the payload is not exactly the items that the header declares.
    """
    item_bytes = header.dtype.itemsize
    raw = np.frombuffer(_shuffled(header, payload, prod(header.shape) * item_bytes), np.uint8)
    return raw.reshape(item_bytes, -1).T.reshape(-1)


def _shuffled(header: Header, payload: memoryview, n_bytes: int) -> bytes | memoryview:
    if header.mode == MODE_STORED:
        if len(payload) != n_bytes:
            raise CorruptionError(
                f"the chunk stores {len(payload)} bytes, but its items have {n_bytes}"
            )
        return payload
    if n_bytes > DEFLATE_MAX_RATIO * (len(payload) + 1):
        raise CorruptionError(f"{len(payload)} deflated bytes cannot hold {n_bytes}")
    inflate = zlib.decompressobj(wbits=-15)
    try:
        raw = inflate.decompress(payload, n_bytes + 1)
    except zlib.error as error:
        raise CorruptionError(f"the chunk's deflated data are damaged: {error}") from None
    if len(raw) > n_bytes or inflate.unused_data:
        raise CorruptionError(
            f"the chunk's deflated data hold more than {n_bytes} bytes, or bytes after them"
        )
    if len(raw) < n_bytes or not inflate.eof:
        raise TruncatedError(f"the chunk's deflated data end after {len(raw)} of {n_bytes} bytes")
    return raw
