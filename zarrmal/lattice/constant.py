"""Blocks of one clamped colour: luma and chroma that give it together.

A colour at 0 or 255 has several preimages, and the interval of each plane says nothing of which go
together. Where all pixels of a block have the same colour, its means alone are chosen: three that
give it. Of planes that are interpolated a block has no pixels of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.jpeg.colour import rgb
from zarrmal_codecs.lattice.jpeg.picture import Camera
from zarrmal_codecs.lattice.jpeg.transform import inverse_dct

from .preimage import Planes
from .series import steps_of
from .solve.blocks import Phase
from .solve.dct import BLOCK
from .solve.plane import SolvedPlane

LARGEST_MEAN = 1100
"""Dequantised mean of a block beyond which all samples are 0 or 255."""


def solve_constant_blocks(
    pixels: NDArray[np.uint8],
    planes: Planes,
    camera: Camera,
    phase: Phase,
    solved: dict[int, SolvedPlane],
    misses: NDArray[np.bool_],
) -> bool:
    """Change the blocks of one colour that do not give it; whether there was one.

    Parameters
    ----------
    pixels
        uint8 (y, x, 3).
    planes
        Bounds of their samples.
    camera, phase
        Of 4:4:4.
    solved
        Luma, Cb and Cr, changed in place.
    misses
        bool (y, x): pixels that they do not give.
    """
    means = [_means(int(steps_of(camera, plane)[0])) for plane in range(3)]
    is_any = False
    for row, column in np.argwhere(solved[0].is_known).tolist():
        top, left = BLOCK * row - phase[0], BLOCK * column - phase[1]
        area = slice(max(top, 0), top + BLOCK), slice(max(left, 0), left + BLOCK)
        if not misses[area].any():
            continue
        visible = planes.visible[area]
        colours = pixels[area][visible]
        if (colours != colours[0]).any():
            continue
        y, x = np.argwhere(visible)[0] + (area[0].start, area[1].start)
        levels = [solved[plane].levels[row, column] for plane in range(3)]
        bounds = planes.low[:, y, x], planes.high[:, y, x]
        best = _best_means(colours[0], bounds, means, [int(own[0]) for own in levels])
        if best is None:
            continue
        is_any = True
        for plane, mean in enumerate(best):
            levels[plane][:] = 0
            levels[plane][0] = mean
            solved[plane].is_known[row, column] = True
            solved[plane].n_wrong[row, column] = 0
    return is_any


def _means(step: int) -> dict[int, list[int]]:
    """Levels of the mean that give each sample."""
    most = LARGEST_MEAN // step
    levels = np.arange(-most, most + 1)
    blocks = np.zeros((len(levels), BLOCK, BLOCK), np.int64)
    blocks[:, 0, 0] = levels * step
    by_sample: dict[int, list[int]] = {}
    for level, sample in zip(levels.tolist(), inverse_dct(blocks)[:, 0, 0].tolist(), strict=True):
        by_sample.setdefault(sample, []).append(level)
    return by_sample


def _best_means(
    colour: NDArray[np.uint8],
    bounds: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    means: list[dict[int, list[int]]],
    now: list[int],
) -> tuple[int, ...] | None:
    """Levels of the three means that give a colour, those nearest to what was found."""
    ranges = [
        [value for value in range(int(low), int(high) + 1) if value in means[plane]]
        for plane, (low, high) in enumerate(zip(*bounds, strict=True))
    ]
    if not all(ranges):
        return None
    grids = np.meshgrid(*(np.array(values, np.uint8) for values in ranges), indexing="ij")
    fits = (rgb(*grids) == colour).all(axis=-1)
    best: tuple[int, tuple[int, ...]] | None = None
    for triple in zip(*(grid[fits].tolist() for grid in grids), strict=True):
        nearest = tuple(
            min(means[plane][value], key=lambda level, own=own: abs(level - own))  # type: ignore[misc]
            for plane, (value, own) in enumerate(zip(triple, now, strict=True))
        )
        away = sum(abs(level - own) for level, own in zip(nearest, now, strict=True))
        if best is None or (away, nearest) < best:
            best = away, nearest
    return None if best is None else best[1]
