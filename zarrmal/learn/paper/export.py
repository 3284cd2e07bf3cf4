"""The trained autoencoder of a class as integer layers (FORMAT 3)."""

from __future__ import annotations

import numpy as np
import torch
from zarrmal_codecs.model.class_model import ClassModel
from zarrmal_codecs.model.layer import Range

from ..quantise import as_floats, int8_weight, integer_layer
from .network import LATENT_LIMIT, PIXEL_GAIN, StackedAutoencoder

LATENT_STEP = LATENT_LIMIT / 127
PIXEL_STEP = 1 / 255
HIDDEN_QUANTILE = 0.99995
"""Hidden units above this quantile of the training cells are clipped; the rest get finer steps."""


def export(network: StackedAutoencoder, name: str, pixels: torch.Tensor) -> ClassModel:
    """Quantise a trained autoencoder.

    Parameters
    ----------
    network
        In evaluation mode.
    name
        Of the class.
    pixels
        float32 (cell, pixel) in 0..1: cells that set the ranges of the hidden units.

    Returns
    -------
    ClassModel
        With the networks "decoder" and "encoder", weights shared.
    """
    up_steps, down_steps = _value_steps(network, pixels)
    mean_image = as_floats(network.get_buffer("mean_image"))
    encoder, decoder = [], []
    for k, step in enumerate(network.get_buffer("steps").tolist()):
        weight, weight_step = int8_weight(as_floats(network.weights[k]), step)
        upper: Range = "int8" if k == network.depth - 1 else "uint8"
        gain, bias = (as_floats(t) for t in network.encoder_norms[k].folded())  # type: ignore[operator]
        if k == 0:
            # The network takes (x - mean) * PIXEL_GAIN, the layer takes x. With the rounded
            # weight, so that a cell equal to the mean image still gives zero.
            bias = bias - gain * PIXEL_GAIN * weight_step * (weight.T @ mean_image)
            gain = gain * PIXEL_GAIN
        scale = gain * weight_step * up_steps[k]
        encoder.append(integer_layer(weight.T, scale, bias, up_steps[k + 1], "uint8", upper))
        if k == 0:
            gain = np.full(network.widths[0], 1 / PIXEL_GAIN)
            bias = as_floats(network.pixel_bias) / PIXEL_GAIN + mean_image
        else:
            gain, bias = (as_floats(t) for t in network.decoder_norms[k - 1].folded())  # type: ignore[operator]
        scale = gain * weight_step * down_steps[k + 1]
        decoder.append(integer_layer(weight, scale, bias, down_steps[k], upper, "uint8"))
    networks = {"decoder": tuple(reversed(decoder)), "encoder": tuple(encoder)}
    return ClassModel(name=name, networks=networks)


def _value_steps(
    network: StackedAutoencoder, pixels: torch.Tensor
) -> tuple[list[float], list[float]]:
    """Quantisation steps from pixels to latents, of the encoder's and of the decoder's values."""

    def step(values: torch.Tensor) -> float:
        top = np.quantile(values.cpu().numpy(), HIDDEN_QUANTILE)
        return max(float(top), 1e-6) / 255

    up, down = [], []
    with torch.no_grad():
        values = network.encode(pixels, 0)
        for k in range(network.depth):
            values = network.encode_layer(values, k)
            up.append(step(values))
        for k in reversed(range(1, network.depth)):
            values = network.decode_layer(values, k)
            down.append(step(values))
    return [PIXEL_STEP, *up[:-1], LATENT_STEP], [PIXEL_STEP, *down[::-1], LATENT_STEP]
