"""The check of a chunk's items (FORMAT 4.1)."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

try:
    from .. import _kernel
except ImportError:  # pragma: no cover  (built without a C++ compiler)
    _kernel = None  # type: ignore[assignment]

IS_NATIVE = hasattr(_kernel, "crc32")
"""Whether the kernel computes it: several times as fast as most builds of zlib."""


def crc32(octets: NDArray[np.uint8]) -> int:
    """CRC-32 of uint8 (n,), C-contiguous."""
    return _kernel.crc32(octets) if IS_NATIVE else zlib.crc32(octets.data)
