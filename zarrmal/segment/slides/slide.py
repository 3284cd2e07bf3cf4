"""A slide: one large image, read by rectangle."""

from __future__ import annotations

import abc
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.cell import JpegCell

from ...errors import InputError
from ...lazy import lazy
from ...sources.sizes import Pixels
from .jpeg_tiles import JpegTiles

UINT8, UINT16 = np.dtype(np.uint8), np.dtype(np.uint16)
ONE_PLANE = "a slide is one plane of uint8 or uint16, grey or RGB: export that plane"
CACHE_BYTES = 64 << 20
"""Decoded blocks that a slide keeps."""
LONGEST_REASON = 120
"""Characters of a library's message."""
LEVELS = (0.1, 99.9)
"""Percentiles of the values that are told apart where 16 bits become 8."""
LEVEL_GRID, LEVEL_SIDE = 5, 128
"""They are those of so many rows and columns of samples of this side."""
LEAST_BLOCK = 512
"""Side of the blocks that are decoded at once, where the file's own are smaller."""


class Slide(abc.ABC):
    """One image, (y, x) or (y, x, 3), of which rectangles are decoded when they are read.

    Parameters
    ----------
    shape
        (y, x) or (y, x, 3).
    location
        Begins messages.
    name
        Of the slide, without folders and suffix: what cells are told apart by.
    block
        Rows and columns that are decoded at once.
    dtype
        uint8 or uint16.
    """

    reopen: Callable[[], Slide] | None = None
    """Opens the slide again in another process; None where it has no address."""

    jpeg_tiles: JpegTiles | None = None
    """The JPEG pictures that it is stored as; None where it is stored otherwise."""

    n_bytes: int | None = None
    """Of its files, all resolutions and whatever else they hold; None where that is not known."""

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        location: str,
        name: str,
        block: tuple[int, int],
        dtype: np.dtype[Any] = UINT8,
    ) -> None:
        self.shape, self.location, self.name = shape, location, name
        self.dtype = dtype.newbyteorder("=")
        self.block = (min(block[0], shape[0]), min(block[1], shape[1]))
        self._blocks: OrderedDict[tuple[int, int], Pixels] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.shape[0], self.shape[1]

    def read(self, y: int, x: int, height: int, width: int) -> Pixels:
        """A rectangle; what lies beyond the slide is left out.

        Raises
        ------
        InputError
            If the file is damaged there.
        """
        top, left = max(y, 0), max(x, 0)
        bottom, right = min(y + height, self.shape[0]), min(x + width, self.shape[1])
        shape = (max(bottom - top, 0), max(right - left, 0), *self.shape[2:])
        out = np.empty(shape, self.dtype)
        if not out.size:
            return out
        rows, columns = self.block
        for row in range(top // rows, -(-bottom // rows)):
            for column in range(left // columns, -(-right // columns)):
                part = self._block(row, column)
                y0, x0 = row * rows, column * columns
                inside_y = slice(max(top, y0), min(bottom, y0 + part.shape[0]))
                inside_x = slice(max(left, x0), min(right, x0 + part.shape[1]))
                out[
                    inside_y.start - top : inside_y.stop - top,
                    inside_x.start - left : inside_x.stop - left,
                ] = part[
                    inside_y.start - y0 : inside_y.stop - y0,
                    inside_x.start - x0 : inside_x.stop - x0,
                ]
        return out

    def read_8_bits(self, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        """A rectangle as it is segmented and shown; see ``read``.

        Of a slide of 16 bits, 0 to 255 are the values between which nearly all pixels lie.
        """
        pixels = self.read(y, x, height, width)
        if self.dtype == UINT8:
            return np.asarray(pixels, np.uint8)
        low, high = self._levels
        scaled = (pixels.astype(np.float32) - low) * (255 / max(high - low, 1)) + 0.5
        return np.asarray(np.clip(scaled, 0, 255), np.uint8)

    @lazy
    def _levels(self) -> tuple[float, float]:
        """Percentiles LEVELS of a grid of samples."""
        side_y, side_x = (min(side, LEVEL_SIDE) for side in self.size)
        values = [
            self.read(int(y), int(x), side_y, side_x).ravel()
            for y in np.unique(np.linspace(0, self.size[0] - side_y, LEVEL_GRID).astype(int))
            for x in np.unique(np.linspace(0, self.size[1] - side_x, LEVEL_GRID).astype(int))
        ]
        low, high = np.percentile(np.concatenate(values), LEVELS).tolist()
        return low, high

    def jpeg(self, y: int, x: int, height: int, width: int) -> JpegCell | None:
        """Coefficients of the JPEG pictures behind a rectangle; None where they are not known.

        Raises
        ------
        InputError
            As ``read``.
        """
        if self.jpeg_tiles is None:
            return None
        pixels = self.read(y, x, height, width)
        with self._lock:
            return self.jpeg_tiles.cell(y, x, pixels)

    @abc.abstractmethod
    def decode(self, y: int, x: int, height: int, width: int) -> Pixels:
        """Decode a rectangle within the slide; called by one thread at a time."""

    def _block(self, row: int, column: int) -> Pixels:
        with self._lock:
            known = self._blocks.get((row, column))
            if known is not None:
                self._blocks.move_to_end((row, column))
                return known
            y, x = row * self.block[0], column * self.block[1]
            height = min(self.block[0], self.shape[0] - y)
            width = min(self.block[1], self.shape[1] - x)
            block = self.decode(y, x, height, width)
            self._blocks[row, column] = block
            self._bytes += block.nbytes
            while self._bytes > CACHE_BYTES and len(self._blocks) > 1:
                self._bytes -= self._blocks.popitem(last=False)[1].nbytes
            return block

    def __reduce__(self) -> Any:
        """Pickle the address, not what is open."""
        return super().__reduce__() if self.reopen is None else (self.reopen, ())


def block_of(chunk: tuple[int, int]) -> tuple[int, int]:
    """Whole chunks of a file, at least LEAST_BLOCK a side."""
    rows, columns = (side * -(-LEAST_BLOCK // side) for side in chunk)
    return rows, columns


def said(library: str, error: Exception) -> str:
    """`` (LIBRARY: what it says)``; nothing where a damaged file merely confused its code."""
    if isinstance(error, LookupError | TypeError | AttributeError | ArithmeticError):
        return ""
    text = " ".join(str(error).split())
    return f" ({library}: {text[:LONGEST_REASON]})" if text else ""


def checked_shape(
    shape: tuple[int, ...], dtype: Any, location: str, axes: str | None = None
) -> tuple[int, ...]:
    """(y, x) or (y, x, 3) from those of a file; (y, x, 4) counts as RGB with an alpha channel.

    Raises
    ------
    InputError
        If it is no single plane of uint8 or uint16, grey or RGB.
    """
    is_image = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))
    native = np.dtype(dtype).newbyteorder("=")
    if not is_image or native not in (UINT8, UINT16) or 0 in shape:
        named = f" (axes {axes})" if axes else ""
        raise InputError(
            f"{location}: holds {np.dtype(dtype)} of shape {shape}{named}; {ONE_PLANE}"
        )
    return shape[:2] if shape[2:] in ((), (1,)) else (*shape[:2], 3)


def as_image(pixels: Pixels, shape: tuple[int, ...]) -> Pixels:
    """Pixels of a file, (y, x[, channel]), as those of a slide of this shape."""
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    if len(shape) == 2:
        return np.ascontiguousarray(pixels.reshape(pixels.shape[:2]))
    return np.ascontiguousarray(pixels[..., :3])
