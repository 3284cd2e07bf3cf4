"""One integer layer, and the proof that it cannot overflow (FORMAT 3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..constants import MAX_ACCUMULATOR, MAX_LAYER_WIDTH, MAX_MULTIPLIER, MAX_SHIFT, RANGES
from ..errors import ModelError

Range = Literal["int8", "uint8"]

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


def row_bounds(
    weight: NDArray[np.int8], bias: NDArray[np.int32], largest: int
) -> NDArray[np.int64]:
    """Most that each accumulator can reach, int64 (n_outputs,), of inputs up to ``largest``."""
    return np.abs(bias.astype(np.int64)) + row_magnitudes(weight) * largest


def prove_bounds(bounds: NDArray[np.int64], most: int, layer: str = "a layer") -> int:
    """The largest of the bounds; ModelError if it is above ``most``."""
    bound = int(bounds.max())
    if bound > most:
        raise ModelError(
            f"an accumulator of {layer} could reach {bound}, at most {most} is allowed: this model "
            f"cannot be proven exact and is refused"
        )
    return bound


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """Integer matrix, bias, multiplier, shift, clip: ``int8 | uint8 -> int8 | uint8``.

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
    multiplier
        uint16, shape (n_outputs,), each 1 <= multiplier.
    shift
        0 <= shift <= 46.
    input, output
        Ranges of inputs and outputs: "int8" is -128..127, "uint8" is 0..255.

    Raises
    ------
    ModelError
        If shapes or dtypes disagree, or if ``sum(|weight|) * max(|input|) + |bias|`` of any row
        exceeds 2**31 - 1 (FORMAT 3.2).
    """

    weight: NDArray[np.int8]
    bias: NDArray[np.int32]
    multiplier: NDArray[np.uint16]
    shift: int
    input: Range
    output: Range
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
        shape = (self.n_outputs,)
        if self.bias.dtype != np.int32 or self.bias.shape != shape:
            raise ModelError(
                f"a layer's bias must be int32 {shape}, not {self.bias.dtype} {self.bias.shape}"
            )
        if self.multiplier.dtype != np.uint16 or self.multiplier.shape != shape:
            raise ModelError(
                f"a layer's multiplier must be uint16 {shape}, not "
                f"{self.multiplier.dtype} {self.multiplier.shape}"
            )
        if int(self.multiplier.min()) < 1 or int(self.multiplier.max()) > MAX_MULTIPLIER:
            raise ModelError("a layer's multiplier must be at least 1")
        if not 0 <= self.shift <= MAX_SHIFT:
            raise ModelError(f"a layer's shift must be 0..{MAX_SHIFT}, not {self.shift}")
        if self.input not in RANGES or self.output not in RANGES:
            raise ModelError(
                f"a layer's ranges must be among {sorted(RANGES)}, not "
                f"{self.input!r} -> {self.output!r}"
            )
        bounds = row_bounds(self.weight, self.bias, self.input_magnitude)
        object.__setattr__(self, "bound", prove_bounds(bounds, MAX_ACCUMULATOR))

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
        low, high = RANGES[self.input]
        return max(-low, high)
