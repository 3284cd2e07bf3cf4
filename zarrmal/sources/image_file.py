"""Image files: one file to exact 8-bit pixels, or the reason why it has none."""

from __future__ import annotations

import io
import os
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from .special_files import special_kind

TIFF_SUFFIXES = (".tif", ".tiff")
PILLOW_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
PLAIN_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
PILLOW_FORMATS = ("PNG", "JPEG", "BMP")  # no other decoder of Pillow's, whatever the suffix
GREY_MODES = ("1", "L", "LA")
RGB_MODES = ("P", "RGB", "PA", "RGBA")
PNG_DEPTH_OFFSET = 24  # signature, length, "IHDR", width, height, then the bit depth
TIFF_GREY_SCALE = {1: 255, 2: 85, 4: 17, 8: 1}  # bits per sample -> exact factor onto 0..255

DECODING_ERRORS = (
    OSError,
    EOFError,
    SyntaxError,  # Pillow, for a broken PNG
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    MemoryError,
    RuntimeError,  # imagecodecs' own errors are RuntimeErrors
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""Errors that Pillow, tifffile and imagecodecs were seen to raise for damaged files; none of them
documents a full list."""


class UnreadableError(ValueError):
    """The file is no image, or none that 8-bit grey or RGB holds without loss; a few words."""


def is_image_name(name: str) -> bool:
    """Whether a file of that name is read as an image; hidden files are not."""
    return not name.startswith(".") and name.lower().endswith(TIFF_SUFFIXES + PILLOW_SUFFIXES)


def suffix_for_count(name: str) -> str:
    """The suffix under which a skipped file is counted, such as ".webp", or "others"."""
    suffix = Path(name).suffix.lower()
    return suffix if PLAIN_SUFFIX.fullmatch(suffix) else "others"


def read_image(path: str) -> NDArray[np.uint8]:
    """Pixels of one image as they are stored; an orientation tag is ignored.

    1-bit images become grey (0, 255), palettes become RGB, and an alpha channel that is opaque
    everywhere is dropped.

    Parameters
    ----------
    path
        A PNG, JPEG or BMP file; a TIFF file by its suffix.

    Returns
    -------
    NDArray
        uint8 (y, x) or (y, x, 3).

    Raises
    ------
    UnreadableError
        If the file is damaged, no image, or not one 8-bit grey or RGB image.
    """
    try:
        data = read_regular_file(path)
        if not data:
            raise UnreadableError("the file is empty")
        if path.lower().endswith(TIFF_SUFFIXES):
            return read_tiff(data)
        return read_with_pillow(data)
    except UnreadableError:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableError("no PNG, JPEG or BMP image") from error
    except IsADirectoryError as error:
        raise UnreadableError("a directory") from error
    except DECODING_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableError(f"damaged or unknown: {reason}") from error


def read_regular_file(path: str) -> bytes:
    """All bytes of a file; UnreadableError for a FIFO, socket or device, which could block."""

    def open_without_blocking(name: str, flags: int) -> int:
        # Without the flag, opening a FIFO waits for a writer.
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))

    with open(path, "rb", opener=open_without_blocking) as file:
        kind = special_kind(os.fstat(file.fileno()).st_mode)
        if kind is not None:
            raise UnreadableError(f"a {kind}")
        return file.read()


def read_with_pillow(data: bytes) -> NDArray[np.uint8]:
    """Pixels of a PNG, JPEG or BMP file; see read_image."""
    # load() skips the checksums of a PNG, and verify() loads no pixels: both are needed.
    Image.open(io.BytesIO(data), formats=PILLOW_FORMATS).verify()
    with Image.open(io.BytesIO(data), formats=PILLOW_FORMATS) as image:
        n_frames = getattr(image, "n_frames", 1)
        if n_frames != 1:
            raise UnreadableError(f"{n_frames} frames, 1 is allowed")
        if image.format == "PNG" and data[PNG_DEPTH_OFFSET] == 16:
            # Pillow would drop the low bytes of 16-bit RGB in silence.
            raise UnreadableError("16-bit, 8-bit is allowed")
        if image.mode not in GREY_MODES + RGB_MODES:
            raise UnreadableError(f"mode {image.mode}, 8-bit grey or RGB is allowed")
        image.load()
        if image.has_transparency_data:
            alpha = np.asarray(image.convert("RGBA"))[..., 3]
            if alpha.min() < 255:
                raise UnreadableError("transparent pixels, only opaque ones are allowed")
        mode = "L" if image.mode in GREY_MODES else "RGB"
        # Pillow warns when a "P" image with a tRNS chunk is converted straight to RGB.
        opaque = image.convert("RGBA") if "transparency" in image.info else image
        return np.asarray(opaque if opaque.mode == mode else opaque.convert(mode))


def read_tiff(data: bytes) -> NDArray[np.uint8]:
    """Pixels of a TIFF file with one page.

    Grey of 1, 2 or 4 bits is scaled to 0..255; "white is zero" is inverted; a palette becomes RGB;
    an alpha channel that is opaque everywhere is dropped. The orientation tag is ignored.

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
        check_tiff_layout(page, file.series[0], len(data))
        pixels = np.asarray(page.asarray())
        if page.axes == "SYX":
            pixels = np.moveaxis(pixels, 0, 2)
        return tiff_to_grey_or_rgb(page, pixels)


def check_tiff_layout(page: Any, series: Any, n_bytes: int) -> None:
    """Refuse, before decoding, what is no single 8-bit image or is cut short."""
    bits, dtype = page.bitspersample, page.dtype
    if dtype is None or dtype.kind not in "bu" or bits not in TIFF_GREY_SCALE:
        raise UnreadableError(f"{bits}-bit {dtype}, 8-bit unsigned is allowed")
    if page.axes not in ("YX", "YXS", "SYX") or series.size != page.size:
        raise UnreadableError(f"a stack of shape {series.shape}, one image is allowed")
    # tifffile fills missing strips with zeros and does not report it.
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        if not count or offset + count > n_bytes:
            raise UnreadableError("the file is cut short")


def tiff_to_grey_or_rgb(page: Any, pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Stored samples, (y, x) or (y, x, sample), to uint8 grey (y, x) or RGB (y, x, 3)."""
    photometric, bits = page.photometric, page.bitspersample
    if pixels.ndim == 3:
        n_colours = pixels.shape[2] - len(page.extrasamples)
        if len(page.extrasamples) > 1 or (pixels[..., n_colours:] != 255).any():
            raise UnreadableError("an alpha channel that is not opaque, or extra channels")
        pixels = pixels[..., 0] if n_colours == 1 else pixels[..., :n_colours]
    kinds = tifffile.PHOTOMETRIC
    if photometric in (kinds.MINISBLACK, kinds.MINISWHITE) and pixels.ndim == 2:
        grey = pixels.astype(np.uint8) * np.uint8(TIFF_GREY_SCALE[bits])
        return np.invert(grey) if photometric == kinds.MINISWHITE else grey
    if photometric == kinds.PALETTE and pixels.ndim == 2:
        return palette_8_bit(page.colormap)[pixels.astype(np.uint8)]
    is_rgb = photometric == kinds.RGB or (
        # imagecodecs converts the YCbCr of JPEG to RGB, but no other compression's.
        photometric == kinds.YCBCR and page.compression == tifffile.COMPRESSION.JPEG
    )
    if is_rgb and bits == 8 and pixels.ndim == 3 and pixels.shape[2] == 3:
        return pixels.astype(np.uint8, copy=False)
    raise UnreadableError(
        f"colours are {getattr(photometric, 'name', photometric)} with {bits} bits and "
        f"{page.samplesperpixel} samples; grey, palette and 8-bit RGB are allowed"
    )


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
