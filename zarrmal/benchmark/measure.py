"""Rate and speed of one coder on one arrangement of cells; equality first, times after."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .rivals import SHEET_COLUMNS, Rival

Pixels = NDArray[np.uint8]
Arrangement = Literal["cell", "sheet"]

SHEET_CELLS = 1000
REPEATS = 3
MAX_REPEAT_SECONDS = 10.0
"""A coder that took this long is not timed again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One line of the table.

    Parameters
    ----------
    coder
        With settings.
    arrangement
        "cell": one file a cell; "sheet": 1,000 cells in a file, side by side for image coders;
        "chunk": a Zarr chunk.
    cells
        Which cells: "unseen slides" or "training cells".
    n_cells
        How many.
    bits_per_pixel
        Everything counted that is stored, for ours with the model unless it says so, over places
        (y, x): all planes of a pixel together.
    encode_mb_s, decode_mb_s
        Megabytes of raw pixels a second, one thread: of all files one cell each, of the first
        sheet or of one chunk the fastest of some repetitions. None: not measured.
    assignment
        For ours, how cells got their class: "labels" or "shortest".
    model_counted
        False for ours without the model, which is what a further cell costs.
    """

    coder: str
    arrangement: str
    cells: str
    n_cells: int
    bits_per_pixel: float
    encode_mb_s: float | None
    decode_mb_s: float | None
    assignment: str = ""
    model_counted: bool = True

    def to_json(self) -> dict[str, Any]:
        """As a machine reads it."""
        return asdict(self)


class LossyError(RuntimeError):
    """A coder did not give back what it was given: the benchmark is void."""


def sheets(cells: Pixels, columns: int = SHEET_COLUMNS) -> Iterator[Pixels]:
    """Cells (cell, y, x[, channel]) side by side, so many columns, at most 1,000 a sheet.

    The places after the last cell are black; they are coded too, and cost next to nothing.
    """
    for start in range(0, len(cells), SHEET_CELLS):
        block = cells[start : start + SHEET_CELLS]
        n_rows = -(-len(block) // columns)
        full = np.zeros((n_rows * columns, *cells.shape[1:]), np.uint8)
        full[: len(block)] = block
        grid = full.reshape(n_rows, columns, *cells.shape[1:])
        moved = np.moveaxis(grid, 2, 1)  # (row, y, column, x[, channel])
        shape = (n_rows * cells.shape[1], columns * cells.shape[2], *cells.shape[3:])
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
    images = list(sheets(cells, rival.columns)) if arrangement == "sheet" else list(cells)
    n_bytes, encoding, decoding = 0, [], []
    first = b""
    for image in images:
        data, seconds = _timed(partial(rival.encode, image))
        encoding.append(seconds)
        found, seconds = _timed(partial(rival.decode, data, image.shape))
        decoding.append(seconds)
        if not np.array_equal(image, found):
            raise LossyError(f"{rival.name} is not lossless on these cells")
        n_bytes += len(data)
        first = first or data
    if arrangement == "sheet":
        sheet = images[0]
        timed_bytes = sheet.nbytes
        encode_seconds = fastest(partial(rival.encode, sheet), encoding[0])
        decode_seconds = fastest(partial(rival.decode, first, sheet.shape), decoding[0])
    else:
        timed_bytes, encode_seconds, decode_seconds = cells.nbytes, sum(encoding), sum(decoding)
    return Measurement(
        coder=rival.name,
        arrangement=arrangement,
        cells=of,
        n_cells=len(cells),
        bits_per_pixel=8 * n_bytes / pixels_of(cells),
        encode_mb_s=timed_bytes / encode_seconds / 1e6,
        decode_mb_s=timed_bytes / decode_seconds / 1e6,
    )


def fastest(work: Callable[[], Any], first: float, repeats: int = REPEATS) -> float:
    """Least seconds of some repetitions, a first one counted: others' load only adds."""
    best, spent = first, first
    for _ in range(repeats - 1):
        if spent > MAX_REPEAT_SECONDS:
            break
        seconds = _timed(work)[1]
        best, spent = min(best, seconds), spent + seconds
    return best


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    found = work()
    return found, time.perf_counter() - began


def pixels_of(cells: Pixels) -> int:
    """Places (y, x) of (cell, y, x[, channel]); a colour pixel counts once."""
    return prod(cells.shape[:3])
