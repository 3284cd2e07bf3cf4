"""One image file -> pixels, exactly, or the reason why not."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from .tiff import read_tiff
from .unreadable import DECODING_ERRORS, UnreadableError

TIFF_SUFFIXES = (".tif", ".tiff")
PILLOW_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
PLAIN_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
PILLOW_FORMATS = ("PNG", "JPEG", "BMP")  # and no other decoder of Pillow's, whatever the suffix
GREY_MODES = ("1", "L", "LA")
RGB_MODES = ("P", "RGB", "PA", "RGBA")
PNG_DEPTH_OFFSET = 24  # signature, length, "IHDR", width, height, then the bit depth


def is_image_name(name: str) -> bool:
    """Whether a file of that name is read as an image; hidden files are not."""
    return not name.startswith(".") and name.lower().endswith(TIFF_SUFFIXES + PILLOW_SUFFIXES)


def counted_suffix(name: str) -> str:
    """What files that are passed over are counted by: a suffix such as ".webp", or "others"."""
    suffix = Path(name).suffix.lower()
    return suffix if PLAIN_SUFFIX.fullmatch(suffix) else "others"


def read_image(path: Path) -> NDArray[np.uint8]:
    """Pixels of one image, as they are stored: an orientation tag is left alone.

    1-bit images become grey (0, 255), palettes become RGB, and an alpha channel is dropped if it
    is opaque everywhere.

    Parameters
    ----------
    path
        PNG, JPEG or BMP; TIFF by its suffix.

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
        data = path.read_bytes()
        if not data:
            raise UnreadableError("the file is empty")
        if path.suffix.lower() in TIFF_SUFFIXES:
            return read_tiff(data)
        return read_by_pillow(data)
    except UnreadableError:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableError("no PNG, JPEG or BMP image") from error
    except IsADirectoryError as error:
        raise UnreadableError("a directory") from error
    except (*DECODING_ERRORS, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableError(f"damaged or unknown: {reason}") from error


def read_by_pillow(data: bytes) -> NDArray[np.uint8]:
    """Pixels of a PNG, JPEG or BMP file; see read_image."""
    # Loading skips the checksums of a PNG, verifying loads no pixels: both are needed.
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
        wanted = "L" if image.mode in GREY_MODES else "RGB"
        # "P" with an opaque tRNS chunk: by way of RGBA, else Pillow warns.
        opaque = image.convert("RGBA") if "transparency" in image.info else image
        return np.asarray(opaque if opaque.mode == wanted else opaque.convert(wanted))
