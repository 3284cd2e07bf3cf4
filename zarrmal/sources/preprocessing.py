"""Preprocessing of pixels: picking a channel, resampling to one size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import InputError

Channel = Literal["auto", "red", "green", "blue", "all"]
"""Channels of a cell that a source gives: one of RGB, or ("auto", "all") those that are there."""

RGB_CHANNELS = {"red": 0, "green": 1, "blue": 2}
MAX_CHANNELS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PreprocessingOptions:
    """The channel and the size that the caller asks for.

    Parameters
    ----------
    channel
        See Channel.
    size
        Height and width in pixels, at least 1; None keeps the size.

    Raises
    ------
    InputError
        If there is no such channel or size.
    """

    channel: Channel = "auto"
    size: int | None = None

    def __post_init__(self) -> None:
        if self.channel not in get_args(Channel):
            raise InputError(
                f"the channel must be one of {', '.join(get_args(Channel))}, not {self.channel!r}"
            )
        if self.size is not None and (type(self.size) is not int or self.size < 1):
            raise InputError(f"the size is a number of pixels, at least 1, not {self.size!r}")

    def cell_shape(self, shape: tuple[int, ...], location: str) -> tuple[int, ...]:
        """Shape of a preprocessed cell.

        Parameters
        ----------
        shape
            Of the original cell, (y, x) or (y, x, channel).
        location
            Begins messages.

        Raises
        ------
        InputError
            If a channel is asked for and the cell is not RGB.
        """
        height, width = shape[:2] if self.size is None else (self.size, self.size)
        if self.channel not in RGB_CHANNELS:
            return (height, width, *shape[2:])
        if shape[2:] != (3,):
            found = f"{shape[2]} channels" if shape[2:] else "grey cells"
            raise InputError(
                f"{location}: holds {found}, so there is no {self.channel} to pick: "
                "only RGB has; use channel auto"
            )
        return (height, width)

    def apply(self, cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resample the cells, then pick the channel.

        Parameters
        ----------
        cells
            uint8 (cell, y, x) or (cell, y, x, channel), 1 <= channel <= 4.

        Returns
        -------
        NDArray
            C-contiguous; `cells` itself where nothing is to do and it is contiguous.
        """
        if self.size is not None:
            resampled = np.empty((len(cells), self.size, self.size, *cells.shape[3:]), np.uint8)
            for index, cell in enumerate(cells):
                resampled[index] = resample(cell, self.size)
            cells = resampled
        if self.channel in RGB_CHANNELS:
            cells = cells[..., RGB_CHANNELS[self.channel]]
        return np.ascontiguousarray(cells)


def resample(cell: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """One cell, uint8 (y, x) or (y, x, channel), bilinearly at size x size.

    The aspect ratio is not kept.
    """
    if cell.ndim == 3 and cell.shape[2] != 3:
        # Pillow would treat the last of two or four channels as alpha, and weight by it.
        return np.stack([resample(plane, size) for plane in np.moveaxis(cell, 2, 0)], axis=2)
    image = Image.fromarray(np.ascontiguousarray(cell))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
