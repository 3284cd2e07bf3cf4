"""Float network -> integer layers (FORMAT 3): int8 weights, uint16 multipliers, int32 biases."""

from __future__ import annotations

from math import floor, log2

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs import ModelError
from zarrmal_codecs.class_model import ClassModel
from zarrmal_codecs.constants import MAX_ACCUMULATOR, MAX_MULTIPLIER, MAX_SHIFT
from zarrmal_codecs.layer import Layer, Range

from .stacked import LATENT_LIMIT, PIXEL_GAIN, StackedAutoencoder

Floats = NDArray[np.float64]

LATENT_STEP = LATENT_LIMIT / 127
PIXEL_STEP = 1 / 255
HIDDEN_QUANTILE = 0.99995
"""Hidden units above this quantile of the training cells are clipped; the rest get finer steps."""


def quantise(network: StackedAutoencoder, name: str, pixels: torch.Tensor) -> ClassModel:
    """Export a trained autoencoder.

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
            _quantise_weight(_array(w), step)
            for w, step in zip(network.weights, network.get_buffer("steps").tolist(), strict=True)
        ),
        strict=True,
    )
    depth = network.depth
    mean_image = _array(network.get_buffer("mean_image"))

    encoder = []
    for k in range(depth):
        gain, bias = (_array(t) for t in network.encoder_norms[k].folded())  # type: ignore[operator]
        step_in = PIXEL_STEP if k == 0 else up_steps[k - 1]
        weight = weights[k].T
        if k == 0:
            # The network takes (x - mean) * PIXEL_GAIN, the layer takes x. With the rounded
            # weight, so that a cell equal to the mean image still gives zero.
            bias = bias - gain * PIXEL_GAIN * weight_steps[0] * (weight @ mean_image)
            gain = gain * PIXEL_GAIN
        last = k == depth - 1
        encoder.append(
            _layer(
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
        step_in = LATENT_STEP if k == depth - 1 else down_steps[k]
        if k == 0:
            gain = np.full(network.widths[0], 1 / PIXEL_GAIN)
            bias = _array(network.pixel_bias) / PIXEL_GAIN + mean_image
            step_out = PIXEL_STEP
        else:
            gain, bias = (_array(t) for t in network.decoder_norms[k - 1].folded())  # type: ignore[operator]
            step_out = down_steps[k - 1]
        decoder.append(
            _layer(
                weights[k],
                gain * weight_steps[k] * step_in,
                bias,
                step_out,
                "int8" if k == depth - 1 else "uint8",
                "uint8",
            )
        )
    networks = {"decoder": tuple(decoder), "encoder": tuple(encoder)}
    return ClassModel(name=name, networks=networks)


def _array(tensor: torch.Tensor) -> Floats:
    return tensor.detach().cpu().numpy().astype(np.float64)


def _quantise_weight(weight: Floats, step: float) -> tuple[NDArray[np.int8], float]:
    if step == 0:  # the network was not trained with rounded weights
        step = max(float(np.abs(weight).max()), 1e-12) / 127
    return np.clip(np.rint(weight / step), -127, 127).astype(np.int8), step


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


def _layer(
    weight: NDArray[np.int8],
    scale: Floats,
    bias: Floats,
    step_out: float,
    range_in: Range,
    range_out: Range,
) -> Layer:
    """The integer layer of ``output * step_out = scale * (weight @ input) + bias``."""
    scale_max = float(scale.max())
    shift = min(MAX_SHIFT, floor(log2(MAX_MULTIPLIER * step_out / scale_max)))
    if shift < 0:
        raise ModelError("a layer's gain is too large for an integer multiplier: train again with "
                         "another seed or more cells")  # fmt: skip
    multiplier = np.clip(np.rint(scale / step_out * 2.0**shift), 1, MAX_MULTIPLIER)
    # In units of the accumulator, with the multiplier as it was rounded.
    bias_int = np.rint(bias / step_out * 2.0**shift / multiplier)
    input_max = 128 if range_in == "int8" else 255
    room = MAX_ACCUMULATOR - input_max * np.abs(weight.astype(np.int64)).sum(axis=1)
    return Layer(
        weight=weight,
        bias=np.clip(bias_int, -room, room).astype(np.int32),
        multiplier=multiplier.astype(np.uint16),
        shift=shift,
        input=range_in,
        output=range_out,
    )
