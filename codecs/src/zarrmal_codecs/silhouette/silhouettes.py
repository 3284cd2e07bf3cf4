"""The silhouettes of some cells, and the coverage of their pixels (FORMAT 4.7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..constants import MAX_SILHOUETTE_PIXELS, MAX_SILHOUETTE_SIDE
from ..scales import Pixels
from .coverage import FULL, RESAMPLINGS, Resampling, coverage

Mask = NDArray[np.bool_]
Sizes = NDArray[np.uint16]

CUT_OUT_SHARE = 1 / 32
"""Least share of background for which a silhouette is made from the pixels."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Silhouettes:
    """The silhouette of each of some cells.

    Parameters
    ----------
    masks
        Of each cell bool (y, x), of a size of its own, or None where it has no silhouette.
    resampling
        How the pixels were resampled after they had been cut out along the silhouette.

    Raises
    ------
    TypeError, ValueError
        If a mask is not bool (y, x), has no pixels or more than a chunk holds (FORMAT 1.6), or the
        resampling is unknown.
    """

    masks: Sequence[Mask | None]
    resampling: Resampling = "same"

    def __post_init__(self) -> None:
        if self.resampling not in RESAMPLINGS:
            known = ", ".join(map(repr, RESAMPLINGS))
            raise ValueError(f"resampling must be one of {known}, not {self.resampling!r}")
        for mask in self.masks:
            if mask is None:
                continue
            if mask.dtype != np.bool_ or mask.ndim != 2:
                raise TypeError(f"a mask must be bool (y, x), not {mask.dtype} {mask.shape}")
            if not is_codable(mask):
                raise ValueError(
                    f"a mask must have 1 to {MAX_SILHOUETTE_SIDE} rows and columns and at most "
                    f"{MAX_SILHOUETTE_PIXELS} pixels, not {mask.shape[0]} x {mask.shape[1]}"
                )

    def __len__(self) -> int:
        return len(self.masks)

    def take(self, rows: Iterable[int]) -> Self:
        """Those of some cells."""
        masks = [self.masks[row] for row in rows]
        return type(self)(masks=masks, resampling=self.resampling)

    def fitted(self, sizes: Sizes) -> Self:
        """Masks of the size of the pixels, cut off or filled up to these sizes, (cell, 2)."""
        masks: list[Mask | None] = []
        for mask, (height, width) in zip(self.masks, sizes.tolist(), strict=True):
            if mask is not None and mask.shape != (height, width):
                own = mask[:height, :width]
                border = ((0, height - own.shape[0]), (0, width - own.shape[1]))
                mask = np.pad(own, border)
            masks.append(mask)
        return type(self)(masks=masks, resampling=self.resampling)

    def without(self, cells: Mask) -> Self:
        """The same, but for some cells, bool (cell,)."""
        pairs = zip(self.masks, cells.tolist(), strict=True)
        masks = [None if left_out else mask for mask, left_out in pairs]
        return type(self)(masks=masks, resampling=self.resampling)

    def coverage(self, shape: tuple[int, int], sizes: Sizes | None = None) -> NDArray[np.uint8]:
        """Coverage of each pixel, uint8 (cell, y, x); 255 in a cell without silhouette.

        Parameters
        ----------
        shape
            Height and width of the array.
        sizes
            Height and width of each cell, (cell, 2); None where all are ``shape``. Beyond a cell
            the coverage is 0.
        """
        out = np.zeros((len(self.masks), *shape), np.uint8)
        for i, mask in enumerate(self.masks):
            height, width = shape if sizes is None else sizes[i].tolist()
            own = FULL if mask is None else coverage(mask, (height, width), self.resampling)
            out[i, :height, :width] = own
        return out


def is_codable(mask: Mask) -> bool:
    """Whether a mask has the size of one that a chunk can hold (FORMAT 1.6)."""
    return 1 <= mask.size <= MAX_SILHOUETTE_PIXELS and max(mask.shape) <= MAX_SILHOUETTE_SIDE


def cut_out(pixels: Pixels, sizes: Sizes | None = None) -> Silhouettes | None:
    """Silhouettes of cells whose background is 0 in all planes, of the size of the cells.

    None for cells with so little background that a mask would take more than it saves, and for
    those that are too large; None in all if no cell has more.

    Parameters
    ----------
    pixels
        (cell, y, x) or (cell, y, x, channel).
    sizes
        See Silhouettes.coverage.
    """
    masks: list[Mask | None] = []
    for i, has in enumerate(has_pixels(pixels)):
        mask = has if sizes is None else has[: sizes[i, 0], : sizes[i, 1]]
        background = mask.size - np.count_nonzero(mask)
        is_worth_it = CUT_OUT_SHARE * mask.size <= background < mask.size
        masks.append(mask if is_worth_it and is_codable(mask) else None)
    if all(mask is None for mask in masks):
        return None
    return Silhouettes(masks=masks)


def has_pixels(pixels: Pixels) -> Mask:
    """Which pixels are not 0 in all planes, bool (cell, y, x)."""
    planes = pixels[..., None] if pixels.ndim == 3 else pixels
    # One after the other: NumPy is twenty times as slow along a short axis.
    has: Mask = planes[..., 0] != 0
    for plane in range(1, planes.shape[3]):
        has |= planes[..., plane] != 0
    return has
