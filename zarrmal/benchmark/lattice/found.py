"""What is found in data sets, and what it saves: one row each, coded with and without."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.chunk import encode_chunk
from zarrmal_codecs.chunk.coder import coder_for
from zarrmal_codecs.lattice.cell import JpegCell
from zarrmal_codecs.lattice.jpeg.picture import Camera

from ...archive.cameras import camera_infos, cell_cameras
from ...archive.read.coefficients import lattice_of
from ...archive.write.encode.lattice import plan_search
from ...errors import InputError
from ...lattice.found import covered_pixels
from ...models import shipped_model, shipped_originals
from ...sources import Source
from ...sources.source import Subset
from ..measurement import pixels_by_cell

CHUNK_CELLS = 50
FOUND_CELLS = 100
"""Cells of a source that are looked at, evenly spaced."""


def measure_found(source: Source, name: str, model: Model | None, n_cells: int) -> dict[str, Any]:
    """A row of the table; chunks are coded in memory as an archive codes them.

    Parameters
    ----------
    source
        Any cells.
    name
        Of the row.
    model
        None: the shipped one for these cells.
    n_cells
        So many are looked at.

    Raises
    ------
    InputError
        If no model codes these cells.
    """
    model = model or _model_for(source)
    rows = np.unique(np.linspace(0, source.n_cells - 1, n_cells).astype(np.int64))
    cells = Subset(source, rows)
    start = time.process_time()
    search = plan_search(cells, model, "auto")
    survey_seconds = time.process_time() - start
    search_seconds, coded_seconds, plain_seconds = survey_seconds, 0.0, 0.0
    n_bytes = {"with": 0, "without": 0}
    n_known = n_stored = n_visible = n_covered = 0
    cameras: Counter[Camera] = Counter()
    for first in range(0, cells.n_cells, CHUNK_CELLS):
        chunk = np.arange(first, min(first + CHUNK_CELLS, cells.n_cells))
        pixels, silhouettes = cells.read(chunk), cells.silhouettes(chunk)
        known = cells.jpeg(chunk) or [None] * len(chunk)
        n_known += sum(cell is not None for cell in known)
        jpeg: list[JpegCell | None] = [None] * len(chunk)
        start = time.process_time()
        if search is not None:
            jpeg = search.coefficients(cells, chunk, pixels, silhouettes)
        found_by = time.process_time()
        coder, classes = coder_for(model), np.zeros(len(chunk), np.uint8)
        encode = partial(encode_chunk, pixels, coder, classes=classes, silhouettes=silhouettes)
        has_any = any(cell is not None for cell in jpeg)
        coded = encode(jpeg=jpeg if has_any else None)
        coded_by = time.process_time()
        plain = encode() if has_any else coded
        search_seconds += found_by - start
        coded_seconds += coded_by - found_by
        plain_seconds += time.process_time() - coded_by if has_any else coded_by - found_by
        n_bytes["with"] += len(coded)
        n_bytes["without"] += len(plain)
        index = lattice_of(coded)
        if index is not None:
            cameras += cell_cameras(index)
            n_stored += int(index.is_lattice.sum())
        seen = [cells.original(row) for row in chunk.tolist()]
        for own, cell in zip(seen, jpeg, strict=True):
            visible = np.asarray(own != 0 if own.ndim == 2 else own.any(axis=2))
            n_visible += int(visible.sum())
            if cell is not None:
                n_covered += _n_covered(cell, visible)
    n_pixels = int(pixels_by_cell(cells).sum())
    infos = camera_infos(cameras)
    return {
        "source": name,
        "cells": cells.n_cells,
        "jpeg_files": n_known,
        "stored_as_coefficients": n_stored,
        "cameras": sum(info.n_cameras for info in infos),
        "most_frequent": [f"{info.text}: {info.n_cells}" for info in infos[:3]],
        "covered_share": n_covered / max(n_visible, 1),
        "bits_per_pixel": 8 * n_bytes["with"] / n_pixels,
        "bits_per_pixel_without": 8 * n_bytes["without"] / n_pixels,
        "search_ms_per_cell": 1000 * search_seconds / cells.n_cells,
        "encode_ms_per_cell": 1000 * coded_seconds / cells.n_cells,
        "encode_ms_per_cell_without": 1000 * plain_seconds / cells.n_cells,
    }


def found_table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a table in Markdown."""
    lines = [
        "| cells | looked at | JPEG files | stored as coefficients | cameras | the most frequent | "
        "pixels covered | bits/pixel | without | search, ms a cell | encoding | without |",
        "|" + "---|" * 12,
    ]
    for row in rows:
        values = [
            row["source"], row["cells"], row["jpeg_files"], row["stored_as_coefficients"],
            row["cameras"], "; ".join(row["most_frequent"]) or "–",
            f"{row['covered_share']:.1%}", f"{row['bits_per_pixel']:.3f}",
            f"{row['bits_per_pixel_without']:.3f}", f"{row['search_ms_per_cell']:.0f}",
            f"{row['encode_ms_per_cell']:.0f}", f"{row['encode_ms_per_cell_without']:.0f}",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(map(str, values))} |")
    return "\n".join(lines)


def source_name(address: str) -> str:
    """The last two parts of an address."""
    return "/".join(Path(address).parts[-2:])


def _model_for(source: Source) -> Model:
    """The shipped model that codes coefficients of these cells, else that of their channels."""
    if source.dtype == np.uint8 and source.cell_shape[2:] == (3,):
        model = shipped_originals()
    else:
        model = shipped_model(source.cell_shape[2] if source.cell_shape[2:] else 1)
    if model is None:
        raise InputError(f"{source.description}: no shipped model codes these cells: give --model")
    return model


def _n_covered(cell: JpegCell, visible: NDArray[np.bool_]) -> int:
    shape = visible.shape[0], visible.shape[1]
    counts = cell.camera.n_blocks(shape, cell.phase)
    known = [
        flags[:rows, :columns] for flags, (rows, columns) in zip(cell.coded, counts, strict=True)
    ]
    return int((covered_pixels(cell.camera, known, shape, cell.phase) & visible).sum())
