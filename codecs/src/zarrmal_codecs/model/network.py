"""Exact integer layers, run by a float matrix product that is proven exact (FORMAT 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constants import INPUT_RANGES, MAX_EXACT_FLOAT32, OUTPUT_RANGES
from ..errors import ModelError
from .layer import Layer, Range, row_magnitudes

Values = NDArray[np.int8] | NDArray[np.uint8] | NDArray[np.int32]

# Rows requantised at a time: 64 rows of 2,500 int64 stay in a second-level cache.
BLOCK_ROWS = 64

BLOCK_COLUMNS = 256  # always exact: 256 * 128 * 255 < 2**24

SERIAL_PRODUCTS = 1 << 18
"""A BLAS runs so few multiplications on the calling thread. For more it wakes its threads, which
then spin for a tenth of a second and take the cores from other decoding threads."""
LEAST_ROWS = 16
"""A layer so large that fewer rows would fit is worth the BLAS's threads."""

TRIAL_ROWS = 32
TRIAL_OUTPUTS = 24
TRIAL_VALUES = 1 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """Columns [start, stop) of a layer, whose every partial sum is exact in float32."""

    start: int
    stop: int
    weight: NDArray[np.float32]  # (stop - start, n_outputs)


def exact_pieces(layer: Layer) -> tuple[Piece, ...]:
    """Split a layer's columns so that float32 holds every partial sum of a piece exactly.

    Every product and every partial sum, in whatever order a BLAS adds them and with fused
    multiply-add or without, is an integer of magnitude at most ``sum(|w|) * max(|a|)``; below
    2**24 float32 holds all of them exactly.
    """
    edges = [0]
    sums = np.zeros(layer.n_outputs, np.int64)
    # One pass for any weights, because a hostile model may be large.
    for start in range(0, layer.n_inputs, BLOCK_COLUMNS):
        block = layer.weight[:, start : start + BLOCK_COLUMNS]
        more = row_magnitudes(block) * layer.input_magnitude
        sums += more
        if int(sums.max()) > MAX_EXACT_FLOAT32:
            edges.append(start)
            sums = more
    edges.append(layer.n_inputs)
    return tuple(
        Piece(a, b, np.ascontiguousarray(layer.weight[:, a:b].T, dtype=np.float32))
        for a, b in zip(edges, edges[1:])
    )


class Network:
    """A chain of layers, ready to run.

    Parameters
    ----------
    layers
        At least one; the inputs of each are the outputs of the one before.

    Raises
    ------
    ModelError
        If neighbouring layers disagree on width or range, or if this machine's matrix product is
        less exact than IEEE 754 requires (a BLAS with reduced precision).
    """

    def __init__(self, layers: tuple[Layer, ...]) -> None:
        if not layers:
            raise ModelError("a network needs at least one layer")
        for a, b in zip(layers, layers[1:]):
            if a.n_outputs != b.n_inputs or a.output != b.input:
                raise ModelError(
                    f"a layer has {a.n_outputs} {a.output} outputs, but the next one has "
                    f"{b.n_inputs} {b.input} inputs"
                )
        self._steps = tuple((layer, exact_pieces(layer)) for layer in layers)
        for layer, pieces in self._steps:
            _check_exactness(layer, pieces)

    def __call__(self, values: Values) -> Values:
        """Run all layers.

        Parameters
        ----------
        values
            Shape (n, n_inputs), dtype of the first layer's input range.

        Returns
        -------
        ndarray
            Shape (n, n_outputs), dtype of the last layer's output range.
        """
        for layer, pieces in self._steps:
            values = _run(layer, pieces, values)
        return values


def _check_exactness(layer: Layer, pieces: tuple[Piece, ...]) -> None:
    """Compare some accumulators with integer arithmetic.

    Chunks that an inexact matrix product has written cannot be decoded anywhere else.
    """
    low, high = INPUT_RANGES[layer.input]
    span = high - low + 1
    n_rows = min(TRIAL_ROWS, 2 + TRIAL_VALUES // layer.n_inputs)
    positions = np.arange(n_rows * layer.n_inputs).reshape(n_rows, layer.n_inputs)
    values = low + positions * 167 % span  # 167 is prime: all values of the range, mixed
    values[0], values[1] = low, high
    outputs = np.linspace(0, layer.n_outputs - 1, TRIAL_OUTPUTS).astype(int)
    floats = values.astype(np.float32)
    computed = sum(
        (floats[:, p.start : p.stop] @ p.weight)[:, outputs].astype(np.int64) for p in pieces
    )
    exact = sum(
        values[:, a : a + BLOCK_COLUMNS]
        @ layer.weight[outputs, a : a + BLOCK_COLUMNS].astype(np.int64).T
        for a in range(0, layer.n_inputs, BLOCK_COLUMNS)
    )
    if not np.array_equal(computed, exact):
        raise ModelError(
            "this machine's float32 matrix product is not exact, so that nothing can be coded "
            "safely: turn off reduced precision in its BLAS (bfloat16, TF32)"
        )


def _run(layer: Layer, pieces: tuple[Piece, ...], values: Values) -> Values:
    floats = values.astype(np.float32)
    sums = [_product(floats[:, p.start : p.stop], p.weight) for p in pieces]
    low, high = OUTPUT_RANGES[layer.output]
    out = np.empty((len(values), layer.n_outputs), _dtype(layer.output))
    bias, multiplier, shift, rounding = _parameters(layer)
    for start in range(0, len(values), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        accumulator = sums[0][rows].astype(np.int64)
        for more in sums[1:]:
            accumulator += more[rows].astype(np.int64)
        accumulator += bias
        accumulator *= multiplier
        accumulator += rounding
        accumulator >>= shift
        out[rows] = np.clip(accumulator, low, high, out=accumulator)
    return out


def _dtype(name: Range) -> np.dtype[Any]:
    """The smallest dtype that holds a range."""
    return np.dtype("uint8" if name == "uint7" else name)


def _parameters(layer: Layer) -> tuple[NDArray[np.int64], ...]:
    """Bias, multiplier, shift and rounding, int64 (n_outputs,) each."""
    multiplier = np.ones(layer.n_outputs, np.int64)
    if layer.multiplier is not None:
        multiplier = layer.multiplier.astype(np.int64)
    shift = layer.shift.astype(np.int64)
    return layer.bias.astype(np.int64), multiplier, shift, (np.int64(1) << shift) >> 1


def _product(values: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """``values @ weight``; for a small layer a few rows at a time."""
    n_rows = SERIAL_PRODUCTS // weight.size
    if n_rows < LEAST_ROWS:
        return values @ weight
    out = np.empty((len(values), weight.shape[1]), np.float32)
    for start in range(0, len(values), n_rows):
        rows = slice(start, start + n_rows)
        np.matmul(values[rows], weight, out=out[rows])
    return out


def run_plain(layers: tuple[Layer, ...], values: Values) -> Values:
    """Run layers with int64 arithmetic only: the reference that tests compare with."""
    for layer in layers:
        low, high = OUTPUT_RANGES[layer.output]
        bias, multiplier, shift, rounding = _parameters(layer)
        accumulator = values.astype(np.int64) @ layer.weight.astype(np.int64).T + bias
        shifted = (accumulator * multiplier + rounding) >> shift
        values = np.clip(shifted, low, high).astype(_dtype(layer.output))
    return values
