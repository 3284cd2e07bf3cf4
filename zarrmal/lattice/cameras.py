"""Which camera a cell came from: sampling, upsampling and tables, tested by solving blocks.

A test takes the most active whole blocks. At a wrong phase, or with a wrong table, next to none of
them decodes exactly; flat blocks do with many tables, so only non-zero coefficients are evidence.
Among assumptions on chroma that explain all, that is taken which describes the blocks shortest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from zarrmal_codecs.lattice.picture import Camera, Colour
from zarrmal_codecs.lattice.upsampling import Ratio

from .repair import repaired_steps
from .solve.blocks import Phase, Where
from .solve.cut import Sizes
from .solve.dct import BLOCK, Float, forward_dct
from .solve.plane import TRIAL_TRIES, solve_doubtful_blocks, solve_listed_blocks
from .solve.views import CellViews, PlaneView
from .solve.whole import ERROR_ENERGY, FLAT_COEFFICIENTS, FLAT_ERROR_ENERGY
from .tables import (
    FEW_BLOCKS,
    MAX_STEP,
    OWN,
    SERIES,
    Steps,
    TableEstimate,
    estimate_table,
    series_name,
)

N_TRIAL_BLOCKS = 16
N_NEAREST = 2
"""Of the likeliest standard tables that are tried before any other."""

N_PROOF_BLOCKS = 64
"""For a table that was estimated: its steps were chosen to fit."""

MIN_SHARE_EXACT = 0.8
"""Of the blocks of a test."""

WORTH_MORE, MORE_TRIES = 0.3, 1500
"""Share of blocks with which more effort is spent on the others: with steps of 1 or 2 many take
long, but with a wrong table hardly any comes out."""

MIN_SHARE_CLAMPED = 0.4
"""The same where all blocks have clamped pixels, of which less is known."""

FEW_CLEAR_BLOCKS = 4
"""With fewer blocks without clamped pixels, others are tested too."""

DOUBT_OF_CLAMPED = 4
"""What a sample that may be clamped adds to the doubt of a block."""

DOUBTFUL_BLOCKS = 8
"""Such blocks are tried together; where none of them comes out, no more are tried."""

STANDARD_BITS = 8.0
"""What choosing a standard table is worth."""

CHOICES = 2.3
"""Steps that another table may have, for each unit of one: those within a factor e of it, about."""

MIN_EVIDENCE_BITS = 40.0
"""By how much the blocks of a test are less likely at random: 2 to the minus this."""

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

BITS_OF_UNEXPLAINED_PIXEL = 3.0

CLOSE_BITS = 0.2
"""For each pixel: an assumption that is worse by no more may be the right one, with other steps.
At the wrong half of a group about half of the blocks come out, at more than 1 bit."""

BITS_OF_CONTRADICTION = 20.0
"""For each sample that pixels contradict: the right assumption has none, but for altered pixels."""

MAX_SHARE_CONTRADICTED = 0.02
"""Of the samples, beyond which an assumption on the sampling is not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """How well steps explain the most active blocks of a plane.

    Attributes
    ----------
    share_exact
        Of the blocks; 1 if there are none.
    evidence_bits
        Sum of log2 of the steps of all non-zero coefficients in exact blocks, but their means.
    bits_per_pixel
        A rough description length of the blocks.
    n_blocks
        Number of blocks.
    required_share
        Share of the blocks that must be exact for the steps to be right.
    """

    share_exact: float
    evidence_bits: float
    bits_per_pixel: float
    n_blocks: int
    required_share: float


def active_blocks(view: PlaneView, n_most: int) -> Where:
    """Rows and columns of the clear blocks that vary most.

    Of few clear blocks: all blocks that vary at all, those first of which most is known.
    """
    few = is_doubtful(view)
    rows, columns = np.nonzero(view.blocks.is_whole if few else view.is_clear)
    samples = view.middles[rows, columns].reshape(-1, BLOCK, BLOCK)
    activity = np.asarray(sum(np.abs(np.diff(samples, axis=k)).sum((1, 2)) for k in (1, 2)))
    order = np.argsort(-activity, kind="stable")
    if few:
        order = order[activity[order] > 0]
        where = rows[order], columns[order]
        doubt = view.doubt[where] + DOUBT_OF_CLAMPED * view.n_clamped(where)
        order = order[np.argsort(doubt, kind="stable")]
    return rows[order[:n_most]], columns[order[:n_most]]


