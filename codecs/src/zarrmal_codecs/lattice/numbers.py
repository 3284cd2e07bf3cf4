"""The fixed tables of the coder of coefficients, computed by formula (FORMAT-lattice 4).

No value lies within 1e-6 of a rounding tie, so binary64 gives the same integers everywhere.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

SCAN: Final = np.array(
    sorted(range(64), key=lambda i: (s := i // 8 + i % 8, i // 8 if s % 2 else i % 8)), np.int64
)
"""int64 (64,): index by rows of each coefficient in the order of coding, which is JPEG's zigzag."""
DIAGONAL: Final = np.array([i // 8 + i % 8 for i in range(64)], np.int64)
"""int64 (64,): sum of the frequencies of each coefficient, 0..14."""
N_DIAGONALS: Final = 15

LARGEST_MAGNITUDE: Final = 4095
"""Larger magnitudes have the logarithm of this one."""
LOG: Final = np.minimum(
    127, np.floor(12 * np.log2(1 + 2 * np.arange(LARGEST_MAGNITUDE + 1)) + 0.5)
).astype(np.int64)
"""int64 (4096,): a magnitude as an input of networks, twelve a doubling."""
LOG_STEP: Final = np.append(0, np.floor(12 * np.log2(np.arange(1, 1 << 16)) + 0.5)).astype(np.int64)
"""int64 (65536,): the logarithm of a step of a quantiser, twelve a doubling; [0] is not used."""

LOCATION_BITS: Final = 5
"""Bits of fraction of locations, in steps of the quantiser."""
SCALE_BITS: Final = 3
"""Bits of fraction of binary logarithms of scales."""
N_SCALES: Final = 128
LEAST_SCALE_LOG2: Final = -5
SLOPE_BITS: Final = 24
SLOPE: Final = np.floor(
    2.0 ** (SLOPE_BITS - LEAST_SCALE_LOG2 - np.arange(N_SCALES) / (1 << SCALE_BITS)) + 0.5
).astype(np.int64)
"""int64 (128,): 2**24 / scale i, which is 2**(i / 8 - 5) steps."""

CURVE_BITS: Final = 7
CURVE_LIMIT: Final = 12
"""Scales from the middle beyond which the curve of a logistic is flat."""
CURVE: Final = np.floor(
    65536 / (1 + np.exp(-np.arange(-CURVE_LIMIT << CURVE_BITS, CURVE_LIMIT << CURVE_BITS) / 128.0))
    + 0.5
).astype(np.int64)
"""int64 (3072,): 65536 times the cumulative of a logistic at (i - 1536) / 128 scales."""

N_LOGITS: Final = 256
SHARE: Final = np.floor(
    1024 / (1 + np.exp(-(np.arange(N_LOGITS) - N_LOGITS // 2) / 16.0)) + 0.5
).astype(np.int64)
"""int64 (256,): of 1024, the share of the first component for a logit of (i - 128) / 16."""
EXP: Final = np.floor(4096 * np.exp(-np.arange(2 * N_LOGITS) / 16.0) + 0.5).astype(np.int64)
"""int64 (512,): weight of a symbol whose logit is i sixteenths below the largest."""


def clipped(values: Ints, low: int, high: int) -> Ints:
    """np.clip without its checks, which take longer than a few hundred lanes do."""
    result: Ints = np.minimum(np.maximum(values, low), high)
    return result


def log_of(magnitudes: Ints) -> Ints:
    """LOG of magnitudes >= 0 of any size."""
    result: Ints = LOG[np.minimum(magnitudes, LARGEST_MAGNITUDE)]
    return result
