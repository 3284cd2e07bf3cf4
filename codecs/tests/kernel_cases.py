"""Steps of a class and cells that they code, for the tests of the kernel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from zarrmal_codecs.constants import MAX_ACCUMULATOR
from zarrmal_codecs.hybrid.context import RANGES, n_inputs
from zarrmal_codecs.hybrid.known import Known
from zarrmal_codecs.hybrid.mixture import latent_cumulative
from zarrmal_codecs.hybrid.tables import SLOPE
from zarrmal_codecs.model.layer import Layer
from zarrmal_codecs.model.step import Step
from zarrmal_codecs.scales import Scales


@dataclass(frozen=True, kw_only=True)
class Case:
    """Parameters of the steps of a class, and of the cells that they code."""

    lanes: int = 17
    height: int = 3
    width: int = 4
    planes: int = 1
    causal: int = 12
    flags: int = 6
    full: int = 5
    components: int = 2
    widths: tuple[int, int] = (9, 7)
    sees: bool = False  # whether the networks look at a prediction
    latents: int = 0
    kind: str = "mixed"
    content: str = "like cells"
    sized: bool = False  # cells have sizes of their own
    coverage: int = 0  # pixels whose coverage is an input
    cut: str = ""  # how much of the pixels is covered: "" all, "whole" all or nothing, "part" any
    depth: int = 8
    raw: int = 0  # lowest bits that are stored as they are, of every other plane one fewer
    bins: int = 1  # of 256 levels, of every other plane one fewer
    earlier: int = 3  # steps that a step sees, at most
    follows: bool = True
    shared: bool = False  # steps that see as many others share networks


LANES = (1, 2, 15, 16, 17, 63, 64, 65, 130)
CASES = {
    **{f"{n} lanes": Case(lanes=n) for n in LANES},
    **{f"{n} lanes, prediction": Case(lanes=n, sees=True, latents=2, width=2) for n in LANES},
    **{
        f"{y}x{x}": Case(height=y, width=x, sees=True)
        for y, x in ((1, 1), (1, 7), (3, 7), (9, 1), (14, 13))
    },
    "50x50": Case(height=50, width=50, lanes=2, causal=24),
    "700 columns": Case(height=1, width=700, lanes=2, widths=(2, 2), causal=4, flags=0),
    **{f"{p} planes": Case(planes=p, height=4, width=3) for p in (2, 3, 4)},
    **{f"{p} planes, prediction": Case(planes=p, sees=True, lanes=5) for p in (2, 3, 4)},
    **{f"{m} components": Case(components=m) for m in (1, 2, 3, 4)},
    **{
        f"causal {k}, flags {f}": Case(causal=k, flags=f, height=8, width=9, lanes=5)
        for k, f in ((4, 0), (4, 4), (5, 1), (13, 13), (33, 2), (40, 0), (40, 40))
    },
    **{f"full {e}": Case(full=e, planes=2, height=6, width=6, lanes=5) for e in (0, 1, 23, 24)},
    "widest inputs": Case(
        planes=4, causal=40, flags=40, full=24, components=4, sees=True, lanes=3, width=3
    ),
    **{
        f"widths {a}, {b}": Case(widths=(a, b), lanes=18, height=2)
        for a, b in ((1, 1), (2, 5), (4, 1), (16, 17), (31, 33), (64, 63), (255, 256), (256, 1))
    },
    "latents": Case(sees=True, latents=7),
    **{f"{kind}": Case(kind=kind, sees=True) for kind in ("high", "low", "signs", "shift-24")},
    "high, wide": Case(kind="high", widths=(256, 256), height=2, lanes=9),
    "low, wide": Case(kind="low", widths=(256, 256), height=2, lanes=9),
    "signs, planes": Case(kind="signs", planes=3, lanes=33),
    # Activations of 127 and weights of one sign: a chain of 16-bit sums too long would overflow.
    **{
        f"{kind}, {a} wide": Case(kind=kind, widths=(a, 64), height=2, lanes=33, causal=24)
        for kind in ("positive", "negative")
        for a in (64, 256)
    },
    # Here a place has an input of 128.
    "65x65, lowest": Case(
        kind="lowest", height=65, width=65, lanes=1, causal=4, flags=0, widths=(4, 4)
    ),
    **{f"{n} lanes, sized": Case(lanes=n, height=6, width=5, sized=True) for n in LANES},
    "3 planes, sized": Case(lanes=67, planes=3, height=7, width=9, sized=True),
    "sized, prediction": Case(sized=True, sees=True, latents=3),
    "few, sized, prediction": Case(sized=True, lanes=3, sees=True, latents=3, planes=2),
    "sized, cut, prediction": Case(
        sized=True, lanes=20, cut="part", sees=True, latents=3, coverage=9
    ),
    "sized, 90 columns": Case(sized=True, height=2, width=90, lanes=70, widths=(4, 4)),
    "bounds, sized": Case(kind="bounds", lanes=20, height=9, sized=True),
    **{
        f"{n} lanes, cut {cut}": Case(lanes=n, height=6, width=5, cut=cut, coverage=25)
        for n in LANES
        for cut in ("whole", "part")
    },
    "3 planes, cut": Case(lanes=67, planes=3, height=7, width=9, cut="part", coverage=4),
    "cut, nobody looks": Case(lanes=5, cut="part", planes=2),
    "cut, prediction": Case(lanes=20, height=7, cut="part", sees=True, latents=3, coverage=9),
    "cut, sized": Case(lanes=70, height=9, width=8, cut="part", sized=True, coverage=25),
    "coverage of whole cells": Case(lanes=20, coverage=25, planes=2, height=6),
    "coverage of sizes": Case(lanes=20, coverage=25, sized=True, height=6),
    "widest inputs, cut": Case(
        planes=3,
        causal=40,
        flags=40,
        full=24,
        components=4,
        sees=True,
        lanes=3,
        width=3,
        coverage=25,
        cut="part",
    ),
    "bounds, cut": Case(kind="bounds", lanes=20, planes=2, cut="part", coverage=25),
    "noise, cut": Case(content="noise", planes=2, lanes=20, cut="part", coverage=25),
    "bounds": Case(kind="bounds", lanes=20, planes=2),
    "bounds, wide": Case(kind="bounds", lanes=20, widths=(256, 255)),
    **{f"{c} pixels": Case(content=c, planes=2, lanes=20) for c in ("zeros", "full", "noise")},
    **{
        f"leaps, {m} components": Case(content="leaps", components=m, lanes=64, height=9)
        for m in (1, 2)
    },
    "6 planes": Case(planes=6, lanes=18, height=4, shared=True),
    "64 planes": Case(planes=64, lanes=2, height=1, earlier=1, shared=True),
    "base of its own": Case(planes=4, follows=False, earlier=2),
    **{
        f"{n} lanes, deep": Case(depth=16, lanes=n, bins=3, planes=2, height=2)
        for n in (1, 15, 16, 17, 64, 65, 130)
    },
    **{
        f"{2**r} raw values, {b} bins": Case(depth=16, raw=r, bins=b, content="noise", planes=2)
        for r, b in ((0, 1), (0, 2), (1, 128), (3, 32), (4, 9), (8, 1), (0, 256))
    },
    **{
        f"{kind}, deep": Case(depth=16, kind=kind, sees=True, bins=200, planes=2)
        for kind in ("high", "low", "signs", "shift-24", "bounds")
    },
    **{f"{m} components, deep": Case(depth=16, components=m, bins=2) for m in (1, 3, 4)},
    **{f"{c} pixels, deep": Case(depth=16, content=c, bins=256) for c in ("zeros", "full")},
    "6 planes, deep": Case(depth=16, planes=6, lanes=18, bins=5, raw=1, shared=True),
    "latents, deep": Case(depth=16, sees=True, latents=7, bins=4),
    "sized, prediction, deep": Case(sized=True, depth=16, sees=True, latents=3, lanes=20, bins=4),
    "sized, deep": Case(depth=16, lanes=67, planes=2, height=6, width=5, sized=True, bins=9),
    "cut whole, deep": Case(depth=16, lanes=17, height=5, cut="whole", coverage=25, bins=3),
    "cut, deep": Case(depth=16, lanes=66, planes=2, height=6, cut="part", bins=256, coverage=25),
    "cut, sized, deep": Case(
        depth=16, lanes=20, height=7, cut="part", sized=True, coverage=4, bins=40, raw=2
    ),
    "widest inputs, deep": Case(
        depth=16,
        planes=4,
        causal=40,
        flags=40,
        full=24,
        components=4,
        sees=True,
        lanes=3,
        width=3,
        coverage=25,
        cut="part",
        bins=30,
        raw=3,
    ),
}


def some_integers(seed: int, shape: tuple[int, ...], low: int, high: int, dtype: str) -> np.ndarray:
    # PCG64 is the same everywhere (NEP 19), and faster than models.array.
    return np.random.default_rng(seed).integers(low, high + 1, shape).astype(dtype)


def layer(seed: int, kind: str, n: int, width: int, k: int) -> Layer:
    weight = some_integers(seed, (n, width), -60, 60, "int8")
    bias = some_integers(seed + 1, (n,), -2000, 2000, "int32")
    shift = some_integers(seed + 2, (n,), 1 if kind == "bounds" else 4, 8, "uint8")
    if kind == "high":
        weight[:] = 127
    if kind == "low":
        weight[:] = -128
    if kind in ("positive", "negative"):
        first = seed % 100 == 0  # of the layers
        sign = 1 if first or kind == "positive" else -1
        weight = (sign * some_integers(seed, (n, width), 1, 45, "int8")).astype(np.int8)
        shift[:] = 4
        if kind == "negative" and not first:
            bias[:] = 45 * 127 * width
    if kind == "lowest":
        weight[:] = -128
        bias[:] = 128 * 64 * width
        shift[:] = 8
    if kind == "signs":
        weight = np.where(some_integers(seed, (n, width), 0, 1, "int8") > 0, 127, -128)
        weight = weight.astype(np.int8)
        shift[:] = 1
    if kind == "shift-24":
        shift[:] = 24
    if kind in ("bounds", "shift-24"):
        largest = 255 if k == 0 else 127
        room = MAX_ACCUMULATOR - largest * np.abs(weight.astype(np.int64)).sum(axis=1)
        bias = np.where(np.arange(n) % 2, room, -room).astype(np.int32)
        shift[::3] = 24
    return Layer(weight=weight, bias=bias, shift=shift, input=RANGES[k], output=RANGES[k + 1])


def pixels_of(case: Case, shape: tuple[int, ...]) -> tuple[np.ndarray, Scales | None]:
    """Pixels (cell, plane, y, x), and the scales of those of depth 16."""
    dtype, most, scales = "uint8", np.full(shape[1], 255), None
    if case.depth == 16:
        fewer = np.arange(shape[1]) % 2
        n_raw = np.maximum(case.raw - fewer, 0).astype(np.uint8)
        n_bins = np.maximum(case.bins - fewer, 1).astype(np.uint16)
        dtype, scales = "uint16", Scales(n_raw=n_raw, n_bins=n_bins)
        most = np.minimum((256 * n_bins.astype(int)) << n_raw, 65535)
    most = most[:, None, None]
    noise = some_integers(1, shape, 0, 10**6, "int64") % (most + 1)
    alike = (90 + some_integers(1, shape, 0, 50, "int64")) * most // 255
    # Flat cells, dark to bright, but for leaps to about as far as a decoder looks first.
    flat = np.linspace(0, 255, shape[0]).astype(int)[:, None, None, None]
    leaps = some_integers(1, shape, -18, 19, "int64") * (
        some_integers(2, shape, 0, 6, "uint8") == 0
    )
    pixels = {
        "leaps": np.clip(flat + leaps, 0, 255) * most // 255,
        "like cells": alike,
        "noise": noise,
        "zeros": 0 * noise,
        "full": 0 * noise + most,
    }[case.content]
    if case.content == "like cells":
        pixels[some_integers(2, shape, 0, 5, "uint8") == 0] = 0
        full = some_integers(3, shape, 0, 40, "uint8") == 0
        pixels[full] = np.broadcast_to(most, shape)[full]
    return pixels.astype(dtype), scales


def make(case: Case) -> tuple[tuple[Step, ...], np.ndarray, Known, np.ndarray]:
    """Steps, pixels, what is known before them, prefix."""
    order = [(s + 1) % case.planes for s in range(case.planes)]
    steps: list[Step] = []
    for s in range(case.planes):
        earlier = tuple(range(max(0, s - case.earlier), s))
        step = Step(
            plane=order[s],
            earlier=earlier,
            follows=bool(earlier) and case.follows,
            n_causal=case.causal,
            n_flags=case.flags,
            n_full=case.full,
            n_components=case.components,
            n_coverage=case.coverage,
            layers=(),
            latent=None,
        )
        alike = [old for old in steps if len(old.earlier) == len(earlier)]
        if case.shared and alike:
            layers = alike[0].layers
        else:
            widths = (n_inputs(step, case.sees), *case.widths, 1 + 3 * case.components)
            layers = tuple(
                layer(100 * s + 10 * k, case.kind, n, width, k)
                for k, (width, n) in enumerate(pairwise(widths))
            )
        steps.append(replace(step, layers=layers))
    shape = (case.lanes, case.planes, case.height, case.width)
    pixels, scales = pixels_of(case, shape)
    sizes = None
    if case.sized:
        most = np.array([case.height, case.width])
        sizes = 1 + some_integers(8, (case.lanes, 2), 0, 10**6, "int64") % most
        sizes[:1] = most
        for cell, (height, width) in zip(pixels, sizes.tolist(), strict=True):
            cell[:, height:] = 0
            cell[:, :, width:] = 0
        sizes = sizes.astype(np.uint16)
    coverage = None
    if case.cut:
        coverage = some_integers(9, (shape[0], *shape[2:]), 0, 255, "uint8")
        coverage[some_integers(10, coverage.shape, 0, 2, "uint8") == 0] = 0
        coverage[:, 1, 1:3] = 0  # where no cell has a pixel
        if case.cut == "whole":
            coverage[coverage > 0] = 255
        for cell, (height, width) in zip(coverage, [] if sizes is None else sizes.tolist()):
            cell[height:], cell[:, width:] = 0, 0
        pixels[np.broadcast_to(coverage[:, None] == 0, shape)] = 0
    predicted = None
    if case.sees:
        predicted = some_integers(4, shape, 0, 255, "uint8")
        for cell, (height, width) in zip(predicted, [] if sizes is None else sizes.tolist()):
            cell[:, height:] = cell[:, height - 1 : height]
            cell[:, :, width:] = cell[:, :, width - 1 : width]
    # Biases as they are at the bounds; else every lane has sums of its own.
    spread = 0 if case.kind in ("bounds", "shift-24") else 2000
    first = []
    for step in steps:
        bias = step.layers[0].bias
        more = some_integers(5, (case.lanes, len(bias)), -spread, spread, "int32")
        first.append(np.ascontiguousarray(bias + more, np.int32))
    slopes = SLOPE[some_integers(6, (case.latents,), 0, 127, "int64")].astype(np.int64)
    symbols = some_integers(7, (case.lanes, case.latents), 0, 255, "int64")
    start = latent_cumulative(symbols, slopes)
    stop = latent_cumulative(symbols + 1, slopes)
    prefix = np.stack([start, stop - start], axis=-1).astype(np.uint16)
    known = Known(
        shape=shape,
        first=first,
        sizes=sizes,
        coverage=coverage,
        predicted=predicted,
        scales=scales,
    )
    return tuple(steps), pixels, known, prefix
