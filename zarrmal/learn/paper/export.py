"""The trained autoencoder of a class as integer layers (FORMAT 3)."""

from __future__ import annotations

import numpy as np
import torch
from zarrmal_codecs.class_model import ClassModel

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
    up_steps, down_steps = _hidden_steps(network, pixels)
    weights, weight_steps = zip(
        *(
            int8_weight(as_floats(weight), step)
            for weight, step in zip(
                network.weights, network.get_buffer("steps").tolist(), strict=True
            )
        ),
        strict=True,
    )
    depth = network.depth
    mean_image = as_floats(network.get_buffer("mean_image"))

    encoder = []
    for k in range(depth):
        gain, bias = (as_floats(t) for t in network.encoder_norms[k].folded())  # type: ignore[operator]
        step_in = PIXEL_STEP if k == 0 else up_steps[k - 1]
        weight = weights[k].T
        if k == 0:
            # The network takes (x - mean) * PIXEL_GAIN, the layer takes x. With the rounded
            # weight, so that a cell equal to the mean image still gives zero.
            bias = bias - gain * PIXEL_GAIN * weight_steps[0] * (weight @ mean_image)
            gain = gain * PIXEL_GAIN
        last = k == depth - 1
        encoder.append(
            integer_layer(
                weight,
                gain * weight_steps[k] * step_in,
                bias,
                LATENT_STEP if last else up_steps[k],
                "uint8",
                "int8" if last else "uint8",
            )
        )

    decoder = []
    for k in reversed(range(depth)):
        first = k == depth - 1
        step_in = LATENT_STEP if first else down_steps[k]
        if k == 0:
            gain = np.full(network.widths[0], 1 / PIXEL_GAIN)
            bias = as_floats(network.pixel_bias) / PIXEL_GAIN + mean_image
            step_out = PIXEL_STEP
        else:
            gain, bias = (as_floats(t) for t in network.decoder_norms[k - 1].folded())  # type: ignore[operator]
            step_out = down_steps[k - 1]
        decoder.append(
            integer_layer(
                weights[k],
                gain * weight_steps[k] * step_in,
                bias,
                step_out,
                "int8" if first else "uint8",
                "uint8",
            )
        )
    return ClassModel(name=name, networks={"decoder": tuple(decoder), "encoder": tuple(encoder)})


def _hidden_steps(
    network: StackedAutoencoder, pixels: torch.Tensor
) -> tuple[list[float], list[float]]:
    """Quantisation step of each hidden layer, on the way up and on the way down."""

    def step(values: torch.Tensor) -> float:
        top = np.quantile(values.cpu().numpy(), HIDDEN_QUANTILE)
        return max(float(top), 1e-6) / 255

    with torch.no_grad():
        ups, downs = [], []
        values = network.encode(pixels, 0)
        for k in range(network.depth):
            values = network.encode_layer(values, k)
            ups.append(step(values))
        for k in reversed(range(1, network.depth)):
            values = network.decode_layer(values, k)
            downs.append(step(values))
    return ups[:-1], downs[::-1]
