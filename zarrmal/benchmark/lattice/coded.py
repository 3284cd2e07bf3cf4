"""What cells take as coefficients with a model's weights, beside JPEG XL and JPEG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from zarrmal_codecs import Model
from zarrmal_codecs.lattice.cell import JpegCell
from zarrmal_codecs.lattice.stored import lattice_of

from ...errors import InputError
from ...lattice.bits import bits_of
from ...lattice.found import FoundCell
from ...lattice.known import KnownCell
from ...lattice.survey import Cell
from ..rivals.image_coders import jxl

EFFORT = 9


def measure_coded(
    model: Model,
    cells: Sequence[Cell],
    found: Sequence[FoundCell | None],
    files: Sequence[JpegCell | None],
    sizes: Sequence[int],
) -> dict[str, Any]:
    """Bits of those cells that come from a JPEG, by part; silhouettes and the model not counted.

    Parameters
    ----------
    model
        Its first class's weights are used.
    cells, found
        Cells, and what was found behind them.
    files
        What is known of cells that are JPEG files.
    sizes
        Bytes of these files; 0 for other cells.

    Raises
    ------
    InputError
        If the model has no weights for coefficients, or no cell comes from a JPEG.
    """
    weights = lattice_of(model.classes[0])
    if weights is None:
        raise InputError("the model has no weights for coefficients: `zarrmal train-lattice`")
    known, file_bytes, jxl_bytes = [], 0, 0
    rival = jxl(EFFORT)
    for (pixels, visible), own, file, size in zip(cells, found, files, sizes, strict=True):
        whole = pixels if pixels.ndim == 3 else pixels[..., None]
        if file is not None:
            known.append(KnownCell.of(whole, None, file))
            file_bytes += size
        elif own is not None:
            seen = np.asarray(whole.any(axis=2)) if visible is None else visible
            known.append(KnownCell.of(whole, seen, own.jpeg_cell))
        else:
            continue
        jxl_bytes += len(rival.encode(pixels))
    if not known:
        raise InputError("none of these cells comes from a JPEG picture")
    bits = bits_of(weights, known)
    parts = {name: getattr(bits, name) for name in ("first", "second", "third", "rest")}
    report: dict[str, Any] = {
        "cells": bits.n_cells,
        "bits_per_pixel": bits.per_pixel,
        **{f"{name}_bits_per_pixel": own / bits.n_pixels for name, own in parts.items()},
        f"jxl_effort_{EFFORT}_bits_per_pixel": 8 * jxl_bytes / bits.n_pixels,
        f"of_jxl_effort_{EFFORT}": bits.total / (8 * jxl_bytes),
    }
    if file_bytes:
        report["of_jpeg_files"] = bits.total / (8 * file_bytes)
    return report


def file_sizes(folder: str, names: Sequence[str], files: Sequence[JpegCell | None]) -> list[int]:
    """Bytes of each cell's file; 0 where it is no JPEG file."""
    paths = (Path(folder) / name for name in names)
    pairs = zip(paths, files, strict=True)
    return [0 if file is None else path.stat().st_size for path, file in pairs]
