"""Calibration: what cells of a slide look like, found from samples of the slide itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .foreground import (
    BLOCK,
    HALF,
    Contrast,
    Mask,
    above_own_half,
    contrast_of,
    foreground_of,
    without_holes,
)
from .reduce import reduced
from .shape import Labels, Moments, ellipticity, elongation, labelled, on_border
from .split import split
from .stain import ROUNDS, Stain, blueness, brightness, thinned

Pixels = NDArray[np.uint8]
"""(y, x) or (y, x, 3)."""

LEAST_DIAMETER, LEAST_HALVED = 16, 28
"""Cells are at least so many pixels across where the image is reduced; it is reduced by 2 where
they are so many before."""
MAX_FACTOR = 16
NOISES, SHARE = 4.0, 0.25
"""The lowest contrast of a cell: in standard deviations of the background, in contrasts of a
typical cell."""
COARSE_SIDE = 600
"""Samples of this side or more are reduced by 4 at first, smaller ones by 2."""
DARK_FIELD = 48
"""Grey level below which the middle of the samples is a dark background: fluorescence."""
NUCLEAR_DEVIATIONS, NUCLEAR_STEP = 4.0, 40.0
"""A nucleus is bluer than cells by so many deviations and grey levels."""
AGREED = 0.05
"""Diameters that differ by a smaller share are the same."""
LEAST_PIXELS = 25
"""Of a cell in the reduced image."""
DEBRIS = 0.35
"""Share of the area of cells below which an object is none."""
MIN_CELLS, ENOUGH_CELLS = 3, 32
"""Fewer tell no diameter; so many that are single already tell it, without those in clumps."""
ROUND_ELLIPTICITY, ROUND_ELONGATION = 0.95, 1.8
"""Single cells are like this; clumps are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What cells of a slide look like.

    Parameters
    ----------
    factor
        By which the image is reduced, at least 1.
    diameter
        Of a typical cell, in pixels of the reduced image.
    weights
        Of the channels (one for grey), at least 0, with sum 1: the colour of the stain.
    lowest, typical
        Contrast to the background, in grey levels: the lowest of a cell, that of a typical one.
    nuclear
        Blue less red above which a stained pixel is of a nucleus: far from what red cells have.
        None of grey slides, and where cells are bright.
    inverted
        Cells are brighter than the background.
    """

    factor: int
    diameter: float
    weights: tuple[float, ...]
    lowest: float
    typical: float
    nuclear: float | None = None
    inverted: bool = False

    @property
    def area(self) -> float:
        """Of a typical cell, in pixels of the reduced image."""
        return math.pi * self.diameter**2 / 4

    @property
    def threshold(self) -> float:
        """Above it a pixel is no background."""
        return max(HALF * self.typical, self.lowest)

    def bright(self, small: Pixels) -> NDArray[np.float32]:
        """Brightness along the stain's colour, of the reduced image."""
        return brightness(~small if self.inverted else small, self.weights)


def calibrate(samples: Sequence[Pixels]) -> Calibration:
    """Calibrate by samples of a slide, each uint8 (y, x[, 3]), all with the same channels.

    The diameter is not known before: the samples are reduced coarsely at first, then by the factor
    that follows.
    """
    inverted = float(np.median([np.median(sample[::4, ::4]) for sample in samples])) < DARK_FIELD
    if inverted:
        samples = [~sample for sample in samples]
    factor = 4 if min(min(sample.shape[:2]) for sample in samples) >= COARSE_SIDE else 2
    calibration = _calibrated(samples, factor, inverted)
    for _ in range(ROUNDS - 1):
        across = calibration.diameter * calibration.factor
        factor = min(int(across / LEAST_DIAMETER), MAX_FACTOR)
        factor = max(factor, 2 if across >= LEAST_HALVED else 1)
        if factor == calibration.factor:
            break
        calibration = _calibrated(samples, factor, inverted, calibration)
    return calibration


