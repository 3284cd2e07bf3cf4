"""How a claim can end."""

from __future__ import annotations

from collections.abc import Iterator

from .measured import ModelResults, SetResults
from .results import TRAINING, UNSEEN

HOLDS, FAILS, IN_PART = "holds", "does not hold", "holds in part"
ONLY_TRAINING = "holds only on training cells"
BEFORE_SIDE = "holds only before side information"
NOT_MEASURED = "not measured"


def verdict(unseen: list[bool], training: list[bool]) -> str:
    """From what holds on both sets of cells, case by case."""
    if all(unseen) and all(training):
        return HOLDS
    if all(training) and not any(unseen):
        return ONLY_TRAINING
    return FAILS if not any(unseen) else IN_PART


def both_sets(model: ModelResults) -> Iterator[SetResults]:
    """A model on unseen slides, then on training cells."""
    yield model.on(UNSEEN)
    yield model.on(TRAINING)
