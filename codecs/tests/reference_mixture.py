"""Tables, distributions and words, from FORMAT.md 4.6 and 6 alone; see reference_decoder.py."""

from __future__ import annotations

from functools import cache
from math import exp, floor

from reference_base import Cursor, clip, crc_16, must


def sigmoid(t: float) -> float:
    return 1 / (1 + exp(-t))


def nearest(t: float) -> int:
    return floor(t + 0.5)


# 6.2


def sign(d: int) -> int:
    return 1 if d > 0 else -1


S = {
    d: sign(d) * (2 * min(abs(d), 8) + (min(abs(d), 32) >> 1) + (abs(d) >> 3))
    for d in range(-255, 256)
}
S16 = {
    d: sign(d)
    * (
        2 * min(abs(d), 8)
        + (clip(abs(d) - 8, 0, 24) >> 1)
        + (clip(abs(d) - 32, 0, 96) >> 3)
        + (clip(abs(d) - 128, 0, 384) >> 5)
        + (clip(abs(d) - 512, 0, 1535) >> 7)
    )
    for d in range(-65535, 65536)
}
OCTAVES = [8 * e + (r >> e) for r in range(65536) for e in [sum(r >= 2**k for k in range(4, 16))]]
KNOT = [
    nearest(32768 * (sigmoid(i / 4 - 8) - sigmoid(-8)) / (1 - 2 * sigmoid(-8))) for i in range(65)
]
SLOPE = [nearest(2 ** (17 - i / 12)) for i in range(128)]
SLOPE16 = [nearest(2 ** (17 - i / 8)) for i in range(128)]
BLANK = {i: clip(nearest(65536 * sigmoid(i / 16)), 1, 65280) for i in range(-255, 256)}
EXP = [nearest(4096 * exp(-i / 16)) for i in range(511)]


# 4.6


class Words:
    def __init__(self, stream: bytes) -> None:
        self.cursor = Cursor(stream)
        self.x = self.cursor.uint(4)
        must(self.x >= 65536, "4.6: the first state")

    def take(self, cumulative, n_symbols: int) -> int:
        """The next symbol, of the distribution `cumulative`."""
        slot = self.x & 65535
        low, high = 0, n_symbols  # cumulative(low) <= slot < cumulative(high)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if cumulative(middle) <= slot else (low, middle)
        start, stop = cumulative(low), cumulative(high)
        self.x = (stop - start) * (self.x >> 16) + slot - start
        if self.x < 65536:
            self.x = 65536 * self.x + self.cursor.uint(2)
        return low

    def finish(self, values: bytes) -> None:
        must(self.x == 65536 + crc_16(values), "4.6: the last state")
        must(self.cursor.at == len(self.cursor.data), "4.6: words are left")


# 6.4, 6.3


def logistic(d: int, slope: int) -> int:
    u = clip(32768 + ((d * slope) >> 6), 0, 65535)
    i = u >> 10
    return KNOT[i] + (((KNOT[i + 1] - KNOT[i]) * (u & 1023)) >> 10)


def latent_cumulative(slope: int):
    def cumulative(v: int) -> int:
        if v in (0, 256):
            return 256 * v
        return v + ((65280 * 2 * logistic(16 * v - 2056, slope)) >> 16)

    return cumulative


def mixture(out: list, base: int, depth: int) -> tuple:
    """C(1), which is the frequency of 0, and the function X."""
    slopes, least, most = (SLOPE, -4096, 4095) if depth == 8 else (SLOPE16, -32768, 32767)
    blank = BLANK[clip(out[0], -255, 255)]
    location = [clip(o, least, most) for o in out[1::3]]
    slope = [slopes[clip(o, 0, 127)] for o in out[2::3]]
    logit = [clip(o, -255, 255) for o in out[3::3]]
    part = [EXP[max(logit) - one] for one in logit]
    weight = [1024 * one // sum(part) for one in part]
    weight[0] = 1024 - sum(weight[1:])

    @cache
    def x(v: int) -> int:
        return sum(
            w * logistic(16 * v - 8 - 16 * base - mu, s)
            for w, mu, s in zip(weight, location, slope, strict=True)
        )

    return blank, x


def level_cumulative(out: list, base: int):
    """C, of depth 8."""
    blank, x = mixture(out, base, 8)

    def cumulative(v: int) -> int:
        if v < 2:
            return blank * v
        return 65536 if v == 256 else blank + v - 1 + (((65281 - blank) * (x(v) >> 9)) >> 16)

    return cumulative


# 6.3.2


def deep_cumulatives(out: list, base: int, n_bins: int) -> tuple:
    """Of 0 and the bins; and of the places of a bin."""
    blank, x = mixture(out, base, 16)

    def y(j: int) -> int:
        return 0 if j == 0 else 2**25 if j == n_bins else x(1 + 256 * j)

    def bins(v: int) -> int:
        return blank + v - 1 + (((65536 - n_bins - blank) * (y(v - 1) >> 9)) >> 16) if v else 0

    def places_of(j: int):
        low, high = y(j), y(j + 1)

        def places(k: int) -> int:
            if k in (0, 256) or low == high:
                return 256 * k
            return k + 65280 * (x(1 + 256 * j + k) - low) // (high - low)

        return places

    return bins, places_of


def take_deep(words: Words, out: list, base: int, n_raw: int, n_bins: int) -> tuple[int, int]:
    """Level and raw bits, of depth 16."""
    bins, places_of = deep_cumulatives(out, base, n_bins)
    v = words.take(bins, 1 + n_bins)
    if v == 0:
        return 0, 0
    level = 1 + 256 * (v - 1) + words.take(places_of(v - 1), 256)
    return level, words.take(lambda raw: raw << (16 - n_raw), 2**n_raw) if n_raw else 0
