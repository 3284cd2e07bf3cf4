"""The models that ship: hybrid, effort default, 50 x 50, classes parasitized and uninfected.

They were trained on 22,604 cells of 160 slides of the NIH / NLM malaria cell images by the commands
in ``TRAINED_BY``.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from zarrmal_codecs import Model

TRAINED_BY = {
    1: "zarrmal train nih50-rgb.npz --channel red --validation 0 --seed 0 -o nih50-red.zmal",
    3: "zarrmal train nih50-rgb.npz --validation 0 --steps 4000 --seed 0 -o nih50-rgb.zmal",
}
"""By number of channels; nih50-rgb.npz holds the cells, each resized bilinearly as a whole."""

NAMES = {1: "nih50-red.zmal", 3: "nih50-rgb.zmal"}
"""By number of channels."""


@cache
def shipped_model(n_channels: int) -> Model | None:
    """The model for cells of 1 (grey, or one plane) or 3 channels; None for others."""
    name = NAMES.get(n_channels)
    if name is None:
        return None
    place = files(__package__) / name
    return Model.from_bytes(place.read_bytes()) if place.is_file() else None
