"""A rival: a coder with one setting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..measurement import Pixels

Encode = Callable[[Pixels], bytes]
Decode = Callable[[bytes, tuple[int, ...]], Pixels]

SHEET_COLUMNS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A coder with one setting.

    Parameters
    ----------
    name
        With its settings, as ``jxl:effort=9``.
    encode
        uint8 or uint16 image (y, x) or (y, x, channel) -> bytes.
    decode
        Bytes and the image's shape -> the image.
    slow
        Measured only on request.
    columns
        Cells side by side on a sheet, as far as its largest side allows. Coders of bytes do best
        with one cell below the other.
    """

    name: str
    encode: Encode
    decode: Decode
    slow: bool = False
    columns: int = SHEET_COLUMNS


def decode_image(decode: Callable[[bytes], Any]) -> Decode:
    """Adapt a decoder whose bytes hold the shape."""
    return lambda data, shape: np.asarray(decode(data)).reshape(shape)


def decode_bytes(decode: Callable[[bytes], Any]) -> Decode:
    """Adapt a decoder that returns raw bytes."""
    return lambda data, shape: np.frombuffer(decode(data), np.uint8).reshape(shape)
