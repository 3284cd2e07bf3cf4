"""Cells by their position: of a sound archive as fast as can be, of a damaged one what is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.core.sync import sync
from zarrmal_codecs import CorruptionError, ZarrmalError

from ...errors import InputError
from ...sources.sizes import Pixels
from ..format import Grid
from ..opened import OpenArchive
from ..storage.objects import join_key
from .chunks.chunks import expect_stored, read_chunks
from .consolidated import with_sound_cells
from .dataset import MISSING_IS_AN_ERROR
from .selected.heads import NotSelectableError
from .selected.reader import CellReader
from .stable import expect_unchanged

Positions = Sequence[int] | NDArray[np.integer[Any]]


def read_cells(
    archive: OpenArchive, reader: CellReader, positions: Positions, workers: int | None = None
) -> Pixels:
    """See Archive.read; ``reader`` is the archive's."""
    rows = checked_positions(positions, archive.n_cells)
    unique, inverse = np.unique(rows, return_inverse=True)
    try:
        pixels = reader.read(unique, workers)
    except NotSelectableError:
        _expect_objects(archive.cells, unique)
        with zarr.config.set(MISSING_IS_AN_ERROR):
            pixels = np.asarray(archive.cells.oindex[unique])
    return pixels if np.array_equal(unique, rows) else pixels[inverse]


def read_masks(archive: OpenArchive, positions: Positions) -> NDArray[np.bool_]:
    """See Archive.masks."""
    array = archive.mask_array
    if array is None:
        raise InputError(f"{archive.location.url} holds no masks")
    rows = checked_positions(positions, archive.n_cells)
    unique, inverse = np.unique(rows, return_inverse=True)
    _expect_objects(array, unique)
    with zarr.config.set(MISSING_IS_AN_ERROR):
        masks: NDArray[np.bool_] = np.asarray(array.oindex[unique])
    return masks if np.array_equal(unique, rows) else masks[inverse]


def _expect_objects(array: zarr.Array[Any], rows: NDArray[np.int64]) -> None:
    """CorruptionError if an object of some cells is missing: zarr may read it as black cells."""
    grid = Grid.of(array)
    for k in np.unique(rows // grid.object_cells).tolist():
        key = join_key(array.path, grid.key(array, k))
        if not sync(array.store.exists(key)):
            raise CorruptionError(f"chunk {key} is missing: see `zarrmal verify`")


def recover_cells(
    archive: OpenArchive, positions: Positions | None = None
) -> tuple[Pixels, NDArray[np.bool_]]:
    """See Archive.recover; ``archive`` is a stable state."""
    try:
        pixels, good, is_damaged = _recover_cells(archive, positions)
    except ZarrmalError:
        expect_unchanged(archive)
        raise
    if is_damaged:
        expect_unchanged(archive)
    return pixels, good


def _recover_cells(
    archive: OpenArchive, positions: Positions | None
) -> tuple[Pixels, NDArray[np.bool_], bool]:
    """Pixels, which of them are good, and whether a chunk that was read is damaged."""
    archive = with_sound_cells(archive, prefer_copy=True)
    expect_stored(archive)
    n_cells, chunk_cells = archive.n_cells, archive.grid.chunk_cells
    rows = np.arange(n_cells) if positions is None else checked_positions(positions, n_cells)
    try:
        pixels = np.zeros((len(rows), *archive.cells.shape[1:]), archive.dtype)
    except MemoryError:
        raise InputError(f"{len(rows):,} cells of {archive.cell_shape} do not fit into memory: "
                         f"read some of them at a time") from None  # fmt: skip
    good = np.zeros(len(rows), np.bool_)
    first = rows // chunk_cells * chunk_cells
    is_damaged = False
    for chunk in read_chunks(archive, np.unique(first).tolist()):
        wanted = np.flatnonzero(first == chunk.start)
        in_chunk = rows[wanted] - chunk.start
        recovered = chunk.recovered.good[in_chunk]
        good[wanted] = recovered
        pixels[wanted[recovered]] = chunk.recovered.pixels[in_chunk[recovered]]
        is_damaged |= chunk.recovered.kind is not None
    return pixels, good, is_damaged


def checked_positions(positions: Positions, n_cells: int) -> NDArray[np.int64]:
    """int64 (cell,); InputError unless they are integers from 0 to ``n_cells`` - 1."""
    rows = np.asarray(positions)
    if rows.dtype == np.bool_:
        raise InputError("cells are given by number, not by a mask: use np.flatnonzero(mask)")
    if rows.size and rows.dtype.kind not in "iu":
        raise InputError(f"cells are given by integers, not by {rows.dtype}")
    if rows.ndim != 1 or (len(rows) and not 0 <= rows.min() <= rows.max() < n_cells):
        raise InputError(f"the archive's cells are numbered 0 to {n_cells - 1}: give a list of "
                         f"such numbers")  # fmt: skip
    return rows.astype(np.int64)
