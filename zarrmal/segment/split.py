"""Touching cells are split: by a watershed whose basins are joined again, or by Hough circles."""

from __future__ import annotations

import heapq
import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed
from skimage.transform import hough_circle, hough_circle_peaks

from .foreground import Mask
from .shape import Labels, Moments, ellipticity, ellipticity_of, moments

Splitting = Literal["watershed", "hough"]

SMOOTHING = 1 / 28
"""Of the distances, in diameters."""
LOWEST_PEAK = 0.125
"""In diameters: what is thinner is no cell of its own."""

SHAPE_STEP = 0.05
"""So much below 1 in ellipticity costs as much as..."""
SIZE_FREE, SIZE_STEP, SMALL_WEIGHT = 0.35, 0.35, 0.7
"""... so much in the logarithm of the area beyond what is free; small cells are likelier."""

Distances = NDArray[np.float32]


def split(
    mask: Mask, diameter: float, splitting: Splitting = "watershed"
) -> tuple[Labels, Moments]:
    """Label cells, touching ones apart.

    Parameters
    ----------
    mask
        bool (y, x).
    diameter
        Of a typical cell.
    splitting
        "watershed", or "hough" as in the paper.

    Returns
    -------
    labels, moments
    """
    distances = distances_within(mask)
    smooth: Distances = ndimage.gaussian_filter(distances, diameter * SMOOTHING)
    objects, n_objects = ndimage.label(mask)
    if splitting == "hough":
        labels, n_cells = _split_by_circles(objects, n_objects, smooth, diameter)
        return labels, moments(labels, n_cells)
    is_peak = (_highest_nearby(smooth) == smooth) & mask
    is_peak &= distances > LOWEST_PEAK * diameter
    peaks, n_peaks = ndimage.label(is_peak, np.ones((3, 3)))
    y, x = np.nonzero(is_peak)
    pairs = np.unique(np.stack([objects[y, x], peaks[y, x]]), axis=1)
    has_many = np.bincount(pairs[0], minlength=n_objects + 1) > 1
    has_many[0] = False
    heights = np.zeros(n_peaks + n_objects + 1)
    heights[peaks[y, x]] = smooth[y, x]
    # Objects with one peak need no flooding; they are numbered after the peaks.
    number = np.where(has_many, 0, n_peaks + np.arange(n_objects + 1)).astype(np.int32)
    number[0] = 0
    basins = number[objects]
    crowd = has_many[objects]
    if crowd.any():
        basins += watershed(-smooth, np.where(crowd, peaks, 0), mask=crowd).astype(np.int32)
    return _joined(basins, n_peaks + n_objects, smooth, heights, math.pi * diameter**2 / 4)


def _highest_nearby(image: Distances) -> Distances:
    """The maximum over each pixel and its eight neighbours; SciPy takes five times as long."""
    rows = image.copy()
    np.maximum(rows[1:], image[:-1], out=rows[1:])
    np.maximum(rows[:-1], image[1:], out=rows[:-1])
    out = rows.copy()
    np.maximum(out[:, 1:], rows[:, :-1], out=out[:, 1:])
    np.maximum(out[:, :-1], rows[:, 1:], out=out[:, :-1])
    return out


def distances_within(mask: Mask) -> Distances:
    """Euclidean distance of each pixel to the nearest one outside; 0 there.

    As SciPy's, but in half the time, as it takes the differences as integers of 64 bits.
    """
    if mask.all():  # there is no outside: as if it lay around the image
        padded = ndimage.distance_transform_edt(np.pad(mask, 1))
        return np.asarray(padded[1:-1, 1:-1], np.float32)
    nearest = ndimage.distance_transform_edt(mask, return_distances=False, return_indices=True)
    y = nearest[0] - np.arange(mask.shape[0], dtype=np.int32)[:, np.newaxis]
    x = nearest[1] - np.arange(mask.shape[1], dtype=np.int32)
    y *= y
    x *= x
    y += x
    return np.asarray(np.sqrt(y, dtype=np.float32))


def region_cost(m: list[float], typical_area: float) -> float:
    """How little a region looks like one cell: its area times what it lacks in shape and size."""
    area = m[0]
    size = max(abs(math.log(area / typical_area)) - SIZE_FREE, 0) / SIZE_STEP
    size *= SMALL_WEIGHT if area < typical_area else 1
    return area * (max(1 - ellipticity_of(m), 0) / SHAPE_STEP + size)


