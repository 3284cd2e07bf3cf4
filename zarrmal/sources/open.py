"""open_source: one door for every kind of source."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from fsspec.core import strip_protocol
from numpy.typing import NDArray

from ..errors import InputError
from .annotations import Annotations, Annotator, Column, Columns, describe
from .array_file import ARRAY_SUFFIXES, open_array_file, open_remote_array_file
from .array_source import ArraySource
from .folder import FolderSource
from .shaping import PLANES, Channel, Shaping
from .source import Source
from .zarr_array import ZARR_MARKERS, open_zarr, xarray_fetch, zarr_fetch


def open_source(
    where: str | os.PathLike[str] | NDArray[Any] | xr.DataArray | zarr.Array[Any] | Source,
    *,
    channel: Channel = "auto",
    size: int | None = None,
    group_pattern: str | None = None,
    skip_unreadable: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    labels: Column | None = None,
    groups: Column | None = None,
    names: Column | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Source:
    """Open cells for reading, wherever they are.

    Parameters
    ----------
    where
        * A folder of PNG, TIFF, JPEG or BMP images: one sub-folder per class, or flat.
        * An .npy file, or an .npz file with `cells` and, if known, `label`, `slide`, `path`; a
          path or a URL.
        * A Zarr array, or a group that holds `cells`; a local directory with zarr.json, .zgroup
          or .zarray, or any URL that fsspec knows.
        * An array in memory or lazy: NumPy, xarray, Zarr.
        * A source; given back as it is if nothing else is asked.

        Arrays are uint8 (cell, y, x) or (cell, y, x, channel), 1 <= channel <= 4.
    channel
        "red", "green" or "blue" picks that plane of RGB; "auto" and "all" keep what is there.
    size
        Resize each cell to size x size pixels, bilinear, before a plane is picked. The aspect
        ratio is not kept.
    group_pattern
        Regular expression, searched in each cell's name: its first group, or the whole match, is
        the cell's group. Not used where the source holds groups itself.
    skip_unreadable
        Leave out images of a folder that cannot be read, and list them in ``unreadable``.
    storage_options
        For fsspec; unused for local paths.
    labels, groups, names
        One string or integer per cell; they go before what the source holds.
    progress
        Called with (done, total) while a folder's images are checked.

    Raises
    ------
    InputError
        If nothing can be read there, or not as asked; one line.
    TypeError
        If `where` is none of the above.
    """
    shaping = Shaping(channel=channel, size=size)
    given = Columns(labels=labels, groups=groups, names=names)
    annotator = Annotator(given=given, group_pattern=group_pattern)
    in_array = partial(ArraySource, shaping=shaping, annotator=annotator)

    if isinstance(where, Source):
        asked = (size, group_pattern, labels, groups, names)
        if channel not in PLANES and all(wish is None for wish in asked):
            return where
        return reopened(where, shaping, annotator)
    if isinstance(where, zarr.Array):
        kind = f"Zarr array {where.name or ''}".rstrip()
        return in_array(zarr_fetch(where), where.shape, where.dtype, found=Columns(), where=kind)
    if isinstance(where, xr.DataArray):
        kind = f"xarray variable {where.name or ''}".rstrip()
        return in_array(xarray_fetch(where), where.shape, where.dtype, found=Columns(), where=kind)
    if isinstance(where, np.ndarray):
        return in_array(where.__getitem__, where.shape, where.dtype, found=Columns(), where="array")
    if not isinstance(where, str | os.PathLike):
        raise TypeError(
            f"a source is a path, a URL, or an array of NumPy, xarray or Zarr, not "
            f"{type(where).__name__}: of a data set or group give one variable"
        )

    found = _at_address(
        os.fspath(where), shaping, annotator, skip_unreadable, storage_options or {}, progress
    )
    if isinstance(found, ArraySource):
        found.recipe = partial(
            open_source,
            absolute(os.fspath(where)),
            channel=channel,
            size=size,
            group_pattern=group_pattern,
            storage_options=storage_options,
            labels=labels,
            groups=groups,
            names=names,
        )
    return found


def _at_address(
    address: str,
    shaping: Shaping,
    annotator: Annotator,
    skip_unreadable: bool,
    storage_options: Mapping[str, Any],
    progress: Callable[[int, int], None] | None,
) -> Source:
    in_array = partial(ArraySource, shaping=shaping, annotator=annotator)
    if address.startswith("file://"):
        address = strip_protocol(address)
    is_remote = "://" in address or "::" in address
    path = Path(address)
    if path.suffix.lower() in ARRAY_SUFFIXES and (is_remote or path.is_file()):
        pixels, found = (
            open_remote_array_file(address, storage_options) if is_remote else open_array_file(path)
        )
        return in_array(
            pixels.__getitem__, pixels.shape, pixels.dtype, found=found, where=f"file {address}"
        )
    if is_remote or any((path / marker).is_file() for marker in ZARR_MARKERS):
        array, found, promises = open_zarr(address, storage_options)
        return in_array(
            zarr_fetch(array, promises),
            array.shape,
            array.dtype,
            found=found,
            where=f"Zarr {address}",
        )
    if path.is_dir():
        return FolderSource(
            path,
            shaping=shaping,
            annotator=annotator,
            skip_unreadable=skip_unreadable,
            progress=progress,
        )
    if path.exists():
        raise InputError(
            f"{address}: a file ending in {path.suffix or 'nothing'} is no source: give a folder "
            f"of images, a Zarr, or a file ending in {' or '.join(ARRAY_SUFFIXES)}"
        )
    raise InputError(f"{address}: there is no such file or folder: check the path")


def absolute(address: str) -> str:
    """The address as it holds in every current folder: local paths in it begin at the root."""
    if "://" not in address:
        return str(Path(address).absolute())
    *outer, innermost = address.split("::")
    if innermost.startswith(("file://", "local://")) or "://" not in innermost:
        innermost = f"file://{strip_protocol(innermost)}"
    return "::".join([*outer, innermost])


def reopened(source: Source, shaping: Shaping, annotator: Annotator) -> Source:
    """A source with another shaping or other columns."""
    where = source.description.rsplit(": ", 1)[0]
    labels = None
    if source.labels is not None:
        labels = np.array(source.class_names, np.str_)[source.labels]
    again = ArraySource(
        source.read,
        (source.n_cells, *source.cell_shape),
        np.uint8,
        found=Columns(labels=labels, groups=source.groups, names=source.names),
        shaping=shaping,
        annotator=annotator,
        where=where,
    )
    if annotator.given.labels is None:
        # A subset may lack a class; its labels must keep their meaning.
        again.class_names, again.labels = source.class_names, source.labels
        known = Annotations(class_names=again.class_names)
        again.description = describe(where, again.n_cells, "cell", known)
    again.unreadable = source.unreadable
    return again
