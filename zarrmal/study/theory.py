"""The paper's formulas: geometric residues, their Golomb code, and a misclassifying channel.

Dong, Pan and Wu, "Impact of Misclassification Rates on Compression Efficiency of Red Blood Cell
Images of Malaria Infection Using Deep Learning", Entropy 2019, 21(11), 1062: sections 2.3 (codes)
and 2.5 (the binary channel). Symbols are the paper's. All rates are in bits a symbol.

The paper's equation 2 divides the entropy of a geometric source by p; its equation 19, and the
definition, divide by 1 - p, as does this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, isfinite, log, log1p, log2
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

TOLERANCE = 1e-9
"""Largest deviation of a sum of probabilities from one."""


def _probability(p: float) -> float:
    if not 0 <= p < 1:
        raise ValueError(f"p of a geometric source must be 0 <= p < 1, not {p}")
    return p


def _golomb(m: int) -> int:
    if m < 1:
        raise ValueError(f"a Golomb parameter is m >= 1, not {m}")
    return m


def geometric_pmf(n: ArrayLike, p: float) -> Floats:
    """P(n) = p^n (1 - p), n >= 0 (section 2.3)."""
    _probability(p)
    counts = np.asarray(n)
    if counts.size and counts.min() < 0:
        raise ValueError(f"a geometric source gives n >= 0, not {counts.min()}")
    pmf: Floats = np.power(float(p), counts) * (1 - p)
    return pmf


def geometric_mean(p: float) -> float:
    """E[n] = p / (1 - p) (section 2.3)."""
    return _probability(p) / (1 - p)


def p_from_mean(mean: float) -> float:
    """p = E[n] / (1 + E[n]), the estimate of p from a sample's mean (section 2.3)."""
    if not (isfinite(mean) and mean >= 0):
        raise ValueError(f"the mean of a geometric source must be finite and >= 0, not {mean}")
    return mean / (1 + mean)


def geometric_entropy(p: float) -> float:
    """H(p) = [-(1 - p) log2(1 - p) - p log2 p] / (1 - p) (equation 19; equation 2 misprints it)."""
    if _probability(p) == 0:
        return 0.0
    return -log1p(-p) / log(2) - p * log2(p) / (1 - p)


def rice_parameter(mean: float) -> int:
    """s = max(0, ceil(log2(E[n] / 2))) (section 2.3)."""
    if not (isfinite(mean) and mean >= 0):
        raise ValueError(f"a mean must be finite and >= 0, not {mean}")
    # ceil(log2 x) = ceil(log2(ceil x)) for x > 1, which is an integer's length in bits
    return max(ceil(mean / 2) - 1, 0).bit_length()


def golomb_parts(m: int) -> tuple[int, int]:
    """A = ceil(log2 m), B = floor(log2 m), lengths of the truncated binary part (section 2.3)."""
    return (_golomb(m) - 1).bit_length(), m.bit_length() - 1


def golomb_length(n: int, m: int) -> int:
    """Length of the Golomb codeword of n: n div m ones, a zero, and n mod m in B or A bits.

    r < 2^A - m takes B bits, any other r is written as r + 2^A - m in A bits (section 2.3).
    """
    if n < 0:
        raise ValueError(f"a Golomb code holds n >= 0, not {n}")
    a, b = golomb_parts(m)
    q, r = divmod(n, m)
    return q + 1 + (b if r < (1 << a) - m else a)


def mean_quotient(p: float, m: int) -> float:
    """E[q] = p^m / (1 - p^m) of q = n div m: q is geometric with p^m (section 2.3)."""
    power = _probability(p) ** _golomb(m)
    return power / (1 - power)


def mean_remainder_length(p: float, m: int) -> float:
    """Mean length of the truncated binary part of n mod m of a geometric source.

    P(r) = p^r (1 - p) / (1 - p^m), so the first 2^A - m remainders, of B bits, have the
    probability (1 - p^(2^A - m)) / (1 - p^m).
    """
    a, b = golomb_parts(m)
    if a == b:  # m is a power of two: every r has as many bits
        return float(a)
    short = (1 - _probability(p) ** ((1 << a) - m)) / (1 - p**m)
    return a - (a - b) * short


def golomb_acwl(p: float, m: int) -> float:
    """ACWL = E[q] + 1 + mean length of r, exact for a geometric source and any m (section 2.3)."""
    return mean_quotient(p, m) + 1 + mean_remainder_length(p, m)


def rice_acwl(p: float, s: int) -> float:
    """ACWL = E[q] + 1 + s of the Rice code, m = 2^s (section 2.3)."""
    if s < 0:
        raise ValueError(f"a Rice parameter is s >= 0, not {s}")
    return mean_quotient(p, 1 << s) + 1 + s


def best_golomb(p: float) -> int:
    """The m of the shortest code for a geometric source (Gallager and Van Voorhis, 1975).

    It is the smallest m with p^m + p^(m + 1) <= 1.
    """
    if _probability(p) == 0:
        return 1
    return max(1, ceil(-log2(1 + p) / log2(p) - 1e-12))


