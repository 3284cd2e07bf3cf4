"""Images <-> bytes: a header, and the coded pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .contexts import N_MEANS
from .histograms import Counts, binary_counts, error_counts
from .pixels import OK, decode_pixels, encode_pixels
from .range_coder import N_FLUSHED

Pixels = NDArray[np.uint8]

SIDE_BYTES = 2
HEADER_BYTES = 2 * SIDE_BYTES
MAX_SIDE = (1 << 8 * SIDE_BYTES) - 1
MAX_PIXELS_PER_BYTE = 6000
"""No histogram gives a symbol more than 1 - 17 / 2^14: a pixel costs at least 1/668 bit."""


def encode(image: Pixels) -> bytes:
    """Encode an image: height and width, two bytes each, big-endian, then the coded pixels.

    Parameters
    ----------
    image
        uint8 (y, x), 1 <= y, x <= 65,535.

    Raises
    ------
    ValueError
        If dtype, rank or shape differ.
    """
    if image.dtype != np.uint8 or image.ndim != 2:
        raise ValueError(f"CALIC codes uint8 (y, x), not {image.dtype} {image.shape}")
    if not all(1 <= side <= MAX_SIDE for side in image.shape):
        raise ValueError(f"CALIC codes 1 to {MAX_SIDE} pixels a side, not {image.shape}")
    image = np.ascontiguousarray(image)
    out = np.zeros(image.size + image.size // 4 + 1024, np.uint8)
    n = encode_pixels(image, out, *_model())
    if n > len(out):  # no known image needs it
        out = np.zeros(n, np.uint8)
        n = encode_pixels(image, out, *_model())
    n_trimmed = n
    head = b"".join(side.to_bytes(SIDE_BYTES, "big") for side in image.shape)
    while n_trimmed > n - N_FLUSHED and not out[n_trimmed - 1]:
        n_trimmed -= 1  # the decoder reads zeros after the end
    return head + out[:n_trimmed].tobytes()


def decode(data: bytes) -> Pixels:
    """Decode an image.

    Raises
    ------
    ValueError
        If no image encodes to these bytes. There is no checksum: some damage gives other pixels
        instead.
    """
    if len(data) < HEADER_BYTES:
        raise ValueError(f"CALIC's header has {HEADER_BYTES} bytes, the data has {len(data)}")
    height, width = (
        int.from_bytes(data[i : i + SIDE_BYTES], "big") for i in range(0, HEADER_BYTES, SIDE_BYTES)
    )
    code = np.frombuffer(data, np.uint8, offset=HEADER_BYTES)
    if not 0 < height * width <= MAX_PIXELS_PER_BYTE * (len(code) + N_FLUSHED):
        raise ValueError(f"{len(code)} bytes cannot be the code of {height} x {width} pixels")
    image = np.zeros((height, width), np.uint8)
    if decode_pixels(code, image, *_model()) != OK:
        raise ValueError("the bytes are not the code of an image: damaged or cut short")
    return image


def _model() -> tuple[Counts, Counts, NDArray[np.int64], NDArray[np.int64]]:
    """Initial state: histograms of errors and of the binary mode, sums and counts of errors."""
    zeros = np.zeros((2, N_MEANS), np.int64)
    return error_counts(), binary_counts(), zeros[0], zeros[1]
