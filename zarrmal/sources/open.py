"""open_source: one entry point for every kind of source."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from fsspec.core import strip_protocol
from numpy.typing import NDArray

from ..errors import InputError, MissingError
from .arrays.array_file import ARRAY_SUFFIXES, open_array_file, open_remote_array_file
from .arrays.array_source import ArraySource, array_fetch
from .arrays.hdf5 import HDF5_SUFFIXES, hdf5_address, open_hdf5
from .arrays.xarray_array import (
    is_xarray,
    xarray_channel_names,
    xarray_columns,
    xarray_fetch,
)
from .arrays.zarr_array import ZARR_MARKERS, open_zarr, zarr_fetch
from .arrays.zarr_names import channel_names, dimension_names
from .columns.annotations import (
    AnnotationOptions,
    Annotations,
    Column,
    RawAnnotations,
    describe,
    unused_notes,
)
from .columns.strings import refuse_mask
from .dimensions import axis_order, axis_order_of_each, checked_letters, is_channel_first
from .images.folder import FolderSource
from .masked import with_masks
from .masks.masks import PLACE, is_beside
from .masks.planes import MaskArray, Planes
from .places.packed import packed_url
from .preprocessing import RGB_CHANNELS, Channel, PreprocessingOptions
from .sizes import PaddedCells
from .source import Source

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
    axes: str | None = None,
    mask_channels: Sequence[str | int] | None = None,
    mask_pattern: str | None = None,
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
          `split`, `height`, `width` and `mask`; a path or a URL. With `bits` and `start` it holds
          masks along which the cells were cut out (see PACKED_KEYS).
        * An HDF5 file with one data set of images, or ``file.h5::data/set`` (see open_hdf5).
        * A Zarr array, or a group that holds `cells`; a local directory with zarr.json, .zgroup
          or .zarray, or any URL that fsspec knows.
        * An array in memory or lazy: NumPy, xarray, Zarr. Of an xarray.DataArray, coordinates
          along the cells are annotations and sizes, under the names that they have in a Zarr group.
        * A list of NumPy arrays, one for each cell, (y, x) or (y, x, channel).
        * A Source; returned as it is if no other option is given.

        Images may differ in size: see Source.sizes. Arrays hold cells of different sizes at the
        upper left, with zeros beyond, and their sizes in `height` and `width`.

        Arrays are (cell, y, x), (cell, y, x, channel) or (cell, channel, y, x), 1 <= channel <= 64,
        of bool, integers, floating or complex numbers; with 1 channel cells are grey, (y, x).
        Dimensions of Zarr and xarray that have names may be in any order. Masks beside the cells
        are `mask`, bool (cell, y, x), or (cell, mask, y, x).
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
        as the cells; a pattern such as ``{name}_mask.png`` beside them or ``masks/{name}.tif``; or
        an .npz file of packed masks and `path`. See Source.silhouettes. Those of
        the size of the cells are archived, where the cells have pixels outside: see Source.masks.
    axes
        Of arrays: a letter for each axis after the cells, such as "cyx" or "yxc" (see
        axes_by_letters); None goes by names of dimensions, or by their lengths (axes_by_length).
        Of images: how an archive holds their channels.
    mask_channels
        Numbers or names of channels that are masks: see Source.masks. ``["none"]`` says that none
        is; None takes what an HDF5 file tells.
    mask_pattern
        Of a folder: its files that are masks of others by this pattern are no cells.
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
        folder = None
        if isinstance(source, str | os.PathLike) and Path(source).is_dir():
            folder = Path(source)
        if folder is not None and PLACE in str(masks) and is_beside(str(masks)):
            mask_pattern = str(masks)
        opened = open_source(
            source,
            mask_pattern=mask_pattern,
            channel=channel,
            size=size,
            group_pattern=group_pattern,
            skip_unreadable=skip_unreadable,
            storage_options=storage_options,
            axes=axes,
            mask_channels=mask_channels,
            labels=labels,
            groups=groups,
            names=names,
            splits=splits,
            progress=progress,
        )
        return with_masks(opened, masks, progress, folder)
    preprocessing = PreprocessingOptions(channel=channel, size=size)
    given = RawAnnotations(labels=labels, groups=groups, names=names, splits=splits)
    annotation = AnnotationOptions(given=given, group_pattern=group_pattern)
    planes = Planes(wanted=None if mask_channels is None else tuple(map(str, mask_channels)))
    from_array = partial(
        ArraySource,
        stored=RawAnnotations(),
        preprocessing=preprocessing,
        annotation=annotation,
        planes=planes,
    )
    if axes is not None:
        checked_letters(axes)

    if isinstance(source, Source):
        if axes is not None or mask_channels is not None:
            raise InputError(f"{source.location or source.description}: axes and mask channels are "
                             f"of arrays and files, not of a source that is open: give them where "
                             f"it is opened")  # fmt: skip
        options = (size, group_pattern, labels, groups, names, splits)
        if channel not in RGB_CHANNELS and all(option is None for option in options):
            return source
        return with_options(source, preprocessing, annotation)
    if isinstance(source, zarr.Array):
        location = f"Zarr array {source.name or ''}".rstrip()
        order = axis_order(dimension_names(source), source.shape, location, axes)
        return from_array(
            zarr_fetch(source, order),
            source.shape,
            source.dtype,
            axes=order,
            planes=replace(planes, names=channel_names(source)),
            location=location,
        )
    if is_xarray(source):
        location = f"xarray variable {source.name or ''}".rstrip()
        order = axis_order(tuple(map(str, source.dims)), source.shape, location, axes)
        stored, sizes, unused = xarray_columns(source, order[0] if order else 0, location)
        return from_array(
            xarray_fetch(source, order),
            source.shape,
            source.dtype,
            axes=order,
            planes=replace(planes, names=xarray_channel_names(source, order)),
            stored=stored,
            heights=sizes[0] if sizes else None,
            widths=sizes[1] if sizes else None,
            location=location,
            notes=unused_notes("coordinates", unused),
        )
    if isinstance(source, np.ndarray):
        refuse_mask(source, "array")
        source = np.asarray(source)
        order = axis_order(None, source.shape, "array", axes)
        return from_array(
            array_fetch(source, order),
            source.shape,
            source.dtype,
            axes=order,
            location="array",
        )
    if isinstance(source, list | tuple) and all(isinstance(cell, np.ndarray) for cell in source):
        return _open_list(source, from_array, axes)
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
        address,
        preprocessing,
        annotation,
        planes,
        axes,
        mask_pattern,
        skip_unreadable,
        storage_options or {},
        progress,
    )
    if isinstance(opened, ArraySource):
        opened.reopen = partial(
            open_source,
            absolute_address(address),
            channel=channel,
            size=size,
            group_pattern=group_pattern,
            storage_options=storage_options,
            axes=axes,
            mask_channels=mask_channels,
            labels=labels,
            groups=groups,
            names=names,
            splits=splits,
        )
    return opened


def _open_list(
    cells: Sequence[NDArray[Any]], from_array: Callable[..., Source], axes: str | None
) -> Source:
    location = "list of arrays"
    if not cells:
        raise InputError(f"{location}: holds 0 cells, at least 1 is needed")
    for cell in cells:
        refuse_mask(cell, location)
    order: tuple[int, ...] = (0, 1, 2)
    if cells[0].ndim == 3:
        shapes = {cell.shape for cell in cells}
        order = axis_order_of_each(shapes, len(cells), location, axes)
    if order not in ((0, 1, 2), (0, 1, 2, 3), (0, 2, 3, 1)):
        raise InputError(f"{location}: arrays of single cells have the axes yx, yxc or cyx, not "
                         f"{axes}")  # fmt: skip
    fetch = PaddedCells(cells, location, channel_first=is_channel_first(order))
    own = tuple(fetch.shape[i] for i in np.argsort(order)) if len(order) == 4 else fetch.shape
    return from_array(
        fetch,
        own,
        fetch.dtype,
        axes=order,
        heights=fetch.heights,
        widths=fetch.widths,
        location=location,
    )


def _open_address(
    address: str,
    preprocessing: PreprocessingOptions,
    annotation: AnnotationOptions,
    planes: Planes,
    axes: str | None,
    mask_pattern: str | None,
    skip_unreadable: bool,
    storage_options: Mapping[str, Any],
    progress: Callable[[int, int], None] | None,
) -> Source:
    from_array = partial(ArraySource, preprocessing=preprocessing, annotation=annotation)
    if (named := hdf5_address(address)) is not None:
        stored = open_hdf5(named, axes)
        return from_array(
            stored.fetch,
            stored.shape,
            stored.dtype,
            axes=stored.axes,
            stored=stored.annotations,
            planes=replace(stored.planes, wanted=planes.wanted),
            masks=stored.masks,
            heights=stored.heights,
            widths=stored.widths,
            location=stored.location,
            notes=unused_notes("data sets", stored.unused),
        )
    if address.startswith("file://"):
        address = strip_protocol(address)
    is_remote = "://" in address or "::" in address
    path = Path(address)
    if path.suffix.lower() in ARRAY_SUFFIXES and (is_remote or path.is_file()):
        file = (
            open_remote_array_file(address, storage_options) if is_remote else open_array_file(path)
        )
        order = axis_order(None, file.array.shape, f"file {address}", axes)
        return from_array(
            array_fetch(file.array, order),
            file.array.shape,
            file.array.dtype,
            axes=order,
            stored=file.annotations,
            planes=planes,
            heights=file.heights,
            widths=file.widths,
            packed_masks=file.packed_masks,
            masks=None if file.masks is None else MaskArray.of(file.masks),
            location=f"file {address}",
            notes=unused_notes("keys", file.unused),
        )
    if is_remote or any((path / marker).exists() for marker in ZARR_MARKERS):
        opened = open_zarr(address, storage_options, axes)
        source = from_array(
            zarr_fetch(opened.array, opened.axes, opened.digests),
            opened.array.shape,
            opened.array.dtype,
            axes=opened.axes,
            stored=opened.annotations,
            planes=replace(planes, names=opened.channel_names),
            masks=opened.masks,
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
            planes=planes,
            mask_pattern=mask_pattern,
            axes=axes,
            skip_unreadable=skip_unreadable,
            progress=progress,
        )
    if (packed := packed_url(path)) is not None:
        raise InputError(f"{address} is a packed file: a Zarr in it is read as {packed}; unpack a "
                         f"folder of images first")  # fmt: skip
    if path.exists():
        raise InputError(
            f"{address}: a file ending in {path.suffix or 'nothing'} is no source: give a folder "
            f"of images, a slide that can be read, a Zarr, or a file ending in "
            f"{' or '.join((*ARRAY_SUFFIXES, HDF5_SUFFIXES[0]))}"
        )
    raise MissingError(f"{address}: there is no such file or folder: check the path")


def absolute_address(address: str) -> str:
    """The address with absolute local paths, so that it holds in any working directory."""
    if (hdf5 := hdf5_address(address)) is not None:
        name = "" if hdf5.data_set is None else f"::{hdf5.data_set}"
        return f"{hdf5.path.absolute()}{name}"
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
    masks = None
    if source.n_masks:
        shape = (source.n_cells, source.n_masks, *source.cell_shape[:2])
        masks = MaskArray(
            fetch=source.masks, shape=shape, dtype=np.dtype(np.bool_), names=source.mask_names
        )
    derived = ArraySource(
        source.read,
        (source.n_cells, *source.cell_shape),
        source.dtype,
        stored=RawAnnotations(
            labels=labels, groups=source.groups, names=source.names, splits=source.splits
        ),
        preprocessing=preprocessing,
        earlier=source.preprocessing,
        annotation=annotation,
        planes=Planes(names=source.channel_names),
        masks=masks,
        location=location,
        heights=None if sizes is None else sizes[:, 0],
        widths=None if sizes is None else sizes[:, 1],
    )
    derived.channel_first = source.channel_first and len(derived.cell_shape) == 3
    derived.has_background = source.has_background
    if preprocessing.keeps_pixels:
        derived.origin, derived.has_jpeg_files = source, source.has_jpeg_files
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
