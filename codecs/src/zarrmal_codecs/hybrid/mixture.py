"""The distribution over 0..255 that a context network's outputs describe (FORMAT 6.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import rans
from ..constants import BLANK_LIMIT, FREQUENCY_TOTAL, N_SLOPES
from .depth import SHALLOW, Depth
from .tables import BLANK, EXP, KNOT, KNOT_STEP

Ints = NDArray[np.int64]

LOGISTIC = KNOT[np.arange(65536) >> 10] + (
    (KNOT_STEP[np.arange(65536) >> 10] * (np.arange(65536) & 1023)) >> 10
)
"""int64 (65536,): the cumulative of a logistic at u (FORMAT 6.3)."""

_LOGISTIC = LOGISTIC.astype(np.int32)


def logistic(distance: Ints, slope: Ints) -> Ints:
    """Cumulative of a logistic, 0..32768, at ``distance`` from its middle.

    Parameters
    ----------
    distance
        Sixteenths of a level, any shape, magnitude below 2**21.
    slope
        Values of SLOPE or DEEP_SLOPE, of a shape that broadcasts with distance.
    """
    cumulative: Ints = LOGISTIC.take(32768 + ((distance * slope) >> 6), mode="clip")
    return cumulative


def clipped(values: Ints, low: int, high: int) -> Ints:
    """np.clip without its checks, which take longer than a few hundred lanes do."""
    result: Ints = np.minimum(np.maximum(values, low), high)
    return result


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """A distribution over levels for each lane; the methods are those of depth 8.

    Parameters
    ----------
    blank
        int64 (lane,): frequency of value 0.
    middle
        int64 (component, lane): sixteenths of a level.
    slope, weight
        int64 (component, lane); weights add up to 1024.
    """

    blank: Ints
    middle: Ints
    slope: Ints
    weight: Ints

    @classmethod
    def of(cls, outputs: Ints, base: Ints, depth: Depth = SHALLOW) -> Mixture:
        """The mixture of a network's outputs (1 + 3 * component, lane) and base (lane,), int64."""
        limit = depth.location_limit
        blank = BLANK[clipped(outputs[0], -BLANK_LIMIT, BLANK_LIMIT) + BLANK_LIMIT]
        logits = clipped(outputs[3::3], -BLANK_LIMIT, BLANK_LIMIT)
        parts = EXP[logits.max(axis=0) - logits].astype(np.int64)
        weight = (parts << 10) // parts.sum(axis=0)
        weight[0] = 1024 - weight[1:].sum(axis=0)
        return cls(
            blank.astype(np.int64),
            16 * base + clipped(outputs[1::3], -limit, limit - 1),
            depth.slopes[clipped(outputs[2::3], 0, N_SLOPES - 1)].astype(np.int64),
            weight,
        )

    def cumulative(self, value: Ints) -> Ints:
        """C(value) of each lane, for value int64 (lane,), 0..256."""
        each = logistic(16 * value - 8 - self.middle, self.slope)
        mixed = (self.weight * each).sum(axis=0)
        rest = FREQUENCY_TOTAL - 255 - self.blank
        inside = self.blank + value - 1 + ((rest * (mixed >> 9)) >> 16)
        inside = np.where(value == 1, self.blank, inside)
        return np.where(value == 0, 0, np.where(value == 256, FREQUENCY_TOTAL, inside))

    def intervals(self, values: Ints) -> list[tuple[Ints, Ints]]:
        """Start and frequency of the symbol of values, int64 (lane,) each."""
        start = self.cumulative(values)
        return [(start, self.cumulative(values + 1) - start)]

    def decode(self, decoder: rans.Decoder, has: NDArray[np.bool_] | bool) -> Ints:
        """Read the value of each lane, int64 (lane,); without meaning where a lane has no pixel."""
        value, start, frequency = self._find(decoder.slots())
        decoder.advance(start, frequency, has)
        return value

    def _find(self, slots: Ints) -> tuple[Ints, Ints, Ints]:
        """Value whose interval covers the slot, its start and its frequency, int64 (lane,) each."""
        # Bit by bit from the highest, since C grows; d * SLOPE grows by additions. Everything fits
        # in 32 bits: |d| < 2**13, SLOPE <= 2**17, and the product with `rest` is below 2**32.
        product = ((-8 - self.middle) * self.slope).astype(np.int32)
        step = (self.slope << 11).astype(np.int32)
        weight, rest = self.weight.astype(np.int32), (FREQUENCY_TOTAL - 255 - self.blank)
        rest, slot = rest.astype(np.uint32), slots.astype(np.int32)
        blank = self.blank.astype(np.int32)
        value, start = np.zeros_like(slot), np.zeros_like(slot)
        stop = np.full_like(slot, FREQUENCY_TOTAL)
        for bit in (128, 64, 32, 16, 8, 4, 2, 1):
            next_product = product + step
            each = _LOGISTIC.take((next_product >> 6) + 32768, mode="clip")
            mixed = (np.einsum("ml,ml->l", weight, each) >> 9).astype(np.uint32)
            tried = value + bit
            edge = ((rest * mixed) >> 16).astype(np.int32) + blank + (tried - 1)
            if bit == 1:  # C(1) has a rule of its own; only the last bit tries 1
                edge = np.where(value == 0, blank, edge)
            covers = edge <= slot
            value, start = np.where(covers, tried, value), np.where(covers, edge, start)
            stop = np.where(covers, stop, edge)
            product = np.where(covers, next_product, product)
            step >>= 1
        return value.astype(np.int64), start.astype(np.int64), (stop - start).astype(np.int64)


def latent_cumulative(symbol: Ints, slope: Ints) -> Ints:
    """Cumulative frequencies of latents, symbol int64 0..256 (latent + 128) (FORMAT 6.4)."""
    each = logistic(16 * symbol - 8 - 16 * 128, slope)
    inside = symbol + (((FREQUENCY_TOTAL - 256) * 2 * each) >> 16)
    return np.where(symbol == 0, 0, np.where(symbol == 256, FREQUENCY_TOTAL, inside))
