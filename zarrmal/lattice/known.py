"""Cells whose coefficients are known: what the coder is given, and what weights learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.cell import JpegCell
from zarrmal_codecs.lattice.cells import Layout
from zarrmal_codecs.lattice.frame import Frame
from zarrmal_codecs.lattice.jpeg.picture import decode

Pixels = NDArray[np.uint8]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownCell:
    """A cell and the coefficients behind it.

    Parameters
    ----------
    pixels
        uint8 (y, x, channel), 0 where not visible.
    visible
        bool (y, x); None: all of it.
    jpeg
        Its coefficients, as many blocks as ``jpeg.camera.n_blocks(shape, jpeg.phase)``.
    """

    pixels: Pixels
    visible: Flags | None
    jpeg: JpegCell

    @classmethod
    def of(cls, pixels: Pixels, visible: Flags | None, jpeg: JpegCell) -> KnownCell:
        """Without the blocks of a file that only fill its last groups.

        A cell that is visible everywhere has no silhouette in an archive, and so none here.
        """
        if visible is not None and visible.all():
            visible = None
        counts = jpeg.camera.n_blocks((pixels.shape[0], pixels.shape[1]), jpeg.phase)
        cut = JpegCell(
            camera=jpeg.camera,
            phase=jpeg.phase,
            coefficients=tuple(
                np.ascontiguousarray(blocks[:rows, :columns])
                for blocks, (rows, columns) in zip(jpeg.coefficients, counts, strict=True)
            ),
            coded=tuple(
                np.ascontiguousarray(flags[:rows, :columns])
                for flags, (rows, columns) in zip(jpeg.coded, counts, strict=True)
            ),
        )
        return cls(pixels=pixels, visible=visible, jpeg=cut)

    @property
    def frame(self) -> Frame:
        """What the decoder knows before the stream."""
        shape = self.pixels.shape[0], self.pixels.shape[1]
        return Frame(
            camera=self.jpeg.camera, shape=shape, phase=self.jpeg.phase, visible=self.visible
        )

    def coded(self) -> tuple[Layout, list[NDArray[np.int16]]]:
        """The layout, and the coefficients of the blocks that are coded."""
        frame = self.frame
        shares = frame.shares()
        both = zip(frame.candidates(shares), self.jpeg.coded, strict=True)
        flags = [wanted & given for wanted, given in both]
        kept = [
            np.where(own[:, :, None, None], blocks, 0).astype(np.int16)
            for own, blocks in zip(flags, self.jpeg.coefficients, strict=True)
        ]
        return frame.layout(flags, shares), kept


def picture_of(jpeg: JpegCell, shape: tuple[int, int]) -> Pixels:
    """Pixels of a whole JPEG picture, uint8 (y, x, channel)."""
    pixels = decode(jpeg.camera, jpeg.coefficients, shape)
    return pixels if pixels.ndim == 3 else pixels[..., None]


def n_pixels(cells: Sequence[KnownCell]) -> int:
    """Of the boxes of cells."""
    return sum(cell.pixels.shape[0] * cell.pixels.shape[1] for cell in cells)
