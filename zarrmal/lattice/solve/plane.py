"""All blocks of one plane, whole ones first; cut ones with what is known of their neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.upsampling import Ratio

from ..preimage import Planes
from ..tables import Steps
from .blocks import Phase, PlaneBlocks, cut_into_blocks
from .cut import EFFORTS, Sizes, solve_cut_blocks
from .dct import BASIS, BLOCK, N_COEFFICIENTS, Float, inverse_dct_of
from .samples import estimate_samples
from .taps import RINGED, Taps, taps_of
from .whole import solve_whole_blocks

MIN_SHARE_KNOWN = 0.4375
"""Blocks of which less is visible cost fewer bits pixel by pixel than as coefficients."""

MAX_SHARE_WRONG = 0.125
"""Blocks that miss more of their visible pixels are not taken."""

HARD_BLOCKS = 24
"""Blocks on which all efforts may be spent, besides a twentieth of all: the time for a cell is
bounded by work, not by a clock, so that the same cells give the same bytes."""

TRIAL_TRIES = 400
"""Sets of changes tried for a block that only tells whether an assumption is right."""

Where = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Rows and columns of some blocks."""


N_ROUNDS = 2
"""Times that blocks which do not fit together are solved again."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaneView:
    """A plane of a cell under an assumption on its sampling and grid.

    Attributes
    ----------
    blocks
        What is seen of each block.
    taps
        How pixels come from samples.
    estimate
        float64 (8 row, 8 column): estimates of samples.
    is_firm
        bool, of the same shape: all pixels nearest to the sample are known.
    """

    blocks: PlaneBlocks
    taps: Taps
    estimate: Float
    is_firm: NDArray[np.bool_]

    @property
    def estimated_blocks(self) -> Float:
        """The estimate, block by block (row, column, 64)."""
        rows, columns = self.blocks.n_known.shape
        square = self.estimate.reshape(rows, BLOCK, columns, BLOCK).transpose(0, 2, 1, 3)
        return square.reshape(rows, columns, N_COEFFICIENTS)


class CellViews:
    """Views of the planes of one cell; what several have in common is computed once.

    Parameters
    ----------
    planes
        Of the cell.
    """

    def __init__(self, planes: Planes) -> None:
        self.planes = planes
        self._views: dict[tuple[object, ...], PlaneView] = {}

    def of(self, plane: int, ratio: Ratio, phase: Phase, *, fancy: bool) -> PlaneView:
        """A plane with the first pixel at this row and column of its group of blocks."""
        key = plane, ratio, phase, fancy
        if key in self._views:
            return self._views[key]
        blocks = cut_into_blocks(self.planes, plane, ratio, phase)
        # In another block of the group the samples lie alike, some blocks further.
        near = phase[0] % BLOCK, phase[1] % BLOCK
        if near == phase:
            low, high = _plane(blocks.low, ratio), _plane(blocks.high, ratio)
            known = _plane(blocks.known, ratio)
            estimate, is_firm = estimate_samples(low, high, known, ratio, fancy=fancy)
        else:
            first = self._views.get((plane, ratio, near, fancy))
            first = self.of(plane, ratio, near, fancy=fancy) if first is None else first
            moved = [(p - n) // r for p, n, r in zip(phase, near, ratio, strict=True)]
            shape = tuple(BLOCK * count for count in blocks.known.shape[:2])
            estimate, is_firm = np.full(shape, 128.0), np.zeros(shape, np.bool_)
            rows = min(first.estimate.shape[0], shape[0] - moved[0])
            columns = min(first.estimate.shape[1], shape[1] - moved[1])
            area = slice(moved[0], moved[0] + rows), slice(moved[1], moved[1] + columns)
            estimate[area] = first.estimate[:rows, :columns]
            is_firm[area] = first.is_firm[:rows, :columns]
        view = PlaneView(
            blocks=blocks, taps=taps_of(ratio, fancy=fancy), estimate=estimate, is_firm=is_firm
        )
        self._views[key] = view
        return view


def _at(numbers: NDArray[np.integer], shape: tuple[int, ...]) -> Where:
    rows, columns = np.divmod(numbers.astype(np.int64), shape[1])
    return rows, columns


def _where(marked: NDArray[np.bool_]) -> Where:
    return _at(np.flatnonzero(marked), marked.shape)


Item = TypeVar("Item", bound=np.generic)


def _plane(blocks: NDArray[Item], ratio: Ratio) -> NDArray[Item]:
    """Blocks (row, column, pixel) laid out as one plane."""
    rows, columns = blocks.shape[:2]
    sides = [BLOCK * side for side in ratio]
    square = blocks.reshape(rows, columns, *sides).transpose(0, 2, 1, 3)
    return square.reshape(rows * sides[0], columns * sides[1])


def solve_listed_blocks(
    view: PlaneView,
    where: Where,
    steps: Steps,
    sizes: Sizes,
    max_tries: int,
    n_efforts: int,
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Coefficients of whole blocks at these rows and columns, and whether they are exact.

    Neighbouring blocks take part as the view's estimate has them.
    """
    if not len(where[0]):
        return np.zeros((0, N_COEFFICIENTS), np.int16), np.zeros(0, np.bool_)
    low, high = view.blocks.low[where], view.blocks.high[where]
    if view.taps.shift == 0:
        low = _of_samples(low, view.taps).max(axis=2)
        high = _of_samples(high, view.taps).min(axis=2)
        consistent = (low <= high).all(axis=1)
        levels, is_exact = solve_whole_blocks(low, np.maximum(low, high), steps, max_tries)
        return levels, is_exact & consistent
    hard, soft = _ring_planes(view)
    rings, guesses = _rings(hard, where), _rings(soft, where)
    levels, n_wrong = solve_cut_blocks(
        low, high, view.blocks.known[where], rings, guesses, steps, sizes, view.taps, n_efforts
    )
    return levels, n_wrong == 0


