"""A plane of a cell under an assumption on its sampling and grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.jpeg.upsampling import Ratio

from ..preimage import Planes
from .blocks import Phase, PlaneBlocks, Where, cut_into_blocks
from .dct import BLOCK, N_COEFFICIENTS, Float, error_inflation, forward_dct
from .intervals import Bounds, likely_bounds, sample_bounds
from .taps import Taps, taps_of

Item = TypeVar("Item", bound=np.generic)

MOST_DOUBT = 16
"""In a clear block the widths of all bounds sum up to no more."""

CLAMPED_VARIANCE = 200.0
"""Of a sample that may lie beyond 0 or 255, in those of rounding: some 4 levels."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaneView:
    """A plane of a cell under an assumption on its sampling and grid.

    Attributes
    ----------
    blocks
        What is seen of each block, pixel by pixel.
    taps
        How pixels come from samples.
    low, high
        int32 (row, column, 64): bounds of the samples of each block.
    likely_low, likely_high
        The same, narrower where only a pixel nearby tells a sample.
    doubt
        int64 (row, column): sum of the widths of a block's bounds, 0 where all samples are known.
    is_inside
        bool (row, column): blocks no sample of which may be clamped, to 0 or to 255.
    is_clear
        bool (row, column): whole blocks inside whose samples are known, but a few to within 1.
    share_wrong
        Of the samples with known pixels: part of a contradiction. 0 if the assumption is right.
    """

    blocks: PlaneBlocks
    taps: Taps
    low: Bounds
    high: Bounds
    likely_low: Bounds
    likely_high: Bounds
    doubt: NDArray[np.int64]
    is_inside: NDArray[np.bool_]
    is_clear: NDArray[np.bool_]
    share_wrong: float

    def measured(self, where: Where) -> tuple[Float, Float]:
        """Coefficients of the middles of blocks, and by how much their errors exceed rounding's.

        Returns
        -------
        tuple
            Coefficients float64 (block, 64), and the factor of the variance, float64 (block,); see
            ``error_inflation``.
        """
        samples = self.middles[where]
        widths = (self.high[where] - self.low[where]).astype(np.float64)
        # A sample with w + 1 values has (w + 1)^2 times the variance of one.
        more = (widths * (widths + 2)).mean(axis=1)
        more += CLAMPED_VARIANCE * self.n_clamped(where) / N_COEFFICIENTS
        return forward_dct(samples), error_inflation(samples) + more

    def n_clamped(self, where: Where) -> NDArray[np.int64]:
        """Number of samples of blocks that may have been clamped, (block,)."""
        may_be = (self.low[where] <= 0) | (self.high[where] >= 255)
        count: NDArray[np.int64] = may_be.sum(axis=1, dtype=np.int64)
        return count

    @property
    def middles(self) -> Float:
        """Middle of the bounds of each sample, float64 (row, column, 64)."""
        middle: Float = (self.likely_low + self.likely_high).astype(np.float64) / 2
        return middle


class CellViews:
    """Views of the planes of one cell; what several have in common is computed once.

    Parameters
    ----------
    planes
        Of the cell.
    """

    def __init__(self, planes: Planes) -> None:
        self.planes = planes
        self._views: dict[tuple[object, ...], PlaneView] = {}
        self._bounds: dict[tuple[object, ...], tuple[list[Bounds], float]] = {}

    def of(self, plane: int, ratio: Ratio, phase: Phase, *, fancy: bool) -> PlaneView:
        """A plane with the first pixel at this row and column of its group of blocks."""
        key = plane, ratio, phase, fancy
        if key not in self._views:
            self._views[key] = self._view(plane, ratio, phase, fancy=fancy)
        return self._views[key]

    def _view(self, plane: int, ratio: Ratio, phase: Phase, *, fancy: bool) -> PlaneView:
        blocks = cut_into_blocks(self.planes, plane, ratio, phase)
        # In another block of the group the samples lie alike, some blocks further.
        near = phase[0] % ratio[0], phase[1] % ratio[1]
        all_bounds, share_wrong = self._bounds_of(plane, ratio, near, fancy=fancy)
        rows, columns = blocks.n_known.shape
        first = [(p - n) // r for p, n, r in zip(phase, near, ratio, strict=True)]
        cut = []
        for number, values in enumerate(all_bounds):
            outside = 255 * (number % 2)
            padded = np.full((rows * BLOCK, columns * BLOCK), outside, np.int32)
            # The plane may have a sample more than the blocks where the sides are not even.
            height = min(values.shape[0], padded.shape[0] - first[0])
            width = min(values.shape[1], padded.shape[1] - first[1])
            area = slice(first[0], first[0] + height), slice(first[1], first[1] + width)
            padded[area] = values[:height, :width]
            square = padded.reshape(rows, BLOCK, columns, BLOCK).transpose(0, 2, 1, 3)
            cut.append(square.reshape(rows, columns, N_COEFFICIENTS))
        widths = cut[1] - cut[0]
        doubt = widths.sum(axis=2)
        is_inside = np.asarray((cut[0] > 0).all(axis=2) & (cut[1] < 255).all(axis=2))
        return PlaneView(
            blocks=blocks,
            taps=taps_of(ratio, fancy=fancy),
            low=cut[0],
            high=cut[1],
            likely_low=cut[2],
            likely_high=cut[3],
            doubt=doubt,
            is_inside=is_inside,
            is_clear=blocks.is_whole
            & is_inside
            & (doubt <= MOST_DOUBT)
            & (widths.max(axis=2) <= 1),
            share_wrong=share_wrong,
        )

    def _bounds_of(
        self, plane: int, ratio: Ratio, near: Phase, *, fancy: bool
    ) -> tuple[list[Bounds], float]:
        """Bounds of samples, the first of which lies `near` pixels before the cell's first."""
        key = plane, ratio, near, fancy
        if key not in self._bounds:
            shape = self.planes.visible.shape
            sides = [-(-(n + p) // r) * r for n, p, r in zip(shape, near, ratio, strict=True)]

            def padded(values: NDArray[Item], outside: int) -> NDArray[Item]:
                if list(shape) == sides:
                    return values
                full = np.full(sides, outside, values.dtype)
                full[near[0] : near[0] + shape[0], near[1] : near[1] + shape[1]] = values
                return full

            low = padded(self.planes.low[plane], 0)
            high = padded(self.planes.high[plane], 255)
            known = padded(self.planes.has_preimage, 0)
            least, most, is_wrong = sample_bounds(low, high, known, ratio, fancy=fancy)
            likely = likely_bounds(low, high, known, ratio, least, most)
            n_seen = max(int(known.sum()) // (ratio[0] * ratio[1]), 1)
            self._bounds[key] = [least, most, *likely], int(is_wrong.sum()) / n_seen
        return self._bounds[key]
