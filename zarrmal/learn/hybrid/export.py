"""The trained hybrid network as a model of integer tensors (FORMAT 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.constants import PROFILE_HYBRID
from zarrmal_codecs.hybrid.context import RANGES
from zarrmal_codecs.model.class_model import ClassModel
from zarrmal_codecs.model.layer import Layer
from zarrmal_codecs.model.step import Step

from ..quantise import (
    Floats,
    as_floats,
    int8_weight,
    integer_layer,
    power_of_two_bias,
    power_of_two_weight,
)
from .network import ACTIVATION_SCALE, ContextNetwork, HybridNetwork, SmallAutoencoder, Units

Tensors = dict[str, NDArray[Any]]

LOG2_ACTIVATION = 6
OUTPUT_LOG2 = 4  # outputs are in sixteenths
HIDDEN_TOP = 4.0  # of the autoencoder's hidden units, clipped above
RATE_INDEX = 12
LATENT_MIDDLE = 36  # index of the scale of 1 in SLOPE


def export(
    network: HybridNetwork,
    names: tuple[str, ...],
    cell_shape: tuple[int, ...],
    about: dict[str, Any],
    classes: Sequence[int] | None = None,
    *,
    masks: NDArray[np.int8] | None = None,
) -> Model:
    """Quantise a trained network.

    Parameters
    ----------
    network
        Weights of the context networks are shared by all classes, and stored once.
    names
        Of the classes.
    cell_shape
        (y, x) or (y, x, channel).
    classes
        The network's classes that the names are for; None: all.
    masks
        See TrainingData.
    """
    classes = range(len(names)) if classes is None else classes
    return Model(
        profile=PROFILE_HYBRID,
        cell_shape=cell_shape,
        depth=network.inputs.cells.depth.bits,
        classes=tuple(
            _class(network, k, name, masks) for k, name in zip(classes, names, strict=True)
        ),
        about=about,
    )


def _class(network: HybridNetwork, k: int, name: str, masks: NDArray[np.int8] | None) -> ClassModel:
    inputs = network.inputs
    has_prediction = bool(network.autoencoders)
    tensors: Tensors = {} if masks is None else {"silhouette": masks}
    networks: dict[str, tuple[Layer, ...]] = {}
    steps = tuple(_step(network, s, k) for s in range(len(inputs.steps)))
    if has_prediction:
        autoencoder = network.autoencoders[k]
        assert isinstance(autoencoder, SmallAutoencoder)
        networks = _autoencoder(autoencoder)
        index = np.rint(RATE_INDEX * as_floats(autoencoder.log_scale) + LATENT_MIDDLE)
        tensors["latent_scale"] = np.clip(index, 0, 127).astype(np.uint8)
        tensors["grid"] = np.array(autoencoder.grid, np.uint8)
    return ClassModel(name=name, networks=networks, tensors=tensors, steps=steps)


def _step(network: HybridNetwork, s: int, k: int) -> Step:
    inputs, effort = network.inputs, network.inputs.effort
    context, first = network.step(s)
    offsets = inputs.offsets(s, bool(network.autoencoders)).numpy().astype(np.float64)
    layers, latent = _context(context, first + k, offsets, network.units)
    plan = inputs.steps[s]
    return Step(
        plane=plan.plane,
        earlier=plan.earlier,
        follows=plan.follows,
        n_causal=effort.n_causal,
        n_flags=effort.n_flags,
        n_full=effort.n_full,
        n_components=effort.n_components,
        n_coverage=inputs.n_coverage,
        layers=layers,
        latent=latent,
    )


def _context(
    network: ContextNetwork, k: int, offsets: Floats, units: Units
) -> tuple[tuple[Layer, ...], NDArray[np.int8] | None]:
    """The three layers, and the weights of the latents."""
    n_in = network.weight1.shape[1]
    weight1, log2_1 = power_of_two_weight(network.first_layer())
    weight2, log2_2 = power_of_two_weight(network.weight2)
    weight3, log2_3 = power_of_two_weight(network.weight3)
    # Inputs enter as f / 64 - offset with the weights as they were rounded.
    rounded = weight1[:, :n_in] * 2.0 ** -log2_1[:, None]
    bias1 = as_floats(network.bias1)[k] - rounded @ offsets
    bias2, bias3 = as_floats(network.bias2)[k], as_floats(network.bias3)[k].copy()
    bias3[2::3] += units.middle / 2**OUTPUT_LOG2
    shift3 = log2_3 + LOG2_ACTIVATION - OUTPUT_LOG2
    shift3[1::3] = log2_3[1::3] + LOG2_ACTIVATION - OUTPUT_LOG2 - units.location_log2
    parts = (
        (np.ascontiguousarray(weight1[:, :n_in]), bias1, log2_1, log2_1),
        (weight2, bias2, log2_2, log2_2),
        (weight3, bias3, log2_3, shift3),
    )
    layers = tuple(
        Layer(
            weight=weight,
            bias=power_of_two_bias(bias, log2, ACTIVATION_SCALE),
            shift=shift.astype(np.uint8),
            input=RANGES[k],
            output=RANGES[k + 1],
        )
        for k, (weight, bias, log2, shift) in enumerate(parts)
    )
    return layers, np.ascontiguousarray(weight1[:, n_in:]) if network.n_latents else None


def _autoencoder(network: SmallAutoencoder) -> dict[str, tuple[Layer, ...]]:
    outer, outer_step = int8_weight(as_floats(network.outer))
    inner, inner_step = int8_weight(as_floats(network.inner))
    hidden, pixel = HIDDEN_TOP / 255, 1 / 255
    up, latent = network.up_gain.item(), network.latent_gain.item()
    down, grid = network.down_gain.item(), network.grid_gain.item()
    mean = as_floats(network.get_buffer("mean"))
    up_bias = as_floats(network.up_bias) - up * outer_step * (outer.T.astype(np.float64) @ mean)
    down_bias, grid_bias = as_floats(network.down_bias), as_floats(network.grid_bias) + mean
    latent_bias = as_floats(network.latent_bias)
    return {
        "decoder": (
            integer_layer(inner, down * inner_step, down_bias, hidden, "int8", "uint8"),
            integer_layer(outer, grid * outer_step * hidden, grid_bias, pixel, "uint8", "uint8"),
        ),
        "encoder": (
            integer_layer(outer.T, up * outer_step * pixel, up_bias, hidden, "uint8", "uint8"),
            integer_layer(inner.T, latent * inner_step * hidden, latent_bias, 1.0, "uint8", "int8"),
        ),
    }
