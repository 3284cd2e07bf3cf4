"""Small models for tests, from integer arithmetic only, so that no library version changes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise
from math import prod

import numpy as np
from zarrmal_codecs import Model
from zarrmal_codecs.model.class_model import ClassModel
from zarrmal_codecs.model.layer import Layer


def integers(seed: int) -> Iterator[int]:
    """Endless 16-bit integers: a 64-bit linear congruence (Knuth's MMIX), its upper bits."""
    state = seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield state >> 48


def array(seed: int, shape: tuple[int, ...], low: int, high: int, dtype: str) -> np.ndarray:
    """Integers low..high."""
    source = integers(seed)
    wide = high - low > 0xFFFF
    values = [
        low + (next(source) << 16 | next(source) if wide else next(source)) % (high - low + 1)
        for _ in range(prod(shape))
    ]
    return np.array(values, dtype).reshape(shape)


def pixels(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Cells that look a little like cells: a bright disc, a slope and some noise; uint8."""
    n, y, x, *channels = shape
    out = np.zeros((n, y, x, prod(channels)), np.int64)
    noise = array(seed, out.shape, 0, 15, "int64")
    for c, row, column, k in np.ndindex(*out.shape):
        inside = (2 * row - y) ** 2 * x * x + (2 * column - x) ** 2 * y * y < x * x * y * y
        out[c, row, column, k] = 40 + 90 * inside + 8 * ((row + c) % 7) + 5 * k
    return (out + noise).astype(np.uint8).reshape(shape)


def layer(seed: int, n_inputs: int, n_outputs: int, ends: str, shift: int = 14) -> Layer:
    """A layer of mixed weights; ``ends`` is like "int8 uint8"."""
    given, gives = ends.split()
    return Layer(
        weight=array(seed, (n_outputs, n_inputs), -127, 127, "int8"),
        bias=array(seed + 1, (n_outputs,), -20000, 20000, "int32"),
        multiplier=array(seed + 2, (n_outputs,), 30, 400, "uint16"),
        shift=np.full(n_outputs, shift, np.uint8),
        input=given,
        output=gives,
    )


def mirrored(seed: int, name: str, *widths: int) -> ClassModel:
    """Decoder of these widths, latent first, and its tied encoder."""
    n = len(widths) - 1
    decoder = [
        layer(
            seed + 10 * k,
            a,
            b,
            f"int8 {'uint8' if k == n - 1 else 'int8'}",
            shift=17 if k == n - 1 else 16,
        )
        for k, (a, b) in enumerate(pairwise(widths))
    ]
    last = decoder[-1]  # its outputs lie around 128
    around = ((np.int64(128) << last.shift) // last.multiplier.astype(np.int64)).astype(np.int32)
    decoder[-1] = replace(last, bias=last.bias + around)
    encoder = [
        Layer(
            weight=twin.weight.T,
            bias=array(seed + 500 + k, (twin.n_inputs,), -3000, 3000, "int32"),
            multiplier=array(seed + 700 + k, (twin.n_inputs,), 30, 400, "uint16"),
            shift=np.full(twin.n_inputs, 17, np.uint8),
            input="uint8" if k == 0 else "int8",
            output="int8",
        )
        for k, twin in enumerate(reversed(decoder))
    ]
    return ClassModel(name=name, networks={"decoder": tuple(decoder), "encoder": tuple(encoder)})


def model_of(cell_shape: tuple[int, ...], *classes: ClassModel) -> Model:
    return Model(profile="paper", cell_shape=cell_shape, classes=classes, about={"for": "tests"})


@cache
def two_classes() -> Model:
    """Cells (6, 5), 3-8-12-30 and its mirror image."""
    a, b = (mirrored(1000 * k, name, 3, 8, 12, 30) for k, name in enumerate("ab", 1))
    return model_of((6, 5), a, b)


@cache
def colour() -> Model:
    return model_of((4, 4, 3), mirrored(3000, "red", 4, 9, 48), mirrored(4000, "blue", 2, 48))


@cache
def one_class() -> Model:
    return model_of((6, 5), mirrored(5000, "only", 3, 8, 30))


@cache
def one_layer() -> Model:
    return model_of((3, 3), mirrored(6000, "flat", 2, 9))


@cache
def line() -> Model:
    """Cells of rank 1."""
    return model_of((7,), mirrored(6500, "line", 2, 7))


@cache
def constant() -> Model:
    """Predicts 128 for any latent vector: the residue is the pixel minus 128."""
    weight = np.zeros((12, 1), np.int8)
    no_shift = np.zeros(12, np.uint8)
    decoder = Layer(
        weight=weight,
        bias=np.full(12, 128, np.int32),
        shift=no_shift,
        input="int8",
        output="uint8",
    )
    encoder = Layer(
        weight=weight.T,
        bias=np.zeros(1, np.int32),
        shift=no_shift[:1],
        input="uint8",
        output="int8",
    )
    networks = {"decoder": (decoder,), "encoder": (encoder,)}
    return model_of((3, 4), ClassModel(name="constant", networks=networks))


def extreme_layer(n_inputs: int, n_outputs: int, ends: str, shift: int) -> Layer:
    """Weights -128 and 127, multipliers 65535 and 1: nearly every output is clipped."""
    given, gives = ends.split()
    weight = np.where(array(shift, (n_outputs, n_inputs), 0, 1, "int8"), -128, 127)
    return Layer(
        weight=weight.astype(np.int8),
        bias=array(shift, (n_outputs,), -(2**29), 2**29, "int32"),
        multiplier=np.where(np.arange(n_outputs) % 3, 65535, 1).astype(np.uint16),
        shift=np.full(n_outputs, shift, np.uint8),
        input=given,
        output=gives,
    )


@cache
def extremes() -> Model:
    """Shift 0 in one class and 46 in the other."""
    classes = []
    for shift in (0, 46):
        decoder = (
            extreme_layer(2, 5, "int8 int8", shift),
            extreme_layer(5, 6, "int8 uint8", shift),
        )
        encoder = (extreme_layer(6, 2, "uint8 int8", shift),)
        networks = {"decoder": decoder, "encoder": encoder}
        classes.append(ClassModel(name=f"shift {shift}", networks=networks))
    return model_of((2, 3), *classes)


def wide_layer(n_inputs: int = 1100) -> Layer:
    """|w| = 127 over so many inputs that float32 needs more than one piece (FORMAT 3.3)."""
    weight = np.where(array(77, (4, n_inputs), 0, 1, "int8"), -127, 127).astype(np.int8)
    weight[0] = 127
    return Layer(
        weight=weight,
        bias=np.array([0, 1, -1, 100], np.int32),
        multiplier=np.array([1, 3, 700, 65535], np.uint16),
        shift=np.full(4, 20, np.uint8),
        input="uint8",
        output="int8",
    )


@cache
def wide() -> Model:
    """Cells (30, 37), whose encoder needs more than one float32 piece."""
    encoder = (wide_layer(1110),)
    decoder = (layer(7000, 4, 1110, "int8 uint8", shift=13),)
    networks = {"decoder": decoder, "encoder": encoder}
    return model_of((30, 37), ClassModel(name="wide", networks=networks))


@cache
def decode_only() -> Model:
    """two_classes without encoders."""
    classes = [
        ClassModel(name=c.name, networks={"decoder": c.networks["decoder"]})
        for c in two_classes().classes
    ]
    return model_of((6, 5), *classes)


SMALL = {
    f.__name__: f
    for f in (two_classes, colour, one_class, one_layer, line, constant, extremes, wide)
}
