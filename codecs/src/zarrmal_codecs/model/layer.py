"""One integer layer, its JSON, and the proof that it cannot overflow (FORMAT 2.3, 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..constants import (
    INPUT_RANGES,
    MAX_ACCUMULATOR,
    MAX_LAYER_WIDTH,
    MAX_SHIFT,
    OUTPUT_RANGES,
)
from ..errors import CorruptionError, ModelError
from .strict_json import text_from_json

Range = Literal["int8", "uint7", "uint8", "int32"]
TensorAt = Callable[[Any], NDArray[Any]]
"""The tensor of an index in JSON."""
IndexOf = Callable[[NDArray[Any]], int]
"""The index of a tensor, which is stored once however often it is used."""

BLOCK_WEIGHTS = 1 << 20
"""Weights converted to int16 at a time."""


def row_magnitudes(weight: NDArray[np.int8]) -> NDArray[np.int64]:
    """Sum of |weight| of each row, int64 (n_outputs,), in little memory for any matrix."""
    n_rows, n_columns = weight.shape
    magnitudes = np.empty(n_rows, np.int64)
    step = max(1, BLOCK_WEIGHTS // max(1, n_columns))
    for start in range(0, n_rows, step):
        # abs(-128) is not an int8, so convert first.
        block = weight[start : start + step].astype(np.int16)
        magnitudes[start : start + step] = np.abs(block, out=block).sum(axis=1, dtype=np.int64)
    return magnitudes


def prove_bounds(bounds: NDArray[np.int64]) -> int:
    """The largest of the bounds of rows; ModelError if it is above MAX_ACCUMULATOR."""
    bound = int(bounds.max())
    if bound > MAX_ACCUMULATOR:
        raise ModelError(
            f"an accumulator of a layer could reach {bound}, at most {MAX_ACCUMULATOR} is allowed: "
            f"this model cannot be proven exact and is refused"
        )
    return bound


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """Integer matrix, bias, multiplier, shift, clip.

    ``accumulator = weight @ input + bias`` and
    ``output = clip((accumulator * multiplier + rounding) >> shift)`` with
    ``rounding = 2**(shift - 1)`` (0 for shift 0). The shift is arithmetic, so halves are rounded up
    (FORMAT 3.1).

    Parameters
    ----------
    weight
        int8, shape (n_outputs, n_inputs).
    bias
        int32, shape (n_outputs,).
    shift
        uint8, shape (n_outputs,), each 0 <= shift <= 46.
    input, output
        Ranges of inputs and outputs: "int8" is -128..127, "uint7" 0..127, "uint8" 0..255, and of
        outputs "int32" all that 32 bits hold.
    multiplier
        uint16, shape (n_outputs,), each 1 <= multiplier; None: all are 1.

    Raises
    ------
    ModelError
        If shapes or dtypes disagree, or if ``sum(|weight|) * max(|input|) + |bias|`` of any row
        exceeds 2**30 - 1 (FORMAT 3.2).
    """

    weight: NDArray[np.int8]
    bias: NDArray[np.int32]
    shift: NDArray[np.uint8]
    input: Range
    output: Range
    multiplier: NDArray[np.uint16] | None = None
    bound: int = field(init=False, repr=False)
    """Largest absolute value that an accumulator can have (FORMAT 3.2)."""

    def __post_init__(self) -> None:
        if self.weight.dtype != np.int8 or self.weight.ndim != 2 or 0 in self.weight.shape:
            raise ModelError(
                f"a layer's weight must be a non-empty int8 matrix, not {self.weight.dtype} "
                f"{self.weight.shape}"
            )
        if max(self.weight.shape) > MAX_LAYER_WIDTH:
            raise ModelError(
                f"a layer has at most {MAX_LAYER_WIDTH} inputs and outputs, not {self.weight.shape}"
            )
        _expect(self.bias, "bias", "int32", self.n_outputs)
        _expect(self.shift, "shift", "uint8", self.n_outputs)
        if int(self.shift.max()) > MAX_SHIFT:
            raise ModelError(
                f"a layer's shifts must be 0..{MAX_SHIFT}, not up to {self.shift.max()}"
            )
        if self.multiplier is not None:
            _expect(self.multiplier, "multiplier", "uint16", self.n_outputs)
            if int(self.multiplier.min()) < 1:
                raise ModelError("a layer's multiplier must be at least 1")
        if self.input not in INPUT_RANGES or self.output not in OUTPUT_RANGES:
            raise ModelError(
                f"a layer's inputs must be among {', '.join(INPUT_RANGES)}, its outputs among "
                f"{', '.join(OUTPUT_RANGES)}, not {self.input!r} -> {self.output!r}"
            )
        object.__setattr__(self, "bound", prove_bounds(self.row_bounds()))

    @property
    def n_inputs(self) -> int:
        """Columns of the weight."""
        return int(self.weight.shape[1])

    @property
    def n_outputs(self) -> int:
        """Rows of the weight."""
        return int(self.weight.shape[0])

    @property
    def input_magnitude(self) -> int:
        """Largest absolute value of an input."""
        low, high = INPUT_RANGES[self.input]
        return max(-low, high)

    def row_bounds(self) -> NDArray[np.int64]:
        """Most that each accumulator can reach, int64 (n_outputs,)."""
        inputs = row_magnitudes(self.weight) * self.input_magnitude
        return np.abs(self.bias.astype(np.int64)) + inputs


def _expect(tensor: NDArray[Any], name: str, dtype: str, n_outputs: int) -> None:
    if tensor.dtype != np.dtype(dtype) or tensor.shape != (n_outputs,):
        raise ModelError(
            f"a layer's {name} must be {dtype} {(n_outputs,)}, not {tensor.dtype} {tensor.shape}"
        )


def layer_to_json(
    layer: Layer, weight_json: Callable[[NDArray[np.int8]], dict[str, int]], index_of: IndexOf
) -> dict[str, Any]:
    """The layer object of FORMAT 2.3; layer_from_json is the inverse.

    Parameters
    ----------
    weight_json
        The member that names a weight: `weight` or `transpose_of`.
    """
    tree: dict[str, Any] = weight_json(layer.weight) | {"bias": index_of(layer.bias)}
    if layer.multiplier is not None:
        tree["multiplier"] = index_of(layer.multiplier)
    return tree | {
        "shift": index_of(layer.shift), "input": layer.input, "output": layer.output
    }  # fmt: skip


def layer_from_json(tree: Mapping[str, Any], tensor_at: TensorAt) -> Layer:
    """Parse a layer object, and prove the layer's bound.

    Raises
    ------
    CorruptionError
        If a member has another type. KeyError or TypeError where one is missing.
    ModelError
        See Layer.
    """
    if ("weight" in tree) == ("transpose_of" in tree):
        raise CorruptionError("a layer needs either `weight` or `transpose_of`")
    return Layer(
        weight=tensor_at(tree["weight"]) if "weight" in tree else tensor_at(tree["transpose_of"]).T,
        bias=tensor_at(tree["bias"]),
        shift=tensor_at(tree["shift"]),
        input=text_from_json(tree["input"], "input"),  # type: ignore[arg-type]
        output=text_from_json(tree["output"], "output"),  # type: ignore[arg-type]
        multiplier=tensor_at(tree["multiplier"]) if "multiplier" in tree else None,
    )
