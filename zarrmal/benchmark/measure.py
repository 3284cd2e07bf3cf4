"""Rate and speed of one coder on one arrangement of cells; equality first, times after."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .rivals import Rival

Pixels = NDArray[np.uint8]
Arrangement = Literal["cell", "sheet"]

SHEET_CELLS = 1000
SHEET_COLUMNS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One line of the table.

    Parameters
    ----------
    coder
        With settings.
    arrangement
        "cell": one file a cell; "sheet": 1,000 cells side by side in a file, the best arrangement
        known for image coders; "chunk": a Zarr chunk.
    cells
        Which cells: "unseen slides" or "training cells".
    n_cells
        How many.
    bits_per_pixel
        Everything counted that is stored, for ours with the model unless it says so.
    encode_mb_s, decode_mb_s
        Megabytes of raw pixels a second, one thread.
    """

    coder: str
    arrangement: str
    cells: str
    n_cells: int
    bits_per_pixel: float
    encode_mb_s: float
    decode_mb_s: float

    def to_json(self) -> dict[str, Any]:
        """As a machine reads it."""
        return asdict(self)


class LossyError(RuntimeError):
    """A coder did not give back what it was given: the benchmark is void."""


def sheets(cells: Pixels) -> Iterator[Pixels]:
    """Cells (cell, y, x[, channel]) side by side, 40 columns, at most 1,000 a sheet.

    The places after the last cell are black; they are coded too, and cost next to nothing.
    """
    for start in range(0, len(cells), SHEET_CELLS):
        block = cells[start : start + SHEET_CELLS]
        n_rows = -(-len(block) // SHEET_COLUMNS)
        full = np.zeros((n_rows * SHEET_COLUMNS, *cells.shape[1:]), np.uint8)
        full[: len(block)] = block
        grid = full.reshape(n_rows, SHEET_COLUMNS, *cells.shape[1:])
        moved = np.moveaxis(grid, 2, 1)  # (row, y, column, x[, channel])
        shape = (n_rows * cells.shape[1], SHEET_COLUMNS * cells.shape[2], *cells.shape[3:])
        yield np.ascontiguousarray(moved.reshape(shape))


def measure_rival(rival: Rival, cells: Pixels, arrangement: Arrangement, *, of: str) -> Measurement:
    """Encode, decode, compare, time.

    Parameters
    ----------
    cells
        uint8 (cell, y, x[, channel]), sorted by class.
    of
        Which cells these are, for the table.

    Raises
    ------
    LossyError
        If anything came back changed.
    """
    images = list(sheets(cells)) if arrangement == "sheet" else list(cells)
    began = time.perf_counter()
    streams = [rival.encode(image) for image in images]
    encoded = time.perf_counter()
    decoded = [rival.decode(data, image.shape) for data, image in zip(streams, images)]
    ended = time.perf_counter()
    if not all(np.array_equal(a, b) for a, b in zip(images, decoded)):
        raise LossyError(f"{rival.name} is not lossless on these cells")
    return Measurement(
        coder=rival.name,
        arrangement=arrangement,
        cells=of,
        n_cells=len(cells),
        bits_per_pixel=8 * sum(map(len, streams)) / pixels_of(cells),
        encode_mb_s=cells.nbytes / (encoded - began) / 1e6,
        decode_mb_s=cells.nbytes / (ended - encoded) / 1e6,
    )


def pixels_of(cells: Pixels) -> int:
    """Pixels of (cell, y, x[, channel]); a colour pixel counts once."""
    return prod(cells.shape[:3])