def entropy(counts: ArrayLike) -> float:
    """Zero-order entropy of a histogram, -sum f log2 f of its shares f; 0 if it is empty."""
    values = np.asarray(counts, np.float64)
    if values.size and values.min() < 0:
        raise ValueError(f"counts are >= 0, not {values.min()}")
    total = values.sum()
    if not total:
        return 0.0
    shares = values[values > 0] / total
    return float(-(shares * np.log2(shares)).sum()) + 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Channel:
    """A classifier as a channel from true classes S_i to assigned classes C_j (section 2.5).

    Parameters
    ----------
    priors
        P(Si), float64 (class,), sum 1.
    rates
        P(Cj|Si), float64 (class, class), each row of sum 1. The paper's binary channel has two
        classes.

    Raises
    ------
    ValueError
        If these are not probabilities, or their shapes do not match.
    """

    priors: Floats
    rates: Floats

    def __post_init__(self) -> None:
        priors, rates = np.array(self.priors, float), np.array(self.rates, float)
        if priors.ndim != 1 or not len(priors):
            raise ValueError(f"priors P(Si) must be one-dimensional, not of shape {priors.shape}")
        if rates.shape != (len(priors), len(priors)):
            raise ValueError(f"rates P(Cj|Si) of {len(priors)} classes must be {len(priors)} x "
                             f"{len(priors)}, not of shape {rates.shape}")  # fmt: skip
        _refuse_no_distribution(priors[None], "priors P(Si)")
        _refuse_no_distribution(rates, "each row of the rates P(Cj|Si)")
        priors.flags.writeable = rates.flags.writeable = False
        object.__setattr__(self, "priors", priors)
        object.__setattr__(self, "rates", rates)

    @property
    def n_classes(self) -> int:
        """Number of classes, at least 1."""
        return len(self.priors)

    @property
    def joint(self) -> Floats:
        """P(Si, Cj) = P(Cj|Si) P(Si), float64 (true class, assigned class)."""
        joint: Floats = self.rates * self.priors[:, None]
        return joint

    @property
    def assigned(self) -> Floats:
        """P(Cj), float64 (class,)."""
        assigned: Floats = self.joint.sum(axis=0)
        return assigned

    @property
    def accuracy(self) -> float:
        """Share of cells that are assigned their true class."""
        return float(np.trace(self.joint))

    def conditional(self, sources: ArrayLike) -> Floats:
        """H_i = sum over j of P(Cj|Si) H(R_ij), float64 (class,): the paper's H0 and H1.

        Parameters
        ----------
        sources
            Entropy, or any mean length, of the residue source R_ij, (true class, assigned class).
            NaN is allowed for a source that the channel never uses.
        """
        conditional: Floats = (self.rates * self._used(sources)).sum(axis=1)
        return conditional

    def bit_rate(self, sources: ArrayLike) -> float:
        """BR = sum of P(Si, Cj) H(R_ij) = H0 P(S0) + H1 P(S1)."""
        return float(self.priors @ self.conditional(sources))

    def acwl(self, lengths: ArrayLike) -> float:
        """ACWL_overall = sum of P(Cj|Si) P(Si) ACWL(R_ij)."""
        return self.bit_rate(lengths)

    def _used(self, sources: ArrayLike) -> Floats:
        """The sources, 0 where the channel never uses them."""
        values = np.asarray(sources, np.float64)
        if values.shape != self.rates.shape:
            raise ValueError(
                f"sources R_ij of {self.n_classes} classes must be {self.n_classes} x "
                f"{self.n_classes}, not of shape {values.shape}"
            )
        is_used = self.rates > 0
        if not np.isfinite(values[is_used]).all():
            raise ValueError("a source R_ij that the channel uses must have a finite rate")
        return np.where(is_used, values, 0.0)


def _refuse_no_distribution(rows: Floats, name: str) -> None:
    # The comparison is false for NaN.
    if not (rows.min(initial=inf) >= 0 and np.abs(rows.sum(axis=1) - 1).max() <= TOLERANCE):
        raise ValueError(f"{name} must be >= 0 and add up to 1, not {rows.tolist()}")


def binary_channel(p0: float, p_c1_s0: float, p_c0_s1: float) -> Channel:
    """The paper's channel of two classes.

    Parameters
    ----------
    p0
        P(S0); P(S1) = 1 - P(S0).
    p_c1_s0, p_c0_s1
        Misclassification rates P(C1|S0) and P(C0|S1).
    """
    values: dict[str, Any] = {"P(S0)": p0, "P(C1|S0)": p_c1_s0, "P(C0|S1)": p_c0_s1}
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be 0 <= probability <= 1, not {value}")
    return Channel(
        priors=np.array([p0, 1 - p0]),
        rates=np.array([[1 - p_c1_s0, p_c1_s0], [p_c0_s1, 1 - p_c0_s1]]),
    )
