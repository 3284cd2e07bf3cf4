"""Finding the objects of a slide, tile by tile."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import InputError
from ..progress import Progress, silent
from .blood_cells import BloodCells, Segmented, Segmenter
from .border import MOST_CUT, Sides, cut_shares
from .calibrate import calibrate
from .judge import Verdict
from .objects import Objects, smooth
from .slides import Slide
from .split import Splitting
from .tiles import Tile, samples, tiles

Box = tuple[int, int, int, int]
"""y, x, height, width, in pixels of full resolution."""

TILE = 2048
"""Side of tiles for a segmenter that does not say what suits it."""
HALO = 256
"""What surrounds them: cells larger than this are cut."""
SEAM = 4
"""A cell whose centre is so near the seam of two tiles may be found in both, or in neither; in
pixels of the segmentation."""
SAME = 0.5
"""Least IoU of boxes that are the same cell, found twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentOptions:
    """How a slide is segmented.

    Parameters
    ----------
    segmenter
        None is that which ships, calibrated by the slide.
    splitting
        Of the one that ships: "watershed" or "hough".
    tile
        Side of the tiles in pixels; None is what suits the segmenter. It is rounded up to a
        multiple of the segmenter's step. Small tiles take longer, as more of what surrounds them is
        seen twice.
    keep_border
        Cells cut by the border of the slide are cells, too: all of them, or none. None keeps those
        that are nearly whole, see ``cut_shares``.
    keep_background
        Cells are cut out as rectangles; otherwise what is not the cell is exactly 0.

    Raises
    ------
    InputError
        If the tile or the splitting is none of these.
    """

    segmenter: Segmenter | None = None
    splitting: Splitting = "watershed"
    tile: int | None = None
    keep_border: bool | None = None
    keep_background: bool = False

    def __post_init__(self) -> None:
        if self.splitting not in ("watershed", "hough"):
            raise InputError(f"cells are split by watershed or hough, not by {self.splitting!r}")
        if self.tile is not None and self.tile < 1:
            raise InputError(f"a tile has at least 1 pixel a side, not {self.tile}")


