"""Classifiers included in the package: classes parasitized and uninfected, run by NumPy.

The commands in ``TRAINED_BY`` trained them on 120 of the models' 160 slides (see
``zarrmal.models``), a tenth of which set the temperature. The commands print the results on the
other 40 slides.
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
    """The classifier for cells of 1 channel (grey, or one of RGB) or 3; None for others."""
    name = NAMES.get(n_channels)
    if name is None:
        return None
    file = files(__package__) / name
    return CellClassifier.from_bytes(file.read_bytes()) if file.is_file() else None
