"""Steps of a table corrected by the blocks that they do not explain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .solve.dct import BLOCK, Float, forward_dct
from .solve.plane import TRIAL_TRIES, solve_listed_blocks
from .solve.views import PlaneView
from .tables import MAX_STEP, ROUNDING_VARIANCE, Steps, error_inflation

MAX_TRIALS = 24
SUSPECT_ERROR = 2.0
FARTHEST_ERROR = 5.0
"""Standard deviations of a coefficient from a multiple of its step."""

MAX_REPAIR_BLOCKS = 256
"""Blocks with which a change is tried."""

MOST_FREE = 8
"""With more doubtful frequencies a block tells nothing."""

LEAST_PARTS, SMALLEST_PART = 3, 3

RARE_USES = 3
"""A step that no more blocks use is known by few measurements."""


def repaired_steps(view: PlaneView, steps: Steps) -> Steps:
    """Steps corrected by the blocks that they do not explain.

    A step that few blocks use may be off by one, and one estimated from many even levels is twice
    the true one until a block with an odd level is looked at. A change is kept if it explains more
    blocks.
    """
    return _Repair(view, steps).run()


class _Repair:
    """What ``repaired_steps`` goes through."""

    def __init__(self, view: PlaneView, steps: Steps) -> None:
        self.view, self.steps = view, steps
        self.rows, self.columns = np.nonzero(view.is_clear)
        samples = view.middles[self.rows, self.columns]
        self.coefficients = forward_dct(samples)
        self.deviation = np.sqrt(error_inflation(samples)[:, None] * ROUNDING_VARIANCE)
        self.is_exact = self.solve(steps, np.arange(len(self.rows)))[1]

    def solve(
        self, steps: Steps, chosen: NDArray[np.int64]
    ) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
        """Some of the blocks, with these steps."""
        where = self.rows[chosen], self.columns[chosen]
        return solve_listed_blocks(self.view, where, steps, TRIAL_TRIES)

    def accept(self, steps: Steps, changed: NDArray[np.bool_]) -> bool:
        """Take these steps if they explain more blocks.

        `changed` are the frequencies at which they differ; blocks that are 0 there stay as they
        are.
        """
        uses = (np.abs(self.coefficients) > SUSPECT_ERROR * self.deviation)[:, changed].any(axis=1)
        chosen = np.flatnonzero(uses & self.is_exact)[:MAX_REPAIR_BLOCKS]
        chosen = np.concatenate([chosen, np.flatnonzero(~self.is_exact)[:MAX_REPAIR_BLOCKS]])
        is_exact = self.solve(steps, chosen)[1]
        if is_exact.sum() <= self.is_exact[chosen].sum():
            return False
        self.steps = steps
        self.is_exact[chosen] = is_exact
        return True

    def run(self) -> Steps:
        """The corrected steps."""
        for block in np.flatnonzero(~self.is_exact)[:MAX_TRIALS].tolist():
            if not self.is_exact[block]:
                self.free_rare_steps(block)
        for _ in range(MAX_TRIALS):
            if self.is_exact.all() or not self.change_one_step():
                break
        return self.steps

    def free_rare_steps(self, block: int) -> None:
        """Solve a block as if its doubtful frequencies had steps of 1: the values tell the steps.

        Doubtful are those that few blocks use, and those at which the block is far from a multiple.
        """
        levels = np.rint(self.coefficients / self.steps)
        is_rare = (levels[block] != 0) & ((levels != 0).sum(axis=0) <= RARE_USES)
        error = np.abs(self.coefficients[block] - self.steps * levels[block])
        is_far = ~is_rare & (error > SUSPECT_ERROR * self.deviation[block])
        is_free = is_rare | is_far
        if not is_free.any() or is_free.sum() > MOST_FREE:
            return
        found, is_exact = self.solve(np.where(is_free, 1, self.steps), np.array([block]))
        if not is_exact[0]:
            return
        values = np.abs(found[0].astype(np.int64))
        multiple = np.maximum(np.abs(levels[block]), 1)
        common = np.gcd(values, self.steps)
        # A half or a third of a step; a step of 1 would explain anything.
        is_part = (LEAST_PARTS * common >= self.steps) & (common >= SMALLEST_PART)
        if not is_part[is_far].all():
            return
        steps = np.where(is_rare, np.rint(values / multiple), common)
        steps = np.where(is_free & (values > 0), steps, self.steps).astype(np.int64)
        self.accept(np.clip(steps, 1, MAX_STEP), is_free)

    def change_one_step(self) -> bool:
        """Change the most suspicious step that can be improved; whether there was one."""
        error = np.abs(self.coefficients - self.steps * np.rint(self.coefficients / self.steps))
        is_far = error[~self.is_exact] > SUSPECT_ERROR * self.deviation[~self.is_exact]
        suspicion = is_far.sum(axis=0)
        suspects = np.argsort(-suspicion, kind="stable")[: min(8, int((suspicion > 0).sum()))]
        for j in suspects.tolist():
            uses = np.abs(self.coefficients[:, j]) > SUSPECT_ERROR * self.deviation[:, 0]
            values, deviation = self.coefficients[uses, j], self.deviation[uses]
            for step in _other_steps(values, deviation, int(self.steps[j])):
                trial = self.steps.copy()
                trial[j] = step
                if self.accept(trial, np.arange(BLOCK * BLOCK) == j):
                    return True
        return False


def _other_steps(values: Float, deviation: Float, step: int) -> list[int]:
    """Steps to try instead of one: the greatest that all are near, its parts, and neighbours."""
    steps = np.arange(1, MAX_STEP + 1)
    away = np.abs(values[:, None] - steps * np.rint(values[:, None] / steps))
    is_near = (away <= np.minimum(FARTHEST_ERROR * deviation, steps / 4)).all(axis=0)
    common = steps[is_near][-1:].tolist()
    tried = dict.fromkeys([*common, step // 2, (step + 1) // 2, step // 3, step + 1, step - 1])
    return [s for s in tried if s != step and 0 < s <= MAX_STEP]
