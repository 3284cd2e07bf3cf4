"""Values of up to 16 bits, and what models see of them (FORMAT 4.3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .constants import LEVEL_BIN, MAX_LEVEL

Pixels = NDArray[np.unsignedinteger[Any]]
"""uint8 or uint16."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scales:
    """How the values of a chunk are seen by a model of depth 16, plane by plane (FORMAT 4.3.1).

    Parameters
    ----------
    n_raw
        uint8 (plane,): lowest bits of a value that are stored as they are.
    n_bins
        uint16 (plane,), 1..256: high parts that the levels can have.
    """

    n_raw: NDArray[np.uint8]
    n_bins: NDArray[np.uint16]

    @classmethod
    def of_bytes(cls, n_planes: int) -> Scales:
        """Those of values up to 255."""
        return cls(n_raw=np.zeros(n_planes, np.uint8), n_bins=np.ones(n_planes, np.uint16))

    def levels(self, values: Pixels) -> NDArray[np.int64]:
        """Levels of values (cell, plane, y, x)."""
        shift = self.n_raw[:, None, None].astype(np.int64)
        wide = values.astype(np.int64)
        return np.where(wide > 0, ((wide - 1) >> shift) + 1, 0)


def value_of(level: NDArray[np.integer[Any]], raw: NDArray[np.integer[Any]], n_raw: int) -> Any:
    """The value of a level, 1 or more, and its lowest bits; inverse of Scales.levels."""
    return np.minimum(((level - 1) << n_raw | raw) + 1, MAX_LEVEL)


def is_codable(n_raw: int, n_bins: int) -> bool:
    """Whether the values of a plane are below 2**16 with these."""
    return n_raw <= 8 and n_bins >= 1 and (LEVEL_BIN * n_bins) << n_raw <= MAX_LEVEL + 1
