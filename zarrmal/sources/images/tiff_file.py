"""TIFF files: grey, palette or RGB of one page, or several grey planes, to their exact pixels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from ..dimensions import MAX_CHANNELS
from ..sizes import Pixels
from .unreadable import UnreadableError

GREY_SCALE = {1: 255, 2: 85, 4: 17, 8: 1}
"""Bits of a sample -> the exact factor onto 0..255."""
CHANNEL_AXES = frozenset("CQI")
"""What tifffile calls pages that are channels, or that nothing is known of."""
PLANE_NAMES = {"Z": "focal planes", "T": "times"}
ALPHA = (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA)


def read_tiff(data: bytes, *, pages_are_channels: bool = False) -> tuple[Pixels, bool]:
    """Pixels of a TIFF file.

    Unsigned and signed integers of 8, 16, 32 or 64 bits and floating-point numbers are taken as
    they are, 9 to 15 bits as uint16. Grey of 1, 2 or 4 bits is scaled to 0..255; "white is zero" is
    inverted; a palette becomes RGB; an alpha channel that is opaque everywhere is dropped. The
    orientation tag is ignored.

    Grey pages of one size and dtype are channels, unless the file says that they are focal planes
    or times; so are the samples of a pixel that are neither colour nor alpha.

    Parameters
    ----------
    data
        The whole file.
    pages_are_channels
        Whatever the file says of its pages.

    Returns
    -------
    pixels
        (y, x) or (y, x, channel).
    channel_first
        The channels were pages.

    Raises
    ------
    UnreadableError
        If the file holds anything else. Damage raises one of DECODING_ERRORS.
    """
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        series = file.series[0]
        for each in file.pages:
            _check_complete(each, len(data))
        if len(file.pages) == 1 and series.size == page.size:
            _check_page(page, series)
            pixels = np.asarray(page.asarray())
            if page.axes == "SYX":
                pixels = np.moveaxis(pixels, 0, 2)
            return _native(_grey_rgb_or_channels(page, pixels)), False
        _check_stack(file, page, series, len(data), pages_are_channels)
        planes = np.asarray(series.asarray())
        planes = planes.reshape(-1, *planes.shape[-2:])
        return _native(planes[0] if len(planes) == 1 else np.moveaxis(planes, 0, 2)), True


def _native(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("="))


def _check_complete(page: Any, n_bytes: int) -> None:
    """tifffile fills missing strips with zeros and does not report it."""
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        if not count or offset + count > n_bytes:
            raise UnreadableError("the file is cut short")


def _check_dtype(page: Any) -> None:
    bits, dtype = page.bitspersample, page.dtype
    whole = dtype is not None and bits == 8 * dtype.itemsize and dtype.kind in "uif"
    narrow = dtype is not None and dtype.kind in "bu" and (bits in GREY_SCALE or 8 < bits < 16)
    if not (whole or narrow):
        raise UnreadableError(f"{bits}-bit {dtype}, numbers of 1, 2, 4 or 8 bits and more are "
                              f"allowed")  # fmt: skip


def _check_page(page: Any, series: Any) -> None:
    """Refuse, before decoding, what is no single image."""
    _check_dtype(page)
    if page.axes not in ("YX", "YXS", "SYX"):
        raise UnreadableError(f"a stack of shape {series.shape}, one image is allowed")


def _check_stack(file: Any, page: Any, series: Any, n_bytes: int, pages_are_channels: bool) -> None:
    """Refuse, before decoding, pages that are no channels of one image."""
    n_pages = len(file.pages)
    n_channels = series.size // page.size
    if len(file.series) != 1 or n_pages not in (1, n_channels):
        raise UnreadableError(f"{n_pages} pages of several kinds: one image, or pages that are its "
                              f"channels, are allowed")  # fmt: skip
    _check_dtype(page)
    kinds = tifffile.PHOTOMETRIC
    if page.axes != "YX" or page.photometric != kinds.MINISBLACK or page.bitspersample < 8:
        raise UnreadableError(f"a stack of shape {series.shape}, one image, or grey pages that are "
                              f"its channels, are allowed")  # fmt: skip
    axes = [
        axis
        for axis, length in zip(series.axes, series.shape, strict=True)
        if length > 1 and axis not in "YX"
    ]
    if len(axes) > 1 or n_channels > MAX_CHANNELS:
        raise UnreadableError(f"a stack of shape {series.shape}, 1 to {MAX_CHANNELS} pages that "
                              f"are channels are allowed")  # fmt: skip
    if axes and axes[0] not in CHANNEL_AXES and not pages_are_channels:
        what = PLANE_NAMES.get(axes[0], f"of axis {axes[0]}")
        raise UnreadableError(f"a stack of {n_channels} pages that are {what}, not channels: "
                              f"--axes cyx takes them as channels")  # fmt: skip
    if n_pages == 1 and series.dataoffset is not None:  # ImageJ describes the first page only
        stop = series.dataoffset + series.size * page.dtype.itemsize
        if stop > n_bytes:
            raise UnreadableError("the file is cut short")


def _grey_rgb_or_channels(page: Any, pixels: Pixels) -> Pixels:
    """Stored samples, (y, x) or (y, x, sample), to (y, x) or (y, x, channel)."""
    photometric, bits = page.photometric, page.bitspersample
    if pixels.ndim == 3 and page.extrasamples:
        pixels = _without_alpha(page, pixels)
    kinds = tifffile.PHOTOMETRIC
    if photometric in (kinds.MINISBLACK, kinds.MINISWHITE) and pixels.ndim == 2:
        if bits in GREY_SCALE and pixels.dtype.kind in "bu":
            pixels = pixels.astype(np.uint8) * np.uint8(GREY_SCALE[bits])
        if photometric == kinds.MINISBLACK:
            return pixels
        if pixels.dtype.kind == "u" and not 8 < bits < 16:
            return np.invert(pixels)
    if photometric == kinds.MINISBLACK and pixels.ndim == 3 and bits >= 8:
        if pixels.shape[2] > MAX_CHANNELS:
            raise UnreadableError(f"{pixels.shape[2]} channels, 1 to {MAX_CHANNELS} are allowed")
        return pixels
    if photometric == kinds.PALETTE and pixels.ndim == 2 and bits <= 8:
        return palette_8_bit(page.colormap)[pixels.astype(np.uint8)]
    is_rgb = photometric == kinds.RGB or (
        # imagecodecs converts the YCbCr of JPEG to RGB, but no other compression's.
        photometric == kinds.YCBCR and page.compression == tifffile.COMPRESSION.JPEG
    )
    if is_rgb and bits >= 8 and pixels.ndim == 3 and pixels.shape[2] >= 3:
        return pixels
    raise UnreadableError(
        f"colours are {getattr(photometric, 'name', photometric)} with {bits} bits and "
        f"{page.samplesperpixel} samples; grey, RGB and 8-bit palettes are allowed"
    )


def _without_alpha(page: Any, pixels: Pixels) -> Pixels:
    """The samples without an alpha channel; UnreadableError if that is not opaque everywhere."""
    n_colours = pixels.shape[2] - len(page.extrasamples)
    is_alpha = [kind in ALPHA for kind in page.extrasamples]
    kept = list(range(n_colours))
    for k, alpha in enumerate(is_alpha, start=n_colours):
        opaque = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "ui" else 1
        if not alpha:
            kept.append(k)
        elif (pixels[..., k] != opaque).any():
            raise UnreadableError("an alpha channel that is not opaque")
    return pixels[..., 0] if kept == [0] else pixels[..., kept]


def palette_8_bit(colormap: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """A TIFF palette, uint16 (3, entry), as uint8 (entry, 3).

    Writers store the 8-bit value v as 256 v, or as 257 v.

    Raises
    ------
    UnreadableError
        If a colour needs more than 8 bits.
    """
    high = colormap >> 8
    if (colormap != high * 256).any() and (colormap != high * 257).any():
        raise UnreadableError("a palette of 16-bit colours, 8-bit is allowed")
    return high.T.astype(np.uint8)
