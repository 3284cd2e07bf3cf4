"""The causal context network of one class: its checked tensors and its inputs (FORMAT 4.6.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constants import (
    ACTIVATION_MAX,
    ACTIVATION_ZERO,
    LATENT_GAIN,
    MAX_CAUSAL,
    MAX_COMPONENTS,
    MAX_CONTEXT_ACCUMULATOR,
    MAX_CONTEXT_INPUTS,
    MAX_CONTEXT_SHIFT,
    MAX_CONTEXT_WIDTH,
    MAX_COVERAGE_INPUTS,
    MAX_FULL,
    MAX_LATENTS,
    MIDDLE_GREY,
    MIN_CAUSAL,
)
from ..errors import ModelError
from ..model.class_model import ClassModel
from .tables import RECIPROCAL, SQUASH

Numbers = NDArray[np.integer[Any]]
"""Integers of 16 bits or more."""

PREDICTION_OFFSETS = ((0, 0), (0, 1), (1, 0), (0, 2), (2, 0))
"""(y, x) of the pixels of the autoencoder's prediction that are inputs."""

N_POSITION = 3
N_EARLIER = 3


@dataclass(frozen=True, slots=True, eq=False)
class Layer7:
    """A layer with inputs 0..128: int8 weight, int32 bias and uint8 shift."""

    weight: NDArray[np.int8]
    bias: NDArray[np.int32]
    shift: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """The network that codes one plane.

    Parameters
    ----------
    plane
        Index of the plane.
    n_causal, n_flags, n_full, n_components, n_coverage
        See FORMAT 4.6.3.
    layers
        The three layers.
    latent
        int8 (output of the first layer, latent), or None.
    """

    plane: int
    n_causal: int
    n_flags: int
    n_full: int
    n_components: int
    n_coverage: int
    layers: tuple[Layer7, Layer7, Layer7]
    latent: NDArray[np.int8] | None

    def header(self) -> NDArray[np.uint8]:
        """The tensor ``context_t`` of this step."""
        parts = (self.plane, self.n_causal, self.n_flags, self.n_full, self.n_components)
        return np.array((*parts, self.n_coverage), np.uint8)


