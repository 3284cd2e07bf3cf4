"""Cells of JPEG pictures, and small models of them, from integer arithmetic; see models.py."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import hybrid_models
import models
import numpy as np
from zarrmal_codecs import JpegCell, Model
from zarrmal_codecs.lattice.jpeg.cameras import BASES
from zarrmal_codecs.lattice.jpeg.picture import Camera, decode
from zarrmal_codecs.lattice.numbers import SCAN
from zarrmal_codecs.lattice.stored import with_lattice
from zarrmal_codecs.lattice.weights import SHAPES, PlaneWeights, Weights

PLAIN = ((1, 1), (1, 1), (1, 1))
ACROSS = ((1, 1), (1, 2), (1, 2))
BOTH = ((1, 1), (2, 2), (2, 2))
DOWN = ((1, 1), (2, 1), (2, 1))


def plane_weights(seed: int) -> PlaneWeights:
    """Of few different numbers, so that a file of them is small; of equal weights but biases."""
    arrays = {}
    for k, (name, (dtype, shape)) in enumerate(SHAPES.items()):
        bounds = {"from": (-60, 60), "ht": (-9, 9), "ft": (7, 9), "as": (-900, 900)}
        bounds |= {"sc": (-20, 20), "ks": (seed % 4, seed % 4)}
        kind = "from" if name.startswith("from") else name[-2:]
        kind = "sc" if name.startswith("scale") else kind
        drawn = models.array(
            1000 + k + (seed if kind == "as" else 0), shape[-1:], *bounds[kind], dtype
        )
        rows = int(np.prod(shape[:-1]))
        # Each row is the same, turned by one more.
        arrays[name] = np.stack([np.roll(drawn, r % 8) for r in range(rows)]).reshape(shape)
        if name.endswith("output_bias") and not name.startswith("diagonal"):
            arrays[name][..., 2:4] = np.array([5000, 12000], dtype)
    order = np.ix_(SCAN, SCAN)
    arrays["from_earlier"][order] = np.tril(arrays["from_earlier"][order], -1)
    arrays["scale_from_earlier"][order] *= np.tril(np.ones((64, 64), np.int16), -1)[:, :, None]
    arrays["scale_bias"] += 7000
    return PlaneWeights(**arrays)


@cache
def weights(seed: int = 0) -> Weights:
    return Weights(tuple(plane_weights(seed + 7 * k) for k in range(3)))


@cache
def colour() -> Model:
    """Two classes, of other biases each."""
    options = {"n_coverage": 2, "template": 3, "widths": (5, 4), "n_causal": 4, "n_flags": 1}
    names = enumerate(("a", "b"))
    classes = [hybrid_models.hybrid_class(300 + k, name, 3, **options) for k, name in names]
    return with_lattice(hybrid_models.hybrid_model((9, 9, 3), *classes), [weights(), weights(50)])


@cache
def grey(depth: int = 8) -> Model:
    """The second of two classes codes coefficients."""
    options = {"n_coverage": 1, "template": 2, "widths": (5, 4)}
    names = enumerate(("plain", "lattice"))
    classes = [hybrid_models.hybrid_class(310 + k, name, 1, **options) for k, name in names]
    model = with_lattice(hybrid_models.hybrid_model((12, 10), *classes, depth=depth), weights())
    return replace(model, classes=(replace(model.classes[0], lattice=()), model.classes[1]))


def camera(seed: int, ratios: tuple, colour: str = "ycbcr", *, fancy: bool = True) -> Camera:
    """Of a standard quality if ``seed`` is one, 1..100; else of odd steps, up to ``seed``."""
    n = len(ratios)
    if seed <= 100:
        tables = np.stack([BASES[seed], BASES[100 + seed], BASES[100 + seed]])[:n]
    else:
        tables = models.array(seed, (n, 64), 1, seed, "int64")
    steps = tables.reshape(n, 8, 8).astype(np.uint16)
    return Camera(tables=steps, ratios=ratios[:n], colour=colour, fancy=fancy)


def drawn(
    seed: int,
    camera: Camera,
    shape: tuple[int, int],
    phase: tuple[int, int] = (0, 0),
    *,
    is_file: bool = False,
    extreme: bool = False,
) -> tuple[np.ndarray, JpegCell]:
    """Pixels (y, x[, channel]) and what they come from."""
    counts = camera.n_blocks_of_file(shape) if is_file else camera.n_blocks(shape, phase)
    blocks = []
    for p, size in enumerate(counts):
        random = models.array(seed + p, (*size, 64), 0, 999, "int64")
        own = np.where(random < 60, random % 7 - 3, 0)
        own[..., 0] = (random[..., 0] - 500) // 5 // camera.tables[p, 0, 0]
        if extreme:
            own = np.where(random > 992, np.array([32767, -32768, 800])[random % 3], own)
        blocks.append(own.reshape(*size, 8, 8).astype(np.int16))
    inside = camera.n_blocks(shape, phase)
    cut = [own[:rows, :columns] for own, (rows, columns) in zip(blocks, inside, strict=True)]
    pixels = decode(camera, cut, shape, phase)
    cell = JpegCell(
        camera=camera,
        phase=phase,
        coefficients=tuple(blocks),
        coded=tuple(np.ones(own.shape[:2], bool) for own in blocks),
        is_file=is_file,
    )
    return pixels, cell


def holes(seed: int, cell: JpegCell) -> JpegCell:
    """The same, but for some blocks."""
    coded = [
        models.array(seed + p, own.shape, 0, 3, "int64") > 0 for p, own in enumerate(cell.coded)
    ]
    blocks = zip(cell.coefficients, coded, strict=True)
    return replace(
        cell,
        coefficients=tuple(np.where(c[..., None, None], b, 0).astype(np.int16) for b, c in blocks),
        coded=tuple(coded),
    )


@dataclass(frozen=True, kw_only=True)
class Case:
    """A chunk of cells of JPEG pictures."""

    shows: str
    model: Model
    array: np.ndarray
    jpeg: list[JpegCell | None]
    classes: tuple[int, ...]
    n_lattice: int
    """Cells that are coded as coefficients."""


def laid(parts: list, shape: tuple[int, ...]) -> tuple[np.ndarray, list[JpegCell | None]]:
    """Cells of an array, and their pictures."""
    out = np.zeros((len(parts), *shape), np.uint8)
    for k, (pixels, _) in enumerate(parts):
        out[k, : pixels.shape[0], : pixels.shape[1]] = pixels
    return out, [cell for _, cell in parts]


def disc(pixels: np.ndarray) -> np.ndarray:
    """Cut out along an ellipse."""
    height, width = pixels.shape[:2]
    y, x = np.ogrid[:height, :width]
    inside = (2 * y + 1 - height) ** 2 * width**2 + (2 * x + 1 - width) ** 2 * height**2
    mask = inside < height**2 * width**2
    return pixels * mask.reshape(height, width, *[1] * (pixels.ndim - 2)).astype(np.uint8)


def _cases() -> dict[str, Case]:
    """By name."""
    standard, odd = camera(75, BOTH), camera(140, ACROSS)
    black = (np.zeros((1, 1, 3), np.uint8), None)
    noise = (models.array(320, (6, 5, 3), 1, 255, "uint8"), None)
    mixed = [
        drawn(321, standard, (9, 8), (5, 11)),
        noise,
        drawn(322, odd, (8, 11)),
        black,
        drawn(323, camera(130, DOWN), (7, 9), (1, 2)),
        drawn(324, standard, (10, 7), (15, 0)),
    ]
    masked = [
        (disc(pixels), holes(330 + k, cell) if k == 1 else cell)
        for k, (pixels, cell) in enumerate(
            [
                drawn(331, camera(90, PLAIN), (13, 15), (3, 7)),
                drawn(334, camera(90, BOTH), (16, 14), (9, 2)),
                drawn(337, camera(90, ACROSS), (15, 12), (6, 8)),
            ]
        )
    ]
    for k, (pixels, _) in enumerate(masked):
        pixels[5 + k, 6] = 255 - pixels[5 + k, 6]
        pixels[7, 5 + k] ^= 3
    files = [
        drawn(341, standard, (9, 17), is_file=True),
        drawn(344, camera(75, PLAIN), (8, 5), is_file=True),
    ]
    files[0][0][8] = 0  # as if it were smaller
    one = [
        drawn(351, camera(60, PLAIN[:1], "grey"), (11, 9), (2, 5)),
        drawn(352, camera(60, PLAIN[:1], "grey"), (10, 10), (0, 0), is_file=True),
        (models.array(353, (5, 5), 1, 255, "uint8"), None),
        drawn(354, camera(180, PLAIN[:1], "grey", fancy=False), (12, 10), (7, 7)),
    ]
    one[3] = (disc(one[3][0]), one[3][1])
    rgb = camera(110, ((1, 1), (3, 3), (1, 1)), "rgb")
    turned = [drawn(361, rgb, (9, 9), (4, 20)), drawn(364, camera(85, BOTH, fancy=False), (9, 9))]
    steps = np.where(np.arange(192) % 7, 60, 65535).reshape(3, 8, 8).astype(np.uint16)
    far = Camera(tables=steps, ratios=((2, 2), (1, 1), (4, 1)), colour="ycbcr")
    wild = [
        drawn(371 + 3 * k, far, shape, phase, extreme=True)
        for k, (shape, phase) in enumerate([((8, 7), (15, 3)), ((8, 9), (0, 0)), ((9, 9), (2, 1))])
    ]
    turned_array, turned_cells = laid(turned, (9, 9, 3))
    return {
        "mixed": Case(
            shows="cells of several cameras and sizes, one spatial, one blank",
            model=colour(), classes=(0, 0, 1, 0, 1, 0), n_lattice=4,
            **dict(zip(("array", "jpeg"), laid(mixed, (12, 11, 3)), strict=True)),
        ),
        "silhouettes": Case(
            shows="masks, blocks left out, wrong pixels",
            model=colour(), classes=(0, 1, 0), n_lattice=3,
            **dict(zip(("array", "jpeg"), laid(masked, (16, 15, 3)), strict=True)),
        ),
        "files": Case(
            shows="whole JPEG files with the blocks of their last groups",
            model=colour(), classes=(1, 0), n_lattice=2,
            **dict(zip(("array", "jpeg"), laid(files, (9, 17, 3)), strict=True)),
        ),
        "grey": Case(
            shows="cells without channels, one with a mask; a class without lattice",
            model=grey(), classes=(1, 1, 0, 1), n_lattice=3,
            **dict(zip(("array", "jpeg"), laid(one, (12, 10)), strict=True)),
        ),
        "deep": Case(
            shows="uint8 cells of a model of depth 16",
            model=grey(16), classes=(1, 1, 0, 1), n_lattice=3,
            **dict(zip(("array", "jpeg"), laid(one, (12, 10)), strict=True)),
        ),
        "channels-first": Case(
            shows="cells (channel, y, x), a picture of RGB, repeated samples",
            model=colour(), classes=(0, 1), n_lattice=2,
            array=turned_array.transpose(0, 3, 1, 2).copy(), jpeg=turned_cells,
        ),
        "extremes": Case(
            shows="the largest steps and coefficients, odd ratios, no fancy rows",
            model=colour(), classes=(0, 1, 1), n_lattice=3,
            **dict(zip(("array", "jpeg"), laid(wild, (9, 9, 3)), strict=True)),
        ),
    }  # fmt: skip


CASES = _cases()
MODELS = {"lattice_colour": colour, "lattice_grey": grey}
