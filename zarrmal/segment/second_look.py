"""What was rejected is looked at again: it may be a cell in pieces, or hide cells in haze."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .calibrate import Calibration
from .foreground import Contrast, Mask, grown, whole_cells
from .judge import Verdict, close_rings, judge
from .shape import Labels, labelled, moments
from .split import Splitting, region_costs, split
from .stain import otsu, thinned

DOUBTFUL = (Verdict.DEBRIS, Verdict.CLUMP, Verdict.OVERLAPPED, Verdict.FAINT)
LEAST_AREA = 0.5
"""Of what may hide a cell, and of a cell found there; in areas of a typical cell."""
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
    sizes, n_before = m[0].copy(), len(verdicts)
    found = _closed(places, (labels > 0) & ~is_open, contrast, small, calibration)
    for place, cell in found.items():
        labels[cell] = n_before
        n_before += 1
        sizes[place] = 0
    for place, box in enumerate(ndimage.find_objects(places), start=1):
        if sizes[place] < LEAST_AREA * area:
            continue
        y, x = (slice(max(side.start - 3, 0), side.stop + 3) for side in box)
        inside = places[y, x] == place
        for cell in _in_haze(inside, contrast[y, x], small[y, x], calibration, splitting):
            labels[y, x][cell] = n_before
            n_before += 1
    added = np.full(n_before - len(verdicts), Verdict.CELL, np.uint8)
    return np.concatenate([verdicts, added])


def _closed(
    places: Labels,
    others: Mask,
    contrast: Contrast,
    small: NDArray[np.uint8],
    calibration: Calibration,
) -> dict[int, Mask]:
    """Places that are a cell once they are closed, and that cell; ``others`` stay apart."""
    rings, n = places.copy(), int(places.max(initial=0))
    before = moments(rings, n)
    m = before.copy()
    close_rings(rings, m, calibration.area)
    closed = np.flatnonzero(m[0] > before[0]).tolist()
    if not closed:
        return {}
    rings[others] = 0
    given = judge(rings, moments(rings, n), contrast, small, calibration)
    return {place: rings == place for place in closed if given[place] == Verdict.CELL}


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
    parts, m = split(mask, calibration.diameter, splitting)
    is_good = judge(parts, m, contrast, small, calibration) == Verdict.CELL
    is_good &= region_costs(m, m[0] / calibration.area) < MOST_COST
    is_good &= m[0] > LEAST_AREA * calibration.area
    is_good[0] = False
    cells = [parts == k for k in np.flatnonzero(is_good).tolist()]
    return [cell for cell in cells if _stands_out(cell, parts, contrast)]


def _stands_out(cell: Mask, parts: Labels, contrast: Contrast) -> bool:
    around = contrast[grown(cell) & (parts == 0)]
    return len(around) > 0 and around.mean() <= MOST_AROUND * contrast[cell].mean()
