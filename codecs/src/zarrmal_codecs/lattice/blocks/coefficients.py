"""What is known of a block before and while its coefficients are coded (FORMAT-lattice 5).

``Surroundings`` are the samples around blocks, which depend on earlier blocks alone; ``Lanes``
follow the coding of one block a lane, coefficient by coefficient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..jpeg.transform import MATRIX, MIDDLE, SIDE
from ..jpeg.upsampling import Ratio
from ..numbers import DIAGONAL, LOCATION_BITS, LOG_STEP, N_DIAGONALS, SCAN, clipped, log_of

Ints = NDArray[np.int64]

N_BORDER: Final = 37
"""Samples around a block: two columns, two rows, four beyond the corner, one in the corner."""
LARGEST_VALUE: Final = 4095
"""Magnitude of dequantised coefficients in predictions."""
WEIGHT_BITS: Final = 12
"""Bits of fraction of the weights of predictions."""
LARGEST_PREDICTION: Final = (1 << 16) - 1
N_INPUTS: Final = 32
"""Of each network."""
SCALE_INPUTS: Final = (0, 1, 2, 3, 4, 17, 28, 29, 30, 31, 19, 20)
"""Inputs of the network of a coefficient that tell its scale where it has no network."""
N_SCALE_INPUTS: Final = len(SCALE_INPUTS)
_WINDOW: Final = 6


def _sums_of_three() -> NDArray[np.float64]:
    near = np.abs(np.arange(SIDE)[:, None] - np.arange(SIDE)) <= 1
    return np.kron(near, near).astype(np.float64)


_NEAR: Final = _sums_of_three()
_INSIDE: Final = ((-1, 0), (0, -1), (-1, -1), (1, -1), (-1, 1), (-2, 0), (0, -2))
_PLACE: Final = np.argsort(SCAN)


def _earlier(j: int) -> list[int]:
    """Coefficients near ``j`` that are coded before it, in the order of _INSIDE; 64: none."""
    found = []
    for down, across in _INSIDE:
        u, v = j // SIDE + down, j % SIDE + across
        inside = 0 <= u < SIDE and 0 <= v < SIDE and _PLACE[u * SIDE + v] < _PLACE[j]
        found.append(u * SIDE + v if inside and (u, v) != (0, 0) else 64)
    return found


EARLIER: Final = tuple(tuple(_earlier(j)) for j in range(64))


def near_sums(magnitudes: Ints) -> Ints:
    """Sums over each coefficient and the eight around it, int64 (lane, 64)."""
    sums: Ints = (magnitudes.astype(np.float64) @ _NEAR).astype(np.int64)
    return sums


def forward_dct(samples: Ints) -> Ints:
    """Coefficients of samples of 4 bits of fraction, int64 (..., 8, 8) both, rounded."""
    down = np.matmul(MATRIX.T.astype(np.float64), samples.astype(np.float64))
    between = np.floor((down + (1 << 11)) / (1 << 12))
    both = np.matmul(between, MATRIX.astype(np.float64))
    rounded: Ints = np.floor((both + (1 << 20)) / (1 << 21)).astype(np.int64)
    return rounded


def shrunk_luma(luma: NDArray[np.uint8], ratio: Ratio, n_blocks: tuple[int, int]) -> Ints:
    """Transform of a plane's first component at the blocks of another, (row, column, 64).

    Parameters
    ----------
    luma
        uint8 (y, x).
    ratio
        Rows and columns of ``luma`` that a sample of the other plane stands for.
    n_blocks
        Of the other plane. Where they reach beyond ``luma``, its last samples repeat.
    """
    (rows, columns), (down, across) = n_blocks, ratio
    height, width = rows * SIDE * down, columns * SIDE * across
    y = np.minimum(np.arange(height), luma.shape[0] - 1)
    x = np.minimum(np.arange(width), luma.shape[1] - 1)
    whole = luma[y[:, None], x].astype(np.int64)
    sums = whole.reshape(rows * SIDE, down, columns * SIDE, across).sum(axis=(1, 3))
    means = 16 * sums // (down * across) - 16 * MIDDLE
    blocks = means.reshape(rows, SIDE, columns, SIDE).transpose(0, 2, 1, 3)
    return forward_dct(blocks).reshape(rows, columns, 64)


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What lies around one block a lane, and beside it in planes coded earlier.

    Parameters
    ----------
    border
        int64 (lane, 37): samples less the base; see ``border_of``.
    base
        int64 (lane,): mean of the nearest samples.
    known
        bool (4, lane): whether the blocks west, north, northwest and northeast are known.
    coefficients
        int64 (4, lane, 64): theirs; 0 where not known.
    luma
        int64 (lane, 64): transform of the first plane's samples at the block, its first
        coefficient less the mean of those west and north; None in the first plane. Magnitudes
        are at most LARGEST_VALUE.
    other
        int64 (lane, 64): dequantised coefficients of the plane before at the block, the first
        less 8 * (base - 128) there, of magnitudes as in luma; None in the first plane, 0 where
        there is none of the same sampling.
    visible
        int64 (lane,): visible pixels of the block, in 64ths.
    steps
        int64 (lane, 64): of the quantiser.
    """

    border: Ints
    base: Ints
    known: NDArray[np.bool_]
    coefficients: Ints
    luma: Ints | None
    other: Ints | None
    visible: Ints
    steps: Ints


