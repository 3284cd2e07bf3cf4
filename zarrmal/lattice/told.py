"""Steps told by the blocks that a table does not explain, several at once.

Where hardly any explained block uses a frequency, its step is a guess, and several of them may be
wrong in one block. Such a block is solved with the steps that are known and with 1 for the others
that it seems to use; clamped and doubtful samples are no hindrance then. What comes out are
multiples of the steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .solve.blocks import Where
from .solve.cut import Sizes
from .solve.dct import N_COEFFICIENTS, Float
from .solve.plane import solve_doubtful_blocks, solve_listed_blocks
from .solve.views import PlaneView
from .tables import MAX_STEP, ROUNDING_VARIANCE, UNLIKE_COST, Steps, step_likelihoods

MAX_TRIES = 400
"""Sets of changes tried for a block."""

FEW_USES = (0, 0, 1, 3, 3)
"""Frequencies that no more explained blocks use are looked at, one round after the other; in the
last also those of which a coefficient is far from a multiple."""

FAR = 2.5
"""Standard deviations."""

MAX_BLOCKS, MAX_EXPLAINED = 64, 128
"""Blocks that are looked at; bounds the time."""

OPEN_SIZE = 0.4
"""Usual size of a coefficient whose step is not known, in steps of the guess."""

DOUBT = 4.0
"""Factor of the variance of coefficients of doubtful blocks: with a step of 1 any may be 1 off."""

NOTICED, LEAST_NOTICED = 2.0, 1.0
"""Standard deviations, and an absolute size beside them, above which a coefficient of a doubtful
block seems not to be 0. What is clamped shifts it, but seldom by much."""

FEW_LEFT = 8
"""Of no more blocks the clear ones are solved too: the integer nearest to what was measured may be
wrong, and several of them at once."""

LEAST_COARSE = 6
"""Of smaller steps other values give the same block now and then, and 1 would be told for 2."""

MAX_OTHERS = 16
"""Steps other than the likeliest that are tried."""

MAX_LOSS, MOST_LOSS = 4.0, 12.0
"""By how much less likely those may be, in natural logarithms: for each block more that they
explain, and at most. A step of 1 explains some by chance."""


def told_steps(view: PlaneView, steps: Steps) -> Steps:
    """Steps of which those that few explained blocks use are the likeliest by all blocks.

    At least as many blocks are explained as by the given steps.

    Parameters
    ----------
    view
        Of a plane.
    steps
        int64 (64,).
    """
    told = _Told(view, steps)
    for number, n_uses in enumerate(FEW_USES, 1):
        told.improve(n_uses, with_suspects=number == len(FEW_USES))
        if told.is_exact.all():
            break
    return told.steps


@dataclass(frozen=True, slots=True)
class _Measured:
    """Coefficients (block, 64) of some blocks, factors of their errors' variance, and which."""

    chosen: NDArray[np.int64]
    coefficients: Float
    inflation: Float


