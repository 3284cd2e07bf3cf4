"""The segmentation that ships: stained cells of a smear, calibrated by the slide itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .calibrate import Calibration, Pixels
from .foreground import BACKGROUND_BLOCKS, BLOCK, contrast_of, foreground_of
from .judge import close_rings, judge
from .reduce import reduced
from .second_look import second_look
from .shape import Labels
from .split import Splitting, split


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segmented:
    """Objects of a tile.

    Parameters
    ----------
    labels
        int32 (y, x): 0 is background, 1 … n are objects. It may be reduced: each of its pixels
        then stands for ``factor`` × ``factor`` of the tile's.
    verdicts
        uint8 (n + 1,): the Verdict on each object; that of 0 means nothing.
    factor
        See labels.
    """

    labels: Labels
    verdicts: NDArray[np.uint8]
    factor: int = 1


class Segmenter(Protocol):
    """Finds cells in a tile: any callable that gives labels, or objects with verdicts.

    Parameters
    ----------
    tile
        uint8 (y, x) or (y, x, 3): a part of the slide, with some of what surrounds it.

    Returns
    -------
    labels or Segmented
        Labels are integers (y, x) of the tile's size: 0 is background, and each cell has a number
        of its own. All of them are taken for cells.
    """

    def __call__(self, tile: Pixels, /) -> NDArray[np.integer] | Segmented:
        """Find the cells."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BloodCells:
    """Cells darker than their background (or brighter, as calibrated), about as large as others.

    Parameters
    ----------
    calibration
        Of the slide, see ``calibrate``.
    splitting
        How touching cells are split: "watershed", or "hough" as in the paper.
    """

    calibration: Calibration
    splitting: Splitting = "watershed"

    @property
    def step(self) -> int:
        """Tiles begin at multiples of it, so that the same blocks tell the background."""
        return BLOCK * self.calibration.factor

    @property
    def halo(self) -> int:
        """Pixels around a tile that have a say in it: in its background, and a cell's width."""
        return (BACKGROUND_BLOCKS + 1) * self.step

    @property
    def tile(self) -> int:
        """Side of tiles that suit it."""
        return 64 * self.step

    def __call__(self, tile: Pixels, /) -> Segmented:
        """See Segmenter."""
        c = self.calibration
        small = reduced(tile, c.factor)
        contrast = contrast_of(c.bright(small), c.threshold)
        mask = foreground_of(contrast, c.lowest, c.diameter)
        labels, m = split(mask, c.diameter, self.splitting)
        close_rings(labels, m, c.area)
        verdicts = judge(labels, m, contrast, small, c)
        verdicts = second_look(labels, verdicts, contrast, small, c, self.splitting)
        return Segmented(labels=labels, verdicts=verdicts, factor=c.factor)
