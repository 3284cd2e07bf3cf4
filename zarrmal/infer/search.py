"""The mask of one cell: its size first, rows and columns in turn, then its points.

At the true size a mask explains the pixels at the edge far better than at any other, and at the
true number of rows somewhat better whatever the number of columns. So a sweep over the rows finds
their number, and then one over the columns theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .brightness import Field, brightness, surely_inside
from .fit import Fit, Points, axis, fit
from .rule import Rule

Size = tuple[int, int]
"""Rows and columns of lattice points."""

LEAST_BACKGROUND: Final = 1 / 32
"""Share of pixels that are 0 in a cell that is looked at."""
LEAST_INSIDE: Final = 1 / 16
"""Share of pixels that are surely inside."""

CONVINCING: Final = 0.85
"""Bits of the true size in those of the median one: a fit that is better ends the search."""

N_SWEEP_ROUNDS: Final = 2
N_ROUNDS: Final = 12
N_BRIGHTNESS: Final = 3
"""How often brightness and mask are found by each other in the end."""

N_AROUND: Final = 6
"""Sizes on either side that a size is compared with."""

N_TRIED: Final = 2
"""The best so many of a sweep are tried with sweeps of the other side."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inferred:
    """A mask of a cell.

    Parameters
    ----------
    points
        bool (row, column): lattice points.
    bits
        About how many errors and mask take.
    share
        These bits in those of the median of other sizes.
    """

    points: NDArray[np.bool_]
    bits: float
    share: float


def plane_of(cell: NDArray[np.uint8]) -> Field:
    """The mean of a cell's planes, float64 (y, x), of uint8 (y, x[, channel])."""
    plane: Field = cell.astype(np.float64)
    if cell.ndim == 3:
        plane = plane.sum(axis=2) / cell.shape[2]
    return plane


def may_have_mask(plane: Field) -> bool:
    """Whether there is background, and enough of the cell beside its edge."""
    n_background = int(np.count_nonzero(plane == 0))
    if n_background < LEAST_BACKGROUND * plane.size:
        return False
    return float(surely_inside(plane).sum()) >= LEAST_INSIDE * plane.size


def infer_mask(plane: Field, rule: Rule) -> Inferred | None:
    """The mask that explains a cell's edge best; None where there is nothing to go by.

    Parameters
    ----------
    plane
        float64 (y, x): see plane_of.
    """
    if min(plane.shape) < 2 or not may_have_mask(plane):
        return None
    sizes = _Sizes(plane, rule)
    found = sizes.best()
    result = sizes.fit(found, N_ROUNDS)
    for _ in range(N_BRIGHTNESS):
        sizes.bright = brightness(plane, result.covered, 1)
        result = sizes.fit(found, N_ROUNDS, points=result.points, pairs=True)
    return Inferred(
        points=result.points.astype(bool), bits=result.bits, share=sizes.share_of(found)
    )


class _Sizes:
    """Masks of many sizes, tried on one cell."""

    def __init__(self, plane: Field, rule: Rule) -> None:
        self._plane, self._rule = plane, rule
        self._bits: dict[Size, float] = {}
        self._typical: dict[int, float] = {}
        self.bright = brightness(plane, surely_inside(plane))
        middle = sum(rule.usual) // 2
        for _ in range(2):
            self.bright = brightness(plane, self.fit((middle, middle), N_SWEEP_ROUNDS).covered)

    def fit(
        self, size: Size, n_rounds: int, *, points: Points | None = None, pairs: bool = False
    ) -> Fit:
        """The best mask of a size."""
        down, across = (
            axis(n_pixels, n, self._rule.spacing, self._rule.resampling)
            for n_pixels, n in zip(self._plane.shape, size, strict=True)
        )
        return fit(
            self._plane, self.bright, down, across, n_rounds=n_rounds, points=points, pairs=pairs
        )

    def best(self) -> Size:
        """The size whose mask explains the cell best, as far as the search goes."""
        for limits in dict.fromkeys([self._rule.usual, self._rule.widest]):
            for size in self._candidates(limits):
                if self.share_of(size) < CONVINCING:
                    return self._among_neighbours(size)
        return self._among_neighbours(min(self._bits, key=self.share_of))

    def share_of(self, size: Size) -> float:
        """Bits of a size in those of masks of about as many rows."""
        nearest = min(self._typical, key=lambda n_rows: abs(n_rows - size[0]))
        return self._of(size) / self._typical[nearest]

    def _candidates(self, limits: tuple[int, int]) -> Iterator[Size]:
        """The best sizes of one sweep after another."""
        middle = sum(self._rule.usual) // 2
        rows = self._sweep(limits, middle, 0)
        yield min(self._sweep(limits, rows[0][0], 1)[:N_TRIED], key=self._of)
        columns = self._sweep(limits, middle, 1)
        for k in range(N_TRIED):
            yield min(self._sweep(limits, columns[k][1], 0)[:N_TRIED], key=self._of)
        for k in range(1, N_TRIED):
            yield min(self._sweep(limits, rows[k][0], 1)[:N_TRIED], key=self._of)

    def _sweep(self, limits: tuple[int, int], other: int, side: int) -> list[Size]:
        """Sizes with all numbers of rows (side 0) or columns (1), the best first.

        Larger masks explain more anyway: what counts is how much better one is than those of
        about its size.
        """
        numbers = list(range(limits[0], limits[1] + 1))
        sizes = [(n, other) if side == 0 else (other, n) for n in numbers]
        bits = np.array([self._of(size) for size in sizes])
        windows = [bits[max(k - N_AROUND, 0) : k + N_AROUND + 1] for k in range(len(bits))]
        typical = np.array([np.median(window) for window in windows])
        if side == 0 and other == sum(self._rule.usual) // 2:
            self._typical.update(zip(numbers, typical.tolist(), strict=True))
        order = np.argsort(bits / typical, kind="stable")
        return [sizes[k] for k in order.tolist()]

    def _among_neighbours(self, size: Size) -> Size:
        """The best of a size and those that have a row or a column more or less, repeatedly."""
        while True:
            rows, columns = size
            around = [
                (rows + a, columns + b)
                for a, b in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
                if min(rows + a, columns + b) >= 2
            ]
            best = min(around, key=self._of)
            if best == size:
                return size
            size = best

    def _of(self, size: Size) -> float:
        if size not in self._bits:
            self._bits[size] = self.fit(size, N_SWEEP_ROUNDS).bits
        return self._bits[size]
