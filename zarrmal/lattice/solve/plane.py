"""All blocks of one plane, whole ones first; cut ones with what is known of their neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..series import Steps
from .blocks import Where
from .cut import EFFORTS, Seen, Sizes, solve_cut_blocks
from .dct import N_COEFFICIENTS
from .rings import KnownSamples
from .taps import RINGED, taps_of
from .views import PlaneView
from .whole import solve_whole_blocks

MAX_SHARE_WRONG = 0.125
"""Blocks that miss more of their visible pixels are not taken."""

HARD_BLOCKS = 8
"""Blocks on which all efforts may be spent, besides a fortieth of all: the time for a cell is
bounded by work, not by a clock, so that the same cells give the same bytes."""

TRIAL_TRIES = 120
"""Sets of changes tried for a block that only tells whether an assumption is right."""

DOUBTFUL_EFFORTS = 4
"""Of those on cut blocks, so many are spent on a block that only tells steps."""

AGAIN_EFFORTS = 4
"""The same for a block that was solved before."""

LEAST_EFFORTS = 2
"""The same for blocks after HARD_BLOCKS."""

N_ROUNDS = 2
"""Times that blocks which do not fit together are solved again."""


def solve_listed_blocks(
    view: PlaneView, where: Where, steps: Steps, max_tries: int
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Coefficients of whole blocks at these rows and columns, and whether they are exact.

    Each sample is then within its bounds; pixels between the samples of two blocks are not checked.
    """
    if not len(where[0]):
        return np.zeros((0, N_COEFFICIENTS), np.int16), np.zeros(0, np.bool_)
    return solve_whole_blocks(view.low[where], view.high[where], steps, max_tries)


def solve_doubtful_blocks(
    view: PlaneView, where: Where, steps: Steps, sizes: Sizes
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """The same of blocks with samples that are clamped, or known within bounds only."""
    low, high = view.low[where], view.high[where]
    levels, n_wrong = solve_cut_blocks(
        Seen(
            low=low,
            high=high,
            likely_low=view.likely_low[where],
            likely_high=view.likely_high[where],
            pixel_low=low,
            pixel_high=high,
            known=np.ones(low.shape, np.bool_),
            rings=np.full((len(low), RINGED * RINGED), -1, np.int32),
        ),
        steps,
        sizes,
        taps_of((1, 1), fancy=False),
        DOUBTFUL_EFFORTS,
    )
    return levels, n_wrong == 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SolvedPlane:
    """Coefficients of a plane.

    Attributes
    ----------
    levels
        int16 (row, column, 64).
    is_known
        bool (row, column): blocks with coefficients.
    n_wrong
        int64 (row, column): visible pixels that they do not give.
    """

    levels: NDArray[np.int16]
    is_known: NDArray[np.bool_]
    n_wrong: NDArray[np.int64]


def solve_plane(
    view: PlaneView, steps: Steps, *, least_visible: float, max_tries: int
) -> SolvedPlane:
    """Coefficients of all blocks of a plane of which at least this share is visible."""
    return _Plane(view, steps).solve(least_visible, max_tries)


class _Plane:
    """What ``solve_plane`` goes through."""

    def __init__(self, view: PlaneView, steps: Steps) -> None:
        self.view, self.steps = view, steps
        shape = view.blocks.n_known.shape
        self.levels = np.zeros((*shape, N_COEFFICIENTS), np.int16)
        self.is_known = np.zeros(shape, np.bool_)
        self.n_wrong = np.zeros(shape, np.int64)
        self.known = KnownSamples(view, steps)
        self.sizes = Sizes.of(self.levels[:0, 0], steps)
        self.n_hard = HARD_BLOCKS + self.is_known.size // 40

    def solve(self, least_visible: float, max_tries: int) -> SolvedPlane:
        """Whole blocks, then cut ones, then those that do not fit together."""
        blocks = self.view.blocks
        whole = _at(np.flatnonzero(blocks.is_whole), blocks.n_known.shape)
        found, is_exact = solve_listed_blocks(self.view, whole, self.steps, max_tries)
        self.sizes = Sizes.of(found[is_exact], self.steps)
        where = whole[0][is_exact], whole[1][is_exact]
        self.levels[where], self.is_known[where] = found[is_exact], True
        self.known.fill(self.levels, where)
        enough = max(1, least_visible * blocks.known.shape[2])
        rest = np.flatnonzero((~self.is_known & (blocks.n_known >= enough)).reshape(-1))
        rest = rest[np.argsort(-blocks.n_known.reshape(-1)[rest], kind="stable")]
        for start in range(0, len(rest), HARD_BLOCKS):
            self.solve_cut(_at(rest[start : start + HARD_BLOCKS], blocks.n_known.shape))
        if self.view.taps.shift:
            self.fit_together()
        return SolvedPlane(levels=self.levels, is_known=self.is_known, n_wrong=self.n_wrong)

    def solve_cut(self, where: Where, n_efforts: int = len(EFFORTS)) -> None:
        """Solve some blocks, and take what is better than before."""
        view, blocks = self.view, self.view.blocks
        is_plain = view.taps.shift == 0
        pixels = (view.low, view.high) if is_plain else (blocks.low, blocks.high)
        new, wrong = solve_cut_blocks(
            Seen(
                low=view.low[where],
                high=view.high[where],
                likely_low=view.likely_low[where],
                likely_high=view.likely_high[where],
                pixel_low=pixels[0][where].astype(np.int32),
                pixel_high=pixels[1][where].astype(np.int32),
                known=blocks.known[where],
                rings=self.known.rings(where),
            ),
            self.steps,
            self.sizes,
            view.taps,
            n_efforts if self.n_hard > 0 else LEAST_EFFORTS,
        )
        self.n_hard -= int((wrong > 0).sum())
        taken = wrong <= MAX_SHARE_WRONG * blocks.n_known[where]
        taken &= ~self.is_known[where] | (wrong < self.n_wrong[where])
        where = where[0][taken], where[1][taken]
        self.levels[where], self.n_wrong[where] = new[taken], wrong[taken]
        self.is_known[where] = True
        self.known.fill(self.levels, where)

    def fit_together(self) -> None:
        """Solve blocks again that do not give all pixels.

        They were solved before all their neighbours were known. Of two that do not fit together
        either may be wrong: both are forgotten until they are solved again, in another order.
        """
        for number in range(N_ROUNDS + 1):
            known = _at(np.flatnonzero(self.is_known), self.is_known.shape)
            self.n_wrong[known] = self.known.n_wrong(known)
            suspects = np.flatnonzero(self.n_wrong.reshape(-1))
            if not len(suspects) or number == N_ROUNDS:
                break
            self.known.clear(_at(suspects, self.is_known.shape))
            for block in suspects[:: -1 if number % 2 else 1]:
                where = _at(np.array([block]), self.is_known.shape)
                self.solve_cut(where, AGAIN_EFFORTS)
                self.known.fill(self.levels, where)


def _at(numbers: NDArray[np.integer], shape: tuple[int, ...]) -> Where:
    rows, columns = np.divmod(numbers.astype(np.int64), shape[1])
    return rows, columns
