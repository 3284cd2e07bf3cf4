"""The order in which the planes of cells are coded, and which earlier planes each one sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.constants import MAX_EARLIER
from zarrmal_codecs.hybrid.context import own_base

from .cut_out import Planes

SAMPLE_VALUES = 400_000
"""Of each plane so many pixels are looked at, or fewer."""

FOLLOWS_FROM = 0.95
"""The base follows another plane where that makes its mean error smaller than this share."""

SEPARATE_STEPS = 4
"""Later steps share one network, so that a model for many channels stays small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneStep:
    """How one plane is coded (FORMAT 6.5).

    Parameters
    ----------
    plane
        Its index.
    earlier
        Earlier steps whose planes it sees; the base follows the last.
    follows
        Whether it does.
    """

    plane: int
    earlier: tuple[int, ...]
    follows: bool


def plan_steps(cells: Planes, most: int) -> tuple[PlaneStep, ...]:
    """The steps for cells of levels (plane, y, x).

    What each pixel is beyond what its neighbours in the plane predict is compared between planes.
    The first plane is the one that tells most of the others. Then comes always the plane of which
    those before tell most; it sees the three that do.

    Parameters
    ----------
    most
        The highest level.
    """
    errors = _errors(cells, most)
    n = len(errors)
    covariance = np.atleast_2d(np.cov(errors)) + 1e-3 * np.eye(n)
    correlation = covariance / np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    chosen = [int((correlation**2).sum(axis=1).argmax())]
    steps = [PlaneStep(plane=chosen[0], earlier=(), follows=False)]
    while len(chosen) < n:
        rest = [plane for plane in range(n) if plane not in chosen]
        seen = {plane: _most_telling(covariance, plane, chosen) for plane in rest}
        plane = min(rest, key=lambda p: _left(covariance, p, seen[p]) / covariance[p, p])
        steps.append(_step(errors, plane, seen[plane], chosen))
        chosen.append(plane)
    return tuple(steps)


def networks_of(steps: tuple[PlaneStep, ...]) -> tuple[int, ...]:
    """For each step the index of its network: those from the fifth on share one."""
    return tuple(min(s, SEPARATE_STEPS) for s in range(len(steps)))


def _step(errors: NDArray[np.float64], plane: int, seen: list[int], chosen: list[int]) -> PlaneStep:
    with_it = {q: float(np.abs(errors[plane] - errors[q]).mean()) for q in seen}
    best = min(with_it, key=with_it.__getitem__)
    # The base follows the last one that is seen.
    ordered = [*sorted(chosen.index(q) for q in seen if q != best), chosen.index(best)]
    follows = with_it[best] < FOLLOWS_FROM * float(np.abs(errors[plane]).mean())
    return PlaneStep(plane=plane, earlier=tuple(ordered), follows=follows)


def _most_telling(covariance: NDArray[np.float64], plane: int, chosen: list[int]) -> list[int]:
    """Up to three of the planes that tell most of a plane together."""
    seen: list[int] = []
    while len(seen) < min(MAX_EARLIER, len(chosen)):
        rest = [q for q in chosen if q not in seen]
        seen.append(min(rest, key=lambda q: _left(covariance, plane, [*seen, q])))
    return seen


def _left(covariance: NDArray[np.float64], plane: int, seen: list[int]) -> float:
    """Variance of a plane's error once those of others are known."""
    if not seen:
        return float(covariance[plane, plane])
    between = covariance[np.ix_(seen, [plane])][:, 0]
    told = between @ np.linalg.solve(covariance[np.ix_(seen, seen)], between)
    return float(covariance[plane, plane] - told)


def _errors(cells: Planes, most: int) -> NDArray[np.float64]:
    """Of pixels that are above 0 in all planes, pixel minus base, float64 (plane, pixel)."""
    per_cell = max(1, cells[0][0].size)
    stride = max(1, len(cells) * per_cell // SAMPLE_VALUES)
    parts = []
    for cell in cells[::stride]:
        levels = np.asarray(cell).astype(np.int64)
        west, north = levels[:, 1:, :-2], levels[:, :-1, 1:-1]
        northeast, northwest = levels[:, :-1, 2:], levels[:, :-1, :-2]
        own = levels[:, 1:, 1:-1]
        base = own_base(west, north, northeast, northwest, most=most)
        has = (own > 0).all(axis=0) & (west > 0).all(axis=0) & (north > 0).all(axis=0)
        parts.append((own - base)[:, has])
    errors = np.concatenate(parts, axis=1)
    n = errors.shape[1]
    if n < 2:
        return np.zeros((len(cells[0]), 2))
    # A few pixels at sharp edges would outweigh all others.
    limit = np.maximum(4 * np.median(np.abs(errors), axis=1, keepdims=True), 4)
    return np.clip(errors, -limit, limit).astype(np.float64)
