"""A picture as a slide: a camera field in PNG, JPEG or BMP, decoded as a whole."""

from __future__ import annotations

from PIL import UnidentifiedImageError

from ...errors import InputError
from ...lattice.file_cell import JPEG_START
from ...sources.images.image_file import DECODING_ERRORS, read_with_pillow
from ...sources.images.unreadable import UnreadableError
from ...sources.sizes import Pixels
from .jpeg_tiles import JpegTiles
from .slide import LEAST_BLOCK, Slide, as_image, checked_shape
from .tiff import slide_name


class PictureSlide(Slide):
    """A picture in memory.

    Parameters
    ----------
    data
        The whole file, PNG, JPEG or BMP, whatever its suffix.
    address
        For messages and the name.

    Raises
    ------
    InputError
        If it cannot be read.
    """

    def __init__(self, data: bytes, address: str) -> None:
        self._pixels = decoded(data, address)
        super().__init__(
            self._pixels.shape,
            location=f"slide {address}",
            name=slide_name(address),
            block=(LEAST_BLOCK, LEAST_BLOCK),
            dtype=self._pixels.dtype,
        )
        self.n_bytes = len(data)
        if data.startswith(JPEG_START):
            self.jpeg_tiles = JpegTiles(self.size, lambda _: data)

    def read(self, y: int, x: int, height: int, width: int) -> Pixels:
        """See Slide.read."""
        return self._pixels[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]

    def decode(self, y: int, x: int, height: int, width: int) -> Pixels:
        """See Slide.decode."""
        return self._pixels[y : y + height, x : x + width]


def decoded(data: bytes, address: str) -> Pixels:
    """Pixels of a picture; InputError if there are none."""
    try:
        pixels = read_with_pillow(data)
    except UnreadableError as error:
        raise InputError(f"{address}: cannot be read as a slide: {error}") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{address}: is no PNG, JPEG or BMP picture") from error
    except DECODING_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{address}: the picture is damaged: {reason}") from error
    return as_image(pixels, checked_shape(pixels.shape, pixels.dtype, address))
