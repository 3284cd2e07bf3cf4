"""Linear predictions of coefficients by least squares, each with the weights that pay."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.blocks.coefficients import (
    LARGEST_VALUE,
    N_BORDER,
    WEIGHT_BITS,
    activity_of,
)
from zarrmal_codecs.lattice.cells import PlaneOfCells
from zarrmal_codecs.lattice.jpeg.transform import MIDDLE
from zarrmal_codecs.lattice.numbers import SCAN
from zarrmal_codecs.lattice.weights import LARGEST_BORDER, MAX_SUM

Floats = NDArray[np.float64]
Array = NDArray[Any]

PREDICTION_BITS: Final = 8
"""Bits of fraction that are kept of the predictions' WEIGHT_BITS: the rest costs bytes only."""
WEIGHT_COST: Final = 7.0
"""Bits that a weight takes in a model's file, about."""
BATCH: Final = 1 << 13
CHANCE: Final = 6.0
"""Squared standard errors by which a weight must differ from 0."""
ELIMINATIONS: Final = (0.1, 0.3, 1.0, 1.0)
"""Shares of the threshold, one after the other."""
LARGEST: Final = (1 << (15 - WEIGHT_BITS + PREDICTION_BITS)) - 1
"""Of int16."""
FIRSTS: Final = np.cumsum([0, N_BORDER, 64, 64, 64])
"""Columns of what predictions are made from: border, first plane, second plane, own."""
LARGEST_INPUTS: Final = np.where(np.arange(FIRSTS[-1]) < N_BORDER, LARGEST_BORDER, LARGEST_VALUE)
MOST: Final = MAX_SUM - (8 * MIDDLE << WEIGHT_BITS)
"""What a row's largest sum may be; see ``PlaneWeights``."""
NAMES: Final = ("from_border", "from_luma", "from_other", "from_earlier")


def fit_predictions(
    plane: PlaneOfCells, chosen: Array, kind: int, n_archive_blocks: int
) -> dict[str, Array]:
    """The arrays of NAMES.

    Parameters
    ----------
    plane
        With all its coefficients.
    chosen
        int64 (block,): those to learn from.
    kind
        0 to 2: the first, second or third plane.
    n_archive_blocks
        A weight that saves fewer than WEIGHT_COST bits in so many blocks is 0.
    """
    products, floor = _products(plane, chosen)
    n = len(chosen)
    solved = np.zeros((64, FIRSTS[-1]))
    for place, j in enumerate(SCAN.tolist()):
        known = np.r_[: FIRSTS[1 + kind], FIRSTS[3] + SCAN[:place]]
        solved[j] = _row(products, known, FIRSTS[3] + j, n, n * floor[j], n_archive_blocks)
    whole = (solved * (1 << (WEIGHT_BITS - PREDICTION_BITS))).astype(np.int16)
    return {
        name: np.ascontiguousarray(whole[:, a:b])
        for name, a, b in zip(NAMES, FIRSTS, FIRSTS[1:], strict=False)
    }


def _row(
    products: Floats, known: Array, target: int, n: int, floor: float, n_archive_blocks: int
) -> Floats:
    """Weights of one prediction, whole numbers of 2**-PREDICTION_BITS."""
    # A weight must save its bits in the archive, and more than chance does in the blocks seen.
    threshold = max(2 * np.log(2) * WEIGHT_COST / n_archive_blocks, CHANCE / n)
    square = products[target, target] + floor
    ridge = 1e-4 * n + 1
    while True:
        row = np.zeros(FIRSTS[-1])
        own = products[np.ix_(known, known)] + np.eye(len(known)) * ridge
        left, weights = _eliminated(own, products[known, target], square, threshold)
        row[known[left]] = np.round(weights * (1 << PREDICTION_BITS))
        sizes = np.abs(row)
        most = (sizes @ LARGEST_INPUTS) * (1 << (WEIGHT_BITS - PREDICTION_BITS))
        if most <= MOST and sizes.max() <= LARGEST:
            return row
        ridge *= 10  # too few blocks tell such sums, which the coder could not add up


def _products(plane: PlaneOfCells, chosen: Array) -> tuple[Floats, Floats]:
    """Sums of products of all columns, weighted; and the weighted noise of rounding to steps."""
    products, floor = np.zeros((FIRSTS[-1], FIRSTS[-1])), np.zeros(64)
    for start in range(0, len(chosen), BATCH):
        index = chosen[start : start + BATCH]
        around = plane.surroundings(index)
        own = plane.coefficients[index] * around.steps
        own[:, 0] -= 8 * (around.base - MIDDLE)
        none = np.zeros_like(own)
        parts = (around.border, around.luma, around.other, own)
        columns = np.concatenate([none if part is None else part for part in parts], axis=1)
        # Blocks beside a quiet border, with fine steps, need the better predictions.
        noise = 1 + activity_of(around.border) / 14 + around.steps[:, 9] ** 2 / 8
        scaled = np.clip(columns, -LARGEST_VALUE, LARGEST_VALUE) / np.sqrt(noise)[:, None]
        products += scaled.T @ scaled
        floor += (around.steps**2 / 12 / noise[:, None]).sum(axis=0)
    return products, floor / max(len(chosen), 1)


def _eliminated(
    products: Floats, with_target: Floats, square: float, threshold: float
) -> tuple[NDArray[np.int64], Floats]:
    """Indices of the weights that are kept, and these.

    Without weight i alone the sum of squared errors grows by w_i**2 / inverse_ii; as a share of the
    whole it is 2 ln 2 times the bits that a value grows by. Several go at a time, the plainest
    first, since the next of those that stay take over what the others told.
    """
    left = np.arange(len(with_target))
    for share in ELIMINATIONS:
        inverse = np.linalg.inv(products[np.ix_(left, left)])
        full = inverse @ with_target[left]
        error = max(square - float(with_target[left] @ full), 1e-9)
        growth = full**2 / np.diag(inverse)
        left = left[growth >= share * threshold * error]
        if not len(left):
            break
    weights = np.asarray(np.linalg.solve(products[np.ix_(left, left)], with_target[left]))
    return left, weights.astype(np.float64)