def _calibrated(
    samples: Sequence[Pixels], factor: int, inverted: bool, before: Calibration | None = None
) -> Calibration:
    """Calibrate at one factor; ``before`` is what was found at another."""
    images = [reduced(sample, factor).astype(np.float32) for sample in samples]
    start = None
    if before:
        start = Stain(
            weights=np.array(before.weights),
            noise=before.lowest / NOISES,
            typical=before.typical,
            share=1.0,
        )
    stains = [Stain.of(image, start) for image in images]
    # Each sample has a say as far as it holds cells.
    shares = np.array([stain.share + 1e-6 for stain in stains])
    shares /= shares.sum()
    weights = np.average([stain.weights for stain in stains], axis=0, weights=shares)
    weights /= weights.sum()
    noise = _weighted_median([stain.noise for stain in stains], shares)
    typical = _weighted_median([stain.typical for stain in stains], shares)
    lowest = max(NOISES * noise, SHARE * typical, 1.0)
    contrasts = [
        contrast_of(brightness(image, weights.tolist()), max(HALF * typical, lowest))
        for image in images
    ]
    stained = [contrast > HALF * typical for contrast in contrasts]
    return Calibration(
        factor=factor,
        diameter=_typical_diameter(
            contrasts, lowest, before.diameter * before.factor / factor if before else None
        ),
        nuclear=None if inverted else _nuclear(images, stained),
        weights=tuple(weights.tolist()),
        lowest=lowest,
        typical=max(typical, lowest),
        inverted=inverted,
    )


def _nuclear(images: Sequence[NDArray[np.float32]], stained: Sequence[Mask]) -> float | None:
    if images[0].ndim != 3 or not any(mask.any() for mask in stained):
        return None
    both = zip(images, stained, strict=True)
    values = np.concatenate([
        blueness(image.reshape(-1, 3)[thinned(np.flatnonzero(mask))]) for image, mask in both
    ])  # fmt: skip
    middle = np.median(values)
    deviation = 1.4826 * float(np.median(np.abs(values - middle)))
    return float(middle) + max(NUCLEAR_DEVIATIONS * deviation, NUCLEAR_STEP)


def _typical_diameter(
    contrasts: Sequence[Contrast], lowest: float, diameter: float | None
) -> float:
    """Of single cells: first, unless known, of objects that are round, then after splitting."""
    if diameter is None:
        filled = [without_holes(above_own_half(contrast, lowest)) for contrast in contrasts]
        areas = np.concatenate([_single_areas(*labelled(mask)) for mask in filled])
        diameter = _diameter(areas, float(BLOCK))
    for _ in range(2):
        before = diameter
        masks = [foreground_of(contrast, lowest, before) for contrast in contrasts]
        areas = np.concatenate([_single_areas(*labelled(mask)) for mask in masks])
        if len(areas) < ENOUGH_CELLS:
            areas = np.concatenate([_single_areas(*split(mask, before)) for mask in masks])
        diameter = _diameter(areas, before)
        if abs(diameter - before) < AGREED * before:
            break
    return diameter


def _single_areas(labels: Labels, m: Moments) -> NDArray[np.float64]:
    """Areas of regions that look like single cells, whole in the sample."""
    is_single = (ellipticity(m) > ROUND_ELLIPTICITY) & (elongation(m) < ROUND_ELONGATION)
    is_single &= ~on_border(labels, m.shape[1] - 1) & (m[0] > LEAST_PIXELS)
    return np.asarray(m[0][is_single])


def _diameter(areas: NDArray[np.float64], otherwise: float) -> float:
    """Median over cells; what is much smaller than where most of the area is counts as debris.

    Unless that is less than MIN_CELLS objects, such as a stain of plasma: they do not count then.
    """
    areas = np.sort(areas)
    while len(areas) >= MIN_CELLS:
        cumulative = areas.cumsum()
        middle = areas[np.searchsorted(cumulative, cumulative[-1] / 2)]
        first = int(np.searchsorted(areas, DEBRIS * middle, side="right"))
        if len(areas) - first >= MIN_CELLS:
            return float(2 * np.sqrt(np.median(areas[first:]) / np.pi))
        areas = areas[:first]
    return otherwise


def _weighted_median(values: Sequence[float], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    cumulative = weights[order].cumsum()
    return float(np.asarray(values)[order][np.searchsorted(cumulative, cumulative[-1] / 2)])
