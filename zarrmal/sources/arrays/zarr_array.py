"""Zarr arrays and groups at any address, and xarray variables: read lazily, by index."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.storage import LocalStore

from ...errors import InputError, input_error, is_store_error
from ..columns.annotations import SIZE_KEYS, Column, RawAnnotations
from ..columns.provenance import DTYPES, Columns
from ..dimensions import archive_dimensions, axis_order, is_channel_first
from ..masks.planes import MASK_KEY, MaskArray
from ..places.packed import DAMAGED_CONTAINER
from ..places.serial import ENDS_EARLY, is_serial, serial_store, tar_ends_early
from ..places.special_files import RegularFiles
from ..places.timeout import first_answer
from ..preprocessing import Preprocessing
from ..sizes import Pixels
from .archive_facts import archive_facts
from .array_source import Fetch, sorted_fetch
from .digests import ArchiveDigests

if TYPE_CHECKING:
    import xarray as xr

VARIABLE = "cells"
CHANNEL_NAMES, MASK_NAMES = "channel_names", "mask_names"
"""Attributes of ``cells`` and ``mask`` of an archive."""
LABEL = "label"
ZARR_MARKERS = ("zarr.json", ".zgroup", ".zarray")
OPENING_ERRORS = (OSError, ValueError, TypeError, LookupError, *DAMAGED_CONTAINER)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ZarrCells:
    """An array of cells at an address.

    Parameters
    ----------
    array
        The cells.
    axes
        Axes of the array in the order cell, y, x[, channel].
    annotations
        Columns beside the array.
    digests
        Of the group; None without a group.
    preprocessing
        What an archive's attribute records; None of other groups.
    heights, widths
        Of each cell; None where the group does not tell both.
    columns
        Of an archive: where its cells come from.
    masks
        The group's array `mask`; None where there is none that fits.
    channel_names
        By an attribute of the array; empty where it has none.
    unused
        Names of the group's other arrays, where listing them costs no requests.
    """

    array: zarr.Array[Any]
    axes: tuple[int, ...]
    annotations: RawAnnotations = field(default_factory=RawAnnotations)
    digests: ArchiveDigests | None = None
    preprocessing: Preprocessing | None = None
    heights: NDArray[Any] | None = None
    widths: NDArray[Any] | None = None
    columns: Columns = field(default_factory=dict)
    masks: MaskArray | None = None
    channel_names: tuple[str, ...] = ()
    unused: frozenset[str] = frozenset()


def open_zarr(
    address: str, storage_options: Mapping[str, Any], letters: str | None = None
) -> ZarrCells:
    """The array of cells at an address, with what is stored beside it.

    Parameters
    ----------
    address
        Path or URL of an array, or of a group with the array `cells`. Of a group, 1-D arrays
        with one value per cell are the annotations: `label`, `source_group` or `slide`,
        `source_name` or `path`, `split`; and the sizes, `height` and `width`. An archive's labels
        get the names that its attribute gives.
    storage_options
        For fsspec; unused for a path.
    letters
        The axes, where the caller says them; see axis_order.

    Raises
    ------
    InputError
        If there is none, it cannot be opened, or an archive's columns are damaged; MissingError,
        AccessError or UnreachableError where that is why.
    """
    try:
        node = _open_node(address, storage_options)
        if isinstance(node, zarr.Array):
            names = dimension_names(node) or ome_names(address, storage_options)
            return ZarrCells(
                array=node,
                axes=axis_order(names, node.shape, address, letters),
                channel_names=channel_names(node),
            )
        cells = node.get(VARIABLE)
        if not isinstance(cells, zarr.Array):
            arrays = ", ".join(sorted(node.array_keys())) or "no arrays"
            raise InputError(
                f"{address}: the group holds {arrays}, "
                f"but no `{VARIABLE}`: give the address of the array itself"
            )
        label_names, digests = archive_label_names(node), ArchiveDigests(node, address)
        digests.require_arrays(node)
        names = dimension_names(cells)
        if digests.covers(cells) and names is not None:
            # Its digests are of chunks along axis 0, whatever somebody has made of the names.
            names = archive_dimensions(cells.ndim, is_channel_first(_roles(names, cells.shape)))
        axes = axis_order(names, cells.shape, address, letters)

        def column(key: str) -> Column | None:
            array = node.get(key)
            if isinstance(array, zarr.Array):
                digests.check(array)
            names = label_names if key == LABEL else None
            return read_column(array, cells, axes[0] if axes else 0, address, names)

        annotations, used = RawAnnotations.from_lookup(column)
        heights, widths = read_sizes(node, cells, axes[0] if axes else 0, digests)
        if heights is not None:
            used |= set(SIZE_KEYS)
        stored = (archive_facts(node) or {}).get("arrays") or ()
        provenance = {
            name: np.asarray(values).astype(dtype)
            for name, dtype in DTYPES.items()
            if name in stored and (values := column(name)) is not None
        }
        masks = read_masks(node, cells, axes, digests)
        used |= set() if masks is None else {MASK_KEY}
        return ZarrCells(
            array=cells,
            axes=axes,
            annotations=annotations,
            digests=digests,
            preprocessing=archive_preprocessing(node),
            heights=heights,
            widths=widths,
            columns=provenance,
            masks=masks,
            channel_names=channel_names(cells),
            unused=unused_arrays(node, cells, used, digests),
        )
    except InputError:
        raise
    except ImportError as error:
        raise InputError(f"{address}: needs a package that is not installed: {error}") from error
    except Exception as error:
        if not (isinstance(error, OPENING_ERRORS) or is_store_error(error)):
            raise
        raise input_error(
            f"{address}: no Zarr array or group can be opened there: {error}: check the address "
            "and the storage options",
            error,
        ) from error


def _open_node(address: str, storage_options: Mapping[str, Any]) -> zarr.Array[Any] | zarr.Group:
    if "://" not in address and "::" not in address:
        return zarr.open(RegularFiles(address, read_only=True), mode="r")

    def opened() -> zarr.Array[Any] | zarr.Group:
        if is_serial(address):
            store = serial_store(address, storage_options, read_only=True)
            # Missing chunks would be read as black cells.
            if tar_ends_early(store.fs.sync_fs):
                raise InputError(f"{address}: {ENDS_EARLY}")
            return zarr.open(store, mode="r")
        options = dict(storage_options) if "://" in address and storage_options else None
        return zarr.open(address, mode="r", storage_options=options)

    return first_answer(opened, address)


def unused_arrays(
    group: zarr.Group, cells: zarr.Array[Any], used: set[str], digests: ArchiveDigests
) -> frozenset[str]:
    """Names of arrays that are neither used, nor an archive's own, nor coordinates of the cells."""
    if isinstance(group.store, LocalStore):
        # Consolidated metadata lacks arrays that were added later.
        group = zarr.open_group(group.store_path, mode="r", use_consolidated=False)
    elif not group.metadata.consolidated_metadata:
        return frozenset()
    known = {VARIABLE, *used, *(dimension_names(cells) or ())}
    return frozenset(
        name for name, array in group.arrays() if name not in known and not digests.covers(array)
    )


