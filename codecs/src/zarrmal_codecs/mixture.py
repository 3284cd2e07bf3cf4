"""From what a context network gives to a distribution over 0..255 (FORMAT 4.6.5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .constants import BLANK_LIMIT, FREQUENCY_TOTAL, LOCATION_LIMIT, N_SLOPES
from .tables import BLANK, EXP, KNOT, KNOT_STEP, SLOPE

Ints = NDArray[np.int64]


def logistic(distance: Ints, slope: Ints) -> Ints:
    """Cumulative of a logistic, 0..32768, ``distance`` sixteenths of a grey level above its middle.

    Parameters
    ----------
    distance
        Any shape, magnitude at most 8,184.
    slope
        From SLOPE, shape broadcast to that of distance.
    """
    at = np.clip(32768 + ((distance * slope) >> 6), 0, 65535)
    knot = at >> 10
    found: Ints = KNOT[knot] + ((KNOT_STEP[knot] * (at & 1023)) >> 10)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """A distribution for each lane.

    Parameters
    ----------
    blank
        int64 (lane,): frequency of value 0.
    middle
        int64 (component, lane): sixteenths of a grey level.
    slope, weight
        int64 (component, lane); weights add up to 1024.
    """

    blank: Ints
    middle: Ints
    slope: Ints
    weight: Ints

    @classmethod
    def of(cls, outputs: Ints, base: Ints) -> Mixture:
        """From a network's outputs (1 + 3 * component, lane) and the base (lane,), int64."""
        blank = BLANK[np.clip(outputs[0], -BLANK_LIMIT, BLANK_LIMIT) + BLANK_LIMIT]
        logits = np.clip(outputs[3::3], -BLANK_LIMIT, BLANK_LIMIT)
        parts = EXP[logits.max(axis=0) - logits].astype(np.int64)
        weight = (parts << 10) // parts.sum(axis=0)
        weight[0] = 1024 - weight[1:].sum(axis=0)
        return cls(
            blank.astype(np.int64),
            16 * base + np.clip(outputs[1::3], -LOCATION_LIMIT, LOCATION_LIMIT - 1),
            SLOPE[np.clip(outputs[2::3], 0, N_SLOPES - 1)].astype(np.int64),
            weight,
        )

    def cumulative(self, value: Ints) -> Ints:
        """C(value) of each lane; value int64 (lane,), 0..256."""
        each = logistic(16 * value - 8 - self.middle, self.slope)
        mixed = (self.weight * each).sum(axis=0)
        rest = FREQUENCY_TOTAL - 255 - self.blank
        inside = self.blank + value - 1 + ((rest * (mixed >> 9)) >> 16)
        inside = np.where(value == 1, self.blank, inside)
        return np.where(value == 0, 0, np.where(value == 256, FREQUENCY_TOTAL, inside))

    def find(self, slots: Ints) -> tuple[Ints, Ints, Ints]:
        """Value of each lane whose interval covers its slot, its start and its frequency."""
        low, high = np.ones_like(slots), np.full_like(slots, 256)
        start, stop = self.blank.copy(), np.full_like(slots, FREQUENCY_TOTAL)
        for _ in range(8):
            middle = (low + high) >> 1
            at = self.cumulative(middle)
            below = at <= slots
            low, start = np.where(below, middle, low), np.where(below, at, start)
            high, stop = np.where(below, high, middle), np.where(below, stop, at)
        blank = slots < self.blank
        return (
            np.where(blank, 0, low),
            np.where(blank, 0, start),
            np.where(blank, self.blank, stop - start),
        )


def latent_cumulative(symbol: Ints, slope: Ints) -> Ints:
    """Cumulative frequencies of latents, symbol int64 0..256 (latent + 128) (FORMAT 4.6.4)."""
    each = logistic(16 * symbol - 8 - 16 * 128, slope)
    inside = symbol + (((FREQUENCY_TOTAL - 256) * 2 * each) >> 16)
    return np.where(symbol == 0, 0, np.where(symbol == 256, FREQUENCY_TOTAL, inside))
