"""The stain: the colour along which cells differ most from the background, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .foreground import (
    HALF,
    Contrast,
    Mask,
    background_at,
    eroded,
    grown,
    mean_background,
    rough_background,
    spread_out,
)

ROUNDS = 3
"""In which stain and foreground are found from each other."""
MOST_PIXELS = 1 << 11
"""As many pixels tell a median, or a covariance."""
MIN_PIXELS = 50
"""Fewer tell no colour."""


def brightness(image: NDArray[Any], weights: Sequence[float]) -> NDArray[np.float32]:
    """Weighted sum of the channels; that of grey is itself."""
    if image.ndim == 2:
        return image.astype(np.float32)
    out = np.zeros(image.shape[:2], np.float32)
    for channel, weight in enumerate(weights):
        if weight:
            out += image[..., channel] * np.float32(weight)
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Stain:
    """The stain in one sample.

    Parameters
    ----------
    weights
        See Calibration.
    noise
        Standard deviation of the background, from its median deviation.
    typical
        Median contrast of the foreground.
    share
        Of the foreground in the sample.
    """

    weights: NDArray[np.float64]
    noise: float
    typical: float
    share: float

    @classmethod
    def of(cls, image: NDArray[np.float32], before: Stain | None = None) -> Stain:
        """Find the colour along which foreground and background differ most (Fisher).

        Parameters
        ----------
        image
            float32 (y, x) or (y, x, 3).
        before
            What was found at another factor: a better start than all channels alike, so that
            fewer rounds do.
        """
        channels = image if image.ndim == 3 else image[..., np.newaxis]
        n, shape = channels.shape[2], channels.shape[:2]
        weights = before.weights if before else np.full(n, 1 / n)
        bright = brightness(channels, weights.tolist())
        contrast: Contrast = spread_out(rough_background(bright), shape) - bright
        limit = otsu(thinned(contrast.ravel()))
        if before:
            limit = _outline_at(before.noise, before.typical)
        foreground: Mask = contrast > limit
        noise = typical = 0.0
        for _ in range(ROUNDS - 1 if before else ROUNDS):
            surroundings = grown(foreground)
            grid = mean_background(channels, surroundings)
            inside = _differences(channels, grid, eroded(foreground))
            outside = _differences(channels, grid, ~surroundings)
            if len(inside) < MIN_PIXELS or len(outside) < MIN_PIXELS:
                break
            if n > 1:
                weights = _fisher(inside, outside)
            contrast = spread_out(brightness(grid, weights.tolist()), shape)
            contrast -= brightness(channels, weights.tolist())
            if not foreground.any() or foreground.all():
                break
            rest = thinned(contrast[~foreground])
            noise = 1.4826 * float(np.median(np.abs(rest - np.median(rest))))
            typical = float(np.median(thinned(contrast[foreground])))
            foreground = contrast > _outline_at(noise, typical)
        return cls(weights=weights, noise=noise, typical=typical, share=float(foreground.mean()))


def _outline_at(noise: float, typical: float) -> float:
    """Contrast above which a pixel is foreground while the stain is looked for."""
    return min(max(HALF * typical, 3 * noise), 0.7 * typical)


def thinned(values: NDArray[Any]) -> NDArray[Any]:
    """Every so many values, MOST_PIXELS to twice as many; all of them where they are fewer."""
    return values[:: max(len(values) // MOST_PIXELS, 1)]


def _differences(
    channels: NDArray[np.float32], grid: NDArray[np.float32], mask: Mask
) -> NDArray[np.float32]:
    """Background less image of some pixels within a mask; float32 (pixel, channel)."""
    places = thinned(np.flatnonzero(mask))
    y, x = np.divmod(places, mask.shape[1])
    pixels = channels.reshape(-1, channels.shape[2])[places]
    return np.asarray(background_at(grid, y, x) - pixels)


def _fisher(inside: NDArray[np.float32], outside: NDArray[np.float32]) -> NDArray[np.float64]:
    """Fisher's discriminant, its negative weights cut off; float64 (channel,), sum 1."""
    within = np.cov(inside.T) + np.cov(outside.T)
    n = len(within)
    within += np.eye(n) * (0.05 * np.trace(within) / n + 1e-6)
    weights = np.linalg.solve(within, inside.mean(axis=0) - outside.mean(axis=0))
    weights = np.clip(weights, 0, None)
    total = float(weights.sum())
    return weights / total if total > 0 else np.full(n, 1 / n)


def otsu(values: NDArray[np.float32]) -> float:
    """Otsu's threshold, between the 0.5th and the 99.5th percentile."""
    low, high = np.percentile(values, [0.5, 99.5]).tolist()
    if not high > low:
        return float(high)
    counts, edges = np.histogram(values, 128, (low, high))
    middles = (edges[1:] + edges[:-1]) / 2
    below = counts.cumsum()
    above = below[-1] - below
    sums = (counts * middles).cumsum()
    mean_below = sums / np.maximum(below, 1)
    mean_above = (sums[-1] - sums) / np.maximum(above, 1)
    return float(middles[np.argmax(below * above * (mean_below - mean_above) ** 2)])


def blueness(image: NDArray[Any]) -> NDArray[np.float32]:
    """Blue less red of (…, 3): high where nuclei are, which let no red through."""
    return np.asarray(image[..., 2].astype(np.float32) - image[..., 0])
