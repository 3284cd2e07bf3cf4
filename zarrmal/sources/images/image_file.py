"""Image files: one file to its exact pixels, or the reason why it has none."""

from __future__ import annotations

import io
import os
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ..places.special_files import special_kind
from ..sizes import Pixels
from .tiff_file import read_tiff
from .unreadable import UnreadableError

TIFF_SUFFIXES = (".tif", ".tiff")
JPEG_SUFFIXES = (".jpg", ".jpeg")
PILLOW_SUFFIXES = (".png", *JPEG_SUFFIXES, ".bmp")
PLAIN_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
PILLOW_FORMATS = ("PNG", "JPEG", "BMP")  # no other decoder of Pillow's, whatever the suffix
GREY_MODES = ("1", "L", "LA")
RGB_MODES = ("P", "RGB", "PA", "RGBA")
PNG_DEPTH_OFFSET = 24  # signature, length, "IHDR", width, height, then the bit depth
PNG_COLOURS = {1: 1, 2: 1, 3: 3, 4: 3}
"""Samples of a PNG's pixel -> those of them that are not alpha."""

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecodedImage:
    """The pixels of a file.

    Parameters
    ----------
    pixels
        (y, x) or (y, x, channel).
    channel_first
        The file holds the channels one after the other, as the pages of a TIFF.
    """

    pixels: Pixels
    channel_first: bool = False


def is_image_name(name: str) -> bool:
    """Whether a file of that name is read as an image; hidden files are not."""
    return not name.startswith(".") and name.lower().endswith(TIFF_SUFFIXES + PILLOW_SUFFIXES)


def is_jpeg_name(name: str) -> bool:
    """Whether a file of that name should be a JPEG."""
    return name.lower().endswith(JPEG_SUFFIXES)


def suffix_for_count(name: str) -> str:
    """The suffix under which a skipped file is counted, such as ".webp", or "others"."""
    suffix = Path(name).suffix.lower()
    return suffix if PLAIN_SUFFIX.fullmatch(suffix) else "others"


def read_image(path: str, *, pages_are_channels: bool = False) -> DecodedImage:
    """Pixels of one image as they are stored; an orientation tag is ignored.

    1-bit images become grey (0, 255), palettes become RGB, and an alpha channel that is opaque
    everywhere is dropped.

    Parameters
    ----------
    path
        A PNG, JPEG or BMP file; a TIFF file by its suffix.
    pages_are_channels
        See read_tiff.

    Raises
    ------
    UnreadableError
        If the file is damaged, or no image of cells: 8-bit or 16-bit grey or RGB, or see read_tiff.
    """
    try:
        data = read_regular_file(path)
        if not data:
            raise UnreadableError("the file is empty")
        if path.lower().endswith(TIFF_SUFFIXES):
            pixels, channel_first = read_tiff(data, pages_are_channels=pages_are_channels)
            return DecodedImage(pixels=pixels, channel_first=channel_first)
        return DecodedImage(pixels=read_with_pillow(data))
    except UnreadableError:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableError("no PNG, JPEG or BMP image") from error
    except IsADirectoryError as error:
        raise UnreadableError("a directory") from error
    except PermissionError as error:
        raise UnreadableError("its permissions forbid it") from error
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


def read_with_pillow(data: bytes) -> Pixels:
    """Pixels of a PNG, JPEG or BMP file, (y, x) or (y, x, 3); see read_image."""
    # load() skips the checksums of a PNG, and verify() loads no pixels: both are needed.
    Image.open(io.BytesIO(data), formats=PILLOW_FORMATS).verify()
    with Image.open(io.BytesIO(data), formats=PILLOW_FORMATS) as image:
        n_frames = getattr(image, "n_frames", 1)
        if n_frames != 1:
            raise UnreadableError(f"{n_frames} frames, 1 is allowed")
        if image.format == "PNG" and data[PNG_DEPTH_OFFSET] == 16:
            # Pillow would drop the low bytes of 16-bit RGB in silence.
            return read_16_bit_png(data, has_key="transparency" in image.info)
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


def read_16_bit_png(data: bytes, *, has_key: bool) -> NDArray[np.uint16]:
    """Pixels of a PNG of 16 bits, whose checksums have been compared.

    Parameters
    ----------
    has_key
        One colour stands for transparent pixels.
    """
    if has_key:
        raise UnreadableError("16-bit with a transparent colour, only opaque pixels are allowed")
    samples = np.asarray(imagecodecs.png_decode(data))
    if samples.dtype != np.uint16 or samples.ndim not in (2, 3):
        raise UnreadableError(f"decodes to {samples.dtype} of shape {samples.shape}")
    if samples.ndim == 2:
        return samples
    n_colours = PNG_COLOURS[samples.shape[2]]
    if (samples[..., n_colours:] != np.iinfo(np.uint16).max).any():
        raise UnreadableError("transparent pixels, only opaque ones are allowed")
    return samples[..., 0] if n_colours == 1 else np.ascontiguousarray(samples[..., :n_colours])
