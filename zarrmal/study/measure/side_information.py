"""Side information: bytes beside the streams, and the number of cells that pays for them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from math import ceil, prod
from pathlib import Path
from typing import Any

import numpy as np
from zarrmal_codecs import Model

from ...archive import Archive
from ...classify import LabelAssigner
from ..cells import CellSample
from ..results.model_results import Amortised, BreakEven, OperatingPoint, SideInformation
from ..results.study_results import RivalRate

MIN_CELLS, MAX_CELLS = 800, 10_000_000
SIZES_PER_DECADE = 8


def archive_sizes(model: Model, cells: CellSample) -> dict[str, int]:
    """Write an archive of these cells, classes by label, and measure its array of cells."""
    with tempfile.TemporaryDirectory(prefix="zarrmal-study-") as folder:
        path = Path(folder) / "cells.zarr"
        assigner = LabelAssigner(cells.cells, model.class_names)
        info = Archive.write(cells.cells, path, model=model, assigner=assigner).info()
    streams = info.payload_bytes + info.latent_bytes
    return {
        "model_bytes": model.n_bytes,
        "base64_bytes": info.model_bytes,
        "metadata_bytes": info.cells_bytes - streams - info.model_bytes,
        "chunk_bytes": streams,
    }


def side_information(
    sizes: dict[str, int],
    cells: CellSample,
    points: Sequence[OperatingPoint],
    rivals: Sequence[RivalRate],
) -> SideInformation:
    """Divide the bytes that are stored once among data sets of many sizes.

    Parameters
    ----------
    sizes
        See archive_sizes, of the same cells.
    points
        Operating points on the same cells, "labels" among them.
    rivals
        Rates on the same cells.
    """
    n, n_pixels = len(cells.rows), prod(cells.pixels.shape[1:])
    labels = next(point for point in points if point.name == "labels")
    stream_bytes = round(labels.bits_per_pixel * n * n_pixels / 8)
    index_bytes = (sizes["chunk_bytes"] - stream_bytes) / n
    fixed_bytes = sizes["base64_bytes"] + sizes["metadata_bytes"]
    n_cells = _data_set_sizes()

    def marginal(point: OperatingPoint) -> float:
        return point.bits_per_pixel + 8 * index_bytes / n_pixels

    def break_even(point: OperatingPoint, rival: RivalRate) -> int | None:
        gain = rival.bits_per_pixel - marginal(point)
        return ceil(8 * fixed_bytes / (gain * n_pixels)) if gain > 0 else None

    return SideInformation(
        model_bytes=sizes["model_bytes"],
        base64_bytes=sizes["base64_bytes"],
        metadata_bytes=sizes["metadata_bytes"],
        index_bytes_per_cell=index_bytes,
        n_cells=n_cells,
        amortised=tuple(
            Amortised(
                assignment=point.name,
                bits_per_pixel=tuple(
                    marginal(point) + 8 * fixed_bytes / (size * n_pixels) for size in n_cells
                ),
            )
            for point in points
        ),
        break_even=tuple(
            BreakEven(
                rival=rival.name,
                arrangement=rival.arrangement,
                assignment=point.name,
                n_cells=break_even(point, rival),
            )
            for point in points
            for rival in rivals
        ),
    )


def _data_set_sizes() -> tuple[int, ...]:
    n_sizes = round(np.log10(MAX_CELLS / MIN_CELLS) * SIZES_PER_DECADE) + 1
    sizes: list[Any] = np.geomspace(MIN_CELLS, MAX_CELLS, n_sizes).tolist()
    return tuple(round(size) for size in sizes)
