"""Coefficients of the JPEG pictures behind cells, as the chunks hold them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import CorruptionError
from zarrmal_codecs.chunk.coder import Coder, coder_for
from zarrmal_codecs.chunk.header import parse_header
from zarrmal_codecs.chunk.index.lattice_index import LatticeIndex
from zarrmal_codecs.chunk.streams import jpeg_cells
from zarrmal_codecs.lattice.cell import JpegCell

from ...lattice.file_cell import JpegFrame, with_frame
from ..opened import OpenArchive
from .columns.frames import read_frames
from .silhouettes import stored_chunk


def lattice_of(chunk: bytes | memoryview) -> LatticeIndex | None:
    """Which cells of a chunk are stored as coefficients, by its header; None if no cell is."""
    index = parse_header(memoryview(chunk).cast("B")).index
    return None if index is None else index.lattice


def chunk_coefficients(
    chunk: bytes | memoryview, rows: NDArray[np.int64], coder: Coder
) -> list[JpegCell | None]:
    """Coefficients of some cells of a chunk; None for cells that are stored as pixels.

    Raises
    ------
    ZarrmalError
        If the chunk is damaged there.
    """
    try:
        return jpeg_cells(chunk, coder, rows)
    except IndexError as error:
        raise CorruptionError(f"the chunk is not that of the array: {error}") from None


def read_coefficients(archive: OpenArchive, rows: NDArray[np.int64]) -> list[JpegCell | None]:
    """Coefficients of some cells of an archive; None for cells that are stored as pixels.

    Raises
    ------
    ZarrmalError
        If a chunk is missing, or damaged there.
    """
    cells: list[JpegCell | None] = [None] * len(rows)
    if archive.model is None:
        return cells
    coder = coder_for(archive.model)
    starts = rows // archive.grid.chunk_cells * archive.grid.chunk_cells
    for start in np.unique(starts).tolist():
        members = np.flatnonzero(starts == start)
        chunk = stored_chunk(archive, start)
        part = chunk_coefficients(chunk, rows[members] - start, coder)
        for i, cell in zip(members.tolist(), part, strict=True):
            cells[i] = cell
    return cells


def read_file_cells(archive: OpenArchive, rows: NDArray[np.int64]) -> list[JpegCell | None]:
    """The same; those that are whole JPEG files with what surrounds their coefficients there.

    Raises
    ------
    ZarrmalError
        As ``read_coefficients``.
    """
    cells = read_coefficients(archive, rows)
    if not any(cell is not None and cell.is_file for cell in cells):
        return cells
    texts = read_frames(archive, rows)
    return [
        with_frame(cell, JpegFrame.from_text(text)) if cell is not None and text else cell
        for cell, text in zip(cells, texts, strict=True)
    ]