def region_costs(shapes: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """``region_cost`` of many regions, for each pixel of theirs.

    Parameters
    ----------
    shapes, sizes
        Ellipticities, and areas in typical ones.
    """
    size = np.abs(np.log(np.maximum(sizes, 1e-3))) - SIZE_FREE
    size = np.maximum(size, 0) / SIZE_STEP * np.where(sizes < 1, SMALL_WEIGHT, 1)
    return np.asarray(np.maximum(1 - shapes, 0) / SHAPE_STEP + size)


def _saddles(
    basins: Labels, smooth: Distances
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """Pairs of neighbouring basins, and the height of the saddle between them."""
    first, second, height = [], [], []
    for a, b, ha, hb in (
        (basins[:, :-1], basins[:, 1:], smooth[:, :-1], smooth[:, 1:]),
        (basins[:-1], basins[1:], smooth[:-1], smooth[1:]),
    ):
        meets = (a != b) & (a > 0) & (b > 0)
        low, high = a[meets], b[meets]
        first.append(np.minimum(low, high))
        second.append(np.maximum(low, high))
        height.append(np.minimum(ha[meets], hb[meets]))
    i, j, v = (np.concatenate(parts) for parts in (first, second, height))
    order = np.lexsort((v, j, i))
    i, j, v = i[order], j[order], v[order]
    is_last = np.ones(len(i), np.bool_)
    is_last[:-1] = (np.diff(i) != 0) | (np.diff(j) != 0)
    return i[is_last], j[is_last], v[is_last]


def _joined(
    basins: Labels,
    n_basins: int,
    smooth: Distances,
    heights: NDArray[np.float64],
    typical_area: float,
) -> tuple[Labels, Moments]:
    """Join basins to cells.

    Basins are joined pair by pair, those first whose saddle is highest beside the lower of their
    peaks. Of the tree that this makes, those nodes are cells whose cost is the least in all.
    """
    m = moments(basins, n_basins)
    parts: list[list[float]] = m.T.tolist()
    costs: list[float] = (region_costs(ellipticity(m), m[0] / typical_area) * m[0]).tolist()
    peak = heights.tolist()
    children: dict[int, tuple[int, int]] = {}
    is_split: dict[int, bool] = {}
    around: list[dict[int, float]] = [{} for _ in parts]
    queue: list[tuple[float, int, int]] = []
    for i, j, v in zip(*(a.tolist() for a in _saddles(basins, smooth)), strict=True):
        around[i][j] = around[j][i] = v
        queue.append((-v / max(min(peak[i], peak[j]), 1e-6), i, j))
    heapq.heapify(queue)
    gone: set[int] = set()
    while queue:
        _, i, j = heapq.heappop(queue)
        if i in gone or j in gone:
            continue
        both = len(parts)
        parts.append([a + b for a, b in zip(parts[i], parts[j], strict=True)])
        peak.append(max(peak[i], peak[j]))
        children[both] = (i, j)
        gone |= {i, j}
        whole, apart = region_cost(parts[both], typical_area), costs[i] + costs[j]
        costs.append(min(whole, apart))
        is_split[both] = apart < whole
        joint: dict[int, float] = {}
        for k in (i, j):
            for other, v in around[k].items():
                if other not in gone:
                    joint[other] = max(v, joint.get(other, 0.0))
        around.append(joint)
        for other, v in joint.items():
            around[other][both] = v
            heapq.heappush(queue, (-v / max(min(peak[both], peak[other]), 1e-6), both, other))
    number = np.zeros(n_basins + 1, np.int32)
    cells = [[0.0] * 6]
    stack = [k for k in range(len(parts) - 1, 0, -1) if k not in gone and parts[k][0]]
    while stack:
        node = stack.pop()
        if is_split.get(node):
            stack += children[node]
            continue
        leaves = [node]
        while leaves:
            leaf = leaves.pop()
            if leaf in children:
                leaves += children[leaf]
            else:
                number[leaf] = len(cells)
        cells.append(parts[node])
    return number[basins], np.array(cells).T


CIRCLE_RADII = (0.35, 0.65)
"""Radii that are tried, in diameters."""
CIRCLE_DISTANCE = 0.45
"""Least distance between centres of circles, in diameters."""
CIRCLE_SHARE = 0.5
"""Least votes for a circle, in those of the best of an object."""
SINGLE_AREA, SINGLE_ELLIPTICITY = 1.35, 0.95
"""An object that is smaller and more of an ellipse is one cell."""


def _split_by_circles(
    objects: Labels, n_objects: int, smooth: Distances, diameter: float
) -> tuple[Labels, int]:
    """Cells are where circles fit the outlines of objects (the paper's circular Hough transform).

    A pixel belongs to the circle to which a watershed of the distances takes it.
    """
    m = moments(objects, n_objects)
    area = math.pi * diameter**2 / 4
    is_crowd = (m[0] > SINGLE_AREA * area) | (
        (m[0] > area / 2) & (ellipticity(m) < SINGLE_ELLIPTICITY)
    )
    out, n_cells = objects.copy(), n_objects
    low, high = (round(share * diameter) for share in CIRCLE_RADII)
    radii = np.arange(max(low, 2), high + 1)
    for region, box in enumerate(ndimage.find_objects(objects), start=1):
        if box is None or not is_crowd[region]:
            continue
        inside = np.pad(objects[box] == region, 1)
        outline = inside & ~ndimage.binary_erosion(inside)
        # Cells are no exact circles: votes of neighbouring centres and radii count together.
        votes = ndimage.gaussian_filter(hough_circle(outline, radii), 1.0)
        gap = max(round(CIRCLE_DISTANCE * diameter), 1)
        shares, xs, ys, _ = hough_circle_peaks(
            votes, radii, gap, gap, threshold=CIRCLE_SHARE * float(votes.max())
        )
        markers = np.zeros(inside.shape, np.int32)
        for k, (_, y, x) in enumerate(zip(shares, ys, xs, strict=True), start=1):
            if inside[y, x]:
                markers[y, x] = k
        if np.count_nonzero(markers) < 2:
            continue
        parts = watershed(-np.pad(smooth[box], 1), markers, mask=inside)[1:-1, 1:-1]
        kinds = np.unique(parts[parts > 0])
        for k in kinds[1:].tolist():
            n_cells += 1
            out[box][parts == k] = n_cells
    return out, n_cells
