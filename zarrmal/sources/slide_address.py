"""Which addresses are slides, whose cells must be found first, not cells."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import tifffile
import zarr
from fsspec.core import strip_protocol

from .arrays.zarr_array import ZARR_MARKERS
from .images.image_file import PILLOW_SUFFIXES, TIFF_SUFFIXES

Kind = Literal["tiff", "picture", "zarr", "openslide"]

SLIDE_SUFFIXES = (".svs", ".ndpi", ".qptiff")
"""Of TIFF files that scanners write."""
OPENSLIDE_SUFFIXES = (".mrxs", ".vms", ".vmu", ".scn", ".bif", ".svslide", ".czi", ".dcm")
"""Of scanners' other formats."""
LEAST_SIDE = 256
"""Sides of a TIFF that is a slide, not the image of one cell."""


def is_slide(source: object) -> bool:
    """Whether a source is the address of a slide, and cannot be one of cells."""
    return isinstance(source, str | os.PathLike) and slide_kind(os.fspath(source)) is not None


def slide_kind(address: str) -> Kind | None:
    """What kind of slide an address is, where it cannot be cells; else None.

    A single picture is a field. A TIFF is a slide if it is one plane of at least LEAST_SIDE. A
    Zarr is one if it is an OME-Zarr. A folder of images, tiles too, holds cells unless a slide is
    asked for.
    """
    local = strip_protocol(address) if address.startswith("file://") else address
    name = local.lower()
    if name.endswith(SLIDE_SUFFIXES):
        return "tiff"
    if "://" in local or "::" in local:
        return "picture" if name.endswith(PILLOW_SUFFIXES) else None
    path = Path(local)
    if path.is_file():
        if name.endswith(OPENSLIDE_SUFFIXES):
            return "openslide"
        if name.endswith(PILLOW_SUFFIXES):
            return "picture"
        return "tiff" if name.endswith(TIFF_SUFFIXES) and _is_large_plane(local) else None
    if any((path / marker).exists() for marker in ZARR_MARKERS):
        return "zarr" if _is_ome_zarr(local) else None
    return None


def multiscales(group: zarr.Group) -> Mapping[str, Any] | None:
    """The first image that the attributes of an OME-Zarr name; None if they name none."""
    attributes = group.attrs.asdict()
    tree: Any = attributes.get("ome", attributes)
    images = tree.get("multiscales") if isinstance(tree, Mapping) else None
    return images[0] if isinstance(images, list) and images else None


def _is_large_plane(path: str) -> bool:
    try:
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            if len(file.pages) > 1 and not series.is_pyramidal:
                return False
            sides = [n for n, axis in zip(series.shape, series.axes, strict=True) if axis in "YX"]
            return series.axes in ("YX", "YXS", "SYX") and min(sides) >= LEAST_SIDE
    except Exception:  # whatever a damaged file leads to; its source tells what is wrong
        return False


def _is_ome_zarr(path: str) -> bool:
    try:
        node = zarr.open(path, mode="r")
    except Exception:  # its source tells what is wrong
        return False
    return isinstance(node, zarr.Group) and "cells" not in node and multiscales(node) is not None
