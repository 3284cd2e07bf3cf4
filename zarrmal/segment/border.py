"""How much of a cell the border of the slide cuts off."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

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
    outlines = [_outline(mask, side) for mask, side in zip(masks, sides, strict=True)]
    cell = np.repeat(np.arange(len(masks)), [points.shape[1] for points in outlines])
    x, y, across, down = _fitted(np.concatenate(outlines, axis=1), cell, len(masks))
    height, width = np.array([mask.shape for mask in masks]).T
    return np.stack([y / down, (height - y) / down, x / across, (width - x) / across], axis=1)


def _outline(mask: NDArray[np.bool_], sides: Sides) -> NDArray[np.float64]:
    """Middles of the edges of pixels along the outline but for the border; (2, point), x and y."""
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
    n = len(x)
    out = np.empty((2, n + len(across)))
    out[0, :n], out[1, :n] = x + 0.5, y
    out[0, n:], out[1, n:] = across, down + 0.5
    return out


def _fitted(
    points: NDArray[np.float64], cell: NDArray[np.int64], n_cells: int
) -> tuple[NDArray[np.float64], ...]:
    """Ellipses nearest to points by their algebraic distance (Halíř and Flusser, 1998).

    scikit-image's EllipseModel does the same of one cell, but up to 0.26 fails with a NumPy whose
    ``eig`` gives complex numbers.

    Parameters
    ----------
    points, cell
        (2, point) and (point,): where each lies, x and y, and to which cell it belongs.

    Returns
    -------
    x, y, across, down
        float64 (cell,): centres, and half the sides of their boxes; NaN where no ellipse fits.
    """

    def sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(cell, values, n_cells), np.float64)

    x, y = points
    n = np.maximum(np.bincount(cell, minlength=n_cells), 1)
    middle_x, middle_y = sums(x) / n, sums(y) / n
    x, y = x - middle_x[cell], y - middle_y[cell]
    scale = np.sqrt(np.maximum(sums(x * x + y * y) / n, 1e-9))
    x, y = x / scale[cell], y / scale[cell]
    terms = (x * x, x * y, y * y, x, y, np.ones(len(x)))
    scatter = np.empty((n_cells, 6, 6))
    for i in range(6):
        for j in range(i, 6):
            scatter[:, i, j] = scatter[:, j, i] = sums(terms[i] * terms[j])
    scatter[:, range(3, 6), range(3, 6)] += 1e-9  # few points leave it singular
    of_rest = -np.linalg.solve(scatter[:, 3:, 3:], scatter[:, 3:, :3])
    m = scatter[:, :3, :3] + scatter[:, :3, 3:] @ of_rest
    _, vectors = np.linalg.eig(np.stack([m[:, 2] / 2, -m[:, 1], m[:, 0] / 2], axis=1))
    vectors = np.real(vectors)
    discriminants = 4 * vectors[:, 0] * vectors[:, 2] - vectors[:, 1] ** 2
    best = discriminants.argmax(axis=1)
    four = np.take_along_axis(discriminants, best[:, np.newaxis], axis=1)[:, 0]
    four = np.where(four > 0, four, np.nan)
    quadratic = np.take_along_axis(vectors, best[:, np.newaxis, np.newaxis], axis=2)
    a, b, c = quadratic[..., 0].T
    d, e, f = (of_rest @ quadratic)[..., 0].T
    x0, y0 = (b * e - 2 * c * d) / four, (b * d - 2 * a * e) / four
    level = -(f + (d * x0 + e * y0) / 2)
    across, down = (scale * np.sqrt(np.maximum(4 * level * v / four, 1e-9)) for v in (c, a))
    return middle_x + scale * x0, middle_y + scale * y0, across, down


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