class _Told:
    """What ``told_steps`` goes through."""

    def __init__(self, view: PlaneView, steps: Steps) -> None:
        self.view, self.steps = view, steps
        rows, columns = np.nonzero(view.blocks.is_whole)
        self.where: Where = rows, columns
        self.is_clear = view.is_clear[self.where]
        self.values = np.zeros((len(rows), N_COEFFICIENTS), np.int64)
        self.is_exact = np.zeros(len(rows), np.bool_)
        every = np.arange(len(rows))
        self.values, self.is_exact = self.solve(every, steps)

    def solve(
        self, chosen: NDArray[np.int64], steps: Steps
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Coefficients of some blocks with these steps, and which of the blocks come out."""
        levels, is_exact = solve_listed_blocks(self.view, self.at(chosen), steps, MAX_TRIES)
        values = levels * steps
        rest = np.flatnonzero(~is_exact & ~self.is_clear[chosen])[:MAX_BLOCKS]
        if len(rest):
            sizes = self.sizes(steps, np.zeros(N_COEFFICIENTS, np.bool_))
            levels, is_exact[rest] = solve_doubtful_blocks(
                self.view, self.at(chosen[rest]), steps, sizes
            )
            values[rest] = levels * steps
        return values, is_exact

    def at(self, chosen: NDArray[np.int64]) -> Where:
        """Rows and columns of blocks."""
        return self.where[0][chosen], self.where[1][chosen]

    def sizes(self, steps: Steps, is_open: NDArray[np.bool_]) -> Sizes:
        """How large levels usually are; anything at open frequencies."""
        sizes = Sizes.of(self.values[self.is_exact] // steps, steps)
        deviation = np.where(is_open, OPEN_SIZE * self.steps, sizes.deviation)
        return Sizes(deviation=np.maximum(deviation, sizes.deviation))

    def improve(self, n_uses: int, *, with_suspects: bool) -> None:
        """Change the steps that no more explained blocks use, if more are explained then."""
        left = np.flatnonzero(~self.is_exact)[:MAX_BLOCKS]
        uses: NDArray[np.int64] = (self.values[self.is_exact] != 0).sum(axis=0)
        is_open = np.array(uses <= n_uses)
        if with_suspects:
            is_open |= self.suspects(left)
        is_open[0] = False
        if not len(left) or not is_open.any():
            return
        measured = self.measured(left, is_open)
        if not len(measured.chosen):
            return
        known = self.explained(is_open)
        fits = step_likelihoods(
            np.concatenate([measured.coefficients, known.coefficients])[:, is_open],
            np.concatenate([measured.inflation, known.inflation]),
            has_means=False,
        )[:, 1:]
        fits -= UNLIKE_COST * np.abs(np.log(np.arange(1, MAX_STEP + 1) / self.steps[is_open, None]))
        best = self.steps.copy()
        best[is_open] = fits.argmax(axis=1) + 1
        is_used = (np.rint(measured.coefficients / best) != 0).any(axis=0) & is_open
        best[~is_used] = self.steps[~is_used]
        self.accept(best, left)
        rows = np.flatnonzero(is_used[is_open])
        loss = fits[rows].max(axis=1)[:, None] - fits[rows]
        order = np.argsort(loss.reshape(-1), kind="stable")[: MAX_OTHERS + len(rows)]
        frequencies = np.flatnonzero(is_used)
        for row, step in zip(*np.divmod(order, MAX_STEP), strict=True):
            j = frequencies[row]
            if loss[row, step] > MOST_LOSS or self.is_exact.all():
                break
            uses_it = np.abs(measured.coefficients[:, j]) > (step + 1) / 2
            blocks = measured.chosen[uses_it & ~self.is_exact[measured.chosen]]
            if step + 1 != best[j] and len(blocks):
                other = best.copy()
                other[j] = step + 1
                if self.accept(other, blocks, float(loss[row, step]) / MAX_LOSS):
                    best = other

    def suspects(self, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Frequencies of which a coefficient of some blocks is far from a multiple."""
        clear = chosen[self.is_clear[chosen]]
        coefficients, inflation = self.view.measured(self.at(clear))
        error = np.abs(coefficients - self.steps * np.rint(coefficients / self.steps))
        limit = FAR * np.sqrt(ROUNDING_VARIANCE * inflation[:, None])
        return np.asarray((error > limit).any(axis=0))

    def explained(self, is_open: NDArray[np.bool_]) -> _Measured:
        """Coefficients of the explained blocks that use open steps."""
        uses = (self.values[:, is_open] != 0).any(axis=1)
        chosen = np.flatnonzero(self.is_exact & uses)[:MAX_EXPLAINED]
        coefficients, inflation = self.view.measured(self.at(chosen))
        doubtful = ~self.is_clear[chosen]
        coefficients[doubtful], inflation[doubtful] = self.values[chosen[doubtful]], 1.0
        return _Measured(chosen, coefficients, inflation)

    def measured(self, chosen: NDArray[np.int64], is_open: NDArray[np.bool_]) -> _Measured:
        """Coefficients of those of some blocks of which they are known but for open steps."""
        coefficients, inflation = self.view.measured(self.at(chosen))
        is_told = self.is_clear[chosen].copy()
        is_left = ~is_told | (len(chosen) <= FEW_LEFT)
        limits = NOTICED * np.sqrt(ROUNDING_VARIANCE * inflation) + LEAST_NOTICED
        for few in (True, False):
            # Each open step less makes the search shorter.
            for k in np.flatnonzero(is_left if few else is_left & ~is_told).tolist():
                own = is_open & (np.abs(coefficients[k]) > limits[k]) if few else is_open
                if is_told[k]:
                    own &= self.steps >= LEAST_COARSE
                steps = np.where(own, 1, self.steps)
                where = self.at(chosen[k : k + 1])
                levels, is_exact = solve_doubtful_blocks(
                    self.view, where, steps, self.sizes(steps, own)
                )
                if is_exact[0]:
                    coefficients[k], inflation[k] = levels[0] * steps, DOUBT
                    is_told[k], is_left[k] = True, False
        return _Measured(chosen[is_told], coefficients[is_told], inflation[is_told])

    def accept(self, steps: Steps, left: NDArray[np.int64], n_more: float = 0.0) -> bool:
        """Take these steps if they explain more blocks, of those left and those that use them.

        By at least so many.
        """
        is_changed = steps != self.steps
        if not is_changed.any():
            return False
        misfits = (self.values % steps != 0)[:, is_changed].any(axis=1) & self.is_exact
        values, is_exact = self.solve(left, steps)
        if is_exact.sum() <= n_more:
            return False
        # Where the values are multiples of the new steps too, nothing has changed.
        again = np.flatnonzero(misfits)
        lost_values, lost_exact = self.solve(again, steps)
        if is_exact.sum() + lost_exact.sum() <= len(again) + n_more:
            return False
        self.steps = steps
        self.values[left], self.is_exact[left] = values, is_exact
        self.values[again], self.is_exact[again] = lost_values, lost_exact
        return True
