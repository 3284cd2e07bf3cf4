"""Small models of profile `hybrid`, from integer arithmetic only; see models.py."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from models import array
from zarrmal_codecs import Model
from zarrmal_codecs.hybrid.context import RANGES, n_inputs
from zarrmal_codecs.model.class_model import ClassModel
from zarrmal_codecs.model.layer import Layer
from zarrmal_codecs.model.step import Step

Earlier = tuple[tuple[int, ...], ...]


def autoencoder_layer(seed: int, n_inputs: int, n_outputs: int, ends: str) -> Layer:
    given, gives = ends.split()
    return Layer(
        weight=array(seed, (n_outputs, n_inputs), -60, 60, "int8"),
        bias=array(seed + 1, (n_outputs,), 20_000, 60_000, "int32"),
        multiplier=array(seed + 2, (n_outputs,), 100, 300, "uint16"),
        shift=np.full(n_outputs, 16, np.uint8),
        input=given,
        output=gives,
    )


def hybrid_class(
    seed: int,
    name: str,
    n_planes: int,
    *,
    n_latents: int = 0,
    grid: tuple[int, int] = (3, 2),
    widths: tuple[int, int] = (9, 7),
    n_causal: int = 12,
    n_flags: int = 6,
    n_full: int = 5,
    n_components: int = 2,
    n_coverage: int = 0,
    template: int | None = None,
    order: tuple[int, ...] | None = None,
    earlier: Earlier | None = None,
    follows: tuple[bool, ...] | None = None,
    encoder: bool = True,
) -> ClassModel:
    """A class of mixed weights with wide distributions where no neighbour is known.

    Steps see all earlier ones, and their base follows the last, unless told otherwise.
    """
    networks = {}
    tensors: dict[str, np.ndarray] = {}
    if n_latents:
        n_grid = grid[0] * grid[1] * n_planes
        networks["decoder"] = (
            autoencoder_layer(seed, n_latents, 5, "int8 uint8"),
            autoencoder_layer(seed + 10, 5, n_grid, "uint8 uint8"),
        )
        if encoder:
            networks["encoder"] = (autoencoder_layer(seed + 20, n_grid, n_latents, "uint8 int8"),)
        tensors["grid"] = np.array(grid, np.uint8)
        tensors["latent_scale"] = array(seed + 30, (n_latents,), 30, 90, "uint8")
    if template is not None:
        tensors["silhouette"] = array(seed + 50, (1 << template,), -40, 40, "int8")
    steps = []
    for s, plane in enumerate(order or range(n_planes)):
        sees = earlier[s] if earlier else tuple(range(s))
        step = Step(
            plane=plane,
            earlier=sees,
            follows=follows[s] if follows else bool(sees),
            n_causal=n_causal,
            n_flags=n_flags,
            n_full=n_full,
            n_components=n_components,
            n_coverage=n_coverage,
            layers=(),
            latent=array(seed + 40 + s, (widths[0], n_latents), -40, 40, "int8")
            if n_latents
            else None,
        )
        width, layers = n_inputs(step, n_latents > 0), []
        for k, n in enumerate((*widths, 1 + 3 * n_components), 1):
            layers.append(context_layer(seed + 100 * s + 1000 * k, n, width, k))
            width = n
        steps.append(replace(step, layers=tuple(layers)))
    return ClassModel(name=name, networks=networks, tensors=tensors, steps=tuple(steps))


def context_layer(seed: int, n: int, width: int, k: int) -> Layer:
    """Layer k, 1 to 3, of a step."""
    bias = array(seed + 1, (n,), -2000, 2000, "int32")
    if k == 3:
        bias[2::3] += 8000  # scales: near half of their table
    weight, shift = (
        array(seed, (n, width), -60, 60, "int8"),
        array(seed + 2, (n,), 4, 8, "uint8"),
    )
    return Layer(weight=weight, bias=bias, shift=shift, input=RANGES[k - 1], output=RANGES[k])


def hybrid_model(cell_shape: tuple[int, ...], *classes: ClassModel, depth: int = 8) -> Model:
    return Model(
        profile="hybrid",
        cell_shape=cell_shape,
        classes=classes,
        depth=depth,
        about={"for": "tests"},
    )


def changed(model: ClassModel, **tensors: np.ndarray | None) -> ClassModel:
    """The class with other tensors; None removes one."""
    new = {k: v for k, v in {**model.tensors, **tensors}.items() if v is not None}
    return replace(model, tensors=new)


def with_step(model: ClassModel, s: int, **members: Any) -> ClassModel:
    """The class with other members of a step."""
    steps = list(model.steps)
    steps[s] = replace(steps[s], **members)
    return replace(model, steps=tuple(steps))


def with_layer(model: ClassModel, s: int, k: int, **tensors: np.ndarray) -> ClassModel:
    """The class with other tensors of layer k, 0 to 2, of a step."""
    layers = list(model.steps[s].layers)
    layers[k] = replace(layers[k], **tensors)
    return with_step(model, s, layers=tuple(layers))


@cache
def grey() -> Model:
    return hybrid_model((7, 5), hybrid_class(1, "only", 1))


@cache
def grey_latent() -> Model:
    a, b = (hybrid_class(10_000 * k, name, 1, n_latents=3) for k, name in enumerate("ab", 1))
    return hybrid_model((7, 5), a, b)


@cache
def two_planes() -> Model:
    return hybrid_model((4, 3, 2), hybrid_class(2, "pair", 2, order=(1, 0), n_components=1))


@cache
def colour() -> Model:
    return hybrid_model((5, 4, 3), hybrid_class(3, "rgb", 3, order=(1, 0, 2), n_full=9))


@cache
def colour_latent() -> Model:
    one = hybrid_class(
        4, "rgb", 3, n_latents=2, order=(2, 1, 0), n_components=4, n_full=3, grid=(2, 1)
    )
    return hybrid_model((5, 4, 3), one)


@cache
def four_planes() -> Model:
    return hybrid_model((3, 3, 4), hybrid_class(5, "four", 4, n_causal=40, n_flags=0, n_full=0))


@cache
def six_planes() -> Model:
    """Later steps see some of the earlier ones, and share networks or only weights."""
    one = hybrid_class(
        9,
        "six",
        6,
        order=(3, 0, 5, 1, 4, 2),
        earlier=((), (0,), (1, 0), (0, 2), (3, 1), (4, 0, 2)),
        follows=(False, True, False, True, False, True),
        n_causal=6,
        n_flags=3,
        n_full=2,
    )
    first = one.steps[2].layers
    one = with_step(one, 3, layers=first)
    one = with_step(one, 4, layers=first)
    return hybrid_model((4, 3, 6), with_layer(one, 4, 2, bias=first[2].bias - 300))


@cache
def shared() -> Model:
    """Three classes that share all tensors except some of their last layers."""
    a = hybrid_class(6, "a", 1, n_latents=2, n_components=3)
    others = [hybrid_class(60 + k, "x", 1, n_latents=2, n_components=3) for k in range(2)]
    classes = [a] + [
        replace(with_layer(a, 0, 2, bias=other.steps[0].layers[2].bias), name=name)
        for name, other in zip("bc", others, strict=True)
    ]
    return hybrid_model((6, 6), *classes)


@cache
def no_encoder() -> Model:
    """Its latents are zero."""
    return hybrid_model((7, 5), hybrid_class(7, "zeros", 1, n_latents=3, encoder=False))


@cache
def tiny_latent() -> Model:
    """Cells of four pixels."""
    a, b = (
        hybrid_class(20_000 * k, name, 1, n_latents=1, grid=(1, 2), widths=(4, 3))
        for k, name in enumerate("ab", 1)
    )
    return hybrid_model((2, 2), a, b)


@cache
def cut_out() -> Model:
    """Cells with silhouettes."""
    a, b = (
        hybrid_class(30_000 * k, name, 1, n_latents=2, n_coverage=25, template=10)
        for k, name in enumerate("ab", 1)
    )
    return hybrid_model((7, 5), a, b)


@cache
def cut_out_colour() -> Model:
    """Cells with silhouettes, which only some of the networks see."""
    one = hybrid_class(8, "rgb", 3, order=(1, 0, 2), n_coverage=4, template=0)
    return hybrid_model((5, 4, 3), one)


@cache
def deep() -> Model:
    """Values of 16 bits, two classes with latents and silhouettes."""
    a, b = (
        hybrid_class(40_000 * k, name, 1, n_latents=2, n_coverage=9, template=6)
        for k, name in enumerate("ab", 1)
    )
    return hybrid_model((7, 5), a, b, depth=16)


@cache
def tiny_deep() -> Model:
    """Cells of four pixels of 16 bits."""
    one = hybrid_class(15, "a", 1, n_latents=1, grid=(1, 2), widths=(4, 3))
    return hybrid_model((2, 2), one, depth=16)


@cache
def deep_colour() -> Model:
    """Values of 16 bits; the last step sees one of the two before."""
    one = hybrid_class(
        13,
        "rgb",
        3,
        order=(1, 0, 2),
        earlier=((), (0,), (0,)),
        follows=(False, True, False),
        n_components=3,
    )
    return hybrid_model((5, 4, 3), one, depth=16)


HYBRID = {
    f.__name__: f
    for f in (
        grey, grey_latent, two_planes, colour, colour_latent, four_planes, six_planes, shared,
        no_encoder, tiny_latent, cut_out, cut_out_colour, deep, tiny_deep, deep_colour,
    )
}  # fmt: skip
