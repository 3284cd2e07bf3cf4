"""Training of either profile, by the kind of options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..progress import Progress, silent
from ..sources import Source
from . import train as paper
from .hybrid import HybridOptions, HybridResult, train_hybrid
from .hybrid.train import as_json as hybrid_as_json


def train_any(
    source: Source,
    options: paper.TrainOptions | HybridOptions | None = None,
    *,
    checkpoint: str | Path | None = None,
    progress: Progress = silent,
) -> paper.TrainResult | HybridResult:
    """A model of the profile that the options are for; without options a hybrid one."""
    if isinstance(options, paper.TrainOptions):
        return paper.train_model(source, options, checkpoint=checkpoint, progress=progress)
    return train_hybrid(source, options, checkpoint=checkpoint, progress=progress)


def as_json(result: paper.TrainResult | HybridResult) -> dict[str, Any]:
    """The report as a machine reads it."""
    if isinstance(result, HybridResult):
        return hybrid_as_json(result)
    return paper.as_json(result)
