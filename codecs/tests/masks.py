"""Masks for tests."""

from __future__ import annotations

import models
import numpy as np
import pytest
from hypothesis.extra import numpy as hnp
from zarrmal_codecs.hybrid import engine

try:
    from zarrmal_codecs import _kernel
except ImportError:
    _kernel = None
native = pytest.mark.skipif(_kernel is None, reason="the native kernel is not built")
ENGINES = ["numpy"] if _kernel is None else ["numpy", engine.levels()[-1]]
NATIVE = [False] if _kernel is None else [False, True]

MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


def masks_of(seed: int, shapes: list[tuple[int, int]]) -> list[np.ndarray]:
    """Noise at some edges, and areas of one value, bool (rows, columns)."""
    out = []
    for k, (rows, columns) in enumerate(shapes):
        noise = models.array(seed + k, (rows, columns), 0, 9, "int64")
        y, x = np.ogrid[:rows, :columns]
        out.append(noise + 16 * (y - rows // 2) ** 2 // (rows + 1) + (x - k) ** 2 // 9 < 12)
    return out