def is_doubtful(view: PlaneView) -> bool:
    """Whether so few blocks are clear that the others must tell."""
    return bool(view.is_clear.sum() < FEW_CLEAR_BLOCKS)


def try_steps(view: PlaneView, steps: Steps, n_most: int = N_TRIAL_BLOCKS) -> Trial:
    """Solve the most active blocks with these steps."""
    where = active_blocks(view, n_most)
    n_blocks = len(where[0])
    levels, is_exact = solve_listed_blocks(view, where, steps, TRIAL_TRIES)
    if WORTH_MORE * n_blocks <= is_exact.sum() < n_blocks:
        left = np.flatnonzero(~is_exact)
        rest = where[0][left], where[1][left]
        levels[left], is_exact[left] = solve_listed_blocks(view, rest, steps, MORE_TRIES)
    free_bits = np.zeros(n_blocks)
    if is_doubtful(view):
        left = np.flatnonzero(~is_exact)
        sizes = Sizes.of(levels[is_exact], steps)
        for start in range(0, len(left), DOUBTFUL_BLOCKS):
            part = left[start : start + DOUBTFUL_BLOCKS]
            rest = where[0][part], where[1][part]
            levels[part], is_exact[part] = solve_doubtful_blocks(view, rest, steps, sizes)
            if not is_exact[part].any():
                break
        free_bits = _free_bits(view, where)
    magnitude = np.abs(levels[is_exact].astype(np.float64))
    # A constant block fits many tables.
    told_bits = ((magnitude > 0) * np.log2(steps))[:, 1:].sum(axis=1)
    evidence = float(np.maximum(told_bits - free_bits[is_exact], 0).sum())
    n_pixels = view.blocks.known.shape[2]
    bits = float(((magnitude > 0) * (2.5 + 2 * np.log2(1 + magnitude))).sum())
    bits += BITS_OF_UNEXPLAINED_PIXEL * n_pixels * int((~is_exact).sum())
    return Trial(
        share_exact=float(is_exact.mean()) if n_blocks else 1.0,
        evidence_bits=evidence,
        bits_per_pixel=bits / max(n_blocks * n_pixels, 1),
        n_blocks=n_blocks,
        required_share=MIN_SHARE_EXACT if view.is_clear[where].all() else MIN_SHARE_CLAMPED,
    )


def estimate_steps(
    views: Sequence[PlaneView], *, n_most: int | None = None, seen: Sequence[Steps] = ()
) -> TableEstimate | None:
    """The likeliest table of planes that share it; None if they have no whole block.

    `seen` are tables of other pictures; `n_most` limits the blocks that are looked at. Where few
    blocks are clear the middles of the others' bounds tell something.
    """
    measured: list[Float] = []
    inflation: list[Float] = []
    few = sum(int(view.is_clear.sum()) for view in views) < FEW_BLOCKS
    for view in views:
        rows, columns = np.nonzero(view.blocks.is_whole if few else view.is_clear)
        clear = rows.astype(np.int64), columns.astype(np.int64)
        if n_most is not None and len(clear[0]):
            clear = active_blocks(view, n_most)
        coefficients, factors = view.measured(clear)
        measured.append(coefficients)
        inflation.append(factors)
    if not any(map(len, measured)):
        return None
    return estimate_table(np.concatenate(measured), np.concatenate(inflation), seen)


def share_near_lattice(view: PlaneView, steps: Steps) -> float:
    """Share of clear blocks whose coefficients are near multiples of the steps.

    Needs no search, so that many tables can be tried.
    """
    clear = np.nonzero(view.is_clear)
    if not len(clear[0]):
        return 1.0
    coefficients = forward_dct(view.middles[clear])
    levels = np.rint(coefficients / steps)
    energy = ((coefficients - levels * steps) ** 2).sum(axis=1)
    is_flat = (levels != 0).sum(axis=1) <= FLAT_COEFFICIENTS
    limit = np.where(is_flat, FLAT_ERROR_ENERGY, ERROR_ENERGY) + 0.5 * view.doubt[clear]
    return float((energy <= limit).mean())


def luma_fits(test: Trial, free_bits: float) -> bool:
    """Whether a test is proof of a table.

    Parameters
    ----------
    free_bits
        What was chosen to make it fit, in bits.
    """
    return (
        test.n_blocks > 0
        and test.share_exact >= test.required_share
        and test.evidence_bits >= MIN_EVIDENCE_BITS + free_bits
    )


