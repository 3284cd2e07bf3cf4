"""Steps of a table corrected by the blocks that they do not explain.

A step that few blocks use is known by few measurements, and may be off by one. One estimated from
many even levels is twice the true one until a block with an odd level is looked at.
"""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from .solve.dct import N_COEFFICIENTS, Float
from .solve.plane import solve_listed_blocks
from .solve.views import PlaneView
from .tables import MAX_STEP, ROUNDING_VARIANCE, SERIES, Steps
from .told import told_steps

N_QUALITIES = 100
"""Of each kind of table in SERIES."""

MAX_BLOCKS = 12
"""Unexplained blocks that are looked at."""

MAX_RARE_BLOCKS = 64
"""The same for steps that few blocks use."""

MAX_TRIES = 400
"""Sets of changes tried for a block."""

MAX_SOLVED = 1500
"""Blocks that are solved for all trials of a plane; bounds the time."""

MAX_CHECKED = 256
"""Explained blocks with which a change is checked."""

MOST_DOUBT = 256
"""Blocks with more clamped pixels are not looked at: sum of the widths of their samples' bounds."""

FAR = 2.5
"""Standard deviations of a coefficient from a multiple of its step beyond which that is suspect."""

FARTHEST = 5.0
"""Standard deviations within which all coefficients are of a multiple of the true step."""

RARE_USES = 3
"""A step that no more blocks use is suspect too."""

MAX_CHANGES = 24
"""Steps that are changed one by one."""

MAX_REACH = 4
"""Integers on each side of what was measured that a coefficient may be."""

RARE_GAIN = 1e6
MAX_SINGLES, MAX_PAIRED = 96, 16
MAX_TRIALS = 240
"""Sets of values that are tried for a block, of which so many are of one frequency."""

BITS_OF_MOVE, BITS_OF_CHOICE = 9.0, 7.0
"""Minus log2 of the chance that a block stays the same with a coefficient's value changed by 1 (for
each of 64 samples, by how much it moves), and log2 of the values that are tried."""

BITS_UNLIKE = 2.0
"""By how much a step is less likely for each factor of 2 to or from what it was."""

BLOCKS_A_STEP = 2
"""So many blocks each step must explain by which a table differs from a standard one."""

LEAST_PARTS, SMALLEST_PART = 3, 3
"""A step that many blocks use becomes a half or a third; a step of 1 would explain anything."""


def repaired_steps(view: PlaneView, steps: Steps) -> Steps:
    """Steps corrected by the blocks that they do not explain.

    Of such a block the suspect coefficients are taken to be other integers, near what was measured,
    until the block comes out exactly. The steps that these values need are kept if they explain
    more blocks.
    """
    return _Repair(view, told_steps(view, steps)).run()


def improved_standard(view: PlaneView, steps: Steps) -> Steps:
    """A table that explains more blocks than this standard one, if there is one nearby.

    First the standard table of another quality: few steps differ between neighbours, and a small
    cell uses few of them. Then one with a few other steps, each of which must explain some blocks.
    """
    repair = _Repair(view, steps)
    (equal,) = np.nonzero((steps == SERIES).all(axis=1))
    if len(equal):
        kind, quality = divmod(int(equal[-1]), N_QUALITIES)
        for other in (quality + 1, quality - 1):
            if 0 <= other < N_QUALITIES and not repair.is_exact.all():
                table = SERIES[N_QUALITIES * kind + other].copy()
                repair.accept(table, np.flatnonzero(table != repair.steps))
    standard, n_exact = repair.steps, repair.is_exact.sum()
    repaired = repair.run()
    n_changed = (repaired != standard).sum()
    return repaired if repair.is_exact.sum() >= n_exact + BLOCKS_A_STEP * n_changed else standard


