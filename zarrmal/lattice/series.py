"""Tables that most encoders write, and the names of cameras."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.jpeg.cameras import BASES, STANDARD
from zarrmal_codecs.lattice.jpeg.picture import Camera

Steps = NDArray[np.int64]

MAX_STEP = 255
"""Of a baseline JPEG."""

STANDARD_LUMA, STANDARD_CHROMA = STANDARD.reshape(2, -1)
"""Tables K.1 and K.2 of ITU-T T.81, (64,) by rows."""


def scaled_table(base: Steps, quality: int) -> Steps:
    """A base table at one of libjpeg's qualities, 1 to 100 (`jpeg_quality_scaling`)."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    table: Steps = np.clip((base * scale + 50) // 100, 1, MAX_STEP)
    return table


SERIES = BASES[1:]
"""(table, 64): what most encoders write."""


OWN = "own"


def series_name(table: Steps) -> str:
    """Name of a table of SERIES, such as "standard luma 96"; OWN for another."""
    (equal,) = np.nonzero((table == SERIES).all(axis=1))
    if not len(equal):
        return OWN
    kind, quality = divmod(int(equal[-1]), 100)
    return f"standard {('luma', 'chroma')[kind]} {quality + 1}"


def steps_of(camera: Camera, plane: int) -> Steps:
    """The table of a plane, int64 (64,)."""
    steps: Steps = camera.tables[plane].reshape(-1).astype(np.int64)
    return steps


def sampling_name(camera: Camera) -> str:
    """Sampling as it is usually written, such as "4:2:0"; "plain" where pixels are repeated."""
    if camera.colour != "ycbcr":
        return camera.colour
    ratio = camera.ratios[1]
    name = {(1, 1): "4:4:4", (1, 2): "4:2:2", (2, 2): "4:2:0", (2, 1): "4:4:0"}.get(ratio)
    name = name or f"1:{ratio[0]}x{ratio[1]}"
    return name if camera.fancy or ratio == (1, 1) else f"{name} plain"
