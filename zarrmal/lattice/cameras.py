"""Which camera a cell came from: sampling and upsampling of chroma, and its tables.

Among assumptions that explain all, that is taken which describes the blocks shortest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from zarrmal_codecs.lattice.jpeg.picture import Camera, Colour
from zarrmal_codecs.lattice.jpeg.upsampling import Ratio

from .repair import repaired_steps
from .solve.blocks import Phase
from .solve.dct import BLOCK
from .solve.views import CellViews, PlaneView
from .tables import MAX_STEP, OWN, SERIES, Steps, TableEstimate, series_name
from .trial import N_NEAREST, NEARLY_ALL, WORTH_MORE, estimate_steps, try_steps

CHROMA_SAMPLINGS: tuple[tuple[Ratio, bool], ...] = (
    ((1, 1), True),
    ((1, 2), True),
    ((2, 2), True),
    ((2, 1), True),
    ((1, 2), False),
    ((2, 2), False),
    ((2, 1), False),
)
"""Ratio, and whether the upsampling is fancy."""

CLOSE_BITS = 0.2
"""For each pixel: an assumption that is worse by no more may be the right one, with other steps.
At the wrong half of a group about half of the blocks come out, at more than 1 bit."""

BITS_OF_CONTRADICTION = 20.0
"""For each sample that pixels contradict: the right assumption has none, but for altered pixels."""

MAX_SHARE_CONTRADICTED = 0.02
"""Of the samples, beyond which an assumption on the sampling is not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChromaFit:
    """The best assumption on the planes that are not the first."""

    ratio: Ratio
    fancy: bool
    phase: Phase
    tables: tuple[Steps, Steps]
    share_exact: float
    bits_per_pixel: float
    is_possible: bool


def fit_chroma(
    views_of: CellViews,
    rest: tuple[int, int],
    phase: Phase,
    samplings: Sequence[tuple[Ratio, bool]],
    candidates: Sequence[tuple[Steps, Steps]],
    *,
    estimate: bool,
) -> ChromaFit | None:
    """Sampling, half of the group of blocks, and tables of two planes.

    Parameters
    ----------
    views_of
        Views of a cell.
    rest
        Which two of them.
    phase
        Row and column of the first pixel in its block of luma, each below 8.
    samplings
        Assumptions to compare.
    candidates
        Pairs of tables to try.
    estimate
        Whether to estimate a table where none of the candidates explains nearly all.

    Returns
    -------
    ChromaFit or None
        None if no assumption explains enough of the blocks.
    """
    best: ChromaFit | None = None
    nearest: ChromaFit | None = None
    estimated: list[ChromaFit] = []
    seen: dict[tuple[Ratio, Phase, bool], ChromaFit] = {}
    for ratio, fancy in samplings:
        for down in range(ratio[0]):
            for across in range(ratio[1]):
                full = phase[0] + BLOCK * down, phase[1] + BLOCK * across
                views = [views_of.of(p, ratio, full, fancy=fancy) for p in rest]
                if any(view.share_wrong > MAX_SHARE_CONTRADICTED for view in views):
                    continue
                fits = [_fit(views, ratio, full, pair, fancy=fancy) for pair in candidates]
                if estimate and not any(fit.share_exact > NEARLY_ALL for fit in fits):
                    table = estimate_steps(views, n_most=QUICK_BLOCKS)
                    if table is not None:
                        for steps in (table.steps, *table.nearest[:N_NEAREST]):
                            fits.append(_fit(views, ratio, full, (steps, steps), fancy=fancy))
                            if fits[-1].share_exact > NEARLY_ALL:
                                break
                        closest = max(fits, key=lambda fit: fit.share_exact)
                        cautious = table.cautious, table.cautious
                        estimated += [closest, replace(closest, tables=cautious)]
                        if nearest is None or closest.share_exact > nearest.share_exact:
                            nearest = closest
                seen[ratio, full, fancy] = min(fits, key=_bits)
                for fit in fits:
                    if fit.is_possible and (
                        best is None or fit.bits_per_pixel < best.bits_per_pixel
                    ):
                        best = fit
    if best is None and nearest is not None and nearest.share_exact >= WORTH_MORE:
        best = _repaired(views_of, rest, nearest)
        if best is not None:
            return best
    if best is None:
        others = sorted((_with_other_means(views_of, rest, fit) for fit in estimated), key=_bits)
        repaired = [_repaired(views_of, rest, fit) for fit in others[:MOST_REPAIRED]]
        return min((fit for fit in repaired if fit is not None), key=_bits, default=None)
    if estimate:
        # Smooth chroma fits several: then each with the steps that fit it best.
        close = [
            fit for fit in seen.values() if fit.bits_per_pixel < best.bits_per_pixel + CLOSE_BITS
        ]
        if len(close) > 1:
            both = [_repaired(views_of, rest, fit) or fit for fit in close]
            best = min((fit for fit in both if fit.is_possible), key=_bits)
    return best


