"""Which regions are cells: the others are rejected, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import convex_hull_image

from .border import cut_ellipticity, cut_shares_of
from .calibrate import Calibration
from .foreground import Contrast
from .shape import Labels, Moments, ellipticity, elongation, moments
from .split import region_costs
from .stain import blueness


class Verdict(IntEnum):
    """What becomes of an object."""

    CELL = 0
    BORDER = 1
    """Cut by the border of the slide."""
    DEBRIS = 2
    """Too small, or of no cell's shape."""
    PLATELET = 3
    """Small, round and stained like a cell or darker."""
    WHITE_CELL = 4
    """Large, with a dark nucleus."""
    CLUMP = 5
    """Cells that could not be told apart."""
    OVERLAPPED = 6
    """Mostly bounded by other cells, and of no cell's shape."""
    FAINT = 7
    """Without an edge: out of focus, haze, a shadow."""
    MARK = 8
    """Burnt in: a scale bar, a label."""

    @property
    def text(self) -> str:
        """Such as "white cell"."""
        return self.name.lower().replace("_", " ")


SMALL, LARGE = 0.25, 2.3
"""Areas of cells, in those of a typical one."""
PLATELET_ELLIPTICITY, PLATELET_CONTRAST = 0.85, 0.8
WORST_COST = 1.7
"""See region_costs."""
OPEN_SHARE, GOOD_COST = 0.5, 0.3
"""Half of the outline is seen, beside background, but for regions of good shape."""
WORST_ELLIPTICITY, WORST_ELONGATION = 0.8, 4.0
LEAST_EDGE = 0.15
"""Least mean fall of contrast across the outline, in contrasts of a typical cell."""
NUCLEUS_CONTRAST, NUCLEUS_AREA, NUCLEUS_SHARE, WHITE_AREA = 1.75, 0.5, 0.35, 1.0
"""A nucleus: contrast, and area, in those of a typical cell; share of its cell; area of that.
Parasites take less of a cell that is no larger than others."""
MOSTLY_NUCLEUS = 0.7
"""Share of a white cell of whatever area: a lymphocyte is hardly more than its nucleus."""
MARK_CHROMA, MARK_BLACK, MARK_SHARE = 160, 32, 0.5
"""Colours that no stain has: difference of channels, or level below which all are; share."""

OPEN_RING_ELLIPTICITY = 0.88
HULL_ELLIPTICITY = 0.95
RING_AREAS, HULL_AREAS = (0.12, 1.1), (0.45, 1.6)
"""In areas of a typical cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What lies along the outline of each region.

    Parameters
    ----------
    open_share
        Share that is seen: neither other regions nor the border of the image lie beyond it, but
        background.
    edge
        Mean fall of contrast from one pixel within to one outside, at background.
    """

    open_share: NDArray[np.float64]
    edge: NDArray[np.float64]


def close_rings(labels: Labels, m: Moments, typical_area: float) -> None:
    """Make open rings and crescents whose convex hull is a cell's that hull.

    Both the labels and the moments of their regions change in place.
    """
    low, high = (share * typical_area for share in RING_AREAS)
    is_open = (ellipticity(m) < OPEN_RING_ELLIPTICITY) & (m[0] > low) & (m[0] < high)
    boxes = ndimage.find_objects(labels, m.shape[1] - 1)
    for k in np.flatnonzero(is_open).tolist():
        box = boxes[k - 1] if k else None
        if box is None:
            continue
        part = labels[box]
        if not HULL_AREAS[0] < part.size / typical_area < 2 * HULL_AREAS[1]:
            continue
        hull = convex_hull_image(part == k)
        area = np.count_nonzero(hull)
        if not HULL_AREAS[0] * typical_area < area < HULL_AREAS[1] * typical_area:
            continue
        if ellipticity(moments(hull.astype(np.int32), 1))[1] > HULL_ELLIPTICITY:
            part[hull & (part == 0)] = k
            own = moments((part == k).astype(np.int32), 1)[:, 1]
            m[:, k] = _moved(own, box[0].start, box[1].start)


def _moved(m: NDArray[np.float64], y: int, x: int) -> NDArray[np.float64]:
    """Moments of a region, (6,), after it is moved down and to the right."""
    n, sy, sx, syy, sxx, syx = m
    moved = (
        *(n, sy + n * y, sx + n * x),
        *(syy + 2 * y * sy + n * y * y, sxx + 2 * x * sx + n * x * x),
        syx + y * sx + x * sy + n * y * x,
    )
    return np.array(moved)


