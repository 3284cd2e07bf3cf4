"""What is known of a cell that was cut out of a JPEG picture, or is one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .jpeg.picture import Camera
from .jpeg.transform import SIDE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JpegCell:
    """The quantised coefficients behind a cell's pixels, and where they lie.

    Parameters
    ----------
    camera
        Tables of steps, sampling, colour.
    phase
        Row and column of the cell's first pixel in its group of blocks; (0, 0) for a file.
    coefficients
        For each plane int16 (row, column, 8, 8), as many blocks as
        ``camera.n_blocks(shape, phase)``; of a file as many as its scan holds.
    coded
        For each plane bool (row, column): blocks for which there are coefficients.
    is_file
        The cell is a whole JPEG picture: blocks that only fill its last groups are kept as well.

    Raises
    ------
    ValueError
        The arrays do not belong together.
    """

    camera: Camera
    phase: tuple[int, int]
    coefficients: tuple[NDArray[np.int16], ...]
    coded: tuple[NDArray[np.bool_], ...]
    is_file: bool = False

    def __post_init__(self) -> None:
        group = self.camera.group
        if not all(0 <= p < side for p, side in zip(self.phase, group, strict=True)):
            raise ValueError(f"phase is {self.phase}; it is below {group} for this camera")
        if not len(self.coefficients) == len(self.coded) == len(self.camera.ratios):
            raise ValueError(f"a cell of this camera has {len(self.camera.ratios)} planes")
        for blocks, flags in zip(self.coefficients, self.coded, strict=True):
            if blocks.dtype != np.int16 or blocks.shape[2:] != (SIDE, SIDE):
                raise ValueError(
                    f"coefficients are {blocks.dtype} {blocks.shape}, not int16 (row, column, 8, 8)"
                )
            if flags.dtype != np.bool_ or flags.shape != blocks.shape[:2]:
                raise ValueError(f"coded is {flags.dtype} {flags.shape}, not of blocks of a plane")

    @property
    def n_groups(self) -> tuple[int, int] | None:
        """Rows and columns of groups, if the blocks are those of whole groups."""
        counts = [
            tuple(n * SIDE * r / g for n, r, g in zip(flags.shape, ratio, group, strict=True))
            for flags, ratio in zip(self.coded, self.camera.ratios, strict=True)
            for group in (self.camera.group,)
        ]
        rows, columns = counts[0]
        if any(count != counts[0] for count in counts) or rows % 1 or columns % 1:
            return None
        return int(rows), int(columns)

    def fitted(self, shape: tuple[int, int]) -> JpegCell | None:
        """With as many blocks as a cell of this height and width has; None if there are fewer.

        It is no file any more if it was one of another size.
        """
        counts = self.camera.n_blocks_of_file(shape)
        is_file = self.is_file and self.phase == (0, 0)
        is_file = is_file and [flags.shape for flags in self.coded] == counts
        if not is_file:
            counts = self.camera.n_blocks(shape, self.phase)
        both = list(zip(self.coded, counts, strict=True))
        if any(f.shape[0] < rows or f.shape[1] < columns for f, (rows, columns) in both):
            return None
        planes = zip(self.coefficients, counts, strict=True)
        return replace(
            self,
            coefficients=tuple(b[:rows, :columns] for b, (rows, columns) in planes),
            coded=tuple(f[:rows, :columns] for f, (rows, columns) in both),
            is_file=is_file,
        )
