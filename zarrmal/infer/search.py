"""The mask of one cell: its size first, rows and columns in turn, then its points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.silhouette.coverage import Resampling

from .brightness import Field, brightness, surely_inside
from .fit import Axis, Fit, fit

LEAST_BACKGROUND = 1 / 32
"""Share of pixels that are 0 in a cell that is looked at; the rest must hold some inside."""
LEAST_INSIDE = 1 / 16

N_SWEEP_ROUNDS = 3
N_ROUNDS = 12
N_BRIGHTNESS = 3
N_BEST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What masks of a source have in common.

    Parameters
    ----------
    resampling
        Of the pixels, after they were cut out.
    spacing
        Of the lattice on which masks were drawn.
    least, most
        Rows and columns of lattice points that are tried.
    """

    resampling: Resampling
    spacing: int
    least: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inferred:
    """A mask, and about how many bits its cell takes with it and without.

    Parameters
    ----------
    points
        bool (row, column): lattice points.
    """

    points: NDArray[np.bool_]
    bits: float
    bits_without: float


def plane_of(cell: NDArray[np.uint8]) -> Field:
    """The mean of a cell's planes, float64 (y, x), of uint8 (y, x[, channel])."""
    if cell.ndim == 2:
        return cell.astype(np.float64)
    return cell.astype(np.float64).sum(axis=2) / cell.shape[2]


def may_have_mask(plane: Field) -> bool:
    """Whether there is background, and enough of the cell beside its edge."""
    background = np.count_nonzero(plane == 0)
    return background >= LEAST_BACKGROUND * plane.size and bool(
        surely_inside(plane).sum() >= LEAST_INSIDE * plane.size
    )


def infer_mask(plane: Field, rule: Rule) -> Inferred | None:
    """The mask that explains a cell's edge best; None where there is nothing to go by.

    Parameters
    ----------
    plane
        float64 (y, x): see plane_of.
    """
    if not may_have_mask(plane):
        return None
    height, width = plane.shape

    def at(n_rows: int, n_columns: int, n_rounds: int = N_SWEEP_ROUNDS, **more: object) -> Fit:
        down = Axis.of(height, n_rows, rule.spacing, rule.resampling)
        across = Axis.of(width, n_columns, rule.spacing, rule.resampling)
        return fit(plane, bright, down, across, n_rounds=n_rounds, **more)  # type: ignore[arg-type]

    sharp = (plane > 0).astype(np.float64)
    middle = (rule.least + rule.most) // 2
    bright = brightness(plane, surely_inside(plane))
    for _ in range(2):
        bright = brightness(plane, at(middle, middle).covered)
    sizes = range(rule.least, rule.most + 1)
    n_rows = n_columns = middle
    by_columns = {n: at(n_rows, n).bits for n in sizes}
    n_columns = min(sizes, key=by_columns.__getitem__)
    by_rows = {n: at(n, n_columns).bits for n in sizes}
    n_rows = min(sizes, key=by_rows.__getitem__)
    best = sorted(sizes, key=by_columns.__getitem__)[:N_BEST]
    near = [n for n in (n_columns - 1, n_columns + 1) if n in sizes]
    again = {n: at(n_rows, n).bits for n in dict.fromkeys([n_columns, *best, *near])}
    found = min(again, key=again.__getitem__)
    if found != n_columns:
        n_columns = found
        best = sorted(sizes, key=by_rows.__getitem__)[:N_BEST]
        near = [n for n in (n_rows - 1, n_rows + 1) if n in sizes]
        again = {n: at(n, n_columns).bits for n in dict.fromkeys([n_rows, *best, *near])}
        n_rows = min(again, key=again.__getitem__)
    result = at(n_rows, n_columns, N_ROUNDS)
    for _ in range(N_BRIGHTNESS):
        bright = brightness(plane, result.covered)
        result = at(n_rows, n_columns, N_ROUNDS, points=result.points, pairs=True)
    bright = brightness(plane, sharp)
    # Without a mask the pixels at the edge are as if they were covered wholly.
    from .fit import ERROR_BITS, PER_LEVEL

    errors = np.minimum(np.abs(plane - sharp * bright) * PER_LEVEL + 0.5, len(ERROR_BITS) - 1)
    without = float(ERROR_BITS[errors.astype(np.int64)].sum())
    return Inferred(points=result.points.astype(bool), bits=result.bits, bits_without=without)
