"""Models included in the package: hybrid, 50 x 50, classes parasitized and uninfected.

The commands in ``TRAINED_BY`` trained them on 22,604 cells of 160 slides of the NIH / NLM malaria
cell images.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from zarrmal_codecs import Model

TRAINED_BY = {
    1: "zarrmal train nih50-rgb.npz --channel red --validation 0 --seed 0 -o nih50-red.zmal",
    3: "zarrmal train nih50-rgb.npz --validation 0 --steps 4000 --seed 0 -o nih50-rgb.zmal",
}
"""By number of channels. nih50-rgb.npz holds the cells, each resampled bilinearly to 50 x 50."""

NAMES = {1: "nih50-red.zmal", 3: "nih50-rgb.zmal"}
"""By number of channels."""


@cache
def shipped_model(n_channels: int) -> Model | None:
    """The model for cells of 1 channel (grey, or one of RGB) or 3 channels; None for others."""
    name = NAMES.get(n_channels)
    if name is None:
        return None
    file = files(__package__) / name
    return Model.from_bytes(file.read_bytes()) if file.is_file() else None