def outline_of(labels: Labels, n: int, contrast: Contrast) -> Outline:
    """Follow all outlines at once: pairs of neighbours that differ, and the border."""
    opened, closed, falls, n_falls = (np.zeros(n + 1) for _ in range(4))
    for side in (
        labels[0],
        labels[-1],
        labels[:, 0],
        labels[:, -1],
    ):  # nor is what lies beyond seen
        closed += np.bincount(side, minlength=n + 1)
    for axis in range(2):
        a, b = _neighbours(labels, axis, 1)
        differ = a != b
        for inside, other in ((a[differ], b[differ]), (b[differ], a[differ])):
            opened += np.bincount(inside[other == 0], minlength=n + 1)
            closed += np.bincount(inside[other != 0], minlength=n + 1)
        # Two pixels apart: the edge is blurred by the lens and by reducing.
        a, b = _neighbours(labels, axis, 2)
        first, second = _neighbours(contrast, axis, 2)
        for inside, outside, high, low in ((a, b, first, second), (b, a, second, first)):
            crosses = (inside > 0) & (outside == 0)
            region = inside[crosses]
            falls += np.bincount(region, high[crosses] - low[crosses], n + 1)
            n_falls += np.bincount(region, minlength=n + 1)
    return Outline(
        open_share=opened / np.maximum(opened + closed, 1),
        edge=falls / np.maximum(n_falls, 1),
    )


def _neighbours(image: NDArray[Any], axis: int, distance: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Pixels, and those at a distance below or to the right."""
    return (
        (image[:-distance], image[distance:])
        if axis == 0
        else (image[:, :-distance], image[:, distance:])
    )


def judge(
    labels: Labels,
    m: Moments,
    contrast: Contrast,
    small: NDArray[np.uint8],
    calibration: Calibration,
) -> NDArray[np.uint8]:
    """The Verdict on each region but for the border of the slide; uint8 (region,).

    Parameters
    ----------
    labels, m
        Regions of the reduced image, and their moments.
    contrast, small
        The reduced image: contrast, and uint8 (y, x[, 3]).
    calibration
        Of the slide.
    """
    typical, area = calibration.typical, calibration.area
    n = m.shape[1] - 1
    shares = cut_shares_of(labels, n)
    # A cell that the border cuts is smaller for that alone, and less of an ellipse.
    sizes, whole = m[0] / area, m[0] / area / (1 - shares)
    shape, length = ellipticity(m) / cut_ellipticity(shares), elongation(m)
    costs, outline = region_costs(shape, whole), outline_of(labels, n, contrast)
    inside = labels > 0
    region, stained = labels[inside], contrast[inside]
    n_pixels = np.maximum(m[0], 1)
    mean = np.bincount(region, stained, n + 1) / n_pixels / typical
    colours = small[inside]
    is_nucleus = stained > NUCLEUS_CONTRAST * typical
    if calibration.nuclear is not None:
        is_nucleus |= blueness(colours) > calibration.nuclear
    nucleus = np.bincount(region[is_nucleus], minlength=n + 1)
    mark = np.zeros(n + 1)
    if not calibration.inverted:
        mark = np.bincount(region[_is_no_stain(colours)], minlength=n + 1) / n_pixels

    out = np.full(n + 1, Verdict.CELL, np.uint8)
    is_good = costs < GOOD_COST
    out[(outline.open_share < OPEN_SHARE) & ~is_good] = Verdict.OVERLAPPED
    is_odd = (shape < WORST_ELLIPTICITY) | (length > WORST_ELONGATION) | (costs > WORST_COST)
    out[is_odd] = Verdict.DEBRIS
    out[is_odd & (outline.open_share < OPEN_SHARE)] = Verdict.OVERLAPPED
    out[sizes > LARGE] = Verdict.CLUMP
    has_nucleus = (nucleus > NUCLEUS_AREA * area) & (nucleus > NUCLEUS_SHARE * m[0])
    is_mostly_nucleus = nucleus > MOSTLY_NUCLEUS * m[0]
    out[has_nucleus & ((sizes > WHITE_AREA) | is_mostly_nucleus)] = Verdict.WHITE_CELL
    is_small = sizes < SMALL
    out[is_small] = Verdict.DEBRIS
    is_platelet = (shape > PLATELET_ELLIPTICITY) & (mean > PLATELET_CONTRAST)
    out[is_small & is_platelet] = Verdict.PLATELET
    out[outline.edge < LEAST_EDGE * typical] = Verdict.FAINT
    out[mark > MARK_SHARE] = Verdict.MARK
    return out


def _is_no_stain(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pure colours, and black; bool (pixel,)."""
    if pixels.ndim == 1:
        return np.asarray(pixels < MARK_BLACK)
    red, green, blue = pixels.T  # faster than along the short axis
    high = np.maximum(np.maximum(red, green), blue)
    low = np.minimum(np.minimum(red, green), blue)
    return np.asarray((high < MARK_BLACK) | (high - low > MARK_CHROMA))