def archive_label_names(group: zarr.Group) -> list[str] | None:
    """Names of an archive's labels; None if the group is no archive with labels.

    The array's `flag_meanings` are no substitute: blanks in names are underscores there.
    """
    names = (archive_facts(group) or {}).get("label_names")
    return [str(name) for name in names] if isinstance(names, list) and names else None


def archive_preprocessing(group: zarr.Group) -> Preprocessing | None:
    """What an archive records of the preprocessing of its cells; None if nothing."""
    record = (archive_facts(group) or {}).get("preprocessing")
    return Preprocessing.from_json(record) if isinstance(record, Mapping) else None


def read_column(
    node: object,
    cells: zarr.Array[Any],
    cell_axis: int,
    location: str,
    names: list[str] | None = None,
) -> Column | None:
    """Values of a 1-D array beside the cells.

    Parameters
    ----------
    node
        What the group holds under the column's key.
    cells
        The array of cells.
    cell_axis
        The axis of `cells` that counts them.
    location
        Begins messages.
    names
        Names of the integers 0, 1, …; None uses the attribute `flag_meanings` where there is one
        (CF conventions 3.5).

    Returns
    -------
    Column or None
        None if there is no such array, or its dimension is not that of the cells.

    Raises
    ------
    InputError
        If a value has no name.
    """
    if not isinstance(node, zarr.Array):
        return None
    if node.shape != cells.shape[cell_axis : cell_axis + 1]:
        column_dimensions, cell_dimensions = dimension_names(node), dimension_names(cells)
        column_dimension = column_dimensions[0] if column_dimensions else None
        cell_dimension = cell_dimensions[cell_axis] if cell_dimensions else None
        if None not in (column_dimension, cell_dimension) and column_dimension != cell_dimension:
            return None
        # Not read. The check of annotations refuses the shape, unless the caller gives others.
        return np.broadcast_to(np.array(""), node.shape)
    values = np.asarray(node[:])
    what = f"{location}: `{node.basename}`"
    if names is not None and values.dtype.kind in "iu":
        return _named(values, dict(enumerate(names)), what, "the archive names")
    return with_flag_meanings(values, dict(node.attrs), what)


