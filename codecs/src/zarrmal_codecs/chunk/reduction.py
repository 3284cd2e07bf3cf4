"""Items of 16 bits -> values that models code, and back (FORMAT 4.3.1).

Cameras of 12 bits store multiples of 16, files made of 8 bits store multiples of 257, and others
have an offset. So each channel is reduced to its smallest item above 0 and the greatest common
divisor of the others' distances to that. What is left may still be noise in its lowest bits: a
model of depth 16 sees so few of the higher ones that the noise is some levels high, and the others
are stored as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..constants import LEVEL_BIN, MAX_LEVEL
from ..errors import CorruptionError
from ..scales import Pixels, Scales

NOISE_LEVELS = 6
"""Least median difference of neighbours, in levels, for which lowest bits are left out."""
MAX_RAW = 8
SAMPLES = 1 << 18
"""About so many differences are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reduction:
    """How each channel was reduced.

    Parameters
    ----------
    least
        uint16 (channel,): smallest item above 0, which has the value 1.
    step
        uint16 (channel,), >= 1: what items of successive values differ by.
    scales
        How a model of depth 16 sees the values.
    """

    least: NDArray[np.uint16]
    step: NDArray[np.uint16]
    scales: Scales

    def suits(self, depth: int) -> bool:
        """Whether a model of this depth can have coded the values."""
        return depth > 8 or not (self.scales.n_raw.any() or (self.scales.n_bins > 1).any())

    def restore(self, values: Pixels) -> Pixels:
        """Items of values (..., channel); inverse of ``reduce``.

        Raises
        ------
        CorruptionError
            If an item would have more than 16 bits.
        """
        wide = values.astype(np.int64)
        items = np.where(wide > 0, self.least.astype(np.int64) + self.step * (wide - 1), 0)
        if items.size and int(items.max()) > MAX_LEVEL:
            raise CorruptionError("a cell holds an item of more than 16 bits")
        return items.astype(np.uint16)


def reduce(items: Pixels, depth: int) -> tuple[Pixels, Reduction] | None:
    """Values of items (cell, y, x, channel), of the same shape, and how they came about.

    Parameters
    ----------
    depth
        Of the model, 8 or 16. Of depth 8, values are uint8; None if there are too many.
    """
    n = items.shape[-1]
    least, step = np.ones(n, np.uint16), np.ones(n, np.uint16)
    values = np.zeros(items.shape, np.uint16)
    n_raw, n_bins = np.zeros(n, np.uint8), np.ones(n, np.uint16)
    for c in range(n):
        own = items[..., c]
        occurs = np.flatnonzero(np.bincount(own.ravel(), minlength=MAX_LEVEL + 1))
        occurs = occurs[occurs > 0]
        if not len(occurs):
            continue
        least[c] = occurs[0]
        step[c] = max(1, int(np.gcd.reduce(occurs - occurs[0])))
        value_at = np.zeros(MAX_LEVEL + 1, np.uint16)
        value_at[occurs] = (occurs - occurs[0]) // step[c] + 1
        values[..., c] = value_at[own]
        highest = int(value_at[occurs[-1]])
        if depth == 8:
            if highest > 255:
                return None
            continue
        n_raw[c] = _n_raw(values[..., c])
        n_bins[c] = ((highest - 1) >> int(n_raw[c])) // LEVEL_BIN + 1
    reduction = Reduction(least=least, step=step, scales=Scales(n_raw=n_raw, n_bins=n_bins))
    return (values.astype(np.uint8) if depth == 8 else values), reduction


def _n_raw(values: NDArray[np.uint16]) -> int:
    """Lowest bits of values (cell, y, x) that are noise."""
    stride = max(1, values.size // SAMPLES)
    some = values[::stride].astype(np.int32)
    left, right = some[..., :-1], some[..., 1:]
    differences = np.abs(left - right)[(left > 0) & (right > 0)]
    if not len(differences):
        return 0
    median = int(np.median(differences))
    return min(MAX_RAW, max(0, (median // NOISE_LEVELS).bit_length() - 1))