def find_objects(
    slide: Slide, options: SegmentOptions | None = None, *, progress: Progress = silent
) -> Objects:
    """Segment a slide.

    Memory holds one tile, and of each object some bytes.

    Parameters
    ----------
    slide
        See ``open_slide``.
    options
        See SegmentOptions.

    Raises
    ------
    InputError
        If the slide is damaged, or a segmenter gives something else than labels.
    """
    options = options or SegmentOptions()
    segmenter = options.segmenter
    if segmenter is None:
        segmenter = BloodCells(calibration=calibrate(samples(slide)), splitting=options.splitting)
    step = int(getattr(segmenter, "step", 1))
    halo = int(getattr(segmenter, "halo", HALO))
    side = options.tile or int(getattr(segmenter, "tile", TILE))
    side = step * -(-side // step)
    collector = _Collector(slide.size, keep_border=options.keep_border)
    for tile in tiles(slide, side, halo, progress):
        collector.add(tile, _segmented(segmenter(tile.pixels), tile.pixels.shape))
    return collector.objects()


def _segmented(result: Any, shape: tuple[int, ...]) -> Segmented:
    """What a segmenter gave, checked."""
    if isinstance(result, Segmented):
        return result
    labels = np.asarray(result)
    if labels.shape != shape[:2] or labels.dtype.kind not in "iu":
        raise InputError(
            f"a segmenter gives integers (y, x), one number for each cell, of the tile's "
            f"{shape[0]} x {shape[1]} pixels; this one gave {labels.dtype} {labels.shape}"
        )
    numbers, inverse = np.unique(labels, return_inverse=True)
    if len(numbers) and numbers[0] < 0:
        raise InputError(f"a segmenter's labels are 0 or more, this one gave {numbers[0]}")
    shift = 0 if len(numbers) and numbers[0] == 0 else 1
    dense = (inverse.reshape(labels.shape) + shift).astype(np.int32)
    n = int(dense.max(initial=0))
    return Segmented(labels=dense, verdicts=np.zeros(n + 1, np.uint8))


class _Collector:
    """Gathers the objects of tiles; each is taken from the tile that holds its centre."""

    def __init__(self, size: tuple[int, int], *, keep_border: bool | None) -> None:
        self._size, self._factor = size, 1
        self._most_cut = MOST_CUT if keep_border is None else float(keep_border)
        self._parts: list[tuple[NDArray[Any], ...]] = []
        self._bits: list[bytes] = []
        self._lengths: list[NDArray[np.int64]] = []
        self._seams: dict[tuple[int, int], list[Box]] = {}

    def add(self, tile: Tile, found: Segmented) -> None:
        """Take over what belongs to a tile."""
        f = self._factor = found.factor
        taken = []
        for box, part, k in _placed(tile, found):
            outside = _outside(tile, box)
            is_near = abs(outside) <= SEAM * f
            if outside > 0 and not is_near:
                continue
            if is_near and self._is_known(box):
                continue
            if is_near:
                self._seams.setdefault(self._bin(box), []).append(box)
            taken.append((box, part == k, int(found.verdicts[k])))
        shares = self._cut_shares([mask for _, mask, _ in taken], [box for box, _, _ in taken])
        boxes: list[Box] = []
        verdicts, areas, bits = [], [], []
        for (box, mask, own), share in zip(taken, shares.tolist(), strict=True):
            verdict = self._verdict(own, share, box, tile)
            area, packed = np.count_nonzero(mask) * f * f, b""
            if verdict == Verdict.CELL:
                packed = np.packbits(mask).tobytes()
            if verdict == Verdict.CELL and (f > 2 or box[2] % f or box[3] % f):
                area = np.count_nonzero(smooth(mask, f)[: box[2], : box[3]])
            boxes.append(box)
            verdicts.append(verdict)
            areas.append(area)
            bits.append(packed)
        self._parts.append(
            (
                np.array(boxes, np.int64).reshape(-1, 4),
                np.array(verdicts, np.uint8),
                np.array(areas, np.int64),
                np.array(shares, np.float32),
            )
        )
        self._bits.append(b"".join(bits))
        self._lengths.append(np.array([len(packed) for packed in bits], np.int64))

    def _cut_shares(
        self, masks: Sequence[NDArray[np.bool_]], boxes: Sequence[Box]
    ) -> NDArray[np.float64]:
        """See ``cut_shares``; 0 for what does not touch the slide's border."""
        sides = [self._sides(box) for box in boxes]
        rows = [k for k, side in enumerate(sides) if any(side)]
        out = np.zeros(len(boxes))
        out[rows] = cut_shares([masks[k] for k in rows], [sides[k] for k in rows])
        return out

    def _sides(self, box: Box) -> Sides:
        y, x, height, width = box
        return y <= 0, y + height >= self._size[0], x <= 0, x + width >= self._size[1]

    def _verdict(self, verdict: int, share: float, box: Box, tile: Tile) -> int:
        """That of the segmenter, but for what is cut by the slide's border, or by the halo's."""
        if share:
            return Verdict.BORDER if share > self._most_cut else verdict
        y, x, height, width = box
        bottom, right = tile.top + tile.pixels.shape[0], tile.left + tile.pixels.shape[1]
        is_torn = y <= tile.top or x <= tile.left or y + height >= bottom or x + width >= right
        return Verdict.CLUMP if is_torn else verdict

    def _bin(self, box: Box) -> tuple[int, int]:
        side = 16 * SEAM * self._factor
        return (2 * box[0] + box[2]) // (2 * side), (2 * box[1] + box[3]) // (2 * side)

    def _is_known(self, box: Box) -> bool:
        row, column = self._bin(box)
        return any(
            _iou(box, other) >= SAME
            for r in (row - 1, row, row + 1)
            for c in (column - 1, column, column + 1)
            for other in self._seams.get((r, c), ())
        )

    def objects(self) -> Objects:
        """All that was gathered."""
        boxes, verdicts, areas, shares = (np.concatenate(column) for column in zip(*self._parts))
        lengths = np.concatenate([np.zeros(1, np.int64), *self._lengths])
        return Objects(
            boxes=boxes,
            verdicts=verdicts,
            areas=areas,
            cut_shares=shares,
            bits=np.frombuffer(b"".join(self._bits), np.uint8),
            starts=lengths.cumsum(),
            factor=self._factor,
        )


def _placed(tile: Tile, found: Segmented) -> list[tuple[Box, NDArray[np.int32], int]]:
    """Boxes of a tile's objects on the slide, from top to bottom; labels within, and number."""
    f = found.factor
    bottom, right = tile.top + tile.pixels.shape[0], tile.left + tile.pixels.shape[1]
    placed = []
    for k, slices in enumerate(ndimage.find_objects(found.labels), start=1):
        if slices is None:
            continue
        y, x = tile.top + slices[0].start * f, tile.left + slices[1].start * f
        height = min(tile.top + slices[0].stop * f, bottom) - y
        width = min(tile.left + slices[1].stop * f, right) - x
        placed.append(((y, x, height, width), found.labels[slices], k))
    return sorted(placed, key=lambda entry: (entry[0], entry[2]))


def _outside(tile: Tile, box: Box) -> float:
    """How far the centre of a box lies outside a tile; negative inside."""
    y, x = box[0] + box[2] / 2, box[1] + box[3] / 2
    return max(tile.y - y, y - (tile.y + tile.height), tile.x - x, x - (tile.x + tile.width))


def _iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes (y, x, height, width)."""
    height = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    width = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(height, 0) * max(width, 0)
    return both / (a[2] * a[3] + b[2] * b[3] - both)


def equivalent_diameters(areas: NDArray[np.int64]) -> NDArray[np.float32]:
    """Diameters of circles of these areas."""
    return np.asarray(np.sqrt(areas * (4 / math.pi)), np.float32)
