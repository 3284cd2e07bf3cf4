"""The reason why an image file gives no pixels."""

from __future__ import annotations

import struct
import zlib


class UnreadableError(ValueError):
    """A file is no image, or none that can be kept without loss; told in a few words."""


DECODING_ERRORS = (
    OSError,
    EOFError,
    SyntaxError,  # Pillow, for a broken PNG
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    MemoryError,
    RuntimeError,  # imagecodecs' own errors are RuntimeErrors
    struct.error,
    zlib.error,
)
"""What Pillow, tifffile and imagecodecs were seen to raise for damaged files; neither documents
an exhaustive list."""
