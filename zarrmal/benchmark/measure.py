"""Rate and speed of one coder on one arrangement of cells; equality first, times after."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
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
LEAST_SECONDS = 2.0
"""Quick work is repeated for so long: a processor's clock may drift by a factor of two."""
LEAST_VARIABLE = "ZARRMAL_LEAST_SECONDS"
"""Overrules it, also in the processes that measure; for tests, which need no steady speeds."""
MAX_REPEAT_SECONDS = 10.0
"""A coder that took this long is timed twice only."""
LARGEST_SIDE = 65_535
"""Of a sheet: JPEG-LS and CALIC count to it."""


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
        sheet or of one chunk; always the fastest of some repetitions. None: not measured.
    assignment
        For ours, how cells got their class: "labels" or "shortest".
    model_counted
        False for ours without the model, which is what a further cell costs.
    class_bits_per_pixel
        Class -> rate of its cells: of files that hold no other class; for ours, of their streams in
        the archive. Empty: not measured.
    shared_bits_per_pixel
        For ours, what belongs to no cell (model, headers, metadata), over all pixels.
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
    class_bits_per_pixel: dict[str, float] = field(default_factory=dict)
    shared_bits_per_pixel: float = 0.0

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


def measure_rival(
    rival: Rival,
    cells: Pixels,
    arrangement: Arrangement,
    *,
    of: str,
    classes: NDArray[Any] | None = None,
    timed: bool = True,
) -> Measurement:
    """Encode, decode, compare, time.

    Parameters
    ----------
    cells
        uint8 (cell, y, x[, channel]), sorted by class.
    of
        Which cells these are, for the table.
    classes
        The class's name of each cell. No sheet then holds cells of two classes.
    timed
        False for the rate alone.

    Raises
    ------
    LossyError
        If anything came back changed.
    ImportError
        If the rival needs what is not installed.
    """
    rival.decode(rival.encode(cells[0]), cells[0].shape)  # what is done once only is not timed
    of_class: dict[str, tuple[int, int]] = {}  # pixels and bytes
    encoding, decoding, timed_bytes = 0.0, 0.0, 0
    for name, mine in _by_class(cells, classes):
        n_bytes = 0
        for image in _images(rival, mine, arrangement):
            data, encode_seconds = _timed(partial(rival.encode, image))
            found, decode_seconds = _timed(partial(rival.decode, data, image.shape))
            if not np.array_equal(image, found):
                raise LossyError(f"{rival.name} is not lossless on these cells")
            n_bytes += len(data)
            if not timed or (arrangement == "sheet" and timed_bytes):
                continue
            least = None if arrangement == "sheet" else 0.0  # many cells are steady
            encode_seconds = fastest(partial(rival.encode, image), encode_seconds, least=least)
            again = partial(rival.decode, data, image.shape)
            decode_seconds = fastest(again, decode_seconds, least=least)
            encoding, decoding = encoding + encode_seconds, decoding + decode_seconds
            timed_bytes += image.nbytes
        of_class[name] = (pixels_of(mine), n_bytes)
    return Measurement(
        coder=rival.name,
        arrangement=arrangement,
        cells=of,
        n_cells=len(cells),
        bits_per_pixel=8 * sum(n for _, n in of_class.values()) / pixels_of(cells),
        encode_mb_s=timed_bytes / encoding / 1e6 if timed else None,
        decode_mb_s=timed_bytes / decoding / 1e6 if timed else None,
        class_bits_per_pixel={}
        if classes is None
        else {name: 8 * n / pixels for name, (pixels, n) in of_class.items()},
    )


def _by_class(cells: Pixels, classes: NDArray[Any] | None) -> Iterator[tuple[str, Pixels]]:
    if classes is None:
        yield "", cells
        return
    for name in dict.fromkeys(np.asarray(classes).astype(str).tolist()):
        yield name, cells[np.asarray(classes).astype(str) == name]


def _images(rival: Rival, cells: Pixels, arrangement: Arrangement) -> Iterator[Pixels]:
    if arrangement == "cell":
        yield from cells
        return
    for start in range(0, len(cells), SHEET_CELLS):
        block = cells[start : start + SHEET_CELLS]
        widest = max(1, min(rival.columns, len(block), LARGEST_SIDE // cells.shape[2]))
        n_rows = -(-len(block) // widest)
        yield from sheets(block, -(-len(block) // n_rows))  # few places stay empty


def fastest(
    work: Callable[[], Any], first: float, repeats: int = REPEATS, *, least: float | None = None
) -> float:
    """Least seconds of some repetitions, a first one counted: others' load only adds.

    At least ``repeats``, and as many as it takes to fill ``least`` seconds, LEAST_SECONDS by
    default; for slow work two.
    """
    if least is None:
        least = float(os.environ.get(LEAST_VARIABLE, LEAST_SECONDS))
    best, spent, done = first, first, 1
    while done < 2 or (spent <= MAX_REPEAT_SECONDS and (done < repeats or spent < least)):
        seconds = _timed(work)[1]
        best, spent, done = min(best, seconds), spent + seconds, done + 1
    return best


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    found = work()
    return found, time.perf_counter() - began


def pixels_of(cells: Pixels) -> int:
    """Places (y, x) of (cell, y, x[, channel]); a colour pixel counts once."""
    return prod(cells.shape[:3])
