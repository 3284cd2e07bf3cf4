"""Zarr arrays and groups at any address: read lazily, by index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
from .zarr_columns import archive_label_names, read_column, read_sizes
from .zarr_names import channel_names, dimension_names, mask_names

if TYPE_CHECKING:
    pass

VARIABLE = "cells"
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
    except Exception as error:  # errors of stores' libraries have no class in common
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


def archive_preprocessing(group: zarr.Group) -> Preprocessing | None:
    """What an archive records of the preprocessing of its cells; None if nothing."""
    record = (archive_facts(group) or {}).get("preprocessing")
    return Preprocessing.from_json(record) if isinstance(record, Mapping) else None


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
