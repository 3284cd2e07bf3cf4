"""verify: cells that are JPEG files, each written again and compared with its CRC-32."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import ZarrmalError
from zarrmal_codecs.lattice.cell import JpegCell

from ...lattice.file_cell import FileCell, JpegFrame, file_bytes
from ...lattice.jpeg_file import UnsupportedJpegError
from ...sources import Source
from .. import format as layout
from ..opened import OpenArchive
from ..read.coefficients import read_coefficients
from ..read.columns.frames import read_frames
from .columns import Columns


def check_files(
    archive: OpenArchive, columns: Columns, source: Source | None
) -> Iterator[tuple[int, list[str]]]:
    """The end of each chunk that holds such cells, and what is wrong with them, a line each."""
    frames, order = columns.get(layout.JPEG_FRAME), columns.get(layout.SOURCE_INDEX)
    if frames is None:
        return
    rows = np.flatnonzero(frames.known & frames.values)
    chunk_cells = archive.grid.chunk_cells
    for start in np.unique(rows // chunk_cells * chunk_cells).tolist():
        own = rows[(rows >= start) & (rows < start + chunk_cells)]
        try:
            cells = read_coefficients(archive, own)
            texts = read_frames(archive, own)
        except (ZarrmalError, OSError):
            continue  # its pixels are damaged, which is reported
        lines = [
            f"cell {row} does not come back as the JPEG file that it was: {fault}"
            for row, cell, text in zip(own.tolist(), cells, texts, strict=True)
            if (fault := _fault(cell, text))
        ]
        if source is not None and order is not None and order.known[own].all():
            lines += _differing(own, texts, source.jpeg(order.values[own]))
        yield start + chunk_cells, lines


def _fault(cell: JpegCell | None, text: str) -> str | None:
    """Why a file does not come back; None if it does."""
    if cell is None:
        return "its coefficients are not stored"
    try:
        file_bytes(cell, JpegFrame.from_text(text))
    except UnsupportedJpegError as error:
        return str(error)
    return None


def _differing(
    rows: NDArray[np.intp], texts: list[str], given: list[JpegCell | None] | None
) -> list[str]:
    """Cells whose files are others than those of the source, where it has files."""
    if given is None:
        return []
    return [
        f"cell {row} is another JPEG file than that of the source"
        for row, text, cell in zip(rows.tolist(), texts, given, strict=True)
        if isinstance(cell, FileCell) and cell.frame is not None and cell.frame.to_text() != text
    ]
