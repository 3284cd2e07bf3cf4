"""The cells of a slide as a folder: images, masks, and a table of all objects."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from ..errors import ExistsError, InputError, input_error
from ..progress import Progress, silent
from .find import equivalent_diameters
from .judge import Verdict
from .source import SlideSource

CELLS, MASKS, TABLE = "cells", "masks", "objects.csv"
HEADER = (
    *("name", "verdict", "slide", "slide_x", "slide_y", "slide_width", "slide_height"),
    *("area", "equivalent_diameter", "cut_share"),
)


def refuse_folder(folder: Path, *, overwrite: bool = False) -> None:
    """ExistsError or InputError if cells cannot go there: before a slide is segmented."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not overwrite:
        raise ExistsError(f"{folder}: something is there already: give another folder, or "
                          f"--overwrite")  # fmt: skip
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise InputError(f"{folder}: cannot be written: {there} is no folder, or is read-only")


def export_cells(
    source: SlideSource, folder: Path, *, overwrite: bool = False, progress: Progress = silent
) -> None:
    """Write ``cells/NAME.png``, ``masks/NAME.png``, and ``objects.csv``.

    The table has a row for each object, rejected ones without a name. ``zarrmal archive
    FOLDER/cells URL --masks FOLDER/masks`` archives what it holds.

    Parameters
    ----------
    folder
        Made where it is missing; must be empty unless ``overwrite``.

    Raises
    ------
    ExistsError, InputError
        If something is there already, or it cannot be written.
    """
    refuse_folder(folder, overwrite=overwrite)
    assert source.names is not None
    try:
        for name in (CELLS, MASKS):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for index, name in enumerate(source.names.tolist()):
            cell = source.read(np.array([index]))[0]
            if source.sizes is not None:
                height, width = source.sizes[index].tolist()
                cell = cell[:height, :width]
            path = folder / CELLS / name
            if path.suffix == ".tif":
                tifffile.imwrite(path, cell, photometric="rgb", compression="zlib")
            else:
                Image.fromarray(np.ascontiguousarray(cell)).save(path)
            mask = source.mask(index).astype(np.uint8) * np.uint8(255)
            Image.fromarray(mask).save((folder / MASKS / name).with_suffix(".png"))
            progress("writing cells", index + 1, source.n_cells)
        _write_table(source, folder / TABLE)
    except OSError as error:
        raise input_error(
            f"{folder}: cannot be written: {error.strerror or error}", error
        ) from error


def _write_table(source: SlideSource, path: Path) -> None:
    objects = source.objects
    diameters = equivalent_diameters(objects.areas).tolist()
    assert source.names is not None
    names = iter(source.names.tolist())
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(HEADER)
        for k, (y, x, height, width) in enumerate(objects.boxes.tolist()):
            verdict = Verdict(int(objects.verdicts[k]))
            name = next(names) if verdict is Verdict.CELL else ""
            area, diameter = int(objects.areas[k]), f"{diameters[k]:.2f}"
            place = (source.slide.name, x, y, width, height)
            share = f"{objects.cut_shares[k]:.3f}"
            table.writerow((name, verdict.text, *place, area, diameter, share))
