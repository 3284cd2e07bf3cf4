"""Float network -> the integer tensors of FORMAT 4.6."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log2
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.class_model import ClassModel
from zarrmal_codecs.constants import MAX_MULTIPLIER, MAX_SHIFT, PROFILE_HYBRID
from zarrmal_codecs.layer import Layer, Range

from .fit import HybridNetwork
from .network import (
    ACTIVATION_SCALE,
    SCALE_MIDDLE,
    WEIGHT_MAX,
    ContextNetwork,
    SmallAutoencoder,
    weight_log2,
)

Floats = NDArray[np.float64]
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
    which: Sequence[int] | None = None,
) -> Model:
    """The model of a trained network.

    Parameters
    ----------
    network
        Weights of the context networks are shared by all classes, and stored once.
    names
        Of the classes.
    cell_shape
        (y, x) or (y, x, channel).
    which
        The network's classes that the names are for; None: all.
    """
    places = range(len(names)) if which is None else which
    return Model(
        profile=PROFILE_HYBRID,
        cell_shape=cell_shape,
        classes=tuple(_class(network, k, name) for k, name in zip(places, names, strict=True)),
        about=about,
    )


def _class(network: HybridNetwork, k: int, name: str) -> ClassModel:
    looker, effort = network.looker, network.looker.effort
    has = bool(network.autoencoders)
    tensors: Tensors = {}
    networks: dict[str, tuple[Layer, ...]] = {}
    for s, one in enumerate(network.steps):
        assert isinstance(one, ContextNetwork)
        head = (looker.order[s], effort.n_causal, effort.n_flags, effort.n_full)
        tensors[f"context_{s}"] = np.array([*head, effort.n_components, 0], np.uint8)
        offsets = looker.offsets(s, has).numpy().astype(np.float64)
        tensors |= {f"{key}_{s}": value for key, value in _context(one, k, offsets).items()}
    if has:
        autoencoder = network.autoencoders[k]
        assert isinstance(autoencoder, SmallAutoencoder)
        networks = _autoencoder(autoencoder)
        index = np.rint(RATE_INDEX * _array(autoencoder.log_scale) + SCALE_MIDDLE)
        tensors["latent_scale"] = np.clip(index, 0, 127).astype(np.uint8)
        tensors["grid"] = np.array(autoencoder.grid, np.uint8)
    return ClassModel(name=name, networks=networks, tensors=tensors)


def _context(one: ContextNetwork, k: int, offsets: Floats) -> Tensors:
    n_in = one.weight1.shape[1]
    out: Tensors = {}
    first, log2_1 = _integers(one.first_layer())
    out["weight1"] = np.ascontiguousarray(first[:, :n_in])
    if one.latent is not None:
        out["latent"] = np.ascontiguousarray(first[:, n_in:])
    # Inputs enter as f / 64 - offset with the weights as they were rounded.
    shift_1 = _array(one.bias1)[k] - (first[:, :n_in] * 2.0 ** -log2_1[:, None]) @ offsets
    out["bias1"], out["shift1"] = _bias(shift_1, log2_1), log2_1.astype(np.uint8)
    second, log2_2 = _integers(one.weight2)
    out["weight2"] = second
    out["bias2"], out["shift2"] = _bias(_array(one.bias2)[k], log2_2), log2_2.astype(np.uint8)
    third, log2_3 = _integers(one.weight3)
    bias = _array(one.bias3)[k].copy()
    shift = log2_3 + LOG2_ACTIVATION - OUTPUT_LOG2
    shift[1::3] = log2_3[1::3] + LOG2_ACTIVATION - LOCATION_LOG2
    bias[2::3] += SCALE_MIDDLE / 2**OUTPUT_LOG2
    out["weight3"], out["bias3"], out["shift3"] = third, _bias(bias, log2_3), shift.astype(np.uint8)
    return out


def _integers(weight: torch.Tensor) -> tuple[NDArray[np.int8], Floats]:
    scale = _array(weight_log2(weight))
    whole = np.rint(_array(weight) * 2.0 ** scale[:, None])
    return np.clip(whole, -WEIGHT_MAX, WEIGHT_MAX).astype(np.int8), scale


def _bias(bias: Floats, scale: Floats) -> NDArray[np.int32]:
    whole = np.rint(bias * ACTIVATION_SCALE * 2.0**scale)
    return np.clip(whole, -(1 << 28), 1 << 28).astype(np.int32)


def _autoencoder(one: SmallAutoencoder) -> dict[str, tuple[Layer, ...]]:
    outer, outer_step = _tensor_int8(one.outer)
    inner, inner_step = _tensor_int8(one.inner)
    hidden, pixel = HIDDEN_TOP / 255, 1 / 255
    up, latent = one.up_gain.item(), one.latent_gain.item()
    down, grid = one.down_gain.item(), one.grid_gain.item()
    mean = _array(one.get_buffer("mean"))
    centred = _array(one.up_bias) - up * outer_step * (outer.T.astype(np.float64) @ mean)
    decoder = (
        _layer(inner, down * inner_step, _array(one.down_bias), hidden, "int8", "uint8"),
        _layer(
            outer,
            grid * outer_step * hidden,
            _array(one.grid_bias) + mean,
            pixel,
            "uint8",
            "uint8",
        ),
    )
    encoder = (
        _layer(outer.T, up * outer_step * pixel, centred, hidden, "uint8", "uint8"),
        _layer(
            inner.T, latent * inner_step * hidden, _array(one.latent_bias), 1.0, "uint8", "int8"
        ),
    )
    return {"decoder": decoder, "encoder": encoder}


def _tensor_int8(weight: torch.Tensor) -> tuple[NDArray[np.int8], float]:
    values = _array(weight)
    step = max(float(np.abs(values).max()), 1e-9) / WEIGHT_MAX
    return np.rint(values / step).astype(np.int8), step


def _layer(
    weight: NDArray[np.int8],
    scale: float,
    bias: Floats,
    step_out: float,
    range_in: Range,
    range_out: Range,
) -> Layer:
    """The integer layer of ``output * step_out = scale * (weight @ input) + bias``."""
    if scale < 0:  # a gain may have turned negative: the weights take its sign
        weight, scale = -weight, -scale
    scale = max(scale, 1e-12)
    shift = max(0, min(MAX_SHIFT, floor(log2(MAX_MULTIPLIER * step_out / scale))))
    multiplier = int(np.clip(np.rint(scale / step_out * 2.0**shift), 1, MAX_MULTIPLIER))
    whole = np.rint(bias / step_out * 2.0**shift / multiplier)
    limit = (1 << 30) - 1
    return Layer(
        weight=weight,
        bias=np.clip(whole, -limit, limit).astype(np.int32),
        multiplier=np.full(len(weight), multiplier, np.uint16),
        shift=shift,
        input=range_in,
        output=range_out,
    )


def _array(tensor: torch.Tensor) -> Floats:
    return tensor.detach().cpu().numpy().astype(np.float64)
