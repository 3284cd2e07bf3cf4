"""Side information: what is stored beside the streams, and from how many cells it pays."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from math import ceil, prod
from pathlib import Path
from typing import Any

import numpy as np
from zarrmal_codecs import Model

from ..archive import Archive
from ..classify import LabelAssigner
from .cells import Chosen
from .measured import Amortised, BreakEven, OperatingPoint, SideInformation
from .results import RivalRate

SMALLEST, LARGEST = 800, 10_000_000
SIZES_A_DECADE = 8


def archive_sizes(model: Model, cells: Chosen) -> dict[str, int]:
    """Sizes of a real archive of these cells, its array of cells alone, classes by label."""
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
    cells: Chosen,
    points: Sequence[OperatingPoint],
    rivals: Sequence[RivalRate],
) -> SideInformation:
    """Spread what is stored once over data sets of many sizes.

    Parameters
    ----------
    sizes
        See archive_sizes, of these very cells.
    points
        On these cells, "labels" among them.
    rivals
        On these cells.
    """
    n, n_pixels = len(cells.rows), prod(cells.pixels.shape[1:])
    labels = next(point for point in points if point.name == "labels")
    streams = round(labels.bits_per_pixel * n * n_pixels / 8)
    index = (sizes["chunk_bytes"] - streams) / n
    once = sizes["base64_bytes"] + sizes["metadata_bytes"]
    data_sets = _data_set_sizes()

    def growing(point: OperatingPoint) -> float:
        return point.bits_per_pixel + 8 * index / n_pixels

    def break_even(point: OperatingPoint, rival: RivalRate) -> int | None:
        gain = rival.bits_per_pixel - growing(point)
        return ceil(8 * once / (gain * n_pixels)) if gain > 0 else None

    return SideInformation(
        model_bytes=sizes["model_bytes"],
        base64_bytes=sizes["base64_bytes"],
        metadata_bytes=sizes["metadata_bytes"],
        index_bytes_per_cell=index,
        n_cells=data_sets,
        amortised=tuple(
            Amortised(
                assignment=point.name,
                bits_per_pixel=tuple(
                    growing(point) + 8 * once / (size * n_pixels) for size in data_sets
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
    decades = np.log10(LARGEST / SMALLEST)
    sizes: list[Any] = np.geomspace(SMALLEST, LARGEST, round(decades * SIZES_A_DECADE) + 1).tolist()
    return tuple(round(size) for size in sizes)