def n_inputs(
    step: int, n_causal: int, n_flags: int, n_full: int, has_prediction: bool, n_coverage: int
) -> int:
    """Inputs of the network of a step (FORMAT 4.6.3)."""
    own = n_causal + n_flags + 1 + N_POSITION + n_coverage
    return own + step * (N_EARLIER + n_full) + len(PREDICTION_OFFSETS) * has_prediction


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
        If a tensor is missing, has another shape or dtype, or could overflow.
    """
    if n_latents > MAX_LATENTS:
        raise ModelError(
            f"class {model.name!r}: {n_latents} latents, at most {MAX_LATENTS} are allowed"
        )
    steps = tuple(_step(model, s, n_latents) for s in range(n_planes))
    if sorted(step.plane for step in steps) != list(range(n_planes)):
        raise ModelError(
            f"class {model.name!r}: its steps must code each of {n_planes} planes once"
        )
    return steps


def _step(model: ClassModel, s: int, n_latents: int) -> Step:
    head = _tensor(model, f"context_{s}", "uint8", (6,))
    plane, n_causal, n_flags, n_full, n_components, n_coverage = head.tolist()
    if (
        not MIN_CAUSAL <= n_causal <= MAX_CAUSAL
        or n_flags > n_causal
        or n_full > MAX_FULL
        or not 1 <= n_components <= MAX_COMPONENTS
        or n_coverage > MAX_COVERAGE_INPUTS
    ):
        raise ModelError(
            f"class {model.name!r}: context_{s} {head.tolist()} is out of bounds (FORMAT 4.6.3)"
        )
    width = n_inputs(s, n_causal, n_flags, n_full, n_latents > 0, n_coverage)
    if width > MAX_CONTEXT_INPUTS:
        raise ModelError(
            f"class {model.name!r}: a context network has {width} inputs, at most "
            f"{MAX_CONTEXT_INPUTS} are allowed"
        )
    layers = []
    for k in (1, 2, 3):
        n_outputs = 1 + 3 * n_components if k == 3 else None
        layers.append(_layer(model, f"{k}_{s}", width, n_outputs))
        width = len(layers[-1].weight)
    latent = None
    if n_latents:
        latent = _tensor(model, f"latent_{s}", "int8", (len(layers[0].weight), n_latents))
    for k, layer in enumerate(layers):
        weights = np.abs(layer.weight.astype(np.int64)).sum(axis=1)
        bound = np.abs(layer.bias.astype(np.int64)) + ACTIVATION_MAX * weights
        if k == 0 and latent is not None:
            bound += 128 * LATENT_GAIN * np.abs(latent.astype(np.int64)).sum(axis=1)
        if int(bound.max()) > MAX_CONTEXT_ACCUMULATOR:
            raise ModelError(
                f"class {model.name!r}: an accumulator of layer {k + 1}_{s} could reach "
                f"{int(bound.max())}, at most {MAX_CONTEXT_ACCUMULATOR} is allowed: this model "
                f"cannot be proven exact and is refused"
            )
    return Step(
        plane=plane,
        n_causal=n_causal,
        n_flags=n_flags,
        n_full=n_full,
        n_components=n_components,
        n_coverage=n_coverage,
        layers=(layers[0], layers[1], layers[2]),
        latent=latent,
    )


def _layer(model: ClassModel, suffix: str, n_in: int, n_out: int | None) -> Layer7:
    name = f"weight{suffix}"
    weight = _tensor(model, name, "int8", None)
    if weight.ndim != 2 or weight.shape[1] != n_in or (n_out and len(weight) != n_out):
        raise ModelError(
            f"class {model.name!r}: {name} has shape {weight.shape}, "
            f"but must have ({n_out or 'n'}, {n_in})"
        )
    if not 1 <= len(weight) <= MAX_CONTEXT_WIDTH:
        raise ModelError(
            f"class {model.name!r}: {name} has {len(weight)} outputs, 1..{MAX_CONTEXT_WIDTH} are "
            f"allowed"
        )
    shift = _tensor(model, f"shift{suffix}", "uint8", (len(weight),))
    if int(shift.min()) < 1 or int(shift.max()) > MAX_CONTEXT_SHIFT:
        raise ModelError(
            f"class {model.name!r}: shift{suffix} must be 1..{MAX_CONTEXT_SHIFT}, not "
            f"{int(shift.min())}..{int(shift.max())}"
        )
    return Layer7(weight, _tensor(model, f"bias{suffix}", "int32", (len(weight),)), shift)


def _tensor(
    model: ClassModel, name: str, dtype: str, shape: tuple[int, ...] | None
) -> NDArray[Any]:
    tensor = model.tensors.get(name)
    if tensor is None:
        raise ModelError(f"class {model.name!r} of the model has no tensor {name!r}")
    if tensor.dtype != dtype or (shape is not None and tensor.shape != shape) or not tensor.size:
        raise ModelError(
            f"class {model.name!r}: tensor {name!r} is {tensor.dtype} {tensor.shape}, but must be "
            f"{dtype} {shape or 'and not empty'}"
        )
    return tensor


def squash(differences: Numbers) -> NDArray[np.int16]:
    """S(d) of differences of grey levels, -255..255 (FORMAT 4.6.1)."""
    result: NDArray[np.int16] = SQUASH.take(differences + 255)
    return result


def fraction(coverage: Numbers) -> NDArray[np.int16]:
    """Coverage 0..255 in 256ths, 0..256: multiplied by it and shifted, 255 changes nothing."""
    return coverage.astype(np.int16) + (coverage >> 7)


def brightness(values: Numbers, coverage: Numbers) -> NDArray[np.int16]:
    """What pixels would be if their silhouette covered them whole, 0..255 (FORMAT 4.6.3).

    0, as a blank pixel, where so little is covered that this would be a guess.
    """
    whole = (values.astype(np.int32) * RECIPROCAL[coverage]) >> 8
    result: NDArray[np.int16] = np.minimum(whole, 255).astype(np.int16)
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
) -> Numbers:
    """own(p): the value that the neighbours in the plane predict, 1..255 (FORMAT 4.6.3).

    Parameters
    ----------
    middle
        The prediction where all of them are blank.
    """
    slope = (2 * west + 2 * north + northeast - northwest + 2) >> 2
    slope = np.minimum(np.maximum(slope, 1), 255)
    with_both = np.where((northeast > 0) & (northwest > 0), slope, (west + north + 1) >> 1)
    nearest = np.where(northwest > 0, northwest, middle)
    for neighbour in (northeast, north, west):
        nearest = np.where(neighbour > 0, neighbour, nearest)
    return np.where((west > 0) & (north > 0), with_both, nearest)


def positions(n: int, sizes: int | Numbers) -> Numbers:
    """fx or fy, 0..127, of n columns or rows, (n, cell), of cells of these sizes (FORMAT 4.6.3)."""
    result: Numbers = (2 * np.arange(n)[:, None] + 1) * 64 // np.atleast_1d(sizes)
    return result


def position(fy: Numbers, fx: Numbers) -> Numbers:
    """The three inputs 0..128 for the position of a pixel in its cell, (3, cell)."""
    return np.stack([fx, fy, ((fx - ACTIVATION_ZERO) ** 2 + (fy - ACTIVATION_ZERO) ** 2) >> 6])
