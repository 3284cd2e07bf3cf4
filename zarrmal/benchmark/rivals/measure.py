"""Rates and speeds of rivals, one cell per file and in sheets; equality first, times after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress, silent
from ...sources import Source
from ..cache import MeasurementCache, cells_digest
from ..measurement import UNSEEN, LossyError, Measurement, Pixels, count_pixels, sample_rows
from ..timing import fastest, timed
from .rival import SHEET_COLUMNS, Rival

Arrangement = Literal["cell", "sheet"]

ARRANGEMENTS: tuple[Arrangement, ...] = ("cell", "sheet")
SHEET_CELLS = 1000
MAX_SINGLE_CELLS = 1000
"""One file per cell is slow for some coders and needs no large sample."""
MAX_SHEET_SIDE = 65_535
"""Limit of JPEG-LS and CALIC."""


def measure_rivals(
    rivals: Sequence[Rival], unseen: Source, cache: MeasurementCache, progress: Progress = silent
) -> tuple[list[Measurement], dict[str, str]]:
    """Measure every rival in every arrangement.

    Parameters
    ----------
    unseen
        The cells: all in sheets, a sample of them one per file.
    cache
        Supplies earlier measurements and stores new ones.

    Returns
    -------
    measurements, missing
        ``missing`` maps each rival that cannot run here to the reason.

    Raises
    ------
    LossyError
        If a coder does not return the exact pixels.
    """
    pixels, classes = _read_by_class(unseen)
    rows = sample_rows(len(pixels), MAX_SINGLE_CELLS)
    samples: dict[Arrangement, tuple[Pixels, NDArray[Any] | None]] = {
        "cell": (pixels[rows], None if classes is None else classes[rows]),
        "sheet": (pixels, classes),
    }
    digests = {name: cells_digest(*sample) for name, sample in samples.items()}
    measurements: list[Measurement] = []
    missing: dict[str, str] = {}
    for k, rival in enumerate(rivals):
        for arrangement in ARRANGEMENTS:
            progress("other coders", k, len(rivals), f"{rival.name}, {arrangement}")
            cells, names = samples[arrangement]
            measure = partial(
                measure_rival, rival, cells, arrangement, cells_name=UNSEEN, classes=names
            )
            key = {
                "coder": rival.name,
                "columns": rival.columns,
                "arrangement": arrangement,
                "cells_sha256": digests[arrangement],
            }
            try:
                measurements.append(cache.get_or_measure(key, measure))
            except ImportError as error:
                missing[rival.name] = f"{error}: install zarrmal[bench]"
    progress("other coders", len(rivals), len(rivals))
    return measurements, missing


def measure_rival(
    rival: Rival,
    cells: Pixels,
    arrangement: Arrangement,
    *,
    cells_name: str,
    classes: NDArray[Any] | None = None,
    with_speed: bool = True,
) -> Measurement:
    """Encode, decode, compare, time.

    Parameters
    ----------
    cells
        uint8 (cell, y, x[, channel]), sorted by class.
    cells_name
        Name of these cells in the table.
    classes
        Class name of each cell, (cell,). Given these, no sheet holds cells of two classes.
    with_speed
        False to measure the rate alone.

    Raises
    ------
    LossyError
        If any pixel comes back changed.
    ImportError
        If the rival needs a package that is not installed.
    """
    rival.decode(rival.encode(cells[0]), cells[0].shape)  # one-time initialisation is not timed
    sizes: dict[str, tuple[int, int]] = {}  # class -> pixels and bytes
    encode_total, decode_total, timed_bytes = 0.0, 0.0, 0
    for name, class_cells in _by_class(cells, classes):
        n_bytes = 0
        for image in _images(rival, class_cells, arrangement):
            encode = partial(rival.encode, image)
            data, encode_seconds = timed(encode)
            decode = partial(rival.decode, data, image.shape)
            decoded, decode_seconds = timed(decode)
            if not np.array_equal(image, decoded):
                raise LossyError(f"{rival.name} is not lossless on these cells")
            n_bytes += len(data)
            if not with_speed or (arrangement == "sheet" and timed_bytes):
                continue
            # Times of many single cells average out; one sheet needs the default.
            min_seconds = None if arrangement == "sheet" else 0.0
            encode_total += fastest(encode, encode_seconds, min_seconds=min_seconds)
            decode_total += fastest(decode, decode_seconds, min_seconds=min_seconds)
            timed_bytes += image.nbytes
        sizes[name] = (count_pixels(class_cells), n_bytes)
    by_class = (
        {} if classes is None else {name: 8 * n / pixels for name, (pixels, n) in sizes.items()}
    )
    return Measurement(
        coder=rival.name,
        arrangement=arrangement,
        cells=cells_name,
        n_cells=len(cells),
        bits_per_pixel=8 * sum(n for _, n in sizes.values()) / count_pixels(cells),
        encode_mb_s=timed_bytes / encode_total / 1e6 if with_speed else None,
        decode_mb_s=timed_bytes / decode_total / 1e6 if with_speed else None,
        class_bits_per_pixel=by_class,
    )


def sheets(cells: Pixels, columns: int = SHEET_COLUMNS) -> Iterator[Pixels]:
    """Lay cells (cell, y, x[, channel]) side by side, at most 1,000 on a sheet.

    Positions after the last cell are black. They are coded too, and cost next to nothing.
    """
    for start in range(0, len(cells), SHEET_CELLS):
        block = cells[start : start + SHEET_CELLS]
        n_rows = -(-len(block) // columns)
        padded = np.zeros((n_rows * columns, *cells.shape[1:]), np.uint8)
        padded[: len(block)] = block
        grid = padded.reshape(n_rows, columns, *cells.shape[1:])
        moved = np.moveaxis(grid, 2, 1)  # (row, y, column, x[, channel])
        shape = (n_rows * cells.shape[1], columns * cells.shape[2], *cells.shape[3:])
        yield np.ascontiguousarray(moved.reshape(shape))


def _read_by_class(cells: Source) -> tuple[Pixels, NDArray[Any] | None]:
    """Read all pixels, class by class: the best order for sheets, and that of an archive.

    Returns
    -------
    pixels, classes
        Class names (cell,), or None without labels.
    """
    if cells.labels is None:
        return cells.read(np.arange(cells.n_cells)), None
    order = np.argsort(cells.labels, kind="stable")
    return cells.read(order), np.asarray(cells.class_names)[cells.labels[order]]


def _by_class(cells: Pixels, classes: NDArray[Any] | None) -> Iterator[tuple[str, Pixels]]:
    if classes is None:
        yield "", cells
        return
    names = np.asarray(classes).astype(str)
    for name in dict.fromkeys(names.tolist()):
        yield name, cells[names == name]


def _images(rival: Rival, cells: Pixels, arrangement: Arrangement) -> Iterator[Pixels]:
    if arrangement == "cell":
        yield from cells
        return
    for start in range(0, len(cells), SHEET_CELLS):
        block = cells[start : start + SHEET_CELLS]
        max_columns = max(1, min(rival.columns, len(block), MAX_SHEET_SIDE // cells.shape[2]))
        n_rows = -(-len(block) // max_columns)
        yield from sheets(block, -(-len(block) // n_rows))  # leaves few positions empty
