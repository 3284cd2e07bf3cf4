"""The causal context network of one class: its checked tensors and inputs (FORMAT 6.5 to 6.9)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constants import (
    ACTIVATION_ZERO,
    LATENT_GAIN,
    MAX_CAUSAL,
    MAX_COMPONENTS,
    MAX_CONTEXT_INPUTS,
    MAX_CONTEXT_SHIFT,
    MAX_CONTEXT_WIDTH,
    MAX_COVERAGE_INPUTS,
    MAX_EARLIER,
    MAX_FULL,
    MAX_LATENTS,
    MIDDLE_GREY,
    MIN_CAUSAL,
)
from ..errors import ModelError
from ..model.class_model import ClassModel
from ..model.layer import Layer, Range, prove_bounds, row_magnitudes
from ..model.step import Step
from ..model.strict_json import shown
from .tables import RECIPROCAL

Numbers = NDArray[np.integer[Any]]
"""Integers of 16 bits or more."""

PREDICTION_OFFSETS = ((0, 0), (0, 1), (1, 0), (0, 2), (2, 0))
"""(y, x) of the pixels of the autoencoder's prediction that are inputs."""

N_LAYERS = 3
RANGES: tuple[Range, ...] = ("uint8", "uint7", "uint7", "int32")
"""Of a network's inputs, of what its hidden layers give, and of its outputs."""
N_POSITION = 3
N_EARLIER = 3


def n_inputs(step: Step, has_prediction: bool) -> int:
    """Inputs of the network of a step (FORMAT 6.5)."""
    own = step.n_causal + step.n_flags + 1 + N_POSITION + step.n_coverage
    earlier = len(step.earlier) * (N_EARLIER + step.n_full)
    return own + earlier + len(PREDICTION_OFFSETS) * has_prediction


def steps_of(model: ClassModel, n_planes: int, n_latents: int) -> tuple[Step, ...]:
    """The steps of a class, after checks of every size and bound.

    Parameters
    ----------
    n_planes
        Planes of the model's cells.
    n_latents
        Inputs of the class's decoder, 0 without one.

    Raises
    ------
    ModelError
        If a number is out of bounds, the layers do not fit, or latents could make a sum overflow.
    """
    if n_latents > MAX_LATENTS:
        raise ModelError(
            f"class {model.name!r}: {n_latents} latents, at most {MAX_LATENTS} are allowed"
        )
    if sorted(step.plane for step in model.steps) != list(range(n_planes)):
        raise ModelError(
            f"class {model.name!r}: its steps must code each of {n_planes} planes once"
        )
    for s, step in enumerate(model.steps):
        try:
            _check_numbers(step, s)
            _check_layers(step, n_latents)
        except ModelError as error:
            raise ModelError(f"class {model.name!r}, step {s}: {error}") from None
    return model.steps


def _check_numbers(step: Step, s: int) -> None:
    if (
        not MIN_CAUSAL <= step.n_causal <= MAX_CAUSAL
        or step.n_flags > step.n_causal
        or step.n_full > MAX_FULL
        or not 1 <= step.n_components <= MAX_COMPONENTS
        or step.n_coverage > MAX_COVERAGE_INPUTS
    ):
        numbers = ", ".join(map(shown, step.numbers))
        raise ModelError(f"its numbers {numbers} are out of bounds (FORMAT 6.5)")
    if (
        len(step.earlier) > MAX_EARLIER
        or len(set(step.earlier)) < len(step.earlier)
        or any(earlier >= s for earlier in step.earlier)
        or (step.follows and not step.earlier)
    ):
        raise ModelError(
            f"it sees the planes of the steps {', '.join(map(shown, step.earlier)) or 'none'}, but "
            f"up to {MAX_EARLIER} different earlier ones are allowed, and one at least if the base "
            f"follows it"
        )


def _check_layers(step: Step, n_latents: int) -> None:
    width = n_inputs(step, n_latents > 0)
    if width > MAX_CONTEXT_INPUTS:
        raise ModelError(
            f"its network has {width} inputs, at most {MAX_CONTEXT_INPUTS} are allowed"
        )
    if len(step.layers) != N_LAYERS:
        raise ModelError(f"its network has {len(step.layers)} layers, not {N_LAYERS}")
    if (step.latent is None) != (n_latents == 0):
        raise ModelError("`latent` must be there where the class has a `decoder`, and nowhere else")
    for k, layer in enumerate(step.layers):
        _check_layer(layer, k, width)
        width = layer.n_outputs
    if width != 1 + 3 * step.n_components:
        raise ModelError(f"its network has {width} outputs, not {1 + 3 * step.n_components}")
    if step.latent is not None:
        _check_latent(step.latent, step.layers[0], n_latents)


