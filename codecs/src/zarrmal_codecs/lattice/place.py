"""Where a cell lies in a JPEG picture."""

from __future__ import annotations

from dataclasses import dataclass

from .frame import LEAST_OF_FIRST, LEAST_OF_OTHERS, Flags, Frame
from .jpeg.picture import Camera


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a chunk's header tells of a cell that is coded as coefficients.

    Parameters
    ----------
    camera
        Tables, sampling, colour.
    phase
        Row and column of the cell's first pixel in its group of blocks.
    is_file
        The cell is a whole JPEG picture; see JpegCell.
    least
        See Frame.
    """

    camera: Camera
    phase: tuple[int, int] = (0, 0)
    is_file: bool = False
    least: tuple[int, int] = (LEAST_OF_FIRST, LEAST_OF_OTHERS)

    def frame(self, shape: tuple[int, int], visible: Flags | None) -> Frame:
        """With the cell's height and width, and what is visible of it (None: all)."""
        return Frame(
            camera=self.camera,
            shape=shape,
            phase=self.phase,
            visible=visible,
            least=self.least,
            is_file=self.is_file,
        )
