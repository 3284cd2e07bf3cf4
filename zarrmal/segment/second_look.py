"""What was rejected is looked at again: it may be a cell in pieces, or hide cells in haze."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .calibrate import Calibration
from .foreground import Contrast, Mask, grown, whole_cells
from .judge import RING_AREAS, Verdict, close_rings, judge
from .shape import Labels, Moments, ellipticity, labelled, moments
from .split import Splitting, region_costs, split
from .stain import otsu, thinned

DOUBTFUL = (Verdict.DEBRIS, Verdict.CLUMP, Verdict.OVERLAPPED, Verdict.FAINT)
LEAST_AREA = 0.5
"""Of what may hide a cell, and of a cell found there; in areas of a typical cell."""
MARGIN = 3
"""Pixels around what is looked at, which tell how its edge falls."""
MOST_COST = 1.0
"""Of a cell found there, see region_costs: less than of others, whose outline is surer."""
MOST_AROUND = 0.65
"""Contrast around such a cell, in its own: more is no haze but another cell beneath it."""


def second_look(
    labels: Labels,
    verdicts: NDArray[np.uint8],
    contrast: Contrast,
    small: NDArray[np.uint8],
    calibration: Calibration,
    splitting: Splitting,
) -> NDArray[np.uint8]:
    """Find cells in what was rejected: regions that touch are looked at together.

    An open ring that was split is closed (``close_rings``). Elsewhere a threshold of Otsu tells
    cells from the haze that joins them: plasma that is stained, a shadow.

    Parameters
    ----------
    labels, verdicts
        Of all regions. Those found here get the next numbers, in place.
    contrast, small, calibration
        See ``judge``.
    splitting
        See ``split``.

    Returns
    -------
    verdicts
        With those of the cells found here.
    """
    area = calibration.area
    doubtful = np.isin(verdicts, DOUBTFUL)
    doubtful[0] = False
    is_open = doubtful[labels]
    places, m = labelled(is_open)
    n_regions, sizes = len(verdicts), m[0].copy()
    rings, closed = _closed(places, m, area)
    for place, box in enumerate(ndimage.find_objects(rings, len(sizes) - 1), start=1):
        if sizes[place] < RING_AREAS[0] * area:
            continue
        y, x = (slice(max(side.start - MARGIN, 0), side.stop + MARGIN) for side in box)
        seen = contrast[y, x], small[y, x], calibration
        cells: list[Mask] = []
        if closed[place]:
            others = (labels[y, x] > 0) & ~is_open[y, x]
            ring = (rings[y, x] == place) & ~others
            cells = [ring] if _is_cell(ring, *seen) else []
        if not cells and sizes[place] >= LEAST_AREA * area:
            cells = _in_haze(places[y, x] == place, *seen, splitting)
        for cell in cells:
            labels[y, x][cell] = n_regions
            n_regions += 1
    return np.concatenate([verdicts, np.full(n_regions - len(verdicts), Verdict.CELL, np.uint8)])


def _closed(places: Labels, m: Moments, area: float) -> tuple[Labels, NDArray[np.bool_]]:
    """The places with open rings closed, and which were."""
    rings, before = places.copy(), m[0].copy()
    close_rings(rings, m, area)
    return rings, m[0] > before


def _is_cell(
    region: Mask, contrast: Contrast, small: NDArray[np.uint8], calibration: Calibration
) -> bool:
    alone = region.astype(np.int32)
    return bool(judge(alone, moments(alone, 1), contrast, small, calibration)[1] == Verdict.CELL)


def _in_haze(
    inside: Mask,
    contrast: Contrast,
    small: NDArray[np.uint8],
    calibration: Calibration,
    splitting: Splitting,
) -> list[Mask]:
    """Cells within a place that stand out of it."""
    limit = otsu(thinned(contrast[inside]))
    mask = whole_cells(inside & (contrast > limit), contrast, limit, calibration.diameter) & inside
    least = LEAST_AREA * calibration.area
    if np.count_nonzero(mask) <= least:
        return []
    parts, m = split(mask, calibration.diameter, splitting)
    is_good = region_costs(ellipticity(m), m[0] / calibration.area) < MOST_COST
    is_good &= m[0] > least
    if not is_good.any():
        return []
    is_good &= judge(parts, m, contrast, small, calibration) == Verdict.CELL
    cells = [parts == k for k in np.flatnonzero(is_good).tolist()]
    return [cell for cell in cells if _stands_out(cell, parts, contrast)]


def _stands_out(cell: Mask, parts: Labels, contrast: Contrast) -> bool:
    around = contrast[grown(cell) & (parts == 0)]
    return len(around) > 0 and around.mean() <= MOST_AROUND * contrast[cell].mean()
