"""Rates and speeds of rivals, one cell per file and in sheets; equality first, times after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress, silent
from ...sources import Source
from ..cache import MeasurementCache, cells_digest
from ..measurement import (
    MAX_SINGLE_CELLS,
    UNSEEN,
    Arrangement,
    Cells,
    LossyError,
    Measurement,
    Pixels,
    SlideSums,
    class_order,
    sample_rows,
    single_cells,
    slides_of,
)
from ..speed.timing import fastest, timed
from .rival import SHEET_COLUMNS, Rival

Sample = tuple[Cells, NDArray[Any] | None, NDArray[Any] | None]
"""Cells, sorted by class, with their classes and slides."""

SHEET_CELLS = 1000
MAX_SHEET_SIDE = 65_535
"""Limit of JPEG-LS and CALIC."""


def measure_rivals(
    rivals: Sequence[Rival], unseen: Source, cache: MeasurementCache, progress: Progress = silent
) -> tuple[list[Measurement], dict[str, str]]:
    """Measure every rival in every arrangement that the cells allow.

    Parameters
    ----------
    unseen
        The cells: a sample of them one per file, and, where they have one size, all in sheets.
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
    samples = _samples(unseen) if rivals else {}
    digests = {name: cells_digest(*sample) for name, sample in samples.items()}
    measurements: list[Measurement] = []
    missing: dict[str, str] = {}
    for k, rival in enumerate(rivals):
        for arrangement, (cells, classes, slides) in samples.items():
            progress("other coders", k, len(rivals), f"{rival.name}, {arrangement}")
            measure = partial(
                measure_rival,
                rival,
                cells,
                arrangement,
                cells_name=UNSEEN,
                classes=classes,
                slides=slides,
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
    cells: Cells,
    arrangement: Arrangement,
    *,
    cells_name: str,
    classes: NDArray[Any] | None = None,
    slides: NDArray[Any] | None = None,
    with_speed: bool = True,
) -> Measurement:
    """Encode, decode, compare, time.

    Parameters
    ----------
    cells
        Sorted by class. Sheets need one array of them.
    cells_name
        Name of these cells in the table.
    classes
        Class name of each cell, (cell,). Given these, no sheet holds cells of two classes.
    slides
        Slide of each cell, (cell,). Given these, the bytes of each slide are summed; those of
        sheets are divided among slides as ``SlideSums`` of a Measurement says, which takes as long
        again.
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
    n_pixels = np.array([prod(cell.shape[:2]) for cell in cells])
    cell_bytes = np.zeros(len(cells))
    for name, rows in _by_class(len(cells), classes):
        n_bytes = 0
        for k, image in enumerate(_images(rival, cells, rows, arrangement)):
            encode = partial(rival.encode, image)
            data, encode_seconds = timed(encode)
            decode = partial(rival.decode, data, image.shape)
            decoded, decode_seconds = timed(decode)
            if not np.array_equal(image, decoded):
                raise LossyError(f"{rival.name} is not lossless on these cells")
            n_bytes += len(data)
            if arrangement == "cell":
                cell_bytes[rows[k]] = len(data)
            if not with_speed or (arrangement == "sheet" and timed_bytes):
                continue
            # Times of many single cells average out; one sheet needs the default.
            min_seconds = None if arrangement == "sheet" else 0.0
            encode_total += fastest(encode, encode_seconds, min_seconds=min_seconds)
            decode_total += fastest(decode, decode_seconds, min_seconds=min_seconds)
            timed_bytes += image.nbytes
        sizes[name] = (int(n_pixels[rows].sum()), n_bytes)
    by_class = (
        {} if classes is None else {name: 8 * n / pixels for name, (pixels, n) in sizes.items()}
    )
    total = sum(n for _, n in sizes.values())
    if slides is not None and arrangement == "sheet":
        cell_bytes = _shares_of_cells(rival, cells, classes, slides, total)
    return Measurement(
        coder=rival.name,
        arrangement=arrangement,
        cells=cells_name,
        n_cells=len(cells),
        bits_per_pixel=8 * total / int(n_pixels.sum()),
        encode_mb_s=timed_bytes / encode_total / 1e6 if with_speed else None,
        decode_mb_s=timed_bytes / decode_total / 1e6 if with_speed else None,
        class_bits_per_pixel=by_class,
        slides={} if slides is None else {arrangement: SlideSums.of(n_pixels, cell_bytes, slides)},
    )


def _shares_of_cells(
    rival: Rival, cells: Cells, classes: NDArray[Any] | None, slides: NDArray[Any], total: int
) -> NDArray[np.float64]:
    """``total`` bytes divided among cells as sheets of one slide each take them, (cell,)."""
    shares: NDArray[np.float64] = np.zeros(len(cells))
    for _, of_class in _by_class(len(cells), classes):
        for _, rows in _by_class(len(of_class), slides[of_class]):
            own = of_class[rows]
            n_bytes = sum(len(rival.encode(i)) for i in _images(rival, cells, own, "sheet"))
            shares[own] = n_bytes / len(own)
    shares *= total / shares.sum()
    return shares


def sheets(cells: Pixels, columns: int = SHEET_COLUMNS) -> Iterator[Pixels]:
    """Lay cells (cell, y, x[, channel]) side by side, at most 1,000 on a sheet.

    Positions after the last cell are black. They are coded too, and cost next to nothing.
    """
    for start in range(0, len(cells), SHEET_CELLS):
        block = cells[start : start + SHEET_CELLS]
        n_rows = -(-len(block) // columns)
        padded = np.zeros((n_rows * columns, *cells.shape[1:]), cells.dtype)
        padded[: len(block)] = block
        grid = padded.reshape(n_rows, columns, *cells.shape[1:])
        moved = np.moveaxis(grid, 2, 1)  # (row, y, column, x[, channel])
        shape = (n_rows * cells.shape[1], columns * cells.shape[2], *cells.shape[3:])
        yield np.ascontiguousarray(moved.reshape(shape))


def _samples(unseen: Source) -> dict[Arrangement, Sample]:
    """The cells of each arrangement; no sheets of cells of different sizes."""
    rows, order = single_cells(unseen), class_order(unseen)
    slides = slides_of(unseen, rows)
    if unseen.sizes is not None:
        originals = [unseen.original(k) for k in rows.tolist()]
        return {"cell": (originals, _classes(unseen, rows), slides)}
    pixels = unseen.read(order)
    single = pixels[sample_rows(len(pixels), MAX_SINGLE_CELLS)]
    return {
        "cell": (single, _classes(unseen, rows), slides),
        "sheet": (pixels, _classes(unseen, order), slides_of(unseen, order)),
    }


def _classes(cells: Source, rows: NDArray[np.int64]) -> NDArray[Any] | None:
    """Class names of these cells, (row,); None without labels."""
    return None if cells.labels is None else np.asarray(cells.class_names)[cells.labels[rows]]


def _by_class(n_cells: int, classes: NDArray[Any] | None) -> Iterator[tuple[str, NDArray[Any]]]:
    """Each class, with the indices of its cells."""
    if classes is None:
        yield "", np.arange(n_cells)
        return
    names = np.asarray(classes).astype(str)
    for name in dict.fromkeys(names.tolist()):
        yield name, np.flatnonzero(names == name)


def _images(
    rival: Rival, cells: Cells, rows: NDArray[Any], arrangement: Arrangement
) -> Iterator[Pixels]:
    if arrangement == "cell":
        yield from (cells[k] for k in rows.tolist())
        return
    if not isinstance(cells, np.ndarray):
        raise TypeError("sheets need cells of one size, in one array")
    for start in range(0, len(rows), SHEET_CELLS):
        block = cells[rows[start : start + SHEET_CELLS]]
        max_columns = max(1, min(rival.columns, len(block), MAX_SHEET_SIDE // cells.shape[2]))
        n_rows = -(-len(block) // max_columns)
        yield from sheets(block, -(-len(block) // n_rows))  # leaves few positions empty
