"""The classifiers that ship: classes parasitized and uninfected, run by NumPy.

They were trained on 120 of the 160 slides that the models were trained on (see ``zarrmal.models``),
a tenth of these kept out to set the temperature by, by the commands in ``TRAINED_BY``, which tell
what they are worth on the 40 others.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from ..classify import CellClassifier

TRAINED_BY = {
    1: "zarrmal train-classifier nih50-rgb.npz --channel red --epochs 14 --unseen 0.25 --seed 0 "
    "-o nih50-red.zcls",
    3: "zarrmal train-classifier nih50-rgb.npz --unseen 0.25 --seed 0 -o nih50-rgb.zcls",
}
"""By number of channels."""

NAMES = {1: "nih50-red.zcls", 3: "nih50-rgb.zcls"}
"""By number of channels."""


@cache
def shipped_classifier(n_channels: int) -> CellClassifier | None:
    """The classifier for cells of 1 (grey, or one plane) or 3 channels; None for others."""
    name = NAMES.get(n_channels)
    if name is None:
        return None
    place = files(__package__) / name
    return CellClassifier.from_bytes(place.read_bytes()) if place.is_file() else None
