"""Where the bits of a single cell go, pixel by pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.coder import coder_for
from zarrmal_codecs.constants import FREQUENCY_TOTAL, LATENT_GAIN
from zarrmal_codecs.context import Step, steps_of
from zarrmal_codecs.golomb_rice import unzigzag
from zarrmal_codecs.paper import PaperCells
from zarrmal_codecs.pixel_coder import Lanes, Plan
from zarrmal_codecs.prediction import Prediction

Pixels = NDArray[np.uint8]


def paper_pixels(
    model: Model, place: int, cell: Pixels, s: int
) -> tuple[Pixels, NDArray[np.int64], NDArray[np.int64]]:
    """Prediction, residue modulo 256, and length of each Rice codeword, (y, x) each.

    Parameters
    ----------
    place
        Of the class in the model, of profile ``paper``.
    cell
        uint8 (y, x).
    s
        Rice parameter.
    """
    coder = coder_for(model).cells(place)
    assert isinstance(coder, PaperCells)
    _, values = coder.transform(cell[None])
    residue = unzigzag(values[0])
    prediction = cell - residue.view(np.uint8).reshape(cell.shape)
    lengths = (values[0].astype(np.int64) >> s) + 1 + s
    return prediction, residue.astype(np.int64).reshape(cell.shape), lengths.reshape(cell.shape)


def hybrid_bits(model: Model, place: int, cell: Pixels) -> NDArray[np.float64]:
    """-log2 of the probability of each pixel, float64 (y, x), latents not counted.

    Parameters
    ----------
    place
        Of the class in the model, of profile ``hybrid``.
    cell
        uint8 (y, x).
    """
    one, shape = model.classes[place], model.cell_shape
    pixels = cell[None, None]
    latents: NDArray[np.int8] | None = None
    predicted: Pixels | None = None
    n_latents = 0
    if one.networks.get("decoder"):
        prediction = Prediction(one, shape)
        n_latents = prediction.n_latents
        if cell.shape == shape[:2]:
            latents = prediction.encode(pixels)
            predicted = prediction.decode(latents)
    steps = steps_of(one, 1, n_latents)
    plan = Plan(steps, n_latents > 0)
    lanes = Lanes(plan, pixels.shape, predicted, [_first(step, latents) for step in steps])
    inside = lanes.inside()
    bits = np.zeros(cell.shape)
    for step, y, x in lanes.coding_order():
        value = cell[None, y, x].astype(np.int64)
        mixture = lanes.distribution(step, y, x)
        frequency = mixture.cumulative(value + 1) - mixture.cumulative(value)
        bits[y, x] = -np.log2(frequency[0] / FREQUENCY_TOTAL)
        # Only now: the network must not see what it is about to code.
        inside[0, y, x] = value
    return bits


def _first(step: Step, latents: NDArray[np.int8] | None) -> NDArray[np.int32]:
    """First sums int32 (cell, unit): bias and what the latents add (FORMAT 4.6.3)."""
    sums = step.layers[0].bias[None].astype(np.int32)
    if latents is not None and step.latent is not None:
        added = latents.astype(np.int32) @ step.latent.astype(np.int32).T
        sums = sums + np.int32(LATENT_GAIN) * added
    return np.ascontiguousarray(sums, np.int32)