def _bits(fit: ChromaFit) -> float:
    return fit.bits_per_pixel


def _with_other_means(views_of: CellViews, rest: tuple[int, int], fit: ChromaFit) -> ChromaFit:
    """An assumption with the first steps that describe a test's blocks shortest.

    All samples of a smooth block are rounded alike, so that its mean tells no step, and the first
    two frequencies little.
    """
    views = [views_of.of(p, fit.ratio, fit.phase, fancy=fit.fancy) for p in rest]
    best = _fit(views, fit.ratio, fit.phase, fit.tables, fancy=fit.fancy)
    for frequency in SMOOTHEST:
        for step in range(1, LARGEST_MEAN + 1):
            tables = [table.copy() for table in best.tables]
            for table in tables:
                table[frequency] = step
            pair = tables[0], tables[1]
            other = _fit(views, fit.ratio, fit.phase, pair, fancy=fit.fancy)
            # A step of 1 explains all, at more bits.
            if other.bits_per_pixel < best.bits_per_pixel:
                best = other
    return best


MOST_REPAIRED = 4
"""Assumptions whose steps are corrected where none explains enough."""

SMOOTHEST = (0, 1, BLOCK)
"""Means and the first frequencies across and down."""


def _repaired(views_of: CellViews, rest: tuple[int, int], fit: ChromaFit) -> ChromaFit | None:
    """An assumption with the steps corrected that few blocks tell, if it explains enough then."""
    views = [views_of.of(p, fit.ratio, fit.phase, fancy=fit.fancy) for p in rest]
    pairs = zip(views, fit.tables, strict=True)
    first, second = (repaired_steps(view, steps) for view, steps in pairs)
    repaired = _fit(views, fit.ratio, fit.phase, (first, second), fancy=fit.fancy)
    return repaired if repaired.is_possible else None


LARGEST_MEAN = 32
"""Steps of the means up to this are tried; a larger one is told by the blocks themselves."""

QUICK_BLOCKS = 96
"""By which assumptions on chroma are compared."""


def _fit(
    views: Sequence[PlaneView],
    ratio: Ratio,
    phase: Phase,
    tables: tuple[Steps, Steps],
    *,
    fancy: bool,
) -> ChromaFit:
    tests = [try_steps(view, steps) for view, steps in zip(views, tables, strict=True)]
    n_blocks = sum(test.n_blocks for test in tests)
    exact = sum(test.share_exact * test.n_blocks for test in tests)
    bits = sum(test.bits_per_pixel * test.n_blocks for test in tests) / max(n_blocks, 1)
    bits += BITS_OF_CONTRADICTION * sum(view.share_wrong for view in views)
    return ChromaFit(
        ratio=ratio,
        fancy=fancy,
        phase=phase,
        tables=tables,
        share_exact=exact / n_blocks if n_blocks else 1.0,
        bits_per_pixel=bits,
        is_possible=all(test.share_exact >= test.required_share for test in tests),
    )