def border_of(
    west: Ints, north: Ints, northwest: Ints, northeast: Ints, known: NDArray[np.bool_]
) -> tuple[Ints, Ints]:
    """Border and base of blocks (FORMAT-lattice 5.1).

    Parameters
    ----------
    west, north, northwest, northeast
        int64 (lane, 8, 8): samples of the blocks there.
    known
        bool (4, lane).
    """
    has_west, has_north = known[0], known[1]
    columns, rows = west[:, :, 6:], north[:, 6:, :]
    west_sum, north_sum = columns[:, :, 1].sum(axis=1), rows[:, 1].sum(axis=1)
    of_north = np.where(has_north, (north_sum + 4) >> 3, MIDDLE)
    either = np.where(has_west, (west_sum + 4) >> 3, of_north)
    base = np.where(has_west & has_north, (west_sum + north_sum + 8) >> 4, either)
    corner = np.where(has_north, rows[:, 1, 0], np.where(has_west, columns[:, 0, 1], base))
    corner = np.where(known[2], northwest[:, 7, 7], corner)
    beyond = np.where(has_north[:, None], rows[:, 1, 7:], base[:, None])
    beyond = np.where(known[3][:, None], northeast[:, 7, :4], beyond)
    n = len(base)
    border = np.empty((n, N_BORDER), np.int64)
    border[:, :16] = np.where(has_west[:, None], columns.reshape(n, 16) - base[:, None], 0)
    border[:, 16:32] = np.where(has_north[:, None], rows.reshape(n, 16) - base[:, None], 0)
    border[:, 32:36] = beyond - base[:, None]
    border[:, 36] = corner - base
    return border, base


def activity_of(border: Ints) -> Ints:
    """Sum of the differences along the border, int64 (lane,)."""
    west = np.abs(np.diff(border[:, 1:16:2], axis=1)).sum(axis=1)
    result: Ints = west + np.abs(np.diff(border[:, 24:32], axis=1)).sum(axis=1)
    return result


