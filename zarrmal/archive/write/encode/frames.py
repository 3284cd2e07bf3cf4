"""What surrounds the coefficients of cells that are JPEG files, stored beside the cells."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from typing import Any

import numpy as np
import zarr
from zarrmal_codecs.lattice.cell import JpegCell

from ....lattice.file_cell import FileCell
from ...read.coefficients import lattice_of
from ...storage.objects import stored_digests
from ..commit import resized
from .task import Task


class FrameWriter:
    """Stores what surrounds coefficients in JPEG files, a chunk for each object of the cells.

    Parameters
    ----------
    array
        Texts, see JpegFrame.
    cancelled
        See ObjectWriter.
    """

    def __init__(self, array: zarr.Array[Any], cancelled: threading.Event | None) -> None:
        self._array, self._cancelled = array, cancelled

    def write(self, task: Task, frames: list[str]) -> str:
        """SHA-256 of the chunk of a task's object.

        Parameters
        ----------
        frames
            Of its new cells.
        """
        n = self._array.chunks[0]
        first = task.number * n
        stored = np.asarray(resized(self._array, first + n)[first : first + task.n_stored])
        texts = [*stored.tolist(), *frames]
        texts += [""] * (n - len(texts))
        if self._cancelled is not None and self._cancelled.is_set():
            raise CancelledError
        whole = resized(self._array, first + n)
        whole[first:] = np.array(texts, object)
        (sha256,) = stored_digests(whole, task.number).values()
        return sha256


def frame_texts(
    jpeg: list[JpegCell | None], chunk: bytes | memoryview, n_stored: int, n_cells: int
) -> list[str]:
    """Texts of a chunk's new cells, "" for those whose coefficients it does not hold.

    Parameters
    ----------
    jpeg
        What was known of its cells when it was encoded.
    n_stored, n_cells
        Cells that it held before, and all.
    """
    own: list[JpegCell | None] = jpeg[n_stored:] or [None] * (n_cells - n_stored)
    frames = [cell.frame if isinstance(cell, FileCell) else None for cell in own]
    lattice = lattice_of(chunk) if any(frames) else None
    if lattice is None:
        return [""] * len(own)
    pairs = zip(frames, lattice.are_files[n_stored:n_cells].tolist(), strict=True)
    return [frame.to_text() if frame is not None and is_file else "" for frame, is_file in pairs]
