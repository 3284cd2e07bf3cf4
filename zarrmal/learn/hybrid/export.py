"""The trained hybrid network as a model of integer tensors (FORMAT 4.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.constants import PROFILE_HYBRID
from zarrmal_codecs.model.class_model import ClassModel
from zarrmal_codecs.model.layer import Layer

from ..quantise import (
    Floats,
    as_floats,
    int8_weight,
    integer_layer,
    power_of_two_bias,
    power_of_two_weight,
)
from .network import ACTIVATION_SCALE, SCALE_MIDDLE, ContextNetwork, HybridNetwork, SmallAutoencoder

Tensors = dict[str, NDArray[Any]]

LOG2_ACTIVATION = 6
OUTPUT_LOG2 = 4  # outputs are in sixteenths
LOCATION_LOG2 = 7  # locations in eighths of a sixteenth: 8 grey levels a unit
HIDDEN_TOP = 4.0  # of the autoencoder's hidden units, clipped above
RATE_INDEX = 12


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
        classes=tuple(
            _class(network, k, name, masks) for k, name in zip(classes, names, strict=True)
        ),
        about=about,
    )


def _class(network: HybridNetwork, k: int, name: str, masks: NDArray[np.int8] | None) -> ClassModel:
    inputs, effort = network.inputs, network.inputs.effort
    has_prediction = bool(network.autoencoders)
    tensors: Tensors = {} if masks is None else {"silhouette": masks}
    networks: dict[str, tuple[Layer, ...]] = {}
    for s, step in enumerate(network.steps):
        assert isinstance(step, ContextNetwork)
        head = (inputs.order[s], effort.n_causal, effort.n_flags, effort.n_full)
        tensors[f"context_{s}"] = np.array(
            [*head, effort.n_components, inputs.n_coverage], np.uint8
        )
        offsets = inputs.offsets(s, has_prediction).numpy().astype(np.float64)
        tensors |= {f"{key}_{s}": value for key, value in _context(step, k, offsets).items()}
    if has_prediction:
        autoencoder = network.autoencoders[k]
        assert isinstance(autoencoder, SmallAutoencoder)
        networks = _autoencoder(autoencoder)
        index = np.rint(RATE_INDEX * as_floats(autoencoder.log_scale) + SCALE_MIDDLE)
        tensors["latent_scale"] = np.clip(index, 0, 127).astype(np.uint8)
        tensors["grid"] = np.array(autoencoder.grid, np.uint8)
    return ClassModel(name=name, networks=networks, tensors=tensors)


def _context(network: ContextNetwork, k: int, offsets: Floats) -> Tensors:
    n_in = network.weight1.shape[1]
    weight1, log2_1 = power_of_two_weight(network.first_layer())
    weight2, log2_2 = power_of_two_weight(network.weight2)
    weight3, log2_3 = power_of_two_weight(network.weight3)
    # Inputs enter as f / 64 - offset with the weights as they were rounded.
    rounded = weight1[:, :n_in] * 2.0 ** -log2_1[:, None]
    bias1 = as_floats(network.bias1)[k] - rounded @ offsets
    bias2, bias3 = as_floats(network.bias2)[k], as_floats(network.bias3)[k].copy()
    bias3[2::3] += SCALE_MIDDLE / 2**OUTPUT_LOG2
    shift3 = log2_3 + LOG2_ACTIVATION - OUTPUT_LOG2
    shift3[1::3] = log2_3[1::3] + LOG2_ACTIVATION - LOCATION_LOG2
    latent = {"latent": np.ascontiguousarray(weight1[:, n_in:])} if network.n_latents else {}
    return {
        "weight1": np.ascontiguousarray(weight1[:, :n_in]),
        **latent,
        "bias1": power_of_two_bias(bias1, log2_1, ACTIVATION_SCALE),
        "shift1": log2_1.astype(np.uint8),
        "weight2": weight2,
        "bias2": power_of_two_bias(bias2, log2_2, ACTIVATION_SCALE),
        "shift2": log2_2.astype(np.uint8),
        "weight3": weight3,
        "bias3": power_of_two_bias(bias3, log2_3, ACTIVATION_SCALE),
        "shift3": shift3.astype(np.uint8),
    }


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
