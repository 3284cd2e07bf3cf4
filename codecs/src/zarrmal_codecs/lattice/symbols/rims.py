"""Rim pixels ↔ symbols, in NumPy: the reference of the kernel (FORMAT-lattice 8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..blocks.spatial import Canvas, inputs_of
from ..weights import PlaneWeights
from .distributions import Mixture
from .streams import Streams

Ints = NDArray[np.int64]

VALUE_BITS: Final = 8
"""Of a value beyond the bins."""


def measure_rims(weights: PlaneWeights, canvases: Sequence[Canvas], steps: Ints) -> list[Ints]:
    """Start and frequency of each cell's symbols, int64 (symbol, 2), for the last of ``canvases``.

    Parameters
    ----------
    weights
        Of the plane.
    canvases
        Of the plane, with the true values, and of those before it.
    steps
        int64 (cell, 64): of the plane's quantiser.
    """
    canvas = canvases[-1]
    lengths = [len(turn) for turn in canvas.turns]
    index = np.concatenate(canvas.turns)
    cell = np.repeat(np.arange(len(lengths)), lengths)
    inputs, base = inputs_of(canvases, index, cell, steps)
    mixture, values = Mixture.of(weights.spatial_outputs(inputs), base), canvas.values[index]
    symbol = mixture.symbol_of(values)
    start = mixture.cumulative(symbol)
    first = np.stack([start, mixture.cumulative(symbol + 1) - start], axis=1)
    beyond, bits = _rest(mixture, symbol)
    rest = np.where(beyond, values, values - mixture.bin_edge(symbol))
    second = np.stack([rest << (16 - bits), 1 << (16 - bits)], axis=1)
    pairs = np.stack([first, second], axis=1)  # a symbol of 0 bits changes nothing
    return [part.reshape(-1, 2) for part in np.split(pairs, np.cumsum(lengths)[:-1])]


def read_rims(
    weights: PlaneWeights, canvases: Sequence[Canvas], steps: Ints, reader: Streams
) -> None:
    """Inverse of ``measure_rims``: fill in the values of the last of ``canvases``."""
    canvas = canvases[-1]
    lengths = np.array([len(turn) for turn in canvas.turns])
    for k in range(int(lengths.max(initial=0))):
        if reader.are_dry:
            break
        cells = np.flatnonzero(lengths > k)
        index = np.array([canvas.turns[i][k] for i in cells.tolist()], np.int64)
        inputs, base = inputs_of(canvases, index, cells, steps)
        mixture = Mixture.of(weights.spatial_outputs(inputs), base)
        symbol, start, frequency = mixture.find(reader.slots(cells))
        reader.advance(cells, start, frequency)
        beyond, bits = _rest(mixture, symbol)
        rest = reader.uniform(cells, bits)
        values = np.where(beyond, rest, mixture.bin_edge(symbol) + rest)
        canvas.values[index] = np.clip(values, 0, 255)


def _rest(mixture: Mixture, symbol: Ints) -> tuple[NDArray[np.bool_], Ints]:
    """Whether a whole value follows the symbol; how many bits follow it."""
    beyond = mixture.beyond(symbol)
    return beyond, np.where(beyond, VALUE_BITS, mixture.width_log2)
