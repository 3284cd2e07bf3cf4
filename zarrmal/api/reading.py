"""Verbs that read an archive and leave it as it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy import bool_
from numpy.typing import NDArray
from zarrmal_codecs.lattice.cell import JpegCell

from ..archive import Archive, ArchiveInfo, ContactSheet, ExtractReport, VerifyReport
from ..archive.read.cells import Positions
from ..archive.read.dataset import Chunks
from ..archive.storage.store import Where
from ..listener import Listener
from ..progress import Progress, silent
from ..sources import ConcatSource, Source
from .opening import StorageOptions, opened_like

if TYPE_CHECKING:
    import xarray as xr

    from ..segment import SegmentOptions


def open(
    url: Where,
    *,
    source_order: bool = False,
    chunks: Chunks = {},  # noqa: B006 (never changed)
    storage_options: StorageOptions = None,
) -> xr.Dataset:
    """Open an archive lazily: pixels are decoded when they are used.

    Parameters
    ----------
    url
        Local path, fsspec URL, or a store of zarr.
    source_order, chunks
        See Archive.dataset. The default are dask arrays in the stored chunks.

    Returns
    -------
    xarray.Dataset
        ``cells`` (cell, y, x[, channel]) or (cell, channel, y, x), and the arrays of ARCHIVE 1.

    Raises
    ------
    MissingError, InputError
        If there is no archive, or an incomplete one.
    """
    archive = Archive.open(url, storage_options=storage_options)
    return archive.dataset(source_order=source_order, chunks=chunks)


def recover_cells(
    url: Where, cells: Positions | None = None, *, storage_options: StorageOptions = None
) -> tuple[NDArray[Any], NDArray[bool_]]:
    """Read cells of an archive that may be damaged; see Archive.recover.

    Returns
    -------
    pixels
        As of Archive.read; zeros where a cell is lost.
    good
        bool (cell,).
    """
    return Archive.open(url, storage_options=storage_options).recover(cells)


def coefficients(
    url: Where, index: int, *, storage_options: StorageOptions = None
) -> JpegCell | None:
    """The JPEG coefficients that a cell is stored as; None where it is stored as pixels.

    Parameters
    ----------
    index
        Position of the cell in the archive; ``source_index`` tells which cell of the source it is.

    Returns
    -------
    JpegCell or None
        ``camera.tables`` are the steps of the quantiser, uint16 (plane, 8, 8), vertical frequency
        first; ``camera.ratios`` the pixels that a sample of each plane stands for, down and across;
        ``camera.colour`` is grey, ycbcr or rgb; ``phase`` the row and column of the cell's first
        pixel in its group of blocks; ``coefficients`` are those of each plane, quantised, int16
        (row, column, 8, 8); ``coded`` tells which blocks have any, bool (row, column); ``is_file``
        that the cell is a whole JPEG file.

    Raises
    ------
    IndexError
        If there is no such cell.
    """
    return Archive.open(url, storage_options=storage_options).coefficients(index)


def info(url: Where, *, storage_options: StorageOptions = None) -> ArchiveInfo:
    """What an archive holds, and the size of each part; see Archive.info."""
    return Archive.open(url, incomplete=True, storage_options=storage_options).info()


def show(
    url: Where, *, per_class: int = 24, storage_options: StorageOptions = None
) -> ContactSheet:
    """A contact sheet of an archive, which a notebook displays; see Archive.sheet."""
    return Archive.open(url, storage_options=storage_options).sheet(per_class=per_class)


def verify(
    url: Where,
    source: Any = None,
    *,
    progress: Progress = silent,
    storage_options: StorageOptions = None,
    source_options: StorageOptions = None,
    slide: SegmentOptions | None = None,
    **source_arguments: Any,
) -> VerifyReport:
    """Check every stored byte, decode every cell, and compare with the source if it is given.

    Parameters
    ----------
    source
        As for ``write``, with the same arguments; ``channel`` and ``size`` are the archive's. Of an
        archive that was appended to, a list of all its sources in order; a list of cells is given
        within such a list.
    slide
        See ``write``.
    """
    archive = Archive.open(url, incomplete=True, storage_options=storage_options)
    cells: Source | None = None
    if source is not None:
        parts = source if isinstance(source, list | tuple) else [source]
        listener = Listener(progress)
        opened = [
            opened_like(
                archive.facts,
                archive.location.url,
                part,
                listener,
                source_options,
                source_arguments,
                slide,
            )
            for part in parts
        ]
        cells = opened[0] if len(opened) == 1 else ConcatSource(opened)
    return archive.verify(cells, progress=progress)


def extract(
    url: Where,
    folder: str | os.PathLike[str],
    *,
    class_name: str | None = None,
    masks: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    skip_damaged: bool = False,
    progress: Progress = silent,
    storage_options: StorageOptions = None,
) -> ExtractReport:
    """Write the cells of an archive as PNG, TIFF or JPEG files; see Archive.extract."""
    return Archive.open(url, storage_options=storage_options).extract(
        Path(folder),
        class_name=class_name,
        masks=None if masks is None else Path(masks),
        overwrite=overwrite,
        skip_damaged=skip_damaged,
        progress=progress,
    )
