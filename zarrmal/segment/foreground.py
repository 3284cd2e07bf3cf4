"""Foreground: which pixels are stained more than the background around them.

All lengths are pixels of the reduced image in which cells are DIAMETER across or more.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .shape import centres, moments, on_border

Contrast = NDArray[np.float32]
"""(y, x): how much darker a pixel is than the background there, along the stain's colour."""

Mask = NDArray[np.bool_]

BLOCK = 24
"""Side of the blocks in which the background is estimated: about a cell."""
BRIGHT_SHARE = 0.85
"""The brightest pixels of a block are background, unless cells fill it."""
REACH_BLOCKS = 2
"""Blocks around one that have a say in its background, at every step."""
SPREADS = ((1.0, 1.0), (3.0, 1e-2), (12.0, 1e-4))
"""Widths in blocks and weights of the averages of background: wider ones count where there is no
background nearby."""
BACKGROUND_BLOCKS = 3 * REACH_BLOCKS + 1
"""Blocks around a pixel that tell its background, where there is some nearby: the rough one of each
takes two steps, its mean a third, and values lie between those of two blocks."""

HALF = 0.45
"""A cell's outline is where its contrast has fallen to this share."""
CONTRAST_RANK = 0.6
"""Rank, among the pixels of an object, of its own contrast: above a pale centre's, below a
parasite's."""

LARGEST_HOLE, SMALLEST_HOLE = 0.6, 0.015
"""In areas of a typical cell: larger holes are gaps, smaller ones are filled always."""
RING_RADIUS = 0.65
"""In diameters: around a pale centre this is outside the cell, around a gap it is in its cells."""
RING_SHARE, PALE_WEIGHT = 0.68, 0.3
"""A hole is a pale centre if less than this share of the ring around it is foreground; somewhat
more is allowed where the hole itself is stained."""
ANGLES = np.arange(32) * (math.pi / 16)


