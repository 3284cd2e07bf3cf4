"""Small random weights and cells for the tests of lattice/."""

from __future__ import annotations

import numpy as np
from zarrmal_codecs.lattice.cells import Layout
from zarrmal_codecs.lattice.jpeg.picture import Camera
from zarrmal_codecs.lattice.numbers import SCAN
from zarrmal_codecs.lattice.weights import SHAPES, PlaneWeights, Weights

RATIOS = (
    ((1, 1), (1, 1), (1, 1)),
    ((1, 1), (1, 2), (1, 2)),
    ((1, 1), (2, 2), (2, 2)),
    ((1, 1), (2, 1), (4, 1)),
    ((2, 2), (1, 1), (1, 1)),
    ((1, 1), (3, 3), (3, 3)),
)

NETWORKS = (15, 3, 0, 1)


def plane_weights(seed: int) -> PlaneWeights:
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, (dtype, shape) in SHAPES.items():
        if name.startswith("from"):
            values = rng.normal(0, 60, shape)
        elif name.startswith("scale"):
            values = rng.integers(-30, 31, shape)
        elif name == "networks":
            values = np.array([NETWORKS[seed % len(NETWORKS)]])
        elif name.endswith("weight"):
            values = rng.integers(-40, 41, shape)
        elif name.endswith("shift"):
            values = rng.integers(6, 10, shape)
        else:
            values = rng.integers(-9000, 9001, shape)
        arrays[name] = values.astype(dtype)
    later = np.triu(np.ones((64, 64), bool))
    order = np.ix_(SCAN, SCAN)
    inside = arrays["from_earlier"][order]
    inside[later] = 0
    arrays["from_earlier"][order] = inside
    arrays["scale_from_earlier"][order] *= np.tril(np.ones((64, 64), np.int16), -1)[:, :, None]
    # Scales as they are learned: narrow, and here and there wide.
    arrays["output_bias"][:, 2:4] = rng.choice([12000, 30000], (64, 2))
    arrays["spatial_output_bias"][2:4] = 30000
    arrays["scale_bias"][...] = rng.choice([3000, 9000, 20000], (15, 64), p=[0.5, 0.4, 0.1])
    return PlaneWeights(**arrays)


def weights(seed: int = 1) -> Weights:
    return Weights(tuple(plane_weights(seed + k) for k in range(3)))


def camera(seed: int) -> Camera:
    rng = np.random.default_rng(seed)
    tables = rng.integers(1, rng.choice([2, 20, 255, 65536]), (3, 8, 8)).astype(np.uint16)
    return Camera(tables=tables, ratios=RATIOS[seed % len(RATIOS)], colour="ycbcr")


def cells(n: int, seed: int = 0, *, largest: int = 40, masked: bool = True):
    """Layouts and coefficients of ``n`` cells of different sizes and cameras."""
    rng = np.random.default_rng(seed)
    layouts, coefficients = [], []
    for k in range(n):
        own = camera(seed + k)
        group = own.group
        phase = (0, 0) if k % 2 else tuple(int(rng.integers(side)) for side in group)
        counts = tuple(own.n_blocks(tuple(rng.integers(1, largest, 2).tolist()), phase))
        coded, visible, planes = [], [], []
        for size in counts:
            has = rng.random(size) < 0.8
            blocks = rng.laplace(0, 2, (*size, 8, 8)) * (rng.random((*size, 8, 8)) < 0.2)
            if k % 3 == 0:
                extreme = rng.choice([-32768, 32767, 700], (*size, 8, 8))
                blocks = np.where(rng.random(blocks.shape) < 0.02, extreme, blocks)
            if masked:
                blocks[~has] = 0
            coded.append(has)
            visible.append(rng.integers(0, 65, size).astype(np.uint8))
            planes.append(blocks.astype(np.int16))
        mask = {"coded": tuple(coded), "visible": tuple(visible)} if masked else {}
        layouts.append(Layout(camera=own, n_blocks=counts, **mask))
        coefficients.append(planes)
    return layouts, coefficients
