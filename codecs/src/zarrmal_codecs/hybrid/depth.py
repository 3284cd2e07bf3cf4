"""What depends on the depth of a model: how its networks see levels (FORMAT 6.6).

A *level* is what the networks see of a pixel: 0 where the pixel is 0, else 1 or more. Of depth 8
it is the pixel itself; of depth 16 one more than the highest bits of the pixel minus one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constants import DEEP_LOCATION_LIMIT, LOCATION_LIMIT, MAX_LEVEL
from .tables import DEEP_SLOPE, DEEP_SQUASH, SLOPE, SQUASH

Numbers = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Depth:
    """Rules of one depth.

    Parameters
    ----------
    bits
        8 or 16.
    most
        The highest level.
    table
        S(d) at index d + most.
    location_limit
        Of a component's location, in sixteenths of a level.
    slopes
        int32 (128,): by a component's scale.
    """

    bits: int
    most: int
    table: NDArray[np.int16]
    location_limit: int
    slopes: NDArray[np.int32]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of pixels."""
        return np.dtype(np.uint8 if self.bits == 8 else np.uint16)

    def squash(self, differences: Numbers) -> NDArray[np.int16]:
        """S(d) of differences of levels."""
        result: NDArray[np.int16] = self.table.take(differences + self.most)
        return result

    def shade(self, levels: Numbers) -> Numbers:
        """Levels as an input 0..127: halved, or of depth 16 eight steps an octave."""
        return levels >> 1 if self.bits == 8 else octaves(levels)

    def grid_value(self, levels: Numbers) -> Numbers:
        """Levels as the autoencoder sees them, 0..255."""
        return levels if self.bits == 8 else 2 * octaves(levels)


def octaves(levels: Numbers) -> NDArray[np.int64]:
    """Levels 0..65535 below 8 as they are, then eight steps an octave up to 111."""
    result: NDArray[np.int64] = OCTAVES.take(levels)
    return result


def _octaves() -> NDArray[np.int64]:
    levels = np.arange(MAX_LEVEL + 1)
    exponent = np.zeros_like(levels)
    for bit in range(4, 17):
        exponent += levels >> bit > 0
    return 8 * exponent + (levels >> exponent)


OCTAVES = _octaves()

SHALLOW = Depth(bits=8, most=255, table=SQUASH, location_limit=LOCATION_LIMIT, slopes=SLOPE)
DEEP = Depth(
    bits=16,
    most=MAX_LEVEL,
    table=DEEP_SQUASH,
    location_limit=DEEP_LOCATION_LIMIT,
    slopes=DEEP_SLOPE,
)


def depth_of(bits: int) -> Depth:
    """The rules of a model's depth, 8 or 16."""
    return SHALLOW if bits == SHALLOW.bits else DEEP