def is_proof(view: PlaneView, steps: Steps, test: Trial, free_bits: float) -> bool:
    """Whether a test proves these steps, with the evidence of doubtful blocks if it needs that."""
    if luma_fits(test, free_bits):
        return True
    is_short = 0 < test.n_blocks < N_PROOF_BLOCKS and test.share_exact >= test.required_share
    if not is_short:
        return False
    more = evidence_of_doubtful(view, steps)
    return luma_fits(replace(test, evidence_bits=test.evidence_bits + more), free_bits)


def evidence_of_doubtful(view: PlaneView, steps: Steps) -> float:
    """Evidence for steps, as that of a ``Trial``, in the whole blocks that are not clear.

    What is not known of a block's samples may have made it fit, and is taken off.
    """
    rows, columns = np.nonzero(view.blocks.is_whole & ~view.is_clear)
    least = np.argsort(view.doubt[rows, columns], kind="stable")[:N_DOUBTFUL_BLOCKS]
    where = rows[least], columns[least]
    if not len(least):
        return 0.0
    clear = np.nonzero(view.is_clear)
    levels, is_exact = solve_listed_blocks(view, clear, steps, TRIAL_TRIES)
    sizes = Sizes.of(levels[is_exact], steps)
    levels, is_exact = solve_doubtful_blocks(view, where, steps, sizes)
    if is_exact.mean() < MIN_SHARE_CLAMPED:
        return 0.0
    told_bits = ((levels != 0) * np.log2(steps))[:, 1:].sum(axis=1)
    return float(np.maximum(told_bits - _free_bits(view, where), 0)[is_exact].sum())


def _free_bits(view: PlaneView, where: Where) -> Float:
    """How much is not known of blocks, (block,)."""
    widths = np.log2(1 + view.high[where] - view.low[where])
    bits: Float = widths.sum(axis=1) + BITS_OF_CLAMPED * view.n_clamped(where)
    return bits


N_DOUBTFUL_BLOCKS = 32
BITS_OF_CLAMPED = 4.0
"""Of a sample beyond 0 or 255: how much it may vary."""


def proven_steps(view: PlaneView, estimate: TableEstimate) -> Steps | None:
    """A table that solves a plane's most active blocks: a standard one, or the estimate, repaired.

    None if neither does.
    """
    tests = [try_steps(view, steps, N_PROOF_BLOCKS) for steps in estimate.nearest[:N_NEAREST]]
    best = max(range(len(tests)), key=lambda k: (tests[k].share_exact, -k))
    standard: Steps | None = None
    if is_proof(view, estimate.nearest[best], tests[best], STANDARD_BITS):
        standard = estimate.nearest[best].copy()
        if tests[best].share_exact > NEARLY_ALL:
            return standard
    own = _proven_own(view, estimate)
    if own is not None or standard is not None:
        # Clamped pixels mislead the estimate more than the test of a whole table.
        return standard if own is None else own
    for steps in estimate.nearest[N_NEAREST:]:
        if luma_fits(try_steps(view, steps, N_PROOF_BLOCKS), STANDARD_BITS):
            return np.array(steps)
    return None


def _proven_own(view: PlaneView, estimate: TableEstimate) -> Steps | None:
    """The estimate, repaired, if it solves a plane's most active blocks before or after."""
    test = try_steps(view, estimate.steps, N_PROOF_BLOCKS)
    free_steps = estimate.steps[estimate.is_determined]
    chosen = STANDARD_BITS if estimate.is_standard else _choice_bits(free_steps)
    if is_proof(view, estimate.steps, test, chosen):
        return estimate.steps if estimate.is_standard else repaired_steps(view, estimate.steps)
    is_worth_more = test.share_exact >= WORTH_MORE
    if is_doubtful(view):
        is_worth_more = test.evidence_bits >= MIN_EVIDENCE_BITS
    if not is_worth_more:
        return None
    steps = repaired_steps(view, estimate.steps)
    chosen += _choice_bits(steps[steps != estimate.steps])
    test = try_steps(view, steps, N_PROOF_BLOCKS)
    return steps if is_proof(view, steps, test, chosen) else None


def _choice_bits(steps: Steps) -> float:
    """What choosing steps freely is worth."""
    return float(np.log2(CHOICES * steps).sum())


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

NEARLY_ALL = 0.97
"""Share of blocks; the rest may be ambiguous or clamped."""


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
    repaired = [repaired_steps(view, steps) for view, steps in zip(views, coarse, strict=True)]
    return repaired[0], repaired[1]


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
