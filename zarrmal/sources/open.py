"""open_source: one entry point for every kind of source."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from fsspec.core import strip_protocol
from numpy.typing import NDArray

from ..errors import InputError, MissingError
from .annotations import (
    AnnotationOptions,
    Annotations,
    Column,
    RawAnnotations,
    describe,
    unused_notes,
)
from .array_file import ARRAY_SUFFIXES, open_array_file, open_remote_array_file
from .array_source import ArraySource
from .dimensions import axis_order
from .folder import FolderSource
from .masks import with_masks
from .packed import packed_url
from .preprocessing import RGB_CHANNELS, Channel, PreprocessingOptions
from .sizes import PaddedCells
from .source import Source
from .strings import refuse_mask
from .zarr_array import (
    ZARR_MARKERS,
    dimension_names,
    is_xarray,
    open_zarr,
    xarray_columns,
    xarray_fetch,
    zarr_fetch,
)

if TYPE_CHECKING:
    import xarray as xr


def open_source(
    source: str
    | os.PathLike[str]
    | NDArray[Any]
    | Sequence[NDArray[Any]]
    | xr.DataArray
    | zarr.Array[Any]
    | Source,
    *,
    channel: Channel = "auto",
    size: int | None = None,
    group_pattern: str | None = None,
    skip_unreadable: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    masks: str | os.PathLike[str] | None = None,
    labels: Column | None = None,
    groups: Column | None = None,
    names: Column | None = None,
    splits: Column | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Source:
    """Open cells for reading.

    Parameters
    ----------
    source
        * A folder of PNG, TIFF, JPEG or BMP images: one sub-folder per class, or flat; or such
          folders within folders called train, test or validation (see FolderSource).
        * An .npy file, or an .npz file with `cells` and, if known, `label`, `slide`, `path`,
          `split`, `height` and `width`; a path or a URL. With `bits` and `start` it holds masks,
          along which the cells were cut out (see PACKED_KEYS).
        * A Zarr array, or a group that holds `cells`; a local directory with zarr.json, .zgroup
          or .zarray, or any URL that fsspec knows.
        * An array in memory or lazy: NumPy, xarray, Zarr. Of an xarray.DataArray, coordinates
          along the cells are annotations and sizes, under the names that they have in a Zarr group.
        * A list of NumPy arrays, one for each cell, (y, x) or (y, x, channel).
        * A Source; returned as it is if no other option is given.

        Images may differ in size: see Source.sizes. Arrays hold cells of different sizes at the
        upper left, with zeros beyond, and their sizes in `height` and `width`.

        Arrays are uint8 (cell, y, x) or (cell, y, x, channel), 1 <= channel <= 4; with 1 channel
        cells are grey, (y, x). Dimensions of Zarr and xarray that have names may be in any order.
    channel
        "red", "green" or "blue" picks that channel of RGB; "auto" and "all" keep those that are
        there.
    size
        Resample each cell bilinearly to size x size pixels, before a channel is picked. The
        aspect ratio is not kept.
    group_pattern
        Regular expression searched in each cell's name: its first group, or else the whole match,
        is the cell's group. Unused where the source stores groups.
    skip_unreadable
        Leave out images of a folder that cannot be read, and list them in ``unreadable``.
    storage_options
        For fsspec; unused for local paths.
    masks
        Where the masks of the cells lie, along which they were cut out: a folder of images named
        as the cells, or an .npz file of packed masks and `path`. See Source.silhouettes.
    labels, groups, names, splits
        One string or integer per cell; they override those that the source stores.
    progress
        Called with (done, total) while a folder's images are decoded.

    Raises
    ------
    InputError
        If nothing can be read there, or not with these options; one line. MissingError,
        AccessError or UnreachableError where that is why.
    TypeError
        If `source` is none of the above.
    """
    if masks is not None:
        opened = open_source(
            source,
            channel=channel,
            size=size,
            group_pattern=group_pattern,
            skip_unreadable=skip_unreadable,
            storage_options=storage_options,
            labels=labels,
            groups=groups,
            names=names,
            splits=splits,
            progress=progress,
        )
        return with_masks(opened, masks)
    preprocessing = PreprocessingOptions(channel=channel, size=size)
    given = RawAnnotations(labels=labels, groups=groups, names=names, splits=splits)
    annotation = AnnotationOptions(given=given, group_pattern=group_pattern)
    from_array = partial(
        ArraySource, stored=RawAnnotations(), preprocessing=preprocessing, annotation=annotation
    )

    if isinstance(source, Source):
        options = (size, group_pattern, labels, groups, names, splits)
        if channel not in RGB_CHANNELS and all(option is None for option in options):
            return source
        return with_options(source, preprocessing, annotation)
    if isinstance(source, zarr.Array):
        location = f"Zarr array {source.name or ''}".rstrip()
        axes = axis_order(dimension_names(source), source.ndim, location)
        fetch = zarr_fetch(source, axes)
        return from_array(fetch, source.shape, source.dtype, axes=axes, location=location)
    if is_xarray(source):
        location = f"xarray variable {source.name or ''}".rstrip()
        axes = axis_order(tuple(map(str, source.dims)), source.ndim, location)
        stored, sizes, unused = xarray_columns(source, axes[0] if axes else 0, location)
        return from_array(
            xarray_fetch(source, axes),
            source.shape,
            source.dtype,
            axes=axes,
            stored=stored,
            heights=sizes[0] if sizes else None,
            widths=sizes[1] if sizes else None,
            location=location,
            notes=unused_notes("coordinates", unused),
        )
    if isinstance(source, np.ndarray):
        refuse_mask(source, "array")
        source = np.asarray(source)
        return from_array(source.__getitem__, source.shape, source.dtype, location="array")
    if isinstance(source, list | tuple) and all(isinstance(cell, np.ndarray) for cell in source):
        return _open_list(source, from_array)
    if not isinstance(source, str | os.PathLike):
        raise TypeError(
            f"a source is a path, a URL, an array of NumPy, xarray or Zarr, or a list of arrays, "
            f"not {type(source).__name__}: of a data set or group give one variable"
        )

    address = os.fspath(source)
    if not isinstance(storage_options, Mapping | None):
        raise InputError(f"storage options are a mapping of names to values, not a "
                         f"{type(storage_options).__name__}")  # fmt: skip
    opened = _open_address(
        address, preprocessing, annotation, skip_unreadable, storage_options or {}, progress
    )
    if isinstance(opened, ArraySource):
        opened.reopen = partial(
            open_source,
            absolute_address(address),
            channel=channel,
            size=size,
            group_pattern=group_pattern,
            storage_options=storage_options,
            labels=labels,
            groups=groups,
            names=names,
            splits=splits,
        )
    return opened


def _open_list(cells: Sequence[NDArray[Any]], from_array: Callable[..., Source]) -> Source:
    location = "list of arrays"
    if not cells:
        raise InputError(f"{location}: holds 0 cells, at least 1 is needed")
    for cell in cells:
        refuse_mask(cell, location)
    fetch = PaddedCells(cells, location)
    return from_array(
        fetch,
        fetch.shape,
        np.uint8,
        heights=fetch.heights,
        widths=fetch.widths,
        location=location,
    )


def _open_address(
    address: str,
    preprocessing: PreprocessingOptions,
    annotation: AnnotationOptions,
    skip_unreadable: bool,
    storage_options: Mapping[str, Any],
    progress: Callable[[int, int], None] | None,
) -> Source:
    from_array = partial(ArraySource, preprocessing=preprocessing, annotation=annotation)
    if address.startswith("file://"):
        address = strip_protocol(address)
    is_remote = "://" in address or "::" in address
    path = Path(address)
    if path.suffix.lower() in ARRAY_SUFFIXES and (is_remote or path.is_file()):
        file = (
            open_remote_array_file(address, storage_options) if is_remote else open_array_file(path)
        )
        return from_array(
            file.array.__getitem__,
            file.array.shape,
            file.array.dtype,
            stored=file.annotations,
            heights=file.heights,
            widths=file.widths,
            masks=file.masks,
            location=f"file {address}",
            notes=unused_notes("keys", file.unused),
        )
    if is_remote or any((path / marker).exists() for marker in ZARR_MARKERS):
        opened = open_zarr(address, storage_options)
        source = from_array(
            zarr_fetch(opened.array, opened.axes, opened.digests),
            opened.array.shape,
            opened.array.dtype,
            axes=opened.axes,
            stored=opened.annotations,
            earlier=opened.preprocessing,
            heights=opened.heights,
            widths=opened.widths,
            location=f"Zarr {address}",
            notes=unused_notes("arrays", opened.unused),
        )
        source.columns = opened.columns
        return source
    if path.is_dir():
        return FolderSource(
            path,
            preprocessing=preprocessing,
            annotation=annotation,
            skip_unreadable=skip_unreadable,
            progress=progress,
        )
    if (packed := packed_url(path)) is not None:
        raise InputError(f"{address} is a packed file: a Zarr in it is read as {packed}; unpack a "
                         f"folder of images first")  # fmt: skip
    if path.exists():
        raise InputError(
            f"{address}: a file ending in {path.suffix or 'nothing'} is no source: give a folder "
            f"of images, a Zarr, or a file ending in {' or '.join(ARRAY_SUFFIXES)}"
        )
    raise MissingError(f"{address}: there is no such file or folder: check the path")


def absolute_address(address: str) -> str:
    """The address with absolute local paths, so that it holds in any working directory."""
    if "://" not in address and "::" not in address:
        return str(Path(address).absolute())
    *outer, innermost = address.split("::")
    if innermost.startswith(("file://", "local://")) or "://" not in innermost:
        innermost = f"file://{strip_protocol(innermost)}"
    return "::".join([*outer, innermost])


def with_options(
    source: Source, preprocessing: PreprocessingOptions, annotation: AnnotationOptions
) -> Source:
    """A source with further preprocessing, or other annotations."""
    location = source.location or source.description
    labels = None
    if source.labels is not None:
        labels = np.array(source.class_names, np.str_)[source.labels]
    sizes = source.sizes
    derived = ArraySource(
        source.read,
        (source.n_cells, *source.cell_shape),
        np.uint8,
        stored=RawAnnotations(
            labels=labels, groups=source.groups, names=source.names, splits=source.splits
        ),
        preprocessing=preprocessing,
        earlier=source.preprocessing,
        annotation=annotation,
        location=location,
        heights=None if sizes is None else sizes[:, 0],
        widths=None if sizes is None else sizes[:, 1],
    )
    if annotation.given.labels is None:
        # A subset may lack a class; its labels must keep their index.
        derived.class_names, derived.labels = source.class_names, source.labels
        annotations = Annotations(
            class_names=derived.class_names, labels=derived.labels, splits=derived.splits
        )
        derived.description = describe(
            location, derived.n_cells, "cell", annotations, sizes=derived.sizes
        )
    derived.unreadable, derived.columns = source.unreadable, source.columns
    return derived