def _of_samples(pixels: NDArray[np.uint8], taps: Taps) -> NDArray[np.uint8]:
    """Pixels of blocks (block, pixel) by the sample that is repeated in them (block, 64, n)."""
    down, across = taps.ratio
    square = pixels.reshape(-1, BLOCK, down, BLOCK, across).transpose(0, 1, 3, 2, 4)
    return square.reshape(-1, N_COEFFICIENTS, down * across)


def _ring_planes(view: PlaneView) -> tuple[NDArray[np.int64], Float]:
    """Samples with one more on each side: -1, not known; and estimates, NaN where not firm."""
    shape = tuple(side + 2 for side in view.estimate.shape)
    hard, soft = np.full(shape, -1, np.int64), np.full(shape, np.nan)
    soft[1:-1, 1:-1] = np.where(view.is_firm, view.estimate, np.nan)
    return hard, soft


_RING = np.divmod(np.arange(RINGED * RINGED), RINGED)


def _rings(values: NDArray[Item], where: Where) -> NDArray[Item]:
    """The ringed blocks (block, 100) at these rows and columns of blocks."""
    rows = BLOCK * where[0][:, None] + _RING[0]
    columns = BLOCK * where[1][:, None] + _RING[1]
    return values[rows, columns]


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


def solve_plane(view: PlaneView, steps: Steps, *, max_tries: int) -> SolvedPlane:
    """Coefficients of all blocks of a plane of which enough is visible."""
    blocks, taps = view.blocks, view.taps
    shape = blocks.n_known.shape
    levels = np.zeros((*shape, N_COEFFICIENTS), np.int16)
    is_known = np.zeros(shape, np.bool_)
    n_wrong = np.zeros(shape, np.int64)
    whole = _where(blocks.is_whole)
    sizes = Sizes.of(levels[:0, 0], steps)
    if taps.shift:
        estimated = np.rint(_transformed(view.estimated_blocks[whole]) / steps)
        sizes = Sizes.of(estimated, steps)
    found, is_exact = solve_listed_blocks(view, whole, steps, sizes, max_tries, 1)
    levels[whole] = found * is_exact[:, None]
    is_known[whole] = is_exact
    sizes = Sizes.of(found[is_exact], steps)
    hard, soft = _ring_planes(view)
    _fill(hard, levels, _where(is_known), steps)

    enough = MIN_SHARE_KNOWN * blocks.known.shape[2]
    rest = np.flatnonzero((~is_known & (blocks.n_known >= enough)).reshape(-1))
    rest = rest[np.argsort(-blocks.n_known.reshape(-1)[rest], kind="stable")]
    n_hard = HARD_BLOCKS + is_known.size // 20

    def solve_again(where: Where, n_efforts: int = len(EFFORTS)) -> None:
        nonlocal n_hard
        new, wrong = solve_cut_blocks(
            blocks.low[where], blocks.high[where], blocks.known[where], _rings(hard, where),
            _rings(soft, where), steps, sizes, taps, n_efforts if n_hard > 0 else 1,
        )  # fmt: skip
        n_hard -= int((wrong > 0).sum())
        n_known = blocks.n_known[where]
        taken = (wrong <= MAX_SHARE_WRONG * n_known) & (~is_known[where] | (wrong < n_wrong[where]))
        where = where[0][taken], where[1][taken]
        levels[where], n_wrong[where], is_known[where] = new[taken], wrong[taken], True
        _fill(hard, levels, where, steps)

    if taps.shift == 0:
        for start in range(0, len(rest), HARD_BLOCKS):
            solve_again(_at(rest[start : start + HARD_BLOCKS], shape))
        return SolvedPlane(levels=levels, is_known=is_known, n_wrong=n_wrong)
    # Four groups, in each of which no two blocks are neighbours.
    group = 2 * (rest // shape[1] % 2) + rest % shape[1] % 2
    for number in range(4):
        solve_again(_at(rest[group == number], shape))
    # Blocks were solved before all their neighbours were known. Of two that do not fit together
    # either may be wrong: both are only estimates until they are solved again, in another order.
    for number in range(N_ROUNDS + 1):
        known = _where(is_known)
        n_wrong[known] = wrong_pixels(view, levels, known, hard, steps)
        suspects = np.flatnonzero(n_wrong.reshape(-1))
        if not len(suspects) or number == N_ROUNDS:
            break
        _clear(hard, _at(suspects, shape))
        for block in suspects[:: -1 if number % 2 else 1]:
            where = _at(np.array([block]), shape)
            solve_again(where, len(EFFORTS) - 1)
            _fill(hard, levels, where, steps)
    return SolvedPlane(levels=levels, is_known=is_known, n_wrong=n_wrong)


def wrong_pixels(
    view: PlaneView,
    levels: NDArray[np.int16],
    where: Where,
    hard: NDArray[np.int64],
    steps: Steps,
) -> NDArray[np.int64]:
    """Visible pixels that blocks do not give, of those whose samples are all known; (block,)."""
    taps, blocks = view.taps, view.blocks
    rings = _rings(hard, where).astype(np.int64)
    samples = rings[:, taps.index]
    complete = ((samples >= 0) | (taps.weight == 0)).all(axis=2)
    pixels = ((samples * taps.weight).sum(axis=2) + taps.offset) >> taps.shift
    outside = (pixels < blocks.low[where]) | (pixels > blocks.high[where])
    count: NDArray[np.int64] = (outside & complete & blocks.known[where]).sum(axis=1)
    return count


def _fill(
    hard: NDArray[np.int64],
    levels: NDArray[np.int16],
    where: Where,
    steps: Steps,
) -> None:
    """Write the samples of blocks into the plane of known samples."""
    if len(where[0]):
        samples = inverse_dct_of(levels[where], steps).reshape(-1, BLOCK, BLOCK)
        for row, column, block in zip(*where, samples, strict=True):
            y, x = 1 + BLOCK * row, 1 + BLOCK * column
            hard[y : y + BLOCK, x : x + BLOCK] = block


def _clear(hard: NDArray[np.int64], where: Where) -> None:
    """Forget the samples of blocks."""
    for row, column in zip(*where, strict=True):
        y, x = 1 + BLOCK * row, 1 + BLOCK * column
        hard[y : y + BLOCK, x : x + BLOCK] = -1


def _transformed(blocks: Float) -> Float:
    return (blocks - 128) @ BASIS.T
