"""Several fields as one source: a folder of pictures, each with many cells."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict, Unpack

from ..errors import InputError
from ..progress import Progress, silent
from ..sources import ConcatSource, Source
from ..sources.arrays.zarr_array import ZARR_MARKERS
from ..sources.images.image_file import is_image_name
from ..sources.preprocessing import Channel
from .find import SegmentOptions
from .slides.tile_folder import tile_names
from .source import NoCellsError, open_slide_cells


class CellArguments(TypedDict, total=False):
    """Arguments of ``open_slide_cells`` that are the same for all fields."""

    options: SegmentOptions | None
    channel: Channel
    size: int | None
    group_pattern: str | None


def fields_in(address: str | os.PathLike[str]) -> list[Path]:
    """Pictures in a local folder that is no slide itself, by name; empty if there are none."""
    folder = Path(address)
    if not folder.is_dir() or any((folder / marker).exists() for marker in ZARR_MARKERS):
        return []
    names = sorted(name for name in os.listdir(folder) if is_image_name(name))
    return [] if not names or tile_names(folder) else [folder / name for name in names]


def open_fields_or_slide(
    address: str | os.PathLike[str],
    *,
    storage_options: Mapping[str, Any] | None = None,
    progress: Progress = silent,
    **arguments: Unpack[CellArguments],
) -> Source:
    """The cells of a slide, or of all fields of a folder, each calibrated by itself.

    Parameters
    ----------
    address, storage_options
        See ``open_slide``; or a folder of pictures that are not named column_row.
    progress
        Told of tiles, or of fields.
    **arguments
        See ``open_slide_cells``.

    Raises
    ------
    InputError
        If there is no slide, no field holds cells, or their channels differ.
    """
    fields = fields_in(address)
    if not fields:
        return open_slide_cells(
            address, storage_options=storage_options, progress=progress, **arguments
        )
    sources: list[Source] = []
    for k, field in enumerate(fields, start=1):
        with suppress(NoCellsError):  # others hold some
            sources.append(open_slide_cells(field, **arguments))
        progress("segmenting fields", k, len(fields))
    if not sources:
        raise InputError(f"{address}: no cells were found in any of its {len(fields):,} pictures")
    joined = ConcatSource(sources)
    joined.location = f"fields {os.fspath(address)}"
    joined.description = (
        f"{joined.location}: {joined.n_cells:,} cells of {len(sources):,} of {len(fields):,} fields"
    )
    return joined
