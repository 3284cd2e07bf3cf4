"""One TIFF file -> pixels, refusing all that does not fit one 8-bit image exactly."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from .unreadable import UnreadableError

GREY_SCALE = {1: 255, 2: 85, 4: 17, 8: 1}  # bits a sample -> factor onto 0..255, exact


def read_tiff(data: bytes) -> NDArray[np.uint8]:
    """Pixels of a TIFF file with one page.

    Grey with 1, 2 or 4 bits is spread over 0..255; "white is zero" is turned round; a palette
    becomes RGB; an alpha channel that is opaque everywhere is dropped. The orientation tag is
    left alone: pixels come as they are stored.

    Parameters
    ----------
    data
        The whole file.

    Returns
    -------
    NDArray
        uint8 (y, x) or (y, x, 3).

    Raises
    ------
    UnreadableError
        If the file holds anything else. Damage raises one of DECODING_ERRORS.
    """
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        if len(file.pages) != 1:
            raise UnreadableError(f"{len(file.pages)} pages, 1 is allowed")
        page = file.pages[0]
        check_layout(page, file.series[0], len(data))
        pixels = np.asarray(page.asarray())
        if page.axes == "SYX":
            pixels = np.moveaxis(pixels, 0, 2)
        return convert(page, pixels)


def check_layout(page: Any, series: Any, n_bytes: int) -> None:
    """Refuse, before decoding, what is no single 8-bit image or is cut short."""
    bits, dtype = page.bitspersample, page.dtype
    if dtype is None or dtype.kind not in "bu" or bits not in GREY_SCALE:
        raise UnreadableError(f"{bits}-bit {dtype}, 8-bit unsigned is allowed")
    if page.axes not in ("YX", "YXS", "SYX") or series.size != page.size:
        raise UnreadableError(f"a stack of shape {series.shape}, one image is allowed")
    # tifffile fills missing strips with zeros and says nothing.
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        if not count or offset + count > n_bytes:
            raise UnreadableError("the file is cut short")


def convert(page: Any, pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Stored samples -> grey or RGB."""
    photometric, bits = page.photometric, page.bitspersample
    if pixels.ndim == 3:
        n_colours = pixels.shape[2] - len(page.extrasamples)
        if len(page.extrasamples) > 1 or (pixels[..., n_colours:] != 255).any():
            raise UnreadableError("an alpha channel that is not opaque, or extra channels")
        pixels = pixels[..., 0] if n_colours == 1 else pixels[..., :n_colours]
    kinds = tifffile.PHOTOMETRIC
    if photometric in (kinds.MINISBLACK, kinds.MINISWHITE) and pixels.ndim == 2:
        grey = pixels.astype(np.uint8) * np.uint8(GREY_SCALE[bits])
        return np.invert(grey) if photometric == kinds.MINISWHITE else grey
    if photometric == kinds.PALETTE and pixels.ndim == 2:
        return palette_8_bit(page.colormap)[pixels.astype(np.uint8)]
    is_rgb = photometric == kinds.RGB or (
        # imagecodecs turns the YCbCr of JPEG into RGB; of other compressions nobody does.
        photometric == kinds.YCBCR and page.compression == tifffile.COMPRESSION.JPEG
    )
    if is_rgb and bits == 8 and pixels.ndim == 3 and pixels.shape[2] == 3:
        return pixels.astype(np.uint8, copy=False)
    raise UnreadableError(
        f"colours are {getattr(photometric, 'name', photometric)} with {bits} bits and "
        f"{page.samplesperpixel} samples; grey, palette and 8-bit RGB are allowed"
    )


def palette_8_bit(colormap: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """A TIFF palette, uint16 (3, entry), as uint8 (entry, 3), if no colour is lost.

    Writers put the 8-bit value v as 256 v, or as 257 v.
    """
    high = colormap >> 8
    if (colormap != high * 256).any() and (colormap != high * 257).any():
        raise UnreadableError("a palette of 16-bit colours, 8-bit is allowed")
    return high.T.astype(np.uint8)
