"""Shapes of labelled regions by their moments: area, centre, and how much they are an ellipse."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Labels = NDArray[np.int32]
"""(y, x): 0 is background, 1 … n are regions."""

Moments = NDArray[np.float64]
"""(6, region): area, and the sums of y, x, y², x², xy; region 0 is the background, and is 0."""


def moments(labels: Labels, n_regions: int) -> Moments:
    """Moments of regions 1 … n; those of a union are the sum of its parts'."""
    y, x = np.nonzero(labels)
    region = labels[y, x]
    ys, xs = y.astype(np.float64), x.astype(np.float64)
    weights = (None, ys, xs, ys * ys, xs * xs, ys * xs)
    return np.stack([np.bincount(region, w, n_regions + 1) for w in weights]).astype(np.float64)


def labelled(mask: NDArray[np.bool_]) -> tuple[Labels, Moments]:
    """Connected regions of a mask, and their moments."""
    labels, n = ndimage.label(mask)
    return labels, moments(labels, n)


def centres(m: Moments) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres of gravity, y and x."""
    area = np.maximum(m[0], 1)
    return m[1] / area, m[2] / area


def ellipticity(m: Moments) -> NDArray[np.float64]:
    """Area over that of the ellipse with the same second moments: 1 for an ellipse, else less.

    An ellipse with covariance C has the area 4π √det C. Two touching discs of one size have 0.89.
    """
    spread = _determinant(m)
    return np.where(m[0] > 0, m[0] / (4 * math.pi * np.sqrt(np.maximum(spread, 1e-9))), 0)


def elongation(m: Moments) -> NDArray[np.float64]:
    """Long axis over short axis, at least 1."""
    vy, vx, _ = _covariance(m)
    mean = (vy + vx) / 2
    half = np.sqrt(np.maximum(mean * mean - _determinant(m), 0))
    return np.sqrt((mean + half) / np.maximum(mean - half, 1e-9))


def ellipticity_of(m: list[float]) -> float:
    """``ellipticity`` of one region, without NumPy's overhead."""
    area, sy, sx, syy, sxx, sxy = m
    cy, cx = sy / area, sx / area
    vy, vx = syy / area - cy * cy + 1 / 12, sxx / area - cx * cx + 1 / 12
    vyx = sxy / area - cy * cx
    return area / (4 * math.pi * math.sqrt(max(vy * vx - vyx * vyx, 1e-9)))


def on_border(labels: Labels, n_regions: int) -> NDArray[np.bool_]:
    """Which regions touch the border of the image, bool (region,)."""
    touches = np.zeros(n_regions + 1, np.bool_)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        touches[side] = True
    touches[0] = False
    return touches


def _covariance(m: Moments) -> tuple[NDArray[np.float64], ...]:
    """Variances of y and x, and their covariance, of pixels as squares (hence 1/12)."""
    area = np.maximum(m[0], 1)
    cy, cx = m[1] / area, m[2] / area
    vy, vx = m[3] / area - cy * cy + 1 / 12, m[4] / area - cx * cx + 1 / 12
    return vy, vx, m[5] / area - cy * cx


def _determinant(m: Moments) -> NDArray[np.float64]:
    vy, vx, vyx = _covariance(m)
    return vy * vx - vyx * vyx
