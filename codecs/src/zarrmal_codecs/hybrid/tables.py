"""The fixed tables of the profile `hybrid`, computed by formula (FORMAT 6.2, 6.6).

No value lies within 1e-6 of a rounding tie, so binary64 gives the same integers everywhere. A test
compares their checksums.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..constants import (
    BLANK_LIMIT,
    FREQUENCY_TOTAL,
    KNOT_TOTAL,
    LEAST_COVERAGE,
    MAX_CAUSAL,
    MAX_FULL,
    MAX_LEVEL,
    N_KNOTS,
    N_SLOPES,
    REACH,
)

Offsets = tuple[tuple[int, int], ...]


def _sigmoid(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-t))


def _rounded(values: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.floor(values + 0.5).astype(np.int32)


def _squash() -> NDArray[np.int16]:
    size = np.abs(np.arange(-255, 256))
    bent = 2 * np.minimum(size, 8) + (np.minimum(size, 32) >> 1) + (size >> 3)
    squash: NDArray[np.int16] = (np.sign(np.arange(-255, 256)) * bent).astype(np.int16)
    return squash


def _deep_squash() -> NDArray[np.int16]:
    size = np.abs(np.arange(-MAX_LEVEL, MAX_LEVEL + 1))
    bent = 2 * np.minimum(size, 8)
    for k in range(4):  # each piece is four times as long as the one before, and as flat
        low, high = 8 << 2 * k, 32 << 2 * k
        bent += np.clip(size - low, 0, high - low - (k == 3)) >> (2 * k + 1)
    squash: NDArray[np.int16] = (np.sign(np.arange(-MAX_LEVEL, MAX_LEVEL + 1)) * bent).astype(
        np.int16
    )
    return squash


def _knots() -> NDArray[np.int32]:
    values = _sigmoid((np.arange(N_KNOTS) - N_KNOTS // 2) / 4)
    return _rounded(KNOT_TOTAL * (values - values[0]) / (1 - 2 * values[0]))


def _neighbours(*, causal: bool) -> Offsets:
    rows = range(-REACH, 1 if causal else REACH + 1)
    columns = range(-REACH, REACH + 1)
    offsets = [
        (y, x)
        for y in rows
        for x in columns
        if (y < 0 or (y == 0 and x < 0) if causal else (y, x) != (0, 0))
    ]
    offsets.sort(key=lambda o: (o[0] ** 2 + o[1] ** 2, -o[0], abs(o[1]), o[1]))
    return tuple(offsets[: MAX_CAUSAL if causal else MAX_FULL])


SQUASH: Final = _squash()
"""int16 (511,): S(d) at index d + 255."""

DEEP_SQUASH: Final = _deep_squash()
"""int16 (131071,): S(d) of depth 16 at index d + 65535."""

KNOT: Final = _knots()
"""int32 (65,): cumulative of a logistic distribution at -8, -7.75 … 8, from 0 to 32768."""

KNOT_STEP: Final = np.append(np.diff(KNOT), 0).astype(np.int32)

SLOPE: Final = _rounded(2.0 ** (17 - np.arange(N_SLOPES) / 12))
"""int32 (128,): 2**14 / scale i, which is 2**(i / 12 - 3) grey levels."""

DEEP_SLOPE: Final = _rounded(2.0 ** (17 - np.arange(N_SLOPES) / 8))
"""int32 (128,): of depth 16; the scale is 2**(i / 8 - 3) levels."""

BLANK: Final = np.clip(
    _rounded(FREQUENCY_TOTAL * _sigmoid(np.arange(-BLANK_LIMIT, BLANK_LIMIT + 1) / 16)),
    1,
    FREQUENCY_TOTAL - 256,
)
"""int32 (511,): frequency of the value 0, indexed by its logit in sixteenths + 255."""

EXP: Final = _rounded(4096 * np.exp(-np.arange(2 * BLANK_LIMIT + 1) / 16))
"""int32 (511,): weight of a component whose logit is i sixteenths below the largest."""

CAUSAL: Final = _neighbours(causal=True)
"""(y, x) of the 40 nearest pixels of the plane coded earlier, nearest first."""

FULL: Final = _neighbours(causal=False)
"""(y, x) of the 24 nearest pixels, for planes coded earlier; nearest first."""

COVERED: Final = ((0, 0), *FULL)
"""(y, x) of the 25 pixels whose coverage can be an input: the pixel itself, then the nearest."""

RECIPROCAL: Final = np.array(
    [0] * LEAST_COVERAGE + [-(-65280 // a) for a in range(LEAST_COVERAGE, 256)], np.int32
)
"""int32 (256,): 256 * 255 / coverage, rounded up; 0 where the coverage is below 16."""
