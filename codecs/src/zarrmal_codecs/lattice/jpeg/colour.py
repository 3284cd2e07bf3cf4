"""Luma and chroma → red, green and blue, as libjpeg rounds them (JFIF 1.02, section 7)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

FRACTION: Final = 16
"""Bits of fraction of the factors."""
CR_TO_RED: Final = 91881
CB_TO_BLUE: Final = 116130
CB_TO_GREEN: Final = -22554
CR_TO_GREEN: Final = -46802
_HALF: Final = 1 << (FRACTION - 1)


def rgb(y: NDArray[np.uint8], cb: NDArray[np.uint8], cr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 (..., 3) of planes of the same shape."""
    luma = y.astype(np.int32)
    blue, red = cb.astype(np.int32) - 128, cr.astype(np.int32) - 128
    channels = [
        luma + ((CR_TO_RED * red + _HALF) >> FRACTION),
        luma + ((CB_TO_GREEN * blue + CR_TO_GREEN * red + _HALF) >> FRACTION),
        luma + ((CB_TO_BLUE * blue + _HALF) >> FRACTION),
    ]
    mixed = np.stack(channels, axis=-1)
    result: NDArray[np.uint8] = np.minimum(np.maximum(mixed, 0), 255).astype(np.uint8)
    return result
