"""Steps tested by solving blocks.

A test takes the most active whole blocks. At a wrong phase, or with a wrong table, next to none of
them decodes exactly; flat blocks do with many tables, so only non-zero coefficients are evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .repair import repaired_steps
from .solve.blocks import Where
from .solve.cut import Sizes
from .solve.dct import BLOCK, Float, forward_dct
from .solve.plane import TRIAL_TRIES, solve_doubtful_blocks, solve_listed_blocks
from .solve.views import PlaneView
from .solve.whole import ERROR_ENERGY, FLAT_COEFFICIENTS, FLAT_ERROR_ENERGY
from .tables import FEW_BLOCKS, Steps, TableEstimate, estimate_table

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

BITS_OF_UNEXPLAINED_PIXEL = 3.0

NEARLY_ALL = 0.97
"""Share of blocks; the rest may be ambiguous or clamped."""


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
    views: Sequence[PlaneView],
    *,
    n_most: int | None = None,
    seen: Sequence[Steps] = (),
    enough: int = FEW_BLOCKS,
) -> TableEstimate | None:
    """The likeliest table of planes that share it; None if they have no whole block.

    `seen` are tables of other pictures; `n_most` limits the blocks that are looked at. Where not
    `enough` blocks are clear the middles of the others' bounds tell something.
    """
    measured: list[Float] = []
    inflation: list[Float] = []
    few = sum(int(view.is_clear.sum()) for view in views) < enough
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
    clear_rows, clear_columns = np.nonzero(view.is_clear)
    levels, is_exact = solve_listed_blocks(view, (clear_rows, clear_columns), steps, TRIAL_TRIES)
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
BITS_OF_CLAMPED = 7.0
"""Of a sample beyond 0 or 255: it may lie anywhere within a hundred levels or so."""


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
    start = estimate.steps
    if test.share_exact < WORTH_MORE and (estimate.cautious != start).any():
        # Steps that are too large explain nothing, those that are too small little less than all.
        careful = try_steps(view, estimate.cautious, N_PROOF_BLOCKS)
        if careful.share_exact > test.share_exact:
            start, test = estimate.cautious, careful
            chosen = _choice_bits(start[estimate.is_determined])
    is_worth_more = test.share_exact >= WORTH_MORE
    if is_doubtful(view):
        is_worth_more = test.evidence_bits >= MIN_EVIDENCE_BITS
    if not is_worth_more:
        return None
    steps = repaired_steps(view, start)
    chosen += _choice_bits(steps[steps != start])
    test = try_steps(view, steps, N_PROOF_BLOCKS)
    return steps if is_proof(view, steps, test, chosen) else None


def _choice_bits(steps: Steps) -> float:
    """What choosing steps freely is worth."""
    return float(np.log2(CHOICES * steps).sum())
