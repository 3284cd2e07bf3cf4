"""Limits of what an archive holds, known before anything is trained or written."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import DTypeLike
from zarrmal_codecs.constants import (
    MAX_HYBRID_CELL_PIXELS,
    MAX_HYBRID_CELL_SIDE,
    MAX_LAYER_WIDTH,
    PROFILE_HYBRID,
    PROFILE_PAPER,
)

from ..errors import InputError

MAX_LABELS = 255
"""Different labels of an archive, whose array `label` is uint8."""

MAX_CELL_VALUES = {PROFILE_HYBRID: MAX_HYBRID_CELL_PIXELS, PROFILE_PAPER: MAX_LAYER_WIDTH}
"""Values of a cell, height * width * channels, by the profile of the codec."""

PIXEL_KINDS = "buifc"
"""NumPy's kinds of the dtypes of pixels: bool, integers, floating and complex numbers."""


def check_dtype(dtype: DTypeLike, location: str) -> None:
    """Raise InputError unless pixels of this dtype can be archived.

    Parameters
    ----------
    location
        Begins the message.
    """
    if np.dtype(dtype).kind not in PIXEL_KINDS:
        raise InputError(
            f"{location}: holds {np.dtype(dtype)}, cells are numbers (uint8, uint16, float32, …): "
            f"convert it first"
        )


def check_cell_shape(
    cell_shape: tuple[int, ...],
    location: str,
    profile: str | None = None,
    *,
    is_canvas: bool = False,
) -> None:
    """Raise InputError if the codec cannot code cells of this shape, whatever the model.

    Parameters
    ----------
    cell_shape
        (y, x) or (y, x, channel).
    location
        Begins the message.
    profile
        "hybrid" or "paper"; None allows what either of them can code.
    is_canvas
        Cells are of different sizes, and this is the canvas that holds them all.

    Raises
    ------
    InputError
        If a cell has too many values, or, for "hybrid", too many rows or columns.
    """
    text = f"cells of {' x '.join(map(str, cell_shape))}"
    advice = "crop the cells, or resample them with --size N"
    if is_canvas:
        text = f"canvases of {' x '.join(map(str, cell_shape))}, which hold the largest cells,"
        advice = "leave the largest cells out, or resample all with --size N"
    codec = "the codec" if profile is None else f"profile {profile}"
    limit = max(MAX_CELL_VALUES.values()) if profile is None else MAX_CELL_VALUES[profile]
    if prod(cell_shape) > limit:
        raise InputError(
            f"{location}: {text} have {prod(cell_shape):,} values each, {codec} takes at "
            f"most {limit:,}: {advice}"
        )
    if profile == PROFILE_HYBRID and max(cell_shape[:2]) > MAX_HYBRID_CELL_SIDE:
        raise InputError(
            f"{location}: {text} have {max(cell_shape[:2]):,} rows or columns, {codec} "
            f"takes at most {MAX_HYBRID_CELL_SIDE:,}: {advice}"
        )
