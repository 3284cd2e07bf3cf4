"""Slides in scanners' own formats, by OpenSlide (extra ``slides``)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import InputError
from .slide import LEAST_BLOCK, Slide, said
from .tiff import slide_name


class OpenSlideSlide(Slide):
    """A slide that OpenSlide reads, at full resolution; what was not scanned is white.

    Parameters
    ----------
    path
        Of a local file.

    Raises
    ------
    InputError
        If openslide is not installed, or cannot read the file.
    """

    def __init__(self, path: str) -> None:
        try:
            import openslide
        except ImportError:
            raise InputError(
                f"{path}: this format needs OpenSlide: pip install 'zarrmal[slides]'"
            ) from None
        try:
            self._slide: Any = openslide.OpenSlide(path)
        except Exception as error:
            raise InputError(
                f"{path}: is damaged, or no format of OpenSlide's{said('OpenSlide', error)}"
            ) from error
        self._path = path
        width, height = self._slide.dimensions
        super().__init__(
            (height, width, 3),
            location=f"slide {path}",
            name=slide_name(path),
            block=(2 * LEAST_BLOCK, 2 * LEAST_BLOCK),
        )

    def decode(self, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        """See Slide.decode."""
        try:
            region = self._slide.read_region((x, y), 0, (width, height))
        except Exception as error:
            raise InputError(
                f"{self._path}: cannot be decoded at row {y:,}, column {x:,}: the file is "
                f"damaged{said('OpenSlide', error)}"
            ) from error
        white = Image.new("RGBA", region.size, "white")
        return np.asarray(Image.alpha_composite(white, region).convert("RGB"))
