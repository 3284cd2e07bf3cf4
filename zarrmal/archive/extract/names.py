"""The file name of each cell."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import CorruptionError

from .. import format as layout
from ..format import ArchiveFacts
from ..opened import OpenArchive
from ..read.columns.values import StoredColumn, read_column

DRIVE = re.compile("[A-Za-z]:")
"""On Windows; there a colon anywhere else names a stream of a file."""

HALF_CHARACTER = re.compile("[\ud800-\udfff]")
"""A surrogate, which no file system and no list of names takes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FileNames:
    """A relative path for each cell, in the archive's order, all different on any disk.

    Parameters
    ----------
    files
        Below the folder.
    named
        bool (cell,): false where the name is lost, or does not stay below the folder. There the
        file is named by the cell's position.
    numbered
        bool (cell,): another cell has the name, on some disk at least, so the file's holds the
        cell's number too.
    source_index
        int64 (cell,); -1 where it is lost.
    problems
        What is damaged in the arrays that names come from, and names that do not stay below the
        folder; a line each.
    """

    files: list[str]
    named: NDArray[np.bool_]
    numbered: NDArray[np.bool_]
    source_index: NDArray[np.int64]
    problems: tuple[str, ...]


TIFF_SUFFIXES = (".tif", ".tiff")
JPEG_SUFFIX = ".jpg"


def suffix(file: str) -> str:
    """The suffix of a file that this module has named."""
    return PurePosixPath(file).suffix


def file_names(
    archive: OpenArchive, own: str = ".png", is_jpeg: NDArray[np.bool_] | None = None
) -> FileNames:
    """Original names; else indices in the source, in one folder per label.

    Files that were TIFF keep their suffix, and JPEG files that come back as such; all others get
    ``own``. Cells whose name is lost, or
    would leave the folder, are named by their position in the archive: ``position-000123.png``.

    Parameters
    ----------
    own
        Suffix of the images.
    is_jpeg
        bool (cell,): cells whose JPEG file is written; None: no cell's is.

    Raises
    ------
    CorruptionError
        If the archive has no order of its cells.
    """
    n_cells = archive.n_cells
    jpeg = np.zeros(n_cells, np.bool_) if is_jpeg is None else is_jpeg
    order = read_column(archive, layout.SOURCE_INDEX, n_cells)
    if order is None:
        raise CorruptionError(f"the archive has no array `{layout.SOURCE_INDEX}`")
    inside = order.known & (order.values >= 0) & (order.values < n_cells)
    stored = read_column(archive, layout.SOURCE_NAME, n_cells)
    label = None if stored else read_column(archive, layout.LABEL, n_cells)
    unsafe: list[str] = []
    names = (
        _stored_names(stored, unsafe, own, jpeg)
        if stored
        else _numbered(order.values, inside, label, archive.facts, unsafe, own, jpeg)
    )
    prefix = position_prefix(name for name in names if name is not None)
    width = len(str(max(n_cells - 1, 0)))
    files = [
        f"{prefix}{position:0{width}d}{_suffix(own, jpeg[position])}" if name is None else name
        for position, name in enumerate(names)
    ]
    source_index = np.where(inside, order.values, -1)
    distinct = _distinct(files, source_index)
    problems = [line for c in (order, stored, label) if c is not None for line in c.lines]
    if unsafe:
        problems.append(
            f"the archive gives {len(unsafe):,} of {n_cells:,} cells a name such as {unsafe[0]!r}, "
            f"which is not a file below the folder: --skip-damaged names such cells by position"
        )
    return FileNames(
        files=distinct,
        named=np.array([name is not None for name in names], np.bool_),
        numbered=np.array([a != b for a, b in zip(files, distinct, strict=True)], np.bool_),
        source_index=source_index,
        problems=tuple(problems),
    )


def folded(path: str) -> str:
    """The same text for all relative paths that some file system takes for one file.

    macOS and Windows ignore case, macOS takes composed and decomposed letters for one another
    (canonical caseless matching, Unicode section 3.13), Windows drops blanks and points at the end
    of a name. ``upper`` is for NTFS, which compares capitals: a dotless i is an I there.
    """
    if "./" in path or " /" in path or path.endswith((".", " ")):
        path = "/".join(part.rstrip(". ") or part for part in path.split("/"))
    if path.isascii():
        return path.lower()
    decomposed = unicodedata.normalize("NFD", path)
    return unicodedata.normalize("NFD", decomposed.casefold().upper().casefold())


