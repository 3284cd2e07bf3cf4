"""What is asked of pixels: a channel, a size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import InputError

Channel = Literal["auto", "red", "green", "blue", "all"]
"""Which planes of a cell to keep: one plane of an RGB cell, or ("auto", "all") what is there."""

PLANES = {"red": 0, "green": 1, "blue": 2}
MAX_CHANNELS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaping:
    """The wish for a channel and a size.

    Parameters
    ----------
    channel
        See Channel.
    size
        Pixels a side, at least 1; None leaves the size.

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

    def cell_shape(self, shape: tuple[int, ...], where: str) -> tuple[int, ...]:
        """Shape of a cell of the given shape, (y, x) or (y, x, channel), after shaping.

        Raises
        ------
        InputError
            If a plane is wanted of a cell that is not RGB. The message begins with `where`.
        """
        height, width = shape[:2] if self.size is None else (self.size, self.size)
        if self.channel not in PLANES:
            return (height, width, *shape[2:])
        if shape[2:] != (3,):
            found = f"{shape[2]} channels" if shape[2:] else "grey cells"
            raise InputError(
                f"{where}: holds {found}, so there is no {self.channel} to pick: "
                "only RGB has; use channel auto"
            )
        return (height, width)

    def __call__(self, cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Shape cells: resize first, then pick the plane.

        Parameters
        ----------
        cells
            uint8 (cell, y, x) or (cell, y, x, channel), 1 <= channel <= 4.

        Returns
        -------
        NDArray
            C-contiguous; `cells` itself where nothing is asked and it is contiguous.
        """
        if self.size is not None:
            resized = np.empty((len(cells), self.size, self.size, *cells.shape[3:]), np.uint8)
            for index, cell in enumerate(cells):
                resized[index] = resize(cell, self.size)
            cells = resized
        if self.channel in PLANES:
            cells = cells[..., PLANES[self.channel]]
        return np.ascontiguousarray(cells)


def resize(cell: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """One cell, uint8 (y, x) or (y, x, channel), at size x size, bilinear; aspect is not kept."""
    if cell.ndim == 3 and cell.shape[2] != 3:
        # Pillow would take two or four channels for grey or colour with alpha, and weigh by it.
        return np.stack([resize(plane, size) for plane in np.moveaxis(cell, 2, 0)], axis=2)
    image = Image.fromarray(np.ascontiguousarray(cell))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
