"""How much of a cell the border of the slide cuts off."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import EllipseModel

from .shape import Labels, on_border

MOST_CUT = 0.19
"""A cell of which no more is cut off is nearly whole: whoever marks cells by hand marks most of
these, and hardly any others."""
MOST_TOLD = 0.95
"""No estimate is larger."""

Sides = tuple[bool, bool, bool, bool]
"""Whether the border cuts a cell above, below, on the left and on the right."""


def cut_shares(masks: Sequence[NDArray[np.bool_]], sides: Sequence[Sides]) -> NDArray[np.float64]:
    """Share of each cell that lies beyond the border of the slide, as its outline tells; below 1.

    A cell is taken for an ellipse, and the mean of two estimates is taken: by its chords, which
    gives too much for ragged cells, and by the ellipse that fits its outline, which gives too
    little.

    Parameters
    ----------
    masks
        bool (y, x): each cell in its box.
    sides
        See Sides.

    Returns
    -------
    float64 (cell,)
    """
    if not masks:
        return np.empty(0)
    are_cut = np.array(sides)
    by_chords = _share_beyond(_distances_by_chords(masks), are_cut)
    by_ellipse = _share_beyond(_distances_by_ellipse(masks, sides), are_cut)
    by_ellipse = np.where(np.isnan(by_ellipse), by_chords, by_ellipse)
    return np.minimum((by_chords + by_ellipse) / 2, MOST_TOLD)


def cut_shares_of(labels: Labels, n_regions: int) -> NDArray[np.float64]:
    """``cut_shares`` of the regions of an image by its border; float64 (region,)."""
    out = np.zeros(n_regions + 1)
    at_border = np.flatnonzero(on_border(labels, n_regions))
    if not len(at_border):
        return out
    boxes = ndimage.find_objects(labels, n_regions)
    height, width = labels.shape
    parts = [(k, *boxes[k - 1]) for k in at_border.tolist()]
    out[at_border] = cut_shares(
        [labels[y, x] == k for k, y, x in parts],
        [(y.start == 0, y.stop == height, x.start == 0, x.stop == width) for _, y, x in parts],
    )
    return out


def _share_beyond(
    distances: NDArray[np.float64], are_cut: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Share of ellipses beyond chords at distances from their centres, in radii across the chord.

    Parameters
    ----------
    distances, are_cut
        (cell, side), see Sides.
    """
    t = np.clip(distances, -1, 1)
    left = 1 - (np.arccos(t) - t * np.sqrt(1 - t * t)) / math.pi
    return np.asarray(1 - np.where(are_cut, left, 1).prod(axis=1))


def _distances_by_chords(masks: Sequence[NDArray[np.bool_]]) -> NDArray[np.float64]:
    """Of all parallel chords of an ellipse the middle one is the longest.

    How long another one is beside it tells how far out it lies, whatever the ellipse's axes. Where
    a side cuts a cell beyond its middle, it is taken to do so in the middle.
    """
    halves = []
    for mask in masks:
        rows, columns = np.count_nonzero(mask, axis=1), np.count_nonzero(mask, axis=0)
        high, wide = columns.max(), rows.max()
        halves.append((rows[0] / wide, rows[-1] / wide, columns[0] / high, columns[-1] / high))
    return np.asarray(np.sqrt(1 - np.square(halves)))


def _distances_by_ellipse(
    masks: Sequence[NDArray[np.bool_]], sides: Sequence[Sides]
) -> NDArray[np.float64]:
    """By the ellipses that fit the outlines within the slide; NaN where none fits."""
    out = np.full((len(masks), 4), np.nan)
    for distances, mask, side in zip(out, masks, sides, strict=True):
        with np.errstate(divide="ignore", invalid="ignore"):  # of circles, and of few points
            fitted = EllipseModel.from_estimate(_outline(mask, side))
        if not fitted:
            continue
        (x, y), (a, b), theta = fitted.center, fitted.axis_lengths, fitted.theta
        across = math.hypot(a * math.cos(theta), b * math.sin(theta))
        down = math.hypot(a * math.sin(theta), b * math.cos(theta))
        height, width = mask.shape
        distances[:] = y / down, (height - y) / down, x / across, (width - x) / across
    return out


def _outline(mask: NDArray[np.bool_], sides: Sides) -> NDArray[np.float64]:
    """Middles of the edges of pixels along the outline but for the border; (point, 2), x and y."""
    height, width = mask.shape
    padded = np.zeros((height + 2, width + 2), np.bool_)
    padded[1:-1, 1:-1] = mask
    # The border itself is no outline.
    for is_cut, outside, inside in zip(
        sides,
        (padded[0], padded[-1], padded[:, 0], padded[:, -1]),
        (padded[1], padded[-2], padded[:, 1], padded[:, -2]),
        strict=True,
    ):
        if is_cut:
            outside[:] = inside
    y, x = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])
    down, across = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])
    points = [x + 0.5, y], [across, down + 0.5]
    return np.concatenate(points, axis=1).T


def _cut_discs() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares beyond a chord of a disc, rising, and the ``ellipticity`` of the rest."""
    t = np.linspace(1, -0.9, 200)  # of the chord; the rest is where y < t
    root = np.sqrt(1 - t * t)
    area = np.pi - np.arccos(t) + t * root
    mean_y = -2 / 3 * root**3 / area
    yy = (np.pi - np.arccos(t)) / 4 + (t * root * (2 * t * t - 1)) / 4
    radial = (np.pi - np.arccos(t)) / 2 + t * root / 6 * (1 + 2 * t * t)  # of x² + y²
    vy, vx = yy / area - mean_y**2, (radial - yy) / area
    return 1 - area / np.pi, area / (4 * np.pi * np.sqrt(vy * vx))


_SHARES, _ELLIPTICITIES = _cut_discs()


def cut_ellipticity(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """``ellipticity`` of an ellipse of which a straight line cuts off a share: 1 for none.

    It is the same for all ellipses, as it does not change when they are stretched.
    """
    return np.interp(shares, _SHARES, _ELLIPTICITIES)
