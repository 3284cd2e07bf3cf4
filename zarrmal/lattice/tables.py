"""Quantisation tables behind coefficients: the known series first, then each frequency alone.

At the true phase each coefficient is a multiple of its step, but for the rounding of samples. How
likely measured coefficients are is computed for every step from 1 to 255 at every frequency; a
table's likelihood is the sum over its steps. The standard tables at each quality are one number to
choose, any other table 64: the simpler must only be almost as likely (the rule of Neelamani et al.
2006, with a penalty for free parameters).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled
from .series import MAX_STEP as MAX_STEP
from .series import OWN as OWN
from .series import SERIES as SERIES
from .series import Steps as Steps
from .series import series_name as series_name
from .solve.dct import N_COEFFICIENTS, Float


def standard_table(
    table: NDArray[np.uint16], is_used: NDArray[np.bool_], other: NDArray[np.uint16]
) -> NDArray[np.uint16]:
    """The standard table with the steps that are used, the likest one; if there is none, `other`.

    Small cells leave a few qualities possible, and different ones at that.
    """
    same = table.reshape(-1) == SERIES
    fits = np.flatnonzero((same | ~is_used.reshape(-1)).all(axis=1))
    if not len(fits):
        return other
    best: Steps = SERIES[fits[same[fits].sum(axis=1).argmax()]]
    return best.reshape(table.shape).astype(np.uint16)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEstimate:
    """A table, and how far the coefficients tell it.

    Attributes
    ----------
    steps
        int64 (64,), 1 to 255.
    is_determined
        bool (64,): the coefficients of the frequency tell its step; else all are 0 there, and any
        step above some bound would do.
    is_standard
        Whether it is one of SERIES.
    nearest
        int64 (N_NEAREST, 64): the likeliest of SERIES.
    cautious
        int64 (64,): of the steps that are not much less likely the smallest, which explain most.
    """

    steps: Steps
    cautious: Steps
    is_determined: NDArray[np.bool_]
    is_standard: bool
    nearest: Steps

    @property
    def gain_bits(self) -> float:
        """Bits a block saves against samples: log2 of how many fewer blocks there are."""
        return float(np.log2(self.steps[self.is_determined]).sum())


ROUNDING_VARIANCE = 1 / 12
"""Of a measured coefficient: samples are rounded to integers."""

ENOUGH_BLOCKS = 256
"""More coefficients tell no more about a step, and take time."""

N_NEAREST = 8
FEW_BLOCKS = 24
SMOOTH = 16.0
"""Blocks with more ``error_inflation`` are looked at only where there are few others."""

FREE_STEP_COST = 6.0
"""Natural logarithm of how much likelier a step must make its frequency to be freely chosen."""

CHANGE_COST = 8.0
"""The same for a step by which a table differs from a standard one."""

UNSURE = 6.0
"""By how much less likely a step may be to be the right one after all, in natural logarithms."""

MOST, WIDER = 0.8, 10.0

UNLIKE_COST = 2.0
"""By how much a step is less likely, in natural logarithms, for each factor e to or from that of
the nearest standard table."""

RARE = float(np.log(0.1 / 2))

NOT_ZERO = 6.0
"""Standard deviations above which a coefficient is not 0."""

NEW_STEP = 0.2
"""Share of steps that no other picture has."""

OUTLIER_LOG = -30.0
"""Logarithm of the share of coefficients that follow no lattice."""


def estimate_table(
    coefficients: Float,
    weights: Float | None = None,
    seen: Sequence[Steps] = (),
) -> TableEstimate:
    """The likeliest table.

    Parameters
    ----------
    coefficients
        float64 (block, 64), measured; at least one block.
    weights
        float64 (block,): by how much the variance of their errors is larger than that of rounding,
        see ``error_inflation``; 1 if None.
    seen
        Tables of other pictures: where few coefficients tell a step, one that was seen there is
        likelier.
    """
    inflation = np.ones(len(coefficients)) if weights is None else weights
    n_telling = int((inflation <= SMOOTH).sum())
    order = np.argsort(inflation, kind="stable")[: max(n_telling, FEW_BLOCKS)]
    fits = step_likelihoods(coefficients[order], inflation[order], has_means=True)
    rows = np.arange(N_COEFFICIENTS)
    series_fits = fits[rows, SERIES].sum(axis=1)
    likeliest = SERIES[np.argsort(-series_fits, kind="stable")[:N_NEAREST]]
    nearest = int(series_fits.argmax())
    unlike = np.abs(np.log(np.maximum(np.arange(MAX_STEP + 1), 1) / SERIES[nearest][:, None]))
    likely = fits + _log_seen(seen) - UNLIKE_COST * unlike
    best = likely[:, 1:].argmax(axis=1) + 1
    is_near = likely[:, 1:] >= likely[rows, best][:, None] - UNSURE
    # What is seen of means is the same whatever their step, where all samples are rounded alike.
    is_near[0] = True
    cautious = is_near.argmax(axis=1) + 1
    # Where all are 0 the greatest step is as likely as any, and the error of rounding is all that
    # is seen: smooth blocks have some that look like a step of 1.
    is_determined = likely[rows, best] - fits[rows, MAX_STEP] > FREE_STEP_COST
    errors = np.sqrt(inflation[order, None] * ROUNDING_VARIANCE)
    is_determined &= (np.abs(coefficients[order]) / errors).max(axis=0) > NOT_ZERO
    free_fit = fits[rows, best][is_determined].sum() - FREE_STEP_COST * is_determined.sum()
    if series_fits[nearest] - fits[rows, best][~is_determined].sum() >= free_fit:
        # Tables like a standard one are not all equal to it.
        usual = SERIES[nearest]
        is_changed = is_determined & (likely[rows, best] - likely[rows, usual] > CHANGE_COST)
        steps = np.where(is_changed, best, usual)
        return TableEstimate(
            steps=steps,
            cautious=np.where(is_determined, np.minimum(cautious, steps), steps),
            is_determined=is_determined,
            is_standard=not is_changed.any(),
            nearest=likeliest,
        )
    # Undetermined steps are those of other pictures, or of the most similar table.
    distance = np.abs(np.log(SERIES[:, is_determined] / best[is_determined])).sum(axis=1)
    steps = SERIES[int(distance.argmin())].copy()
    if len(seen):
        steps = _most_frequent(np.stack(list(seen)))
    steps[is_determined] = best[is_determined]
    return TableEstimate(
        steps=steps,
        cautious=np.where(is_determined, cautious, steps),
        is_determined=is_determined,
        is_standard=False,
        nearest=likeliest,
    )


def _log_seen(tables: Sequence[Steps]) -> Float:
    """Log of how much likelier each step of each frequency is for having been seen, (64, 256)."""
    if not len(tables):
        return np.zeros((N_COEFFICIENTS, MAX_STEP + 1))
    counts = np.zeros((N_COEFFICIENTS, MAX_STEP + 1))
    for table in tables:
        counts[np.arange(N_COEFFICIENTS), np.minimum(table, MAX_STEP)] += 1
    gain: Float = np.log(NEW_STEP + (1 - NEW_STEP) * MAX_STEP * counts / len(tables))
    return gain


def _most_frequent(tables: Steps) -> Steps:
    """The step that most tables have, of each frequency."""
    counts = (tables[:, None, :] == tables[None, :, :]).sum(axis=0)
    steps: Steps = np.take_along_axis(tables, counts.argmax(axis=0)[None], axis=0)[0]
    return steps


def step_likelihoods(
    coefficients: Float, inflation: Float, *, has_means: bool, largest_step: int = MAX_STEP
) -> Float:
    """Log likelihood of steps at each frequency, (frequency, 1 + step); column 0 is unused.

    Parameters
    ----------
    coefficients
        float64 (block, frequency), of some frequencies.
    inflation
        float64 (block,), see ``estimate_table``.
    has_means
        Whether the first are the means of the blocks.
    largest_step
        Steps from 1 to this are looked at.
    """
    fits = np.zeros((coefficients.shape[1], largest_step + 1))
    absolute = np.abs(coefficients).T
    # The mean itself, not that of levels, scales the Laplace distribution of unquantised values.
    scales = np.maximum(absolute.mean(axis=1), 0.4)
    # The largest are the multiples that tell a step.
    largest = np.argsort(-absolute, axis=1, kind="stable")[:, :ENOUGH_BLOCKS]
    absolute = np.ascontiguousarray(np.take_along_axis(absolute, largest, axis=1))
    _likelihoods(absolute, inflation[largest], scales, has_means, fits)
    return fits


@compiled
def _log_share(level: float, decay: float) -> float:
    """Log of the share of coefficients with an absolute level, steps being `decay` scales.

    Of most blocks the Laplace distribution is narrow, of some, with edges, WIDER times as wide.
    """
    wide = decay / WIDER
    if level == 0:
        shares = 1 - np.exp(-decay / 2), 1 - np.exp(-wide / 2)
        return float(np.log(MOST * shares[0] + (1 - MOST) * shares[1]))
    narrow = np.log(MOST * (1 - np.exp(-decay)) / 2) - decay * (level - 0.5)
    return float(max(narrow, np.log((1 - MOST) * (1 - np.exp(-wide)) / 2) - wide * (level - 0.5)))


@compiled
def _likelihoods(
    absolute: Float, inflation: Float, scales: Float, has_means: bool, fits: Float
) -> None:
    """Sum over the blocks (frequency, block) of the log likelihood of every step."""
    peaks = -0.5 * np.log(2 * np.pi * ROUNDING_VARIANCE * inflation)
    for j in range(absolute.shape[0]):
        scale = scales[j]
        is_mean = has_means and j == 0
        for step in range(1, fits.shape[1]):
            decay = step / scale
            flat = np.log(decay)  # the mean of a block may be anything
            total = 0.0
            for n in range(absolute.shape[1]):
                x = absolute[j, n]
                variance = ROUNDING_VARIANCE * inflation[j, n]
                peak = peaks[j, n]
                level = np.floor(x / step + 0.5)
                error = x - level * step
                prior = flat if is_mean else _log_share(level, decay)
                value = peak + prior - 0.5 * error * error / variance
                if step * step < 36 * variance:
                    # Steps near the error: the next level, on the error's side, matters too.
                    next_level = abs(level + (1 if error >= 0 else -1))
                    next_prior = flat if is_mean else _log_share(next_level, decay)
                    away = step - abs(error)
                    change = next_prior - prior
                    change -= 0.5 * (away * away - error * error) / variance
                    value += np.log(1 + np.exp(change)) if change < 30 else change
                # A tenth of the errors is twice as large: rounding is not quite independent.
                value = max(value, peak + prior + RARE - error * error / (8 * variance))
                total += max(value, OUTLIER_LOG - x / scale - np.log(2 * scale))
            fits[j, step] = total