def block_view(image: NDArray[Any], block: int, fill: str) -> NDArray[Any]:
    """The image by blocks, (block row, y, block column, x[, channel]), padded at the end."""
    height, width = image.shape[:2]
    rows, columns = -(-height // block), -(-width // block)
    border = ((0, rows * block - height), (0, columns * block - width))
    mode: Any = fill
    padded = np.pad(image, border + ((0, 0),) * (image.ndim - 2), mode=mode)
    return padded.reshape(rows, block, columns, block, *image.shape[2:])


def rough_background(bright: NDArray[np.float32]) -> NDArray[np.float32]:
    """Brightness of the background by blocks, from their brightest pixels."""
    halved = bright[::2, ::2]  # a quarter of the pixels tells as much
    view = block_view(halved, BLOCK // 2, "edge")
    flat = view.transpose(0, 2, 1, 3).reshape(view.shape[0], view.shape[2], -1)
    k = int(BRIGHT_SHARE * (flat.shape[2] - 1))
    grid = np.partition(flat, k, axis=2)[..., k]
    # A block within a clump of cells takes the background of its neighbours.
    grid = ndimage.percentile_filter(grid, 70, size=2 * REACH_BLOCKS + 1, mode="nearest")
    return np.asarray(ndimage.gaussian_filter(grid, 1.0, mode="nearest", truncate=2.0))


def mean_background(image: NDArray[np.float32], foreground: Mask) -> NDArray[np.float32]:
    """Mean of the background by blocks, smoothed; image is (y, x) or (y, x, channel)."""
    weight = (~foreground).astype(np.float32)
    counts = _block_sums(weight)
    weighted = image * (weight[..., np.newaxis] if image.ndim == 3 else weight)
    sums = _block_sums(weighted)
    total, norm = np.zeros_like(sums), np.zeros_like(counts)
    for spread, share in SPREADS:
        widths = (spread, spread, 0)[: image.ndim]
        norm += share * ndimage.gaussian_filter(counts, spread, mode="nearest", truncate=2.0)
        total += share * ndimage.gaussian_filter(sums, widths, mode="nearest", truncate=2.0)
    norm = np.maximum(norm, 1e-9)
    return np.asarray(total / (norm[..., np.newaxis] if image.ndim == 3 else norm), np.float32)


def _block_sums(image: NDArray[np.float32]) -> NDArray[np.float64]:
    """Sums of blocks, (block row, block column[, channel])."""
    # Down the columns first, along whole rows of memory.
    columns = np.add.reduceat(image, np.arange(0, image.shape[0], BLOCK), axis=0)
    starts = np.arange(0, image.shape[1], BLOCK)
    return np.asarray(np.add.reduceat(columns, starts, axis=1), np.float64)


def spread_out(grid: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Values of blocks at each pixel, linearly between the centres of blocks."""
    for axis in range(2):
        n = grid.shape[axis]
        low, share = _between(np.arange(shape[axis]), n)
        share = share.reshape([-1 if a == axis else 1 for a in range(grid.ndim)])
        below = np.take(grid, low, axis=axis)
        above = np.take(grid, np.minimum(low + 1, n - 1), axis=axis)
        above -= below
        above *= share
        above += below
        grid = above
    return grid


def background_at(
    grid: NDArray[np.float32], y: NDArray[np.intp], x: NDArray[np.intp]
) -> NDArray[np.float32]:
    """``spread_out`` of (block row, block column, channel) at pixels; float32 (pixel, channel)."""
    rows, columns = grid.shape[:2]
    (top, down), (left, right) = _between(y, rows), _between(x, columns)
    bottom, end = np.minimum(top + 1, rows - 1), np.minimum(left + 1, columns - 1)
    down, right = down[:, np.newaxis], right[:, np.newaxis]
    above, below = (
        grid[row, left] + (grid[row, end] - grid[row, left]) * right for row in (top, bottom)
    )
    return np.asarray(above + (below - above) * down)


def _between(pixels: NDArray[np.intp], n: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Along an axis of n blocks: the block whose centre is before a pixel, and how far it is on."""
    position = np.clip((pixels + 0.5) / BLOCK - 0.5, 0, n - 1)
    low = np.minimum(position.astype(np.intp), max(n - 2, 0))
    return low, (position - low).astype(np.float32)


def grown(mask: Mask) -> Mask:
    """The mask and two pixels around it, as a square; SciPy takes five times as long."""
    rows = mask.copy()
    for k in (1, 2):
        rows[k:] |= mask[:-k]
        rows[:-k] |= mask[k:]
    out = rows.copy()
    for k in (1, 2):
        out[:, k:] |= rows[:, :-k]
        out[:, :-k] |= rows[:, k:]
    return out


def eroded(mask: Mask, *, beyond: bool = False) -> Mask:
    """Pixels that are in the mask with all four neighbours; SciPy takes ten times as long.

    Parameters
    ----------
    beyond
        Whether what lies beyond the image is in the mask.
    """
    out = mask.copy()
    out[1:] &= mask[:-1]
    out[:-1] &= mask[1:]
    out[:, 1:] &= mask[:, :-1]
    out[:, :-1] &= mask[:, 1:]
    if not beyond:
        out[[0, -1]] = False
        out[:, [0, -1]] = False
    return out


def without_holes(mask: Mask) -> Mask:
    """The mask, and what it surrounds."""
    labels, n = ndimage.label(~mask)
    is_hole = ~on_border(labels, n)
    return np.asarray(is_hole[labels])


def contrast_of(bright: NDArray[np.float32], threshold: float) -> Contrast:
    """Contrast to the background.

    Parameters
    ----------
    bright
        (y, x): brightness along the stain's colour.
    threshold
        Above it a pixel does not count as background.
    """
    rough = spread_out(rough_background(bright), bright.shape) - bright
    return spread_out(mean_background(bright, grown(rough > threshold)), bright.shape) - bright


def above_own_half(contrast: Contrast, lowest: float) -> Mask:
    """Pixels above ``lowest``, and above HALF of the contrast of the object that they are in.

    So that pale cells are whole, and the haze around dark ones does not join them.
    """
    foreground: Mask = contrast > lowest
    labels, n = ndimage.label(foreground)
    if n == 0:
        return foreground
    region = labels[foreground]
    step = 8 / lowest
    level = np.minimum(contrast[foreground] * step, 127).astype(np.int64)
    counts = np.bincount(region.astype(np.int64) * 128 + level, minlength=(n + 1) * 128)
    below = counts.reshape(n + 1, 128).cumsum(axis=1)
    own = (below >= CONTRAST_RANK * below[:, -1:]).argmax(axis=1) / step
    limit = np.maximum(lowest, HALF * own).astype(np.float32)
    out: Mask = contrast > limit[labels]
    out &= foreground
    return out


def fill_pale_centres(foreground: Mask, contrast: Contrast, lowest: float, diameter: float) -> Mask:
    """Fill the holes that are pale centres of cells, not those that are gaps between cells."""
    area = math.pi * diameter**2 / 4
    labels, n = ndimage.label(~foreground)
    if n == 0:
        return foreground
    sizes = np.bincount(labels.ravel(), minlength=n + 1)
    is_hole = (sizes < LARGEST_HOLE * area) & ~on_border(labels, n)
    is_hole[0] = False
    labels *= is_hole[labels]
    m = moments(labels, n)
    y, x = (np.round(c[:, np.newaxis]).astype(np.intp) for c in centres(m))
    dy = np.round(RING_RADIUS * diameter * np.sin(ANGLES)).astype(np.intp)
    dx = np.round(RING_RADIUS * diameter * np.cos(ANGLES)).astype(np.intp)
    y, x = y + dy, x + dx
    height, width = foreground.shape
    inside = (y >= 0) & (x >= 0) & (y < height) & (x < width)
    on_ring = foreground[y.clip(0, height - 1), x.clip(0, width - 1)] & inside
    share = on_ring.sum(axis=1) / np.maximum(inside.sum(axis=1), 1)
    stained = labels > 0
    mean = np.bincount(labels[stained], contrast[stained], n + 1) / np.maximum(sizes, 1) / lowest
    is_pale = share + PALE_WEIGHT * (0.5 - mean) < RING_SHARE
    fill = is_hole & (is_pale | (sizes < SMALLEST_HOLE * area))
    return np.asarray(foreground | fill[labels])


def foreground_of(contrast: Contrast, lowest: float, diameter: float) -> Mask:
    """Cells without holes, without what is thinner than a cell."""
    return whole_cells(above_own_half(contrast, lowest), contrast, lowest, diameter)


def whole_cells(mask: Mask, contrast: Contrast, lowest: float, diameter: float) -> Mask:
    """The mask without the holes that are pale centres, without what is thinner than a cell."""
    mask = fill_pale_centres(mask, contrast, lowest, diameter)
    n = 1 if diameter < BLOCK - 2 else 2
    for _ in range(n):
        mask = eroded(mask, beyond=True)
    for _ in range(n):
        mask = ~eroded(~mask, beyond=True)
    return mask
