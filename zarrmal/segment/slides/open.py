"""open_slide: one entry point for every kind of slide."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import zarr
from fsspec.core import strip_protocol

from ...errors import InputError, MissingError, input_error
from ...sources.arrays.zarr_array import ZARR_MARKERS
from ...sources.images.image_file import PILLOW_SUFFIXES, TIFF_SUFFIXES
from ...sources.open import absolute_address
from ...sources.slide_address import OPENSLIDE_SUFFIXES, SLIDE_SUFFIXES
from .ome_zarr import ZarrSlide
from .openslide import OpenSlideSlide
from .picture import PictureSlide
from .slide import Slide, said
from .tiff import TiffSlide
from .tile_folder import TileFolder


def open_slide(
    address: str | os.PathLike[str], *, storage_options: Mapping[str, Any] | None = None
) -> Slide:
    """Open a slide for reading.

    Parameters
    ----------
    address
        Path, or a URL that fsspec knows, of

        * a TIFF: SVS, NDPI, pyramidal, OME-TIFF; of several series the first is taken, at full
          resolution;
        * an OME-Zarr, or an array (y, x[, channel]) of Zarr;
        * a PNG, JPEG or BMP;
        * a folder of tiles named column_row (see TileFolder);
        * another scanner's format, where OpenSlide is installed; a path.
    storage_options
        For fsspec; unused for a path.

    Raises
    ------
    InputError
        If it is no slide, or one that is no single plane of uint8 or uint16, grey or RGB; one line.
        MissingError, AccessError or UnreachableError where that is why.
    """
    text = os.fspath(address)
    slide = _open(text, storage_options)
    if slide.n_bytes is None:
        slide.n_bytes = stored_bytes(Path(text))
    slide.reopen = partial(open_slide, absolute_address(text), storage_options=storage_options)
    return slide


def stored_bytes(path: Path) -> int | None:
    """Of a file, or of all files in a folder; None if there is neither, as of a URL."""
    try:
        if path.is_dir():
            return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        return path.stat().st_size
    except OSError:
        return None


def _open(text: str, storage_options: Mapping[str, Any] | None) -> Slide:
    local = strip_protocol(text) if text.startswith("file://") else text
    is_remote = "://" in local or "::" in local
    name = local.lower().rstrip("/")
    path = Path(local)
    if not is_remote and not path.exists():
        raise MissingError(f"{text}: there is no such file or folder: check the path")
    try:
        if name.endswith(TIFF_SUFFIXES + SLIDE_SUFFIXES):
            return TiffSlide(_opened(local, storage_options) if is_remote else local, local)
        if name.endswith(PILLOW_SUFFIXES):
            if is_remote:
                with _opened(local, storage_options) as file:
                    return PictureSlide(file.read(), local)
            return PictureSlide(path.read_bytes(), local)
        if name.endswith(OPENSLIDE_SUFFIXES) and not is_remote:
            return OpenSlideSlide(local)
        if is_remote or any((path / marker).exists() for marker in ZARR_MARKERS):
            options = dict(storage_options) if is_remote and storage_options else None
            return ZarrSlide(zarr.open(local, mode="r", storage_options=options), local)
        if path.is_dir():
            return TileFolder(path)
    except InputError:
        raise
    except OSError as error:
        raise input_error(f"{text}: cannot be read: {_reason(error, text)}", error) from error
    except (ValueError, TypeError, LookupError) as error:
        raise InputError(f"{text}: is damaged, or no slide{said('zarr', error)}") from error
    known = ", ".join((*SLIDE_SUFFIXES, *TIFF_SUFFIXES, *PILLOW_SUFFIXES, *OPENSLIDE_SUFFIXES))
    raise InputError(
        f"{text}: is no slide: give a file ending in {known}, an OME-Zarr, or a folder of tiles"
    )


def _reason(error: OSError, text: str) -> str:
    """What happened; fsspec repeats the address, and the reason is in the cause, if anywhere."""
    if error.strerror or text not in str(error):
        return str(error.strerror or error)
    return str(error.__cause__ or "there is no such file")


def _opened(address: str, storage_options: Mapping[str, Any] | None) -> Any:
    return fsspec.open(address, "rb", **dict(storage_options or {})).open()
