"""Which file each cell of an archive becomes."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import zarr
from numpy.typing import NDArray
from zarrmal_codecs import CorruptionError

from . import layout
from .columns import Column, read_column
from .layout import ArchiveFacts

DRIVE = re.compile("[A-Za-z]:")
"""Of Windows; there a colon anywhere else leads to a stream of a file."""

HALF_CHARACTER = re.compile("[\ud800-\udfff]")
"""A surrogate, which no file system and no list of names takes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FileNames:
    """A relative path for each cell, in the archive's order, all different.

    Parameters
    ----------
    files
        Below the folder.
    named
        bool (cell,): false where the name was lost, or is none of a file below the folder. There
        the file is called by the cell's position.
    source_index
        int64 (cell,); -1 where it was lost.
    problems
        A line each: what is damaged in the arrays that names come from, and that there are names
        of no file below the folder.
    """

    files: list[str]
    named: NDArray[np.bool_]
    source_index: NDArray[np.int64]
    problems: tuple[str, ...]


def file_names(group: zarr.Group, facts: ArchiveFacts, n_cells: int) -> FileNames:
    """Original names with the suffix .png; else numbers in the source, in a folder a label.

    Cells whose name is lost, or would leave the folder, are called by their position in the
    archive: ``position-000123.png``.

    Raises
    ------
    CorruptionError
        If the archive has no order of its cells.
    """
    order = read_column(group, facts, layout.SOURCE_INDEX, n_cells)
    if order is None:
        raise CorruptionError(f"the archive has no array `{layout.SOURCE_INDEX}`")
    inside = order.known & (order.values >= 0) & (order.values < n_cells)
    stored = read_column(group, facts, layout.SOURCE_NAME, n_cells)
    label = None if stored else read_column(group, facts, layout.LABEL, n_cells)
    unsafe: list[str] = []
    names = (
        _stored_names(stored, unsafe)
        if stored
        else _numbered(order.values, inside, label, facts, unsafe)
    )
    prefix = "position-"
    while any(name is not None and name.startswith(prefix) for name in names):
        prefix = f"{layout.CELLS}-{prefix}"
    width = len(str(max(n_cells - 1, 0)))
    files = [
        f"{prefix}{position:0{width}d}.png" if name is None else name
        for position, name in enumerate(names)
    ]
    places = np.where(inside, order.values, -1)
    files = _told_apart(files, places)
    problems = [line for c in (order, stored, label) if c is not None for line in c.lines]
    if unsafe:
        problems.append(
            f"the archive gives {len(unsafe):,} of {n_cells:,} cells a name such as {unsafe[0]!r}, "
            f"which is not a file below the folder: --skip-damaged calls such cells by position"
        )
    return FileNames(
        files=files,
        named=np.array([name is not None for name in names], np.bool_),
        source_index=places,
        problems=tuple(problems),
    )


def _told_apart(files: list[str], places: NDArray[np.int64]) -> list[str]:
    """Files of one name, of sources that were appended, get the cell's place in the sources.

    Where that is lost, its position in the archive; once more where another cell has that name. So
    does a file with the name of a folder that others lie in.
    """
    counts = Counter(files)
    folders = {str(folder) for file in files for folder in PurePosixPath(file).parents}
    taken = set(files)
    told = []
    for position, (file, place) in enumerate(zip(files, places.tolist(), strict=True)):
        name = file
        suffix = f"-{place}" if place >= 0 else f"-position-{position}"
        while name in folders or (counts[file] > 1 and name in taken):
            name = f"{name.removesuffix('.png')}{suffix}.png"
        taken.add(name)
        told.append(name)
    return told


def _stored_names(stored: Column, unsafe: list[str]) -> list[str | None]:
    """Names as files; those that are not safe are added to ``unsafe``."""
    pairs = zip(map(str, stored.values.tolist()), stored.known.tolist(), strict=True)
    names = [_safe(name, unsafe) if known else None for name, known in pairs]
    wanted = [None if n is None else str(PurePosixPath(n).with_suffix(".png")) for n in names]
    takers = Counter(w for w, _ in {(w, n) for w, n in zip(wanted, names) if w is not None})
    shared = {w for w, n in takers.items() if n > 1}
    # a.jpg and a.bmp both want a.png: they become a.jpg.png and a.bmp.png.
    return [f"{n}.png" if w in shared else w for n, w in zip(names, wanted, strict=True)]


def _numbered(
    numbers: NDArray[np.int64],
    known: NDArray[np.bool_],
    label: Column | None,
    facts: ArchiveFacts,
    unsafe: list[str],
) -> list[str | None]:
    """Numbers as files, in folders called by the label; unsafe ones are added to ``unsafe``."""
    folders: list[str | None] = [""] * len(numbers)
    if label is not None:
        labels = facts.label_names
        inside = label.known & (label.values >= 0) & (label.values < len(labels))
        pairs = zip(label.values.tolist(), inside.tolist(), strict=True)
        folders = [_safe(labels[k], unsafe) if ok else None for k, ok in pairs]
        folders = [None if folder is None else f"{folder}/" for folder in folders]
    width = len(str(max(len(numbers) - 1, 0)))
    return [
        f"{folder}cell-{number:0{width}d}.png" if ok and folder is not None else None
        for folder, number, ok in zip(folders, numbers.tolist(), known.tolist(), strict=True)
    ]


def _safe(name: str, unsafe: list[str]) -> str | None:
    """The name, if it stays below the folder; archives may come from strangers.

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