def _check_layer(layer: Layer, k: int, n_in: int) -> None:
    if layer.n_inputs != n_in:
        raise ModelError(f"layer {k} has {layer.n_inputs} inputs, not {n_in}")
    if layer.n_outputs > MAX_CONTEXT_WIDTH:
        raise ModelError(f"layer {k} has {layer.n_outputs} outputs, not 1..{MAX_CONTEXT_WIDTH}")
    if (layer.input, layer.output) != RANGES[k : k + 2] or layer.multiplier is not None:
        raise ModelError(
            f"layer {k} must be {RANGES[k]} -> {RANGES[k + 1]} without multiplier, not "
            f"{layer.input} -> {layer.output}"
        )
    least, most = int(layer.shift.min()), int(layer.shift.max())
    if least < 1 or most > MAX_CONTEXT_SHIFT:
        raise ModelError(f"shifts of layer {k} must be 1..{MAX_CONTEXT_SHIFT}, not {least}..{most}")


def _check_latent(latent: NDArray[np.int8], first: Layer, n_latents: int) -> None:
    shape = (first.n_outputs, n_latents)
    if latent.dtype != np.int8 or latent.shape != shape:
        raise ModelError(f"`latent` is {latent.dtype} {latent.shape}, but must be int8 {shape}")
    prove_bounds(first.row_bounds() + 128 * LATENT_GAIN * row_magnitudes(latent))


def fraction(coverage: Numbers) -> NDArray[np.int16]:
    """Coverage 0..255 in 256ths, 0..256: multiplied by it and shifted, 255 changes nothing."""
    return coverage.astype(np.int16) + (coverage >> 7)


def brightness(levels: Numbers, coverage: Numbers, most: int = 255) -> NDArray[np.int32]:
    """What pixels would be if their silhouette covered them whole, 0..most (FORMAT 6.6).

    0, as a blank pixel, where so little is covered that this would be a guess.
    """
    # In 64 bits, since levels of 16 bits are multiplied by up to 4,080.
    whole = (levels.astype(np.int64) * RECIPROCAL[coverage]) >> 8
    result: NDArray[np.int32] = np.minimum(whole, most).astype(np.int32)
    return result


def covered(brightness: Numbers | int, fraction: Numbers | np.integer[Any]) -> NDArray[np.int32]:
    """Pixels of this brightness where the silhouette covers this fraction of 256."""
    part: Any = fraction.astype(np.int32)
    result: NDArray[np.int32] = (brightness * part + 128) >> 8
    return result


def own_base(
    west: Numbers,
    north: Numbers,
    northeast: Numbers,
    northwest: Numbers,
    middle: Numbers | np.integer[Any] | int = MIDDLE_GREY,
    most: int = 255,
) -> Numbers:
    """own(p): the level that the neighbours in the plane predict, 1..most (FORMAT 6.7).

    Parameters
    ----------
    middle
        The prediction where all of them are blank.
    """
    slope = (2 * west + 2 * north + northeast - northwest + 2) >> 2
    slope = np.minimum(np.maximum(slope, 1), most)
    with_both = np.where((northeast > 0) & (northwest > 0), slope, (west + north + 1) >> 1)
    nearest = np.where(northwest > 0, northwest, middle)
    for neighbour in (northeast, north, west):
        nearest = np.where(neighbour > 0, neighbour, nearest)
    return np.where((west > 0) & (north > 0), with_both, nearest)


def positions(n: int, sizes: int | Numbers) -> Numbers:
    """fx or fy, 0..127, of n columns or rows, (n, cell), of cells of these sizes (FORMAT 6.8)."""
    result: Numbers = (2 * np.arange(n)[:, None] + 1) * 64 // np.atleast_1d(sizes)
    return result


def position(fy: Numbers, fx: Numbers) -> Numbers:
    """The three inputs 0..128 for the position of a pixel in its cell, (3, cell)."""
    return np.stack([fx, fy, ((fx - ACTIVATION_ZERO) ** 2 + (fy - ACTIVATION_ZERO) ** 2) >> 6])
