"""Quantised coefficients of blocks ↔ samples, as libjpeg's accurate inverse transform has them.

libjpeg's ``islow`` computes each of its two passes with additions and products of integers alone,
so a pass is a product with one matrix of integers, and only the shift after it rounds.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

SIDE: Final = 8
"""Rows and columns of a block."""
N_COEFFICIENTS: Final = 64
FIRST_SHIFT: Final = 11
"""After the columns: 13 bits of the matrix, less 2 that stay as a fraction."""
SECOND_SHIFT: Final = 18
"""After the rows: 13 bits of the matrix, the 2 of the fraction, and 3 for the norm of a block."""
MIDDLE: Final = 128
"""Sample of a block whose coefficients are all 0."""
LOWEST, HIGHEST = -(1 << 15), (1 << 15) - 1
"""Range of dequantised coefficients and of the values between the passes; beyond it they stop.

So all sums fit in 32 bits. No encoder writes coefficients that get there.
"""


def _matrix() -> NDArray[np.int64]:
    """The matrix of one pass, int64 (sample, frequency), from the constants of libjpeg's jidctint.

    Loeffler, Ligtenberg and Moschytz (1989): the even frequencies by one rotation, the odd ones
    by five products of sums.
    """
    unit = np.eye(SIDE, dtype=np.int64)
    x0, x1, x2, x3, x4, x5, x6, x7 = unit
    rotated = (x2 + x6) * 4433
    low, high = rotated - x6 * 15137, rotated + x2 * 6270
    total, difference = (x0 + x4) << 13, (x0 - x4) << 13
    even = (total + high, difference + low, difference - low, total - high)
    shared = (x7 + x3 + x5 + x1) * 9633
    a, b = (x7 + x1) * -7373, (x5 + x3) * -20995
    c, d = (x7 + x3) * -16069 + shared, (x5 + x1) * -3196 + shared
    odd = (x1 * 12299 + a + d, x3 * 25172 + b + c, x5 * 16819 + b + d, x7 * 2446 + a + c)
    pairs = list(zip(even, odd, strict=True))
    return np.stack([e + o for e, o in pairs] + [e - o for e, o in reversed(pairs)])


MATRIX: Final = _matrix()
"""int64 (sample, frequency); 13 bits of fraction."""
_MATRIX: Final = MATRIX.astype(np.float64)
_DOWN: Final = np.ascontiguousarray(_MATRIX.T)


def dequantised(coefficients: NDArray[np.integer], table: NDArray[np.integer]) -> NDArray[np.int32]:
    """Coefficients times their steps, int32 (..., 8, 8), within LOWEST..HIGHEST."""
    products = coefficients.astype(np.int64) * table.astype(np.int64)
    return np.minimum(np.maximum(products, LOWEST), HIGHEST).astype(np.int32)


def inverse_dct(values: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Samples of blocks, uint8 (..., y, x).

    Parameters
    ----------
    values
        Dequantised coefficients (..., 8, 8), the vertical frequency first, LOWEST..HIGHEST.
    """
    # Products of floats, since NumPy has no fast ones of integers; every sum is below 2**31.
    first = np.matmul(_MATRIX, values.astype(np.float64))
    rounded = np.floor((first + (1 << (FIRST_SHIFT - 1))) * 2.0**-FIRST_SHIFT)
    between = np.minimum(np.maximum(rounded, LOWEST), HIGHEST)
    second = np.matmul(between, _DOWN)
    samples = np.floor((second + (1 << (SECOND_SHIFT - 1))) * 2.0**-SECOND_SHIFT) + MIDDLE
    result: NDArray[np.uint8] = np.minimum(np.maximum(samples, 0), 255).astype(np.uint8)
    return result
