"""Objects of a slide: where each lies, its mask, and whether it is a cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .judge import Verdict
from .reduce import enlarged

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Objects:
    """Objects of one slide, in the order in which they are found: tile by tile, row by row.

    Parameters
    ----------
    boxes
        int64 (object, 4): y, x, height, width, in pixels of full resolution.
    verdicts
        uint8 (object,): see Verdict.
    areas
        int64 (object,): pixels of full resolution within the mask.
    cut_shares
        float32 (object,): share that the border of the slide cuts off, see ``cut_shares``; 0 for
        what does not touch the border.
    bits, starts
        uint8 and int64 (object + 1,): masks at the resolution of the segmentation, each by
        numpy.packbits from a byte of its own. Of rejected objects none are kept.
    factor
        A pixel of a mask stands for ``factor`` × ``factor`` of the slide.
    """

    boxes: NDArray[np.int64]
    verdicts: NDArray[np.uint8]
    areas: NDArray[np.int64]
    cut_shares: NDArray[np.float32]
    bits: NDArray[np.uint8]
    starts: NDArray[np.int64]
    factor: int

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def is_cell(self) -> NDArray[np.bool_]:
        """bool (object,)."""
        return np.asarray(self.verdicts == Verdict.CELL)

    @property
    def counts(self) -> dict[str, int]:
        """Number of objects by the text of their verdict, cells first."""
        counts = np.bincount(self.verdicts, minlength=len(Verdict)).tolist()
        return {v.text: n for v, n in zip(Verdict, counts, strict=True) if n or v == Verdict.CELL}

    @property
    def cell_share(self) -> float:
        """Of the area of all objects, what is in cells; 1 without objects."""
        total = int(self.areas.sum())
        return float(self.areas[self.is_cell].sum() / total) if total else 1.0

    def cells(self) -> Self:
        """The cells alone."""
        rows = np.flatnonzero(self.is_cell)
        parts = [self.bits[self.starts[k] : self.starts[k + 1]] for k in rows.tolist()]
        lengths = np.diff(self.starts)[rows]
        return type(self)(
            boxes=self.boxes[rows],
            verdicts=self.verdicts[rows],
            areas=self.areas[rows],
            cut_shares=self.cut_shares[rows],
            bits=np.concatenate(parts) if parts else np.empty(0, np.uint8),
            starts=np.concatenate([[0], lengths.cumsum()]).astype(np.int64),
            factor=self.factor,
        )

    def mask(self, k: int) -> Mask:
        """Of an object at full resolution, bool (height, width); all of it where none is kept."""
        height, width = self.boxes[k, 2:].tolist()
        packed = self.bits[self.starts[k] : self.starts[k + 1]]
        if not len(packed):
            return np.ones((height, width), np.bool_)
        rows, columns = -(-height // self.factor), -(-width // self.factor)
        small = np.unpackbits(packed, count=rows * columns).reshape(rows, columns).astype(np.bool_)
        return smooth(small, self.factor)[:height, :width]


def smooth(mask: Mask, factor: int) -> Mask:
    """A mask enlarged by an integer, its outline without steps.

    Between the centres of pixels the mask is interpolated (Pillow's BILINEAR, integers only), and
    ends where it falls below one half: masks that have no pixel in common still have none.
    """
    if factor <= 2:  # nothing would change
        return enlarged(mask, factor)
    height, width = mask.shape[0] + 2, mask.shape[1] + 2
    padded = np.zeros((height, width), np.uint8)
    padded[1:-1, 1:-1][mask] = 255
    larger = Image.fromarray(padded).resize(
        (width * factor, height * factor), Image.Resampling.BILINEAR
    )
    return np.asarray(larger)[factor:-factor, factor:-factor] > 127