def position_prefix(files: Iterable[str]) -> str:
    """What names made of a position begin with, and none of the files does."""
    prefix, taken = "position-", [folded(file) for file in files]
    while any(name.startswith(prefix) for name in taken):
        prefix = f"{layout.CELLS}-{prefix}"
    return prefix


def _distinct(files: list[str], source_index: NDArray[np.int64]) -> list[str]:
    """Files of one name, from appended sources, get the cell's index in the sources as a suffix.

    Where that is lost, its position in the archive; again where another cell has that name. So does
    a file with the name of a folder that holds others. Names are compared as ``folded``.
    """
    counts = Counter(map(folded, files))
    folders = {str(folder) for file in counts for folder in PurePosixPath(file).parents}
    taken = set(counts)
    distinct = []
    for position, (file, index) in enumerate(zip(files, source_index.tolist(), strict=True)):
        name, key = file, folded(file)
        is_shared = counts[key] > 1
        number = f"-{index}" if index >= 0 else f"-position-{position}"
        end = suffix(file)
        while key in folders or (is_shared and key in taken):
            name = f"{name.removesuffix(end)}{number}{end}"
            key = folded(name)
        taken.add(key)
        distinct.append(name)
    return distinct


def _suffix(own: str, is_jpeg: bool) -> str:
    return JPEG_SUFFIX if is_jpeg else own


def _stored_names(
    stored: StoredColumn, unsafe: list[str], own: str, is_jpeg: NDArray[np.bool_]
) -> list[str | None]:
    """Names as files; unsafe ones are added to ``unsafe``."""
    pairs = zip(map(str, stored.values.tolist()), stored.known.tolist(), strict=True)
    names = [_safe(name, unsafe) if known else None for name, known in pairs]
    keeps = [n is not None and (_is_tiff(n) or jpeg) for n, jpeg in zip(names, is_jpeg.tolist())]
    files = [
        None if n is None else n if kept else str(PurePosixPath(n).with_suffix(own))
        for n, kept in zip(names, keeps, strict=True)
    ]
    keys = [None if file is None else folded(file) for file in files]
    takers = Counter(k for k, _ in {(k, folded(n)) for k, n in zip(keys, names) if k and n})
    shared = {key for key, n in takers.items() if n > 1}
    # a.jpg and a.bmp both want a.png: they become a.jpg.png and a.bmp.png.
    all_of = zip(names, files, keys, keeps, strict=True)
    return [
        file if name is None or key not in shared or kept else f"{name}{own}"
        for name, file, key, kept in all_of
    ]


def _is_tiff(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in TIFF_SUFFIXES


def _numbered(
    numbers: NDArray[np.int64],
    known: NDArray[np.bool_],
    label: StoredColumn | None,
    facts: ArchiveFacts,
    unsafe: list[str],
    own: str,
    is_jpeg: NDArray[np.bool_],
) -> list[str | None]:
    """Indices as files, in folders named by label; unsafe labels are added to ``unsafe``."""
    folders: list[str | None] = [""] * len(numbers)
    if label is not None:
        labels = facts.label_names
        inside = label.known & (label.values >= 0) & (label.values < len(labels))
        pairs = zip(label.values.tolist(), inside.tolist(), strict=True)
        folders = [_safe(labels[k], unsafe) if ok else None for k, ok in pairs]
        folders = [None if folder is None else f"{folder}/" for folder in folders]
    width = len(str(max(len(numbers) - 1, 0)))
    return [
        f"{folder}cell-{number:0{width}d}{_suffix(own, jpeg)}"
        if ok and folder is not None
        else None
        for folder, number, ok, jpeg in zip(
            folders, numbers.tolist(), known.tolist(), is_jpeg.tolist(), strict=True
        )
    ]


def _safe(name: str, unsafe: list[str]) -> str | None:
    """The name, if it stays below the folder; archives may come from untrusted sources.

    Else None, and it is added to ``unsafe``.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if (
        "\0" in name
        or HALF_CHARACTER.search(name)
        or path.is_absolute()
        or not path.name
        or ".." in path.parts
        or DRIVE.match(name)
        or (os.name == "nt" and ":" in name)
    ):
        unsafe.append(name)
        return None
    return str(path)
