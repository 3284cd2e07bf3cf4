"""Training of models and classifiers. Importing it imports torch."""

from __future__ import annotations

import os

from zarrmal_codecs.constants import PROFILE_HYBRID, PROFILE_PAPER

from ..progress import Progress, silent
from ..sources import Source
from ..sources.limits import check_cell_shape
from ..sources.source import require_codable
from .hybrid import HybridOptions, HybridResult, train_hybrid
from .paper import ClassReport, TrainOptions, TrainResult, train_model

__all__ = [
    "ClassReport",
    "HybridOptions",
    "HybridResult",
    "TrainOptions",
    "TrainResult",
    "train_any",
    "train_hybrid",
    "train_model",
]


def train_any(
    source: Source,
    options: TrainOptions | HybridOptions | None = None,
    *,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress = silent,
) -> TrainResult | HybridResult:
    """Train a model of the profile that the options are for; by default `hybrid`.

    Raises
    ------
    InputError
        Before training, if no model of this profile can code such cells.
    """
    require_codable(source, "training")
    profile = PROFILE_PAPER if isinstance(options, TrainOptions) else PROFILE_HYBRID
    check_cell_shape(source.cell_shape, source.location or source.description, profile)
    if isinstance(options, TrainOptions):
        return train_model(source, options, checkpoint=checkpoint, progress=progress)
    return train_hybrid(source, options, checkpoint=checkpoint, progress=progress)
