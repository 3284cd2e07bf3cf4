"""Images <-> bytes: a header, and the code of the pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .coder import N_FLUSHED
from .contexts import N_MEANS
from .histograms import Counts, binary_counts, error_counts
from .loops import OK, decode_pixels, encode_pixels

Pixels = NDArray[np.uint8]

SIDE_BYTES = 2
HEADER_BYTES = 2 * SIDE_BYTES
MAX_SIDE = (1 << 8 * SIDE_BYTES) - 1
MAX_PIXELS_A_BYTE = 6000
"""No histogram gives a symbol more than 1 - 17 / 2^14: a pixel costs 1/668 bit at least."""


def encode(image: Pixels) -> bytes:
    """Height and width, two bytes each, the higher first, and the code.

    Parameters
    ----------
    image
        uint8 (y, x), 1 to 65,535 a side.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    if image.dtype != np.uint8 or image.ndim != 2:
        raise ValueError(f"CALIC codes uint8 (y, x), not {image.dtype} {image.shape}")
    if not all(1 <= side <= MAX_SIDE for side in image.shape):
        raise ValueError(f"CALIC codes 1 to {MAX_SIDE} pixels a side, not {image.shape}")
    image = np.ascontiguousarray(image)
    out = np.zeros(image.size + image.size // 4 + 1024, np.uint8)
    n = encode_pixels(image, out, *_model())
    if n > len(out):  # no image known needs it
        out = np.zeros(n, np.uint8)
        n = encode_pixels(image, out, *_model())
    head = b"".join(side.to_bytes(SIDE_BYTES, "big") for side in image.shape)
    kept = n
    while kept > n - N_FLUSHED and not out[kept - 1]:
        kept -= 1
    return head + out[:kept].tobytes()


def decode(data: bytes) -> Pixels:
    """The image of what ``encode`` wrote.

    Raises
    ------
    ValueError
        If nothing can have been encoded to these bytes. Damage is not always noticed: the code has
        no checksum, and other pixels may come back.
    """
    if len(data) < HEADER_BYTES:
        raise ValueError(f"{len(data)} bytes are too few for CALIC's header")
    height, width = (
        int.from_bytes(data[i : i + SIDE_BYTES], "big") for i in range(0, HEADER_BYTES, SIDE_BYTES)
    )
    code = np.frombuffer(data, np.uint8, offset=HEADER_BYTES)
    if not 0 < height * width <= MAX_PIXELS_A_BYTE * (len(code) + N_FLUSHED):
        raise ValueError(f"{len(code)} bytes cannot be the code of {height} x {width} pixels")
    image = np.zeros((height, width), np.uint8)
    if decode_pixels(code, image, *_model()) != OK:
        raise ValueError("the bytes are not the code of an image: damaged or cut short")
    return image


def _model() -> tuple[Counts, Counts, NDArray[np.int64], NDArray[np.int64]]:
    """Histograms of errors and of the binary mode; sums and counts of errors."""
    zeros = np.zeros((2, N_MEANS), np.int64)
    return error_counts(), binary_counts(), zeros[0], zeros[1]