def chroma_candidates(luma: Steps) -> list[tuple[Steps, Steps]]:
    """Tables that often go with a table of luma: the same, and the standard one for chroma."""
    tables = [luma]
    (equal,) = np.nonzero((SERIES[:100] == luma).all(axis=1))
    tables += [SERIES[100 + quality] for quality in equal]
    return [(table, table) for table in tables]


def refined_tables(
    views_of: CellViews, rest: tuple[int, int], fit: ChromaFit, seen: Sequence[Steps]
) -> tuple[Steps, Steps]:
    """Tables from all blocks; two where one does not explain both planes."""
    if fit.share_exact > NEARLY_ALL and series_name(fit.tables[0]) != OWN:
        return fit.tables
    views = [views_of.of(p, fit.ratio, fit.phase, fancy=fit.fancy) for p in rest]
    if not any(view.is_clear.any() for view in views):
        fit = _with_other_means(views_of, rest, fit)
    common = estimate_steps(views, seen=seen)
    if common is None:
        return fit.tables
    own = [estimate_steps([view], seen=seen) or common for view in views]
    pairs = [fit.tables, (common.steps, common.steps), (own[0].steps, own[1].steps)]
    fits = [_fit(views, fit.ratio, fit.phase, pair, fancy=fit.fancy) for pair in pairs]
    # The simpler, unless another explains more.
    best = max(range(len(fits)), key=lambda k: (round(fits[k].share_exact, 2), -k))
    tables = pairs[best]
    if series_name(tables[0]) != OWN:
        return tables
    coarse = [_coarsened(view, steps, common) for view, steps in zip(views, tables, strict=True)]
    if any(new is not old for new, old in zip(coarse, tables, strict=True)):
        # Both planes have one table, most likely.
        pairs = [(coarse[0], coarse[1]), (coarse[0], coarse[0]), (coarse[1], coarse[1])]
        fits = [_fit(views, fit.ratio, fit.phase, pair, fancy=fit.fancy) for pair in pairs]
        coarse = list(min(fits, key=_bits).tables)
    first, second = (repaired_steps(view, own) for view, own in zip(views, coarse, strict=True))
    if first[0] != second[0]:
        # Smooth planes have told neither's step of the means; both together may.
        fits = [_fit(views, fit.ratio, fit.phase, (first, second), fancy=fit.fancy)]
        for steps in (first, second):
            both = replace(fit, tables=(steps, steps))
            fits.append(_with_other_means(views_of, rest, both))
        first, second = min(fits, key=_bits).tables
        first, second = repaired_steps(views[0], first), repaired_steps(views[1], second)
    return first, second


def _coarsened(view: PlaneView, steps: Steps, estimate: TableEstimate) -> Steps:
    """Steps that were cautiously taken to be smaller than likely, where larger ones fit as well."""
    (smaller,) = np.nonzero(estimate.is_determined & (steps < estimate.steps))
    if not len(smaller):
        return steps
    best = try_steps(view, steps).bits_per_pixel
    # The means last: with their steps most depends on the others.
    for frequency in sorted(smaller.tolist(), key=lambda frequency: (frequency == 0, frequency)):
        own = int(steps[frequency])
        for step in (int(estimate.steps[frequency]), *(k * own for k in COARSER)):
            trial = steps.copy()
            trial[frequency] = min(step, MAX_STEP)
            bits = try_steps(view, trial).bits_per_pixel
            if bits < best:
                best, steps = bits, trial
    return steps


COARSER = (2, 3, 4, 5)
"""A step of 1 explains what any does."""


def camera_of(colour: Colour, first: Steps, fit: ChromaFit | None, first_plane: int) -> Camera:
    """A camera of the table of its first plane and what was found of the others."""
    if fit is None:
        tables, ratios, fancy = [first], [(1, 1)], True
    else:
        tables = list(fit.tables)
        tables.insert(first_plane, first)
        others = [fit.ratio, fit.ratio]
        others.insert(first_plane, (1, 1))
        ratios, fancy = others, fit.fancy
    return Camera(
        tables=np.stack(tables).reshape(-1, BLOCK, BLOCK).astype(np.uint16),
        ratios=tuple(ratios),
        colour=colour,
        fancy=fancy,
    )
