"""Which cells a model codes."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.coder import coder_for
from zarrmal_codecs.constants import PROFILE_HYBRID

from .source import Source

SAMPLE_CELLS = 32
"""Cells by which a model is judged."""


def model_fits(
    model: Model, dtype: DTypeLike, cell_shape: tuple[int, ...], *, channel_first: bool = False
) -> bool:
    """Whether a model codes such cells; the codec's fallback stores any others.

    Parameters
    ----------
    dtype
        Of uint16, a model of depth 8 codes those cells alone that have few levels.
    cell_shape
        (y, x) or (y, x, channel).
    channel_first
        They are stored as (channel, y, x), which models of profile "hybrid" code alike.
    """
    if channel_first and model.profile != PROFILE_HYBRID:
        return False
    return np.dtype(dtype) in (np.uint8, np.uint16) and coder_for(model).fits(cell_shape)


def knows_levels(model: Model, source: Source) -> bool:
    """Whether a model knows all levels of the cells of a source, judged by some of them."""
    if source.dtype != np.uint16 or model.depth == 16:
        return True
    rows = np.unique(np.linspace(0, source.n_cells - 1, SAMPLE_CELLS).astype(np.int64))
    return coder_for(model).knows(source.read(rows))
