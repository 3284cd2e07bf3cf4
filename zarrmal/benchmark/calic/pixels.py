"""Code and decode all pixels of an image, row by row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import range_coder
from .binary import ESCAPE, FIRST, NOT_BINARY, SECOND, binary_context
from .compiled import compiled
from .contexts import N_ENERGIES, bias_level, energy_level, learn_error, mean_error, texture
from .histograms import (
    BINARY_INCREMENT,
    BINARY_LIMIT,
    BINARY_SYMBOLS,
    INCREMENT,
    LIMIT,
    SYMBOLS,
    Counts,
    below,
    learn_symbol,
)
from .predictor import (
    FRACTION_LOG2,
    Neighbours,
    fold_error,
    gradients,
    neighbours,
    predicted,
    unfold_error,
)

Pixels = NDArray[np.uint8]
Means = NDArray[np.int64]

OK, DAMAGED = 0, 1


@compiled
def expected(
    around: Neighbours, last_error: int, sums: Means, counts: Means
) -> tuple[int, int, int, int]:
    """Return (uncorrected prediction, mean error, energy level, compound context) of a pixel."""
    horizontal, vertical = gradients(around)
    raw = predicted(around, horizontal, vertical)
    energy = energy_level(horizontal, vertical, last_error)
    compound = (energy >> 1) * 256 + texture(around, raw)
    return raw, mean_error(sums, counts, compound), energy, compound


@compiled
def corrected(raw: int, mean: int) -> int:
    """Prediction in grey levels, corrected by the mean error (error feedback)."""
    return min(max((raw + mean + (1 << FRACTION_LOG2 - 1)) >> FRACTION_LOG2, 0), 255)


@compiled
def push_symbol(
    state: range_coder.State, out: Pixels, counts: Counts, row: int, symbol: int
) -> None:
    """Code a symbol with a histogram."""
    range_coder.push(state, out, below(counts, row, symbol), counts[row, symbol], counts[row, -1])


@compiled
def pop_symbol(
    state: range_coder.State, data: Pixels, counts: Counts, row: int, n_symbols: int
) -> int:
    """Inverse of push_symbol; -1 for damaged data."""
    target = range_coder.target(state, counts[row, -1])
    first = 0
    for symbol in range(n_symbols):
        count = counts[row, symbol]
        if target < first + count:
            range_coder.pop(state, data, first, count, counts[row, -1])
            return symbol
        first += count
    return -1


@compiled
def encode_pixels(
    image: Pixels,
    out: Pixels,
    errors: Counts,
    binaries: Counts,
    sums: Means,
    counts: Means,
) -> int:
    """Return the number of bytes; ``out`` holds them if it is long enough."""
    state = range_coder.new_state()
    for y in range(image.shape[0]):
        last_error = 0
        for x in range(image.shape[1]):
            value = int(image[y, x])
            around = neighbours(image, y, x)
            context, second = binary_context(around)
            if context != NOT_BINARY:
                symbol = FIRST if value == around[1] else SECOND if value == second else ESCAPE
                push_symbol(state, out, binaries, context, symbol)
                learn_symbol(
                    binaries, context, symbol, BINARY_SYMBOLS, BINARY_INCREMENT, BINARY_LIMIT
                )
                if symbol != ESCAPE:
                    last_error = 0
                    continue
            raw, mean, energy, compound = expected(around, last_error, sums, counts)
            prediction = corrected(raw, mean)
            number = fold_error(value, prediction, mean < 0)
            row = bias_level(mean) * N_ENERGIES
            level = energy
            while True:
                # A number beyond the histogram escapes to the next level (tail truncation).
                n_symbols = SYMBOLS[level]
                top = level == N_ENERGIES - 1
                symbol = number if top else min(number, n_symbols - 1)
                push_symbol(state, out, errors, row + level, symbol)
                learn_symbol(errors, row + level, symbol, n_symbols, INCREMENT, LIMIT)
                if top or symbol < n_symbols - 1:
                    break
                number -= n_symbols - 1
                level += 1
            learn_error(sums, counts, compound, (value << FRACTION_LOG2) - raw)
            last_error = value - prediction
    range_coder.finish(state, out)
    return int(state[range_coder.POSITION])


@compiled
def decode_pixels(
    data: Pixels,
    image: Pixels,
    errors: Counts,
    binaries: Counts,
    sums: Means,
    counts: Means,
) -> int:
    """Fill the image; return OK or DAMAGED."""
    state = range_coder.new_state()
    range_coder.start(state, data)
    for y in range(image.shape[0]):
        last_error = 0
        for x in range(image.shape[1]):
            around = neighbours(image, y, x)
            context, second = binary_context(around)
            if context != NOT_BINARY:
                symbol = pop_symbol(state, data, binaries, context, BINARY_SYMBOLS)
                if symbol < 0 or (symbol == SECOND and second < 0):
                    return DAMAGED
                learn_symbol(
                    binaries, context, symbol, BINARY_SYMBOLS, BINARY_INCREMENT, BINARY_LIMIT
                )
                if symbol != ESCAPE:
                    image[y, x] = around[1] if symbol == FIRST else second
                    last_error = 0
                    continue
            raw, mean, energy, compound = expected(around, last_error, sums, counts)
            prediction = corrected(raw, mean)
            number = 0
            row = bias_level(mean) * N_ENERGIES
            level = energy
            while True:
                n_symbols = SYMBOLS[level]
                symbol = pop_symbol(state, data, errors, row + level, n_symbols)
                if symbol < 0:
                    return DAMAGED
                learn_symbol(errors, row + level, symbol, n_symbols, INCREMENT, LIMIT)
                number += symbol
                if level == N_ENERGIES - 1 or symbol < n_symbols - 1:
                    break
                level += 1
            if number > 255:
                return DAMAGED
            value = unfold_error(number, prediction, mean < 0)
            image[y, x] = value
            learn_error(sums, counts, compound, (value << FRACTION_LOG2) - raw)
            last_error = value - prediction
        if state[range_coder.POSITION] > len(data) + range_coder.N_FLUSHED:
            return DAMAGED
    return OK
