"""Float layers -> integer layers, on export (FORMAT 3, 6) and while training.

In training the rounding is simulated in floating point, and gradients pass it as if it were not
there (straight-through).
"""

from __future__ import annotations

from math import floor, log2

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs import ModelError
from zarrmal_codecs.constants import INPUT_RANGES, MAX_ACCUMULATOR, MAX_MULTIPLIER, MAX_SHIFT
from zarrmal_codecs.model.layer import Layer, Range, row_magnitudes

Floats = NDArray[np.float64]

WEIGHT_MAX = 127
MIN_LOG2, MAX_LOG2 = 2, 20
"""Range of log2 of the scale of a context network's weights."""


def as_floats(tensor: torch.Tensor) -> Floats:
    """The tensor as float64."""
    return tensor.detach().cpu().numpy().astype(np.float64)


def int8_weight(weight: Floats, step: float = 0.0) -> tuple[NDArray[np.int8], float]:
    """Weight in multiples of a step, and the step; by default the largest weight is 127 steps."""
    if step == 0:
        step = max(float(np.abs(weight).max()), 1e-12) / WEIGHT_MAX
    return np.clip(np.rint(weight / step), -WEIGHT_MAX, WEIGHT_MAX).astype(np.int8), step


def integer_layer(
    weight: NDArray[np.int8],
    scale: Floats | float,
    bias: Floats,
    step_out: float,
    range_in: Range,
    range_out: Range,
) -> Layer:
    """The integer layer of ``output * step_out = scale * (weight @ input) + bias``.

    Parameters
    ----------
    weight
        int8 (output, input), each -127 <= weight <= 127.
    scale, bias
        float64 (output,); a single scale is for all rows.
    step_out
        Quantisation step of the output.

    Raises
    ------
    ModelError
        If a scale is too large for the integer multiplier.
    """
    scale = np.broadcast_to(scale, len(weight))
    # Multipliers are positive: the weight takes the sign.
    weight = np.where(scale[:, None] < 0, -weight, weight)
    scale = np.maximum(np.abs(scale), 1e-12)
    shift = min(MAX_SHIFT, floor(log2(MAX_MULTIPLIER * step_out / float(scale.max()))))
    if shift < 0:
        raise ModelError("a layer's gain is too large for an integer multiplier: train again with "
                         "another seed or more cells")  # fmt: skip
    multiplier = np.clip(np.rint(scale / step_out * 2.0**shift), 1, MAX_MULTIPLIER)
    # In units of the accumulator, with the multiplier as it was rounded.
    bias_int = np.rint(bias / step_out * 2.0**shift / multiplier)
    low, high = INPUT_RANGES[range_in]
    limit = MAX_ACCUMULATOR - max(-low, high) * row_magnitudes(weight)
    return Layer(
        weight=weight,
        bias=np.clip(bias_int, -limit, limit).astype(np.int32),
        shift=np.full(len(weight), shift, np.uint8),
        input=range_in,
        output=range_out,
        multiplier=multiplier.astype(np.uint16),
    )


def weight_log2(weight: torch.Tensor) -> torch.Tensor:
    """For each row the largest k with every |w| * 2**k at most 127."""
    largest = weight.detach().abs().amax(dim=1).clamp_min(1e-9)
    return torch.floor(torch.log2(WEIGHT_MAX / largest)).clamp(MIN_LOG2, MAX_LOG2)


def power_of_two_weight(weight: torch.Tensor) -> tuple[NDArray[np.int8], Floats]:
    """Weight of a context network, int8 (output, input), and log2 of the scale of each row."""
    log2_scale = as_floats(weight_log2(weight))
    scaled = np.rint(as_floats(weight) * 2.0 ** log2_scale[:, None])
    return np.clip(scaled, -WEIGHT_MAX, WEIGHT_MAX).astype(np.int8), log2_scale


def power_of_two_bias(bias: Floats, log2_scale: Floats, input_scale: float) -> NDArray[np.int32]:
    """Bias of a context network, in units of the accumulator, |bias| <= 2**28."""
    scaled = np.rint(bias * input_scale * 2.0**log2_scale)
    return np.clip(scaled, -(1 << 28), 1 << 28).astype(np.int32)


def simulated_int8(weight: torch.Tensor) -> torch.Tensor:
    """The weight of a context network as ``power_of_two_weight`` rounds it."""
    scale = torch.exp2(weight_log2(weight))[:, None]
    return straight_round(weight * scale).clamp(-WEIGHT_MAX, WEIGHT_MAX) / scale


class _StraightRound(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, values: torch.Tensor) -> torch.Tensor:
        return values.round()

    @staticmethod
    def backward(ctx: object, gradient: torch.Tensor) -> torch.Tensor:
        return gradient


def straight_round(values: torch.Tensor) -> torch.Tensor:
    """The nearest integers; the gradient is that of the identity."""
    out: torch.Tensor = _StraightRound.apply(values)  # type: ignore[no-untyped-call]
    return out
