"""One cell as an image file: PNG where that holds it, else TIFF; both without loss."""

from __future__ import annotations

import uuid
from pathlib import Path, PurePosixPath

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from ...errors import InputError
from ...sources.arrays.zarr_names import mask_names
from ...sources.sizes import Pixels
from ...version import SOFTWARE
from ..opened import OpenArchive
from .names import TIFF_SUFFIXES, folded

PNG_CHANNELS = {"uint8": ((), (1,), (3,), (4,)), "uint16": ((), (1,), (3,))}
"""Dtype -> the channels that a PNG of it holds."""


def png_holds(dtype: np.dtype[np.generic], channels: tuple[int, ...]) -> bool:
    """Whether a PNG holds cells of so many channels, (channel,) or ()."""
    return channels in PNG_CHANNELS.get(dtype.name, ())


def refuse_unwritable_dtype(dtype: np.dtype[np.generic]) -> None:
    """InputError if no image file holds such pixels."""
    if dtype.kind == "c":
        raise InputError(f"no image file holds pixels of {dtype}: read the archive with zarr")


def mask_folders(archive: OpenArchive, folder: Path) -> list[Path]:
    """The folder of each mask of a cell: the folder itself, where there is one mask."""
    array = archive.mask_array
    assert array is not None
    if archive.n_masks == 1:
        return [folder]
    names = mask_names(array)
    usable = len(set(names)) == archive.n_masks and all(
        name.isidentifier() and name.isascii() for name in names
    )
    return [folder / (names[k] if usable else str(k)) for k in range(archive.n_masks)]


def mask_files(files: list[str]) -> list[str]:
    """The names of the masks of cells: those of the cells, with the suffix .png."""
    names = [str(PurePosixPath(file).with_suffix(".png")) for file in files]
    if len(set(map(folded, names))) < len(names):  # of a.tif and a.png
        names = [f"{file}.png" for file in files]
    return names


def save(path: Path, image: Pixels, *, pages: bool = False) -> None:
    """One cell (y, x[, channel]) as PNG or TIFF, by the suffix, atomically.

    Parameters
    ----------
    pages
        Channels become pages of a TIFF, not samples of a pixel.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".zarrmal-{uuid.uuid4().hex}.partial")  # short: the name need not be
    own = np.ascontiguousarray(image[..., 0] if image.shape[2:] == (1,) else image)
    try:
        if path.suffix.lower() in TIFF_SUFFIXES:
            _save_tiff(partial, own, pages)
        elif own.dtype == np.uint8:
            Image.fromarray(own).save(partial, format="png")
        else:
            partial.write_bytes(_png(own))
        partial.replace(path)
    except BaseException:  # an interruption, too, leaves no part of a file
        partial.unlink(missing_ok=True)
        raise


def _png(image: NDArray[np.uint16]) -> bytes:
    """A PNG of 16 bits, which Pillow does not write in colour."""
    return bytes(imagecodecs.png_encode(image))


def _save_tiff(path: Path, image: Pixels, pages: bool) -> None:
    if image.dtype.kind == "b":
        image = image.astype(np.uint8)
    planes, photometric, axes = image, "minisblack", "YX"
    planar = None
    if image.ndim == 3 and image.shape[2] == 3 and not pages:
        photometric, axes = "rgb", "YXS"
    elif image.ndim == 3 and pages:
        planes, axes = np.moveaxis(image, 2, 0), "CYX"
    elif image.ndim == 3:
        planar, axes = "contig", "YXS"
    tifffile.imwrite(
        path,
        np.ascontiguousarray(planes),
        photometric=photometric,
        planarconfig=planar,
        compression="zlib",
        software=SOFTWARE,
        metadata={"axes": axes},
    )
