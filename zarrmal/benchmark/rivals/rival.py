"""What a rival is, and what several adapters share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Encode = Callable[[Pixels], bytes]
Decode = Callable[[bytes, tuple[int, ...]], Pixels]

SHEET_COLUMNS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """One coder with one setting.

    Parameters
    ----------
    name
        With its settings, as ``jxl:effort=9``.
    encode
        uint8 image (y, x) or (y, x, channel) -> bytes.
    decode
        The inverse; it is told the image's shape.
    slow
        Left out unless asked for.
    columns
        Cells side by side on a sheet, as many as fit its largest side. Coders of bytes do best
        with one cell after the other.
    """

    name: str
    encode: Encode
    decode: Decode
    slow: bool = False
    columns: int = SHEET_COLUMNS


def image(decode: Callable[[bytes], Any]) -> Decode:
    """For decoders that find the shape themselves."""
    return lambda data, shape: np.asarray(decode(data)).reshape(shape)


def raw(decode: Callable[[bytes], Any]) -> Decode:
    """For decoders that give bytes."""
    return lambda data, shape: np.frombuffer(decode(data), np.uint8).reshape(shape)
