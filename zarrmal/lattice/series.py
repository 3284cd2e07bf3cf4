"""Tables that most encoders write, and the names of cameras."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.picture import Camera

Steps = NDArray[np.int64]

MAX_STEP = 255
"""Of a baseline JPEG."""

# ITU-T T.81, tables K.1 and K.2, row-major.
STANDARD_LUMA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.int64,
).reshape(-1)
STANDARD_CHROMA = np.full(64, 99, np.int64)
STANDARD_CHROMA.reshape(8, 8)[:4, :4] = [
    [17, 18, 24, 47],
    [18, 21, 26, 66],
    [24, 26, 56, 99],
    [47, 66, 99, 99],
]


def scaled_table(base: Steps, quality: int) -> Steps:
    """A base table at one of libjpeg's qualities, 1 to 100 (`jpeg_quality_scaling`)."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    table: Steps = np.clip((base * scale + 50) // 100, 1, MAX_STEP)
    return table


SERIES = np.stack(
    [
        scaled_table(base, quality)
        for base in (STANDARD_LUMA, STANDARD_CHROMA)
        for quality in range(1, 101)
    ]
)
"""(table, 64): what most encoders write."""


OWN = "own"


def series_name(table: Steps) -> str:
    """Name of a table of SERIES, such as "standard luma 96"; OWN for another."""
    (equal,) = np.nonzero((table == SERIES).all(axis=1))
    if not len(equal):
        return OWN
    kind, quality = divmod(int(equal[-1]), 100)
    return f"standard {('luma', 'chroma')[kind]} {quality + 1}"


def sampling_name(camera: Camera) -> str:
    """Sampling as it is usually written, such as "4:2:0"; "plain" where pixels are repeated."""
    if camera.colour != "ycbcr":
        return camera.colour
    ratio = camera.ratios[1]
    name = {(1, 1): "4:4:4", (1, 2): "4:2:2", (2, 2): "4:2:0", (2, 1): "4:4:0"}.get(ratio)
    name = name or f"1:{ratio[0]}x{ratio[1]}"
    return name if camera.fancy or ratio == (1, 1) else f"{name} plain"