class _Repair:
    """What ``repaired_steps`` goes through."""

    def __init__(self, view: PlaneView, steps: Steps) -> None:
        self.view, self.steps = view, steps
        self.rows, self.columns = np.nonzero(view.blocks.is_whole & (view.doubt <= MOST_DOUBT))
        self.coefficients, inflation = view.measured((self.rows, self.columns))
        self.deviation = np.sqrt(inflation * ROUNDING_VARIANCE)
        self.n_left = MAX_SOLVED + len(self.rows)
        self.is_exact = self.solve(steps, np.arange(len(self.rows)))[1]

    def solve(
        self, steps: Steps, chosen: NDArray[np.int64]
    ) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
        """Levels of some blocks with these steps, and which of the blocks come out."""
        self.n_left -= len(chosen)
        where = self.rows[chosen], self.columns[chosen]
        return solve_listed_blocks(self.view, where, steps, MAX_TRIES)

    def run(self) -> Steps:
        """The corrected steps.

        First single steps, which takes least work; sets of values where those do not help.
        """
        self.change_steps()
        for most_blocks, only_rare in ((MAX_RARE_BLOCKS, True), (MAX_BLOCKS, False)):
            for block in np.flatnonzero(~self.is_exact)[:most_blocks].tolist():
                if not self.is_exact[block] and self.n_left > 0:
                    self.repair(block, only_rare=only_rare)
        self.change_steps()
        return self.steps

    def change_steps(self) -> None:
        """Change single steps while that explains more blocks."""
        for _ in range(MAX_CHANGES):
            if self.is_exact.all() or self.n_left <= 0 or not self.change_one_step():
                break

    def repair(self, block: int, *, only_rare: bool) -> None:
        """Change the steps so that they explain a block, if that explains more of all.

        Only steps that few blocks use, or any.
        """
        sets = self.sets_of_values(block)[:MAX_TRIALS]
        if only_rare:
            is_used = np.rint(self.coefficients[block] / self.steps) != 0
            is_rare = is_used & (self.n_uses <= RARE_USES)
            sets = [pair for pair in sets if is_rare[pair[0]].all()]
        for changed, values in sets:
            steps = self.steps.copy()
            # A step as large as the value gives it, and a huge one gives 0.
            steps[changed] = np.where(values != 0, np.abs(values), 8 * MAX_STEP)
            if not self.solve(steps, np.array([block]))[1][0]:
                continue
            choices = [
                _steps_with(int(self.steps[j]), int(value), rare=bool(self.n_uses[j] <= RARE_USES))
                for j, value in zip(changed, values, strict=True)
            ]
            for chosen in product(*choices):
                steps = self.steps.copy()
                steps[changed] = chosen
                if self.accept(steps, changed):
                    return

    def sets_of_values(self, block: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Frequencies and integers that their coefficients may be, the likeliest first.

        One frequency alone: those that few blocks use, then by how much nearer the values are to
        what was measured than multiples of the steps are. Then pairs of the first, and
        three that are far from multiples of their steps.
        """
        measured = self.coefficients[block]
        levels = np.rint(measured / self.steps)
        error = (measured - self.steps * levels) ** 2
        reach = min(MAX_REACH, int(np.ceil(FAR * self.deviation[block])))
        values = np.rint(measured)[:, None] + np.arange(-reach, reach + 1)
        gain = error[:, None] - (values - measured[:, None]) ** 2
        gain[values % self.steps[:, None] == 0] = -np.inf
        is_rare = (self.n_uses <= RARE_USES) & (levels != 0)
        order = np.argsort(-(gain + RARE_GAIN * is_rare[:, None]).reshape(-1), kind="stable")
        where, which = np.divmod(order[: np.isfinite(gain).sum()], values.shape[1])
        singles = [(int(j), int(values[j, k])) for j, k in zip(where, which, strict=True) if j > 0]
        sets = [(np.array([j]), np.array([v])) for j, v in singles[:MAX_SINGLES]]
        pairs = [
            (np.array([a, b]), np.array([v, w]))
            for (a, v), (b, w) in combinations(singles[:MAX_PAIRED], 2)
            if a != b
        ]
        best = values[np.arange(N_COEFFICIENTS), gain.argmax(axis=1)].astype(np.int64)
        three = np.argsort(-gain.max(axis=1), kind="stable")[:3]
        triples = [
            (three, best[three] + change)
            for change in np.array(sorted(product((-1, 0, 1), repeat=3), key=_size))
        ]
        return sets + pairs + triples

    @property
    def n_uses(self) -> NDArray[np.int64]:
        """In how many blocks each frequency is used."""
        count: NDArray[np.int64] = (np.rint(self.coefficients / self.steps) != 0).sum(axis=0)
        return count

    def change_one_step(self) -> bool:
        """Change the most suspicious step that can be improved; whether there was one."""
        error = np.abs(self.coefficients - self.steps * np.rint(self.coefficients / self.steps))
        deviation = self.deviation[:, None]
        suspicion = (error > 2 * deviation)[~self.is_exact].sum(axis=0)
        suspects = np.argsort(-suspicion, kind="stable")[: min(8, int((suspicion > 0).sum()))]
        for j in suspects.tolist():
            uses = np.abs(self.coefficients[:, j]) > 2 * self.deviation
            values = self.coefficients[uses, j, None]
            for step in _other_steps(values, deviation[uses], int(self.steps[j])):
                trial = self.steps.copy()
                trial[j] = step
                if self.accept(trial, np.array([j])):
                    return True
        return False

    def accept(self, steps: Steps, changed: NDArray[np.int64]) -> bool:
        """Take these steps if they explain more blocks; those that are 0 there stay as they are.

        A block with values that are multiples of the old steps too came out by luck: the search is
        bounded, and takes another way with other steps.
        """
        few = np.flatnonzero(~self.is_exact)[:MAX_BLOCKS]
        if not self.needs(steps, changed, *self.solve(steps, few)).any():
            return False
        sure = 2 * self.deviation[:, None]
        uses = (np.abs(self.coefficients[:, changed]) > sure).any(axis=1)
        chosen = np.flatnonzero(uses & self.is_exact)[:MAX_CHECKED]
        chosen = np.concatenate([chosen, np.flatnonzero(~self.is_exact)[:MAX_CHECKED]])
        levels, is_exact = self.solve(steps, chosen)
        was_exact = self.is_exact[chosen]
        is_new = self.needs(steps, changed, levels, is_exact) & ~was_exact
        if is_new.sum() <= (was_exact & ~is_exact).sum():
            return False
        is_kept = was_exact & is_exact
        if (steps[changed] % self.steps[changed]).any() and not self.is_likelier(
            steps, changed, levels, is_new, is_kept
        ):
            return False
        self.steps = steps
        self.is_exact[chosen] = is_exact
        return True

    def is_likelier(
        self,
        steps: Steps,
        changed: NDArray[np.int64],
        levels: NDArray[np.int16],
        is_new: NDArray[np.bool_],
        is_kept: NDArray[np.bool_],
    ) -> bool:
        """Whether what new steps explain outweighs that old ones explained the rest by chance.

        A value changed by 1 moves no sample by more than a quarter, and decodes to the same block
        now and then: so a step of 1 explains a block that the search does not solve otherwise.
        """
        new, old = steps[changed], self.steps[changed]
        values = levels[:, changed] * new
        moved = np.abs(values - old * np.rint(values / old)).max(axis=1)
        gain = (BITS_OF_MOVE * moved[is_new] ** 2 - BITS_OF_CHOICE).sum()
        n_kept = ((values != 0) & (values % old == 0))[is_kept].sum(axis=0)
        chance = 2 * np.log2(old // np.gcd(old, new)) * n_kept
        return bool(gain > (chance + BITS_UNLIKE * np.abs(np.log2(new / old))).sum())

    def needs(
        self,
        steps: Steps,
        changed: NDArray[np.int64],
        levels: NDArray[np.int16],
        is_exact: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """Which of the exact blocks the old steps can't explain; all, where the new are coarser."""
        new, old = steps[changed], self.steps[changed]
        if (new % old == 0).all():
            return is_exact
        needed: NDArray[np.bool_] = is_exact & (levels[:, changed] * new % old != 0).any(axis=1)
        return needed


def _size(change: tuple[int, ...]) -> int:
    return sum(map(abs, change))


def _steps_with(step: int, value: int, *, rare: bool) -> list[int]:
    """Steps of which a value is a multiple, to take instead of one."""
    if value == 0:
        # Nothing is said of the step, but that the value is less than half of it.
        return [step]
    size = abs(value)
    part = int(np.gcd(size, step))
    is_part = LEAST_PARTS * part >= step and part >= min(SMALLEST_PART, step)
    steps = [part] if is_part else []
    if rare:
        steps += [size // k for k in (1, 2, 3) if size % k == 0 and size // k <= MAX_STEP]
    return list(dict.fromkeys(steps)) or [step]


def _other_steps(values: Float, deviation: Float, step: int) -> list[int]:
    """Steps to try instead of one: the greatest that all are near, its parts, and neighbours."""
    steps = np.arange(1, MAX_STEP + 1)
    away = np.abs(values - steps * np.rint(values / steps))
    is_near = (away <= np.minimum(FARTHEST * deviation, steps / 4)).all(axis=0)
    common = steps[is_near][-1:].tolist()
    others = {step + 1, step - 1, (step + 1) // 2, step // 2, step // 3} - {step, *common}
    # A small step explains what a large one does.
    tried = [*common, *sorted(others, reverse=True)]
    return [s for s in tried if s != step and 0 < s <= MAX_STEP]
