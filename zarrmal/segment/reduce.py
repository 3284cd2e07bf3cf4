"""Images reduced by an integer, by the mean of each square of pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def reduced(image: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """uint8 (y, x[, channel]) -> ⌈y / factor⌉, ⌈x / factor⌉; the last squares may be cut off."""
    if factor == 1:
        return image
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).reduce(factor))


def enlarged(mask: NDArray[np.bool_], factor: int) -> NDArray[np.bool_]:
    """Each pixel as a square of ``factor`` pixels a side."""
    return mask.repeat(factor, axis=0).repeat(factor, axis=1)
