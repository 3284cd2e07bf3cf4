"""Reading an archive: as an xarray.Dataset, or cell by cell where it is damaged."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from zarrmal_codecs import ZarrmalError
from zarrmal_codecs.coder import Coder

from ..errors import InputError
from .chunks import expect_stored, read_chunks
from .copies import expect_promised, find_cells
from .layout import SOURCE_INDEX
from .meanwhile import State, read_state
from .target import Target, read_facts

MISSING_IS_AN_ERROR = {"array.read_missing_chunks": False}
"""For zarr's configuration; versions that do not know it read a missing chunk as a black one."""


def open_archive(
    url: str | os.PathLike[str],
    *,
    source_order: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Open an archive lazily: pixels are decoded when they are used.

    Parameters
    ----------
    url
        Local path or fsspec URL.
    source_order
        Give the cells in the order of the source instead of class by class. Reading a run of
        cells then touches several chunks.
    storage_options
        For fsspec.

    Returns
    -------
    xarray.Dataset
        ``cells`` uint8 (cell, y, x[, channel]) and the arrays of FORMAT 6, in dask chunks as
        stored.

    Raises
    ------
    InputError
        If there is no archive, or an incomplete one.
    """
    target = Target(os.fspath(url), storage_options or {})
    group = target.open()
    read_facts(group, target.url)
    with zarr.config.set(MISSING_IS_AN_ERROR):
        dataset: xr.Dataset = xr.open_zarr(
            target.url,
            chunks={},
            # One object instead of a listing and two requests an array; web servers list nothing.
            consolidated=group.metadata.consolidated_metadata is not None,
            zarr_format=group.metadata.zarr_format,
            storage_options=target.options or None,
        )
    if source_order:
        dataset = dataset.isel(cell=np.argsort(dataset[SOURCE_INDEX].values))
    return dataset


def read_cells(
    url: str | os.PathLike[str],
    cells: Sequence[int] | NDArray[np.integer[Any]] | None = None,
    *,
    storage_options: Mapping[str, Any] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Read cells of an archive that may be damaged: what can be had, and which cells those are.

    Whole chunks are compared with their sha256. Of a damaged one each cell is decoded alone; its
    own CRC-16 is then all that vouches for it, which wrong pixels pass with a chance of 2**-16
    (FORMAT 4.4). Damage raises nothing, unless the metadata are damaged. While cells are being
    appended, and after an append that was interrupted, the cells that were there before are read.

    Parameters
    ----------
    url
        Local path or fsspec URL.
    cells
        Positions in the archive, any order; None for all.
    storage_options
        For fsspec.

    Returns
    -------
    pixels
        uint8 (cell, y, x[, channel]); zeros where a cell is lost.
    good
        bool (cell,).

    Raises
    ------
    InputError
        If there is no archive, or an incomplete one, or no such cell, or ``cells`` are no integers;
        if another process changes the archive meanwhile.
    ZarrmalError
        If its metadata are damaged.
    """
    state = read_state(Target(os.fspath(url), storage_options or {}))
    try:
        pixels, good, damaged = _read_cells(state, cells)
    except ZarrmalError:
        state.expect_unmoved()
        raise
    if damaged:
        state.expect_unmoved()
    return pixels, good


def _read_cells(
    state: State, cells: Sequence[int] | NDArray[np.integer[Any]] | None
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], bool]:
    """What read_cells returns, and whether anything is wrong with a chunk that was read."""
    group, facts = state.group, state.facts
    array, model, _ = find_cells(group, facts, prefer_copy=True)
    expect_promised(array.shape[0], array, facts)
    expect_stored(group, array, facts, array.shape[0])
    wanted = np.arange(array.shape[0]) if cells is None else _positions(cells, array.shape[0])
    try:
        pixels = np.zeros((len(wanted), *array.shape[1:]), np.uint8)
    except MemoryError:
        raise InputError(f"{len(wanted):,} cells of {array.shape[1:]} do not fit into memory: read "
                         f"some of them at a time") from None  # fmt: skip
    good = np.zeros(len(wanted), np.bool_)
    first = wanted // array.chunks[0] * array.chunks[0]
    starts = np.unique(first).tolist()
    damaged = False
    for chunk in read_chunks(group, array, Coder(model), facts, starts, array.shape[0]):
        places = np.flatnonzero(first == chunk.start)
        rows = wanted[places] - chunk.start
        kept = chunk.salvage.good[rows]
        good[places] = kept
        pixels[places[kept]] = chunk.salvage.pixels[rows[kept]]
        damaged |= chunk.salvage.kind is not None
    return pixels, good, damaged


def _positions(cells: Sequence[int] | NDArray[Any], n_cells: int) -> NDArray[np.int64]:
    """Positions in the archive, checked."""
    wanted = np.asarray(cells)
    if wanted.dtype == np.bool_:
        raise InputError("cells are given by number, not by a mask: use np.flatnonzero(mask)")
    if wanted.size and wanted.dtype.kind not in "iu":
        raise InputError(f"cells are given by integers, not by {wanted.dtype}")
    if wanted.ndim != 1 or (len(wanted) and not 0 <= wanted.min() <= wanted.max() < n_cells):
        raise InputError(f"the archive's cells are numbered 0 to {n_cells - 1}: give a list of "
                         f"such numbers")  # fmt: skip
    return wanted.astype(np.int64)
