"""Cells of sources with the coefficients behind their pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...lattice.compiled import IS_AVAILABLE
from ...lattice.find import find_cell
from ...lattice.known import Flags, KnownCell, Pixels
from ...lattice.survey import Cell, survey
from ...progress import Progress
from ...sources import Source


def known_cells(
    source: Source, rows: NDArray[np.int64], task: str, progress: Progress
) -> list[KnownCell]:
    """Those of some cells behind which coefficients are known, or found.

    Parameters
    ----------
    source
        Cells (y, x) or (y, x, 3) of uint8.
    rows
        int64 (cell,): indices into the source, ascending.
    task, progress
        Reported after each cell.

    Raises
    ------
    InputError
        If coefficients would have to be searched, and numba is not installed.
    """
    if source.dtype != np.uint8 or source.cell_shape[2:] not in ((), (3,)):
        raise InputError(
            f"{source.description}: cells that came from JPEG pictures are uint8, grey or RGB; "
            f"these are {source.dtype} {source.cell_shape}"
        )
    given = source.jpeg(rows) or [None] * len(rows)
    cells: list[KnownCell] = []
    unknown: list[Cell] = []
    for done, (row, jpeg) in enumerate(zip(rows.tolist(), given, strict=True)):
        pixels = source.original(row)
        pixels = pixels if pixels.ndim == 3 else pixels[..., None]
        if jpeg is None:
            unknown.append((pixels, _visible(source, row, pixels)))
            continue
        visible = None if jpeg.is_file else _visible(source, row, pixels)
        cells.append(KnownCell.of(pixels, visible, jpeg))
        progress(task, done + 1, len(rows))
    if unknown and not IS_AVAILABLE:
        raise InputError(
            f"{source.description}: {len(unknown):,} cells are no JPEG files, and finding the "
            f"coefficients behind them needs numba: pip install 'zarrmal[lattice]'"
        )
    searched = [(_squeezed(pixels), visible) for pixels, visible in unknown]
    cameras = survey(searched)
    for done, ((pixels, visible), cell) in enumerate(zip(unknown, searched, strict=True)):
        found = find_cell(*cell, cameras) if cameras else None
        if found is not None:
            cells.append(KnownCell.of(pixels, visible, found.jpeg_cell))
        progress(task, len(rows) - len(unknown) + done + 1, len(rows))
    return cells


def _squeezed(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(pixels[..., 0]) if pixels.shape[2] == 1 else pixels


def _visible(source: Source, row: int, pixels: Pixels) -> Flags:
    """The silhouette where the source has one of the cell's size, else what is not 0."""
    silhouettes = source.silhouettes(np.array([row]))
    if silhouettes is not None:
        mask = silhouettes.masks[0]
        if mask is not None and mask.shape == pixels.shape[:2]:
            return np.asarray(mask)
    return np.asarray(pixels.any(axis=2))