class Lanes:
    """One block a lane, its coefficients coded in SCAN order.

    Parameters
    ----------
    around
        The blocks' surroundings.
    sums
        int64 (lane, 64): of the prediction from the surroundings; see ``weights.Plane``.
    from_earlier, scale_from_earlier
        int64 (64, 64) and (64, 64, 2): weights of the prediction and of the scale of a coefficient
        (first) from those coded before it.
    """

    def __init__(
        self, around: Surroundings, sums: Ints, from_earlier: Ints, scale_from_earlier: Ints
    ) -> None:
        self.around, self.sums, self.from_earlier = around, sums, from_earlier
        self.scale_from_earlier = scale_from_earlier
        n = len(around.base)
        self.steps = around.steps
        self.log_steps = LOG_STEP[self.steps]
        self.reciprocals = 65536 // self.steps
        self.coefficients = np.zeros((n, 65), np.int64)
        self.last = np.zeros(n, np.int64)
        self._magnitudes = np.zeros((n, 64 + _WINDOW), np.int64)  # in SCAN order, _WINDOW later
        self._surprises = np.zeros((n, 64 + _WINDOW), np.int64)
        self._total, self._surprise = np.zeros(n, np.int64), np.zeros(n, np.int64)
        magnitudes = np.abs(around.coefficients)
        magnitudes[:, :, 0] = 0
        self._west, self._north = magnitudes[0], magnitudes[1]
        self._corners = magnitudes[2] + magnitudes[3]
        self._ends = np.where(magnitudes > 0, DIAGONAL, 0).max(axis=2)
        self._activity = activity_of(around.border)
        self._fixed = self._fixed_inputs()
        self.scale_sums = np.zeros((n, 64), np.int64)
        """Of ``weights.PlaneWeights.scale_sums``, and what the coefficients so far add to it."""

    def _fixed_inputs(self) -> Ints:
        """Inputs that do not depend on the block itself, int64 (lane, 64, 32)."""
        around, n = self.around, len(self.around.base)
        inputs = np.zeros((n, 64, N_INPUTS), np.int64)
        inputs[:, :, 0], inputs[:, :, 1] = log_of(self._west), log_of(self._north)
        inputs[:, :, 2], inputs[:, :, 3] = (
            log_of(near_sums(self._west)),
            log_of(near_sums(self._north)),
        )
        inputs[:, :, 4] = log_of(self._corners)
        inputs[:, :, 5] = log_of((self._west + self._north).sum(axis=1))[:, None]
        inputs[:, :, 17] = log_of(self._activity)[:, None] - self.log_steps
        inputs[:, :, 18] = ((around.base - MIDDLE) >> 1)[:, None]
        inputs[:, :, 19] = self.log_steps
        inputs[:, :, 20] = self.log_steps - self.log_steps[:, 9:10]
        inputs[:, :, 21], inputs[:, :, 22] = 64 * around.known[:2, :, None]
        inputs[:, :, 27] = around.visible[:, None]
        for k, plane in ((28, around.luma), (30, around.other)):
            if plane is not None:
                size = np.abs(plane)
                inputs[:, :, k] = np.maximum(0, log_of(size) - self.log_steps)
                inputs[:, :, k + 1] = np.maximum(0, log_of(near_sums(size)) - self.log_steps)
        return inputs

    def diagonal_inputs(self) -> Ints:
        """Inputs of the network of the last diagonal, int64 (lane, 32), -128..127."""
        around, inputs = self.around, np.zeros((len(self.around.base), N_INPUTS), np.int64)
        inputs[:, 0:4] = 64 * around.known.T
        inputs[:, 4:8] = 8 * self._ends.T
        for k, plane in ((8, self._west), (9, self._north), (10, self._corners)):
            inputs[:, k] = log_of(plane.sum(axis=1))
        for k, first in enumerate((3, 5, 7, 9)):
            inputs[:, 11 + k] = log_of(self._west[:, first <= DIAGONAL].sum(axis=1))
            inputs[:, 15 + k] = log_of(self._north[:, first <= DIAGONAL].sum(axis=1))
        inputs[:, 19] = self.log_steps[:, 9]
        inputs[:, 20] = self.log_steps[:, 36] - self.log_steps[:, 9]
        inputs[:, 21] = log_of(self._activity) - self.log_steps[:, 9]
        inputs[:, 22] = log_of(self._activity) - self.log_steps[:, 36]
        inputs[:, 23] = (around.base - MIDDLE) >> 1
        inputs[:, 24] = around.visible
        if around.luma is not None:
            for k, first in enumerate((1, 2, 4, 6, 8)):
                inputs[:, 25 + k] = self._fixed[:, first <= DIAGONAL, 28].max(axis=1)
        if around.other is not None:
            inputs[:, 30] = 8 * np.where(self._fixed[:, :, 30] > 12, DIAGONAL, 0).max(axis=1)
            inputs[:, 31] = self._fixed[:, DIAGONAL >= 2, 30].max(axis=1)
        return clipped(inputs, -128, 127)

    def scale_inputs(self) -> Ints:
        """Inputs that tell scales before the block's coefficients, int64 (lane, 64, 12)."""
        return clipped(self._fixed[:, :, SCALE_INPUTS], -128, 127)

    def predicted(self, j: int) -> Ints:
        """Prediction of coefficient ``j``, in 32nds of a step, int64 (lane,)."""
        sums = self.sums[:, j]
        if j == 0:
            sums = sums + (8 * (self.around.base - MIDDLE) << WEIGHT_BITS)
        shift = WEIGHT_BITS - LOCATION_BITS + 16
        scaled = (sums * self.reciprocals[:, j] + (1 << (shift - 1))) >> shift
        return clipped(scaled, -LARGEST_PREDICTION, LARGEST_PREDICTION)

    def inputs(self, j: int) -> Ints:
        """Inputs of the network of coefficient ``j``, int64 (lane, 32), -128..127."""
        inputs, place = self._fixed[:, j].copy(), int(_PLACE[j])
        sizes = np.abs(self.coefficients[:, EARLIER[j]])
        for k in range(3):
            inputs[:, 6 + k] = log_of(sizes[:, k])
        inputs[:, 9] = log_of(sizes[:, 3] + sizes[:, 4])
        inputs[:, 10], inputs[:, 11] = log_of(sizes[:, 5]), log_of(sizes[:, 6])
        inputs[:, 12] = log_of(self._total)
        inputs[:, 13] = log_of(self._magnitudes[:, place : place + _WINDOW].sum(axis=1))
        inputs[:, 14] = log_of(self._surprise)
        inputs[:, 15] = log_of(self._surprises[:, place : place + _WINDOW].sum(axis=1))
        if j:
            inputs[:, 16] = self.predicted(j) >> 1
        left = self.last - DIAGONAL[j]
        inputs[:, 23] = 16 * clipped(left, 0, 6)
        inputs[:, 24] = 64 * (left == 0)
        inputs[:, 25] = 64 * self.alone(j)
        inputs[:, 26] = 8 * self.last
        return clipped(inputs, -128, 127)

    def alone(self, j: int) -> NDArray[np.bool_]:
        """Where coefficient ``j`` is on the last diagonal, with none before it that is not 0."""
        first = int(np.searchsorted(DIAGONAL[SCAN], DIAGONAL[j])) + _WINDOW
        none = self._magnitudes[:, first : int(_PLACE[j]) + _WINDOW].sum(axis=1) == 0
        result: NDArray[np.bool_] = (self.last == DIAGONAL[j]) & none
        return result

    def take(self, j: int, values: Ints, predicted: Ints) -> None:
        """Coefficient ``j`` is ``values``, int64 (lane,); its prediction was ``predicted``."""
        place = int(_PLACE[j]) + _WINDOW
        self.coefficients[:, j] = values
        half = 1 << (LOCATION_BITS - 1)
        surprise = (np.abs((values << LOCATION_BITS) - predicted) + half) >> LOCATION_BITS
        self._surprises[:, place] = surprise
        self._surprise += surprise
        actual = values * self.steps[:, j]
        if j == 0:
            actual = actual - 8 * (self.around.base - MIDDLE)
        else:
            self._magnitudes[:, place] = np.abs(values)
            self._total += np.abs(values)
        actual = clipped(actual, -LARGEST_VALUE, LARGEST_VALUE)
        self.sums += actual[:, None] * self.from_earlier[None, :, j]
        sizes = np.abs(values) if j else np.zeros_like(values)
        self.scale_sums += log_of(sizes)[:, None] * self.scale_from_earlier[None, :, j, 0]
        self.scale_sums += log_of(surprise)[:, None] * self.scale_from_earlier[None, :, j, 1]


def last_diagonal(coefficients: Ints) -> Ints:
    """Last diagonal with a coefficient other than 0, int64 (lane,), 0..14; (lane, 64) in."""
    result: Ints = np.where(coefficients != 0, DIAGONAL, 0).max(axis=1)
    return np.minimum(result, N_DIAGONALS - 1)
