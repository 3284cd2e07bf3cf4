"""Factors that all levels of a frequency have in common: a coarser step, or chance?

A step of 8 explains multiples of 16 as well. So cells of a camera with steps of 16 come out with
the tables of one with steps of 8, at a bit more for each coefficient; and a cell with few
coefficients may show even ones alone by chance. Levels that are not 0 are multiples of a factor k
with a probability of 1 / k^2 or less, as most are 1 or -1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.jpeg.picture import Camera

from .series import MAX_STEP

NEW_STEP = 0.2
"""Share of steps that no given camera has."""

MULTIPLES, MIN_BITS = 8, 6.0
"""Of likely factors there are so many multiples for each other level, one at least, and their being
multiples is less likely chance than 2 to the minus this."""

SAMPLE_CELLS = 48
"""Cells in which given cameras were looked for: the fewer cameras, the rarer another one is."""


def common_factors(
    coefficients: Sequence[NDArray[np.int16]], tables: NDArray[np.uint16]
) -> NDArray[np.int64]:
    """Greatest factor of all levels of each frequency, int64 (plane, 8, 8).

    1 where there are none but 0, and where the step would exceed MAX_STEP.

    Parameters
    ----------
    coefficients
        Of each plane int16 (row, column, 8, 8).
    tables
        uint16 (plane, 8, 8).
    """
    factors = np.stack(
        [np.gcd.reduce(levels.astype(np.int64), axis=(0, 1)) for levels in coefficients]
    )
    factors[(factors == 0) | (factors * tables > MAX_STEP)] = 1
    return factors


def likely_factors(
    levels: NDArray[np.int16], steps: NDArray[np.integer]
) -> Iterator[tuple[int, int, NDArray[np.bool_]]]:
    """Factors that all levels of a frequency but a few have in common, the greatest first.

    A block may come out with a level of a step that is too fine, where it does with 0 as well.

    Parameters
    ----------
    levels
        int16 (block, 64), of one plane.
    steps
        (64,).

    Yields
    ------
    tuple
        Frequency, factor, and bool (block,): those with other levels.
    """
    for frequency in np.flatnonzero((levels != 0).any(axis=0)).tolist():
        own = levels[:, frequency].astype(np.int64)
        largest = min(int(np.abs(own).max()), MAX_STEP // int(steps[frequency]))
        for factor in range(largest, 1, -1):
            is_other = own % factor != 0
            n_others = int(is_other.sum())
            n_multiples = int((own != 0).sum()) - n_others
            bits = 2 * np.log2(factor) * n_multiples
            if 0 < n_others <= max(1, n_multiples // MULTIPLES) and bits >= MIN_BITS:
                yield frequency, factor, is_other


def count_levels(coefficients: Sequence[NDArray[np.int16]]) -> NDArray[np.int64]:
    """Levels that are not 0 of each frequency, int64 (plane, 8, 8)."""
    return np.stack([(levels != 0).sum(axis=(0, 1)) for levels in coefficients]).astype(np.int64)


def chance_bits(factors: NDArray[np.int64], n_levels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of each frequency, minus log2 of the chance that all levels have a factor in common."""
    bits: NDArray[np.float64] = 2 * np.log2(factors) * n_levels
    return bits


def rarity_bits(n_cameras: int) -> float:
    """Minus log2 of the chance that a cell comes from another camera than those given."""
    return float(np.log2(SAMPLE_CELLS / min(max(n_cameras, 1), SAMPLE_CELLS)))


def coarser_steps(
    camera: Camera,
    cameras: Sequence[Camera],
    factors: NDArray[np.int64],
    n_levels: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Frequencies whose step is the coarser one, as of another camera, bool (plane, 8, 8).

    Parameters
    ----------
    camera
        One of `cameras`, which explains a cell.
    cameras
        All that are given: a coarser step that one of them has is likelier.
    factors, n_levels
        Of the cell.
    """
    alike = [c.tables for c in cameras if is_like(c, camera)]
    coarse = camera.tables * factors
    gain = chance_bits(factors, n_levels)
    gain += np.log2(_share_of(coarse, alike) / _share_of(camera.tables, alike))
    is_coarser = (factors > 1) & (gain > 0)
    if gain[is_coarser].sum() <= rarity_bits(len(alike)):
        is_coarser[:] = False
    return is_coarser


def is_like(camera: Camera, other: Camera) -> bool:
    """Whether two cameras differ by their tables alone."""
    mine, others = ((c.ratios, c.colour, c.fancy) for c in (camera, other))
    return mine == others


def _share_of(
    steps: NDArray[np.integer], tables: Sequence[NDArray[np.uint16]]
) -> NDArray[np.float64]:
    """Of given cameras, the share that has each step, but NEW_STEP for all that none has."""
    seen = np.mean([table == steps for table in tables], axis=0)
    share: NDArray[np.float64] = NEW_STEP / MAX_STEP + (1 - NEW_STEP) * seen
    return share
