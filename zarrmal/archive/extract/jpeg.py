"""Cells that are JPEG files, written as such again."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import ZarrmalError

from ...lattice.file_cell import JpegFrame, file_bytes
from ...lattice.jpeg_file import UnsupportedJpegError
from .. import format as layout
from ..opened import OpenArchive
from ..read.coefficients import read_coefficients
from ..read.columns.frames import read_frames
from ..read.columns.values import read_column


@dataclass(slots=True, eq=False)
class JpegFiles:
    """The JPEG files of an archive's cells.

    Parameters
    ----------
    archive
        The archive.
    is_file
        bool (cell,): the cell is a JPEG file.
    problems
        What is damaged in the texts that surround coefficients, a line each.
    n_written, n_same
        Files that were written, and those of them that are the original ones byte for byte.
    """

    archive: OpenArchive
    is_file: NDArray[np.bool_]
    problems: tuple[str, ...] = ()
    n_written: int = field(default=0, init=False)
    n_same: int = field(default=0, init=False)

    @classmethod
    def of(cls, archive: OpenArchive) -> JpegFiles:
        """Those that the archive tells of."""
        column = read_column(archive, layout.JPEG_FRAME, archive.n_cells)
        if column is None:
            return cls(archive, np.zeros(archive.n_cells, np.bool_))
        return cls(archive, column.known & column.values, column.lines)

    def write(self, rows: NDArray[np.intp], paths: list[Path]) -> dict[int, str]:
        """Write the files of some cells of a chunk, atomically.

        Returns
        -------
        Why a file could not be written, by its cell.
        """
        try:
            cells = read_coefficients(self.archive, rows)
            texts = read_frames(self.archive, rows)
        except (ZarrmalError, OSError) as error:
            return dict.fromkeys(rows.tolist(), f"its coefficients cannot be read: {error}")
        problems = {}
        for row, cell, text, path in zip(rows.tolist(), cells, texts, paths, strict=True):
            if cell is None:
                problems[row] = "its coefficients are not stored"
                continue
            try:
                frame = JpegFrame.from_text(text)
                data = file_bytes(cell, frame)
            except UnsupportedJpegError as error:
                problems[row] = str(error)
                continue
            _store(path, data)
            self.n_written += 1
            self.n_same += frame.crc32 is not None
        return problems


def _store(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".zarrmal-{uuid.uuid4().hex}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except BaseException:  # an interruption, too, leaves no part of a file
        partial.unlink(missing_ok=True)
        raise
