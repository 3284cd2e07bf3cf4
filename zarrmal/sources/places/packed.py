"""Zarr groups packed into one file, zip or tar: they are read with a URL that names both."""

from __future__ import annotations

import lzma
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

PACKED_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
GROUP_NAMES = ("zarr.json", ".zgroup", ".zarray")
DAMAGED_CONTAINER = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    RuntimeError,
)
"""What damaged zip and tar files were seen to raise; none of them is an OSError."""


def has_packed_suffix(path: str) -> bool:
    """A name that readers take for a zip or tar file."""
    return path.rstrip("/").lower().endswith(PACKED_SUFFIXES)


def packed_url(path: Path) -> str | None:
    """The URL of what is packed in a local file: ``zip::a.zip``, ``tar://cells.zarr::a.tar``.

    None if it is no zip or tar file. The folder in it is that of its first Zarr group or array.
    """
    try:
        if not path.is_file():
            return None
        if zipfile.is_zipfile(path):
            protocol = "zip"
            with zipfile.ZipFile(path) as file:
                names = file.namelist()
        elif tarfile.is_tarfile(path):
            protocol = "tar"
            with tarfile.open(path) as tar:
                names = tar.getnames()
        else:
            return None
    except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError):
        return None
    # Members may be called "./zarr.json", and are found by that name alone.
    members = [name.rpartition("/") for name in names]
    folder = min(
        (parent for parent, _, name in members if name in GROUP_NAMES), key=len, default=""
    )
    return f"{protocol}://{folder}::{path}" if folder else f"{protocol}::{path}"
