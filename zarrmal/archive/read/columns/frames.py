"""The texts that surround the coefficients of cells that are JPEG files.

A head with a colour profile is as large as the picture of a cell: only some are read at a time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...format import JPEG_FRAME
from ...opened import OpenArchive
from ..consolidated import find_or_copy
from .values import KINDS


def read_frames(archive: OpenArchive, rows: NDArray[np.int64]) -> list[str]:
    """Texts of some cells, see JpegFrame; "" for those that are no files.

    Chunks that hold any of them are decoded whole; ``read_column`` tells which are sound.
    """
    array, _ = find_or_copy(archive.group, JPEG_FRAME, KINDS[JPEG_FRAME])
    if array is None or not len(rows):
        return [""] * len(rows)
    texts: list[str] = np.asarray(array.get_orthogonal_selection((rows,))).tolist()
    return texts