def read_sizes(
    group: zarr.Group, cells: zarr.Array[Any], cell_axis: int, digests: ArchiveDigests
) -> tuple[NDArray[Any], NDArray[Any]] | tuple[None, None]:
    """Height and width of each cell, unless the group lacks one of them.

    Arrays of another length, or not of integers, are something else, unless they are an archive's.
    """
    columns = []
    for key in SIZE_KEYS:
        array = group.get(key)
        if not isinstance(array, zarr.Array):
            return None, None
        digests.check(array)
        values = read_column(array, cells, cell_axis, key)
        is_size = array.shape == cells.shape[cell_axis : cell_axis + 1] and array.dtype.kind in "iu"
        if not digests.covers(array) and (values is None or not is_size):
            return None, None
        columns.append(np.asarray(values))
    return columns[0], columns[1]


def ome_names(address: str, storage_options: Mapping[str, Any]) -> tuple[str | None, ...] | None:
    """Names of the axes of an array of OME-Zarr, which are in the group around it.

    None where there is no such group, or it does not list the array.
    """
    parent, _, name = address.rstrip("/").rpartition("/")
    if not parent or "::" in address:
        return None
    try:
        group = _open_node(parent, storage_options)
        attributes: Any = group.attrs.asdict()
        for scale in attributes.get("ome", attributes)["multiscales"]:
            if any(each["path"] == name for each in scale["datasets"]):
                return tuple(axis["name"] for axis in scale["axes"])
    except Exception:  # no group, none that may be read, or attributes of something else
        return None
    return None


