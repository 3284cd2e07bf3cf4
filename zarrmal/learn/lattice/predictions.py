"""Linear predictions of coefficients by least squares, each with the weights that pay."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.blocks import LARGEST_VALUE, N_BORDER, WEIGHT_BITS, activity_of
from zarrmal_codecs.lattice.cells import PlaneOfCells
from zarrmal_codecs.lattice.numbers import SCAN
from zarrmal_codecs.lattice.transform import MIDDLE

Floats = NDArray[np.float64]
Array = NDArray[Any]

PREDICTION_BITS: Final = 8
"""Bits of fraction that are kept of the predictions' WEIGHT_BITS: the rest costs bytes only."""
WEIGHT_COST: Final = 7.0
"""Bits that a weight takes in a model's file, about."""
BATCH: Final = 1 << 13
FIRSTS: Final = np.cumsum([0, N_BORDER, 64, 64, 64])
"""Columns of what predictions are made from: border, first plane, second plane, own."""
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
        target = FIRSTS[3] + j
        own = products[np.ix_(known, known)] + np.eye(len(known)) * (1e-4 * n + 1)
        left, weights = _eliminated(
            own,
            products[known, target],
            products[target, target] + n * floor[j],
            2 * np.log(2) * WEIGHT_COST / n_archive_blocks,
        )
        solved[j, known[left]] = weights
    largest = (1 << (15 - WEIGHT_BITS + PREDICTION_BITS)) - 1
    rounded = np.clip(np.round(solved * (1 << PREDICTION_BITS)), -largest, largest)
    whole = (rounded * (1 << (WEIGHT_BITS - PREDICTION_BITS))).astype(np.int16)
    return {
        name: np.ascontiguousarray(whole[:, a:b])
        for name, a, b in zip(NAMES, FIRSTS, FIRSTS[1:], strict=False)
    }


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
    """Indices of the weights that are kept, and these: backward elimination.

    Without weight i the sum of squared errors grows by w_i**2 / inverse_ii; as a share of the whole
    it is 2 ln 2 times the bits that a value grows by.
    """
    inverse = np.linalg.inv(products)
    weights = inverse @ with_target
    left = np.arange(len(weights))
    error = max(square - float(with_target @ weights), 1e-9)
    while len(left):
        growth = weights**2 / np.diag(inverse)
        out = int(growth.argmin())
        if growth[out] > threshold * error:
            break
        error += float(growth[out])
        column = inverse[:, out] / inverse[out, out]
        weights = np.delete(weights - column * weights[out], out)
        inverse = inverse - np.outer(column, inverse[out])
        inverse = np.delete(np.delete(inverse, out, axis=0), out, axis=1)
        left = np.delete(left, out)
    return left, weights
