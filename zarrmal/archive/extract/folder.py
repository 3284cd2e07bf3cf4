"""The folder that images are extracted to: what may be written there, and under which names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ...errors import InputError
from ..storage.location import Location
from .names import FileNames, position_prefix, suffix

USUAL_NAME_BYTES = 255
USUAL_PATH_BYTES = 4096
PARTIAL_BYTES = 32
"""Length of the suffix of a file that is being written."""


def refuse_inside(location: Location, folder: Path, files: Iterable[str]) -> None:
    """InputError if the folder, or that of one of the files below it, is in the archive itself."""
    if not location.is_local:
        return
    archive = location.real_path
    for path in {folder, *(folder / name for name in {os.path.dirname(file) for file in files})}:
        real = path.resolve()
        if any(_is_same(parent, archive) for parent in (real, *real.parents)):
            raise InputError(f"{path} lies in the archive {location.url}: choose another folder")


def fitting(names: FileNames, folder: Path) -> tuple[FileNames, dict[int, str]]:
    """Names that the file system takes, and those it does not, by the cell's position.

    Those cells are named by their position, as where a name is lost.
    """
    name_bytes, path_bytes = _limits(folder)
    rest = path_bytes - len(os.fsencode(folder.absolute())) - PARTIAL_BYTES
    too_long = {
        position: file
        for position, file in enumerate(names.files)
        if len(os.fsencode(file)) > rest
        or max(len(os.fsencode(part)) for part in file.split("/")) > name_bytes
    }
    if not too_long:
        return names, {}
    prefix = position_prefix(names.files)
    width = len(str(len(names.files) - 1))
    files = [
        f"{prefix}{position:0{width}d}{suffix(file)}" if position in too_long else file
        for position, file in enumerate(names.files)
    ]
    return replace(names, files=files), too_long


def _limits(folder: Path) -> tuple[int, int]:
    """Bytes that a name and a path may have there, as far as the file system says."""
    parents = (folder, *folder.absolute().parents)
    existing = next((parent for parent in parents if parent.is_dir()), Path("/"))
    try:
        return os.pathconf(existing, "PC_NAME_MAX"), os.pathconf(existing, "PC_PATH_MAX")
    except (AttributeError, OSError, ValueError):  # Windows, or a file system that does not say
        return USUAL_NAME_BYTES, USUAL_PATH_BYTES


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # it does not exist
        return path == other