def _roles(names: tuple[str | None, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return axis_order(names, shape, "")
    except InputError:
        return tuple(range(len(shape)))


def read_masks(
    group: zarr.Group, cells: zarr.Array[Any], axes: tuple[int, ...], digests: ArchiveDigests
) -> MaskArray | None:
    """The array `mask` of a group; None where there is none of bool that fits the cells.

    Its axes are cell, y, x, or cell, mask, y, x where each cell has several. One of an archive must
    fit; that is checked later.
    """
    array = group.get(MASK_KEY)
    if not isinstance(array, zarr.Array):
        return None
    expected = tuple(cells.shape[axis] for axis in axes[:3])
    fits = array.ndim in (3, 4) and (array.shape[0], *array.shape[-2:]) == expected
    if not digests.covers(array) and not (fits and array.dtype.kind == "b"):
        return None
    own = tuple(range(array.ndim))
    return MaskArray(
        fetch=zarr_fetch(array, own, digests),
        shape=array.shape,
        dtype=np.dtype(array.dtype),
        names=mask_names(array),
    )


def channel_names(array: zarr.Array[Any], key: str = CHANNEL_NAMES) -> tuple[str, ...]:
    """Names of an array's channels, by its attribute; empty where it has none."""
    names = array.attrs.get(key)
    return tuple(map(str, names)) if isinstance(names, list) else ()


def mask_names(array: zarr.Array[Any]) -> tuple[str, ...]:
    """Names of the masks of a cell, likewise."""
    return channel_names(array, MASK_NAMES)


def dimension_names(array: zarr.Array[Any]) -> tuple[str | None, ...] | None:
    """Names of the dimensions, in format 2 by xarray's attribute; None if there are none."""
    names = getattr(array.metadata, "dimension_names", None)
    names = array.attrs.get("_ARRAY_DIMENSIONS") if names is None else names
    if not isinstance(names, list | tuple) or len(names) != array.ndim:
        return None
    return tuple(str(name) if name else None for name in names)


def with_flag_meanings(values: NDArray[Any], attributes: Mapping[str, Any], what: str) -> Column:
    """Integers as the names that `flag_values` and `flag_meanings` give (CF conventions 3.5)."""
    if values.dtype.kind not in "iu" or "flag_meanings" not in attributes:
        return values
    meanings = str(attributes["flag_meanings"]).split()
    flags = np.atleast_1d(np.asarray(attributes.get("flag_values", range(len(meanings)))))
    if flags.shape != (len(meanings),):
        raise InputError(
            f"{what} has {flags.size} flag_values and {len(meanings)} flag_meanings: one each"
        )
    table = dict(zip(flags.tolist(), meanings, strict=True))
    return _named(values, table, what, "flag_values allow")


def _named(values: NDArray[Any], table: Mapping[int, str], what: str, allowed: str) -> Column:
    unknown = sorted(set(np.unique(values).tolist()) - set(table))
    if unknown:
        raise InputError(f"{what} holds {unknown[0]}, {allowed} {list(table)}")
    return np.array([table[value] for value in values.tolist()], np.str_)


def zarr_fetch(
    array: zarr.Array[Any], axes: tuple[int, ...], digests: ArchiveDigests | None = None
) -> Fetch:
    """Reads cells of a Zarr array: only the chunks that hold them, checked by their digests."""

    def take(selection: NDArray[np.int64] | slice) -> Pixels:
        if digests is not None and digests.covers(array):
            digests.check(array, np.arange(array.shape[0])[selection])
        elif digests is not None and digests.is_copied and axes[0] == 0:
            digests.require_chunks(array, np.arange(array.shape[0])[selection])
        before = (slice(None),) * axes[0]
        try:
            cells = np.asarray(array.oindex[(*before, selection)])
        except DAMAGED_CONTAINER as error:
            raise InputError(f"{array.store_path}: cannot be read: {error}") from error
        return np.transpose(cells, axes)

    return sorted_fetch(take)


def is_xarray(source: object) -> TypeGuard[xr.DataArray]:
    """Whether it is a variable of xarray, which whoever has one has imported."""
    xarray = sys.modules.get("xarray")
    return xarray is not None and isinstance(source, xarray.DataArray)


def xarray_columns(
    array: xr.DataArray, cell_axis: int, location: str
) -> tuple[RawAnnotations, list[NDArray[Any]], frozenset[str]]:
    """What an xarray variable's coordinates along the cells tell of them, named as in a group.

    Parameters
    ----------
    cell_axis
        The axis that counts the cells.
    location
        Begins messages.

    Returns
    -------
    annotations
        Not yet checked.
    sizes
        Height and width of each cell; empty unless both are there.
    unused
        Names of the other coordinates, without those of dimensions.
    """
    cell_dimension = array.dims[cell_axis : cell_axis + 1]

    def column(key: str) -> Column | None:
        coordinate = array.coords.get(key)
        if coordinate is None or coordinate.dims != cell_dimension:
            return None
        what = f"{location}: coordinate `{key}`"
        return with_flag_meanings(coordinate.to_numpy(), coordinate.attrs, what)

    annotations, used = RawAnnotations.from_lookup(column)
    found = [array.coords[key] for key in SIZE_KEYS if key in array.coords]
    sizes = [c.to_numpy() for c in found if c.dims == cell_dimension and c.dtype.kind in "iu"]
    if len(sizes) < len(SIZE_KEYS):
        sizes = []
    used |= set(SIZE_KEYS) if sizes else set()
    unused = frozenset(map(str, array.coords)) - used - set(map(str, array.dims))
    return annotations, sizes, unused


def xarray_channel_names(array: xr.DataArray, axes: tuple[int, ...]) -> tuple[str, ...]:
    """Names of an xarray variable's channels: those of the coordinate of their dimension."""
    if len(axes) < 4 or array.dims[axes[3]] not in array.coords:
        return ()
    return tuple(map(str, array.coords[array.dims[axes[3]]].to_numpy().tolist()))


def xarray_fetch(array: xr.DataArray, axes: tuple[int, ...]) -> Fetch:
    """Reads cells of an xarray variable."""

    def take(selection: NDArray[np.int64] | slice) -> Pixels:
        return np.transpose(array.isel({array.dims[axes[0]]: selection}).to_numpy(), axes)

    return sorted_fetch(take)
