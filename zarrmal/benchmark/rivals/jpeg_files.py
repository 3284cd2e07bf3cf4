"""The files themselves, where the cells are JPEG files: what their camera has stored."""

from __future__ import annotations

import io
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...lattice.file_cell import FileCell, file_bytes
from ...sources import Source
from ..measurement import UNSEEN, LossyError, Measurement, SlideSums, single_cells, slides_of
from ..speed.timing import fastest, timed

NAME = "the JPEG files' own bytes"
"""Files as Pillow decodes them."""


def measure_jpeg_files(unseen: Source) -> Measurement | None:
    """Rate of JPEG files, and how fast Pillow decodes them, on the cells that are coded one a file.

    Parameters
    ----------
    unseen
        The cells.

    Returns
    -------
    Measurement or None
        None unless each of these cells is a JPEG file that its coefficients give byte for byte.

    Raises
    ------
    LossyError
        If Pillow gives other pixels than the source.
    """
    if not unseen.has_jpeg_files:
        return None
    rows = single_cells(unseen)
    n_pixels = np.zeros(len(rows), np.int64)
    n_bytes = np.zeros(len(rows))
    seconds, n_raw = 0.0, 0
    for k, row in enumerate(rows):
        (cell,) = unseen.jpeg(row[None]) or [None]
        if not isinstance(cell, FileCell) or cell.frame is None or cell.frame.crc32 is None:
            return None
        data = file_bytes(cell, cell.frame)
        pixels = unseen.original(int(row))
        decode = partial(_pixels_of, data)
        decoded, first = timed(decode)
        if not np.array_equal(decoded.reshape(pixels.shape), pixels):
            raise LossyError(f"{NAME} do not give the pixels of cell {row}")
        seconds += fastest(decode, first, min_seconds=0.0)
        n_raw += pixels.nbytes
        n_pixels[k], n_bytes[k] = pixels.shape[0] * pixels.shape[1], len(data)
    slides = slides_of(unseen, rows)
    return Measurement(
        coder=NAME,
        arrangement="cell",
        cells=UNSEEN,
        n_cells=len(rows),
        bits_per_pixel=8 * float(n_bytes.sum()) / int(n_pixels.sum()),
        encode_mb_s=None,
        decode_mb_s=n_raw / seconds / 1e6,
        slides={"cell": SlideSums.of(n_pixels, n_bytes, slides)},
    )


def _pixels_of(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)))
