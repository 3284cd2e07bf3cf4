"""What the masks of a source have in common, found on a sample of its cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
from zarrmal_codecs.silhouette.coverage import Resampling

from .brightness import Field, brightness, surely_inside
from .rule import Rule, usual_and_widest
from .search import CONVINCING, N_AROUND, Inferred, infer_mask, may_have_mask

SPACINGS: Final = (3, 2, 4, 5, 6, 8)
"""Of lattices that are tried. Between two points all lattices are about alike, so that the first
one finds a mask of any other. Masks that were drawn on every pixel are not looked for: of so many
points too few are found right for too much time."""

KERNELS: Final[tuple[Resampling, ...]] = ("triangle", "box", "area", "linear")

LEAST_POINTS, MOST_POINTS = 0.4, 1.7
"""Rows of lattice points, in those of pixels, that are tried first."""

N_FIRST, N_TRIED, N_MEASURED = 3, 8, 24
"""Cells on which a rule is tried first, then, and on which sizes are measured."""

N_STEPS: Final = 4
"""Kernel and sizes roughly, the kernel, the lattice, the sizes."""

LEAST_SHARE: Final = 0.5
"""Of the cells that a rule must convince on."""

MIXED: Final = 0.75
"""Pixels beside the background have less of their brightness than this where cells were resampled
after they had been cut out; where not, all of it."""


def has_mixed_edge(plane: Field) -> bool:
    """Whether pixels beside the background look like a mixture of cell and background."""
    if min(plane.shape) < 2 or not may_have_mask(plane):
        return False
    inside = plane > 0
    beside = np.zeros_like(inside)
    beside[1:] |= ~inside[:-1]
    beside[:-1] |= ~inside[1:]
    beside[:, 1:] |= ~inside[:, :-1]
    beside[:, :-1] |= ~inside[:, 1:]
    edge = beside & inside
    bright = brightness(plane, surely_inside(plane))
    return bool(edge.any() and (plane[edge] / np.maximum(bright[edge], 1)).mean() < MIXED)


def survey(
    planes: Sequence[Field], progress: Callable[[int, int], None] = lambda done, total: None
) -> Rule | None:
    """What the masks of some cells have in common; None where none are found.

    Parameters
    ----------
    planes
        Of each cell of the sample float64 (y, x), all of one size; see plane_of.
    progress
        Called with the number of its four steps that are done, and 4.
    """
    rule = _survey(planes, lambda done: progress(done, N_STEPS))
    progress(N_STEPS, N_STEPS)
    return rule


def _survey(planes: Sequence[Field], done: Callable[[int], None]) -> Rule | None:
    done(0)
    usable = [plane for plane in planes if has_mixed_edge(plane)]
    if len(usable) < max(LEAST_SHARE * len(planes), 1):
        return None
    side = max(planes[0].shape)
    limits = (int(LEAST_POINTS * side) + 2, int(MOST_POINTS * side) + 1)
    some = usable[:N_TRIED]
    for resampling in KERNELS:
        rule = Rule(resampling=resampling, spacing=SPACINGS[0], usual=limits, widest=limits)
        if not _convinced(usable[:N_FIRST], rule):
            continue
        convinced = _convinced(some, rule)
        if len(convinced) >= LEAST_SHARE * len(some):
            break
    else:
        return None
    done(1)
    # Kernels are alike, too: one that is not the true one may convince as well, by masks of about
    # the same sizes.
    rules = [_near(convinced, rule, kernel, rule.spacing) for kernel in KERNELS]
    best = min(rules, key=partial(_bits, some))
    done(2)
    rules = [_near(convinced, rule, best.resampling, spacing) for spacing in SPACINGS]
    best = replace(min(rules, key=partial(_bits, some)), widest=limits)
    done(3)
    measured = usable[:N_MEASURED]
    convinced = _convinced(measured, best)
    if len(convinced) < LEAST_SHARE * len(measured):
        return None
    usual, widest = usual_and_widest([mask.points.shape for mask in convinced])
    return replace(best, usual=usual, widest=widest)


def _convinced(planes: Sequence[Field], rule: Rule) -> list[Inferred]:
    masks = (infer_mask(plane, rule) for plane in planes)
    return [mask for mask in masks if mask is not None and mask.share < CONVINCING]


def _near(masks: Sequence[Inferred], rule: Rule, resampling: Resampling, spacing: int) -> Rule:
    """Another rule, that tries masks of about as many pixels as these, which are of a first one."""
    sizes = np.array([mask.points.shape for mask in masks]) * rule.spacing / spacing
    near = max(int(sizes.min()) - N_AROUND, 2), int(sizes.max()) + N_AROUND
    return Rule(resampling=resampling, spacing=spacing, usual=near, widest=near)


def _bits(planes: Sequence[Field], rule: Rule) -> float:
    masks = (infer_mask(plane, rule) for plane in planes)
    return sum(mask.bits for mask in masks if mask is not None)
