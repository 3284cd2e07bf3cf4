"""HDF5 files with one data set of images, read slice by slice; among them those of scPortrait.

scPortrait's files (.h5sc, an AnnData) hold ``obsm/single_cell_images`` (cell, channel, y, x), whose
attribute ``channel_mapping`` says which channels are masks, and ``obs/cell_id``. Its forerunner
SPARCSpy wrote ``single_cell_data`` and ``single_cell_index``, without such an attribute.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, MissingError, input_error
from ..columns.annotations import SIZE_KEYS, Column, RawAnnotations
from ..dimensions import axis_order
from ..limits import PIXEL_KINDS
from ..masks.planes import MASK_KEY, MaskArray, Planes
from ..sizes import Pixels
from .array_source import Fetch

if TYPE_CHECKING:
    import h5py

HDF5_SUFFIXES = (".h5", ".hdf5", ".h5sc", ".h5ad", ".he5")
ADDRESS = re.compile(rf"(.+?(?:{'|'.join(map(re.escape, HDF5_SUFFIXES))}))(?:::(.+))?", re.I)
IMAGES = ("obsm/single_cell_images", "single_cell_data", "cells")
"""Names of data sets that are taken for the images, by preference."""
CELL_IDS = ("obs/cell_id", "single_cell_index")
"""Numbers that trace a cell to its place in the segmented image, where it has no name."""
MASK_CHANNEL = "mask"
CACHE_BYTES = 64 * 2**20
"""Decoded chunks that stay in memory, as neighbouring cells may lie in one."""
MAX_LISTED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Hdf5Address:
    """A file, and the name of the data set in it; None looks for it."""

    path: Path
    data_set: str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hdf5Cells:
    """The images of a file.

    Parameters
    ----------
    fetch
        Reads cells by index, in the order of ``axes``.
    shape, dtype
        Of the data set.
    axes
        In the order cell, y, x[, channel].
    annotations
        Columns beside the images.
    planes
        Which channels are masks, by the file.
    heights, widths, masks
        See ArraySource.
    unused
        Names of data sets beside the images.
    """

    fetch: Fetch
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    axes: tuple[int, ...]
    location: str
    annotations: RawAnnotations = field(default_factory=RawAnnotations)
    planes: Planes = field(default_factory=Planes)
    heights: NDArray[Any] | None = None
    widths: NDArray[Any] | None = None
    masks: MaskArray | None = None
    unused: frozenset[str] = frozenset()


def hdf5_address(address: str) -> Hdf5Address | None:
    """The parts of ``file.h5`` or ``file.h5::data/set``; None for anything else.

    Raises
    ------
    InputError
        If the file is remote.
    """
    match = ADDRESS.fullmatch(address)
    if match is None:
        return None
    if "://" in address or "::" in match[1]:
        raise InputError(f"{address}: an HDF5 file is read from a disk: copy it there first")
    if Path(match[1]).is_dir():  # an archive, or a folder, of that name
        return None
    return Hdf5Address(path=Path(match[1]), data_set=match[2])


def open_hdf5(address: Hdf5Address, letters: str | None = None) -> Hdf5Cells:
    """The images of a file, with what is stored beside them.

    Without a name, the data set is that of scPortrait, or called ``cells``, or the only one of
    numbers with three or four axes. Columns and sizes are looked for beside it, and in ``obs``,
    under the names that they have in a Zarr group.

    Parameters
    ----------
    letters
        The axes, where the caller says them; see axis_order.

    Raises
    ------
    InputError
        If h5py is not installed, or the file holds no images, or several such data sets.
        MissingError, AccessError where that is why.
    """
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise InputError(
            f"{address.path}: an HDF5 file needs h5py, which is not installed: pip install "
            f"'zarrmal[hdf5]'"
        ) from error
    if not address.path.exists():
        raise MissingError(f"{address.path}: there is no such file: check the path")
    try:
        file = h5py.File(address.path, "r", rdcc_nbytes=CACHE_BYTES)
        images = _find_images(file, address)
    except OSError as error:
        raise input_error(f"{address.path}: cannot be opened as HDF5: {error}", error) from error
    name = images.name.lstrip("/")
    location = f"HDF5 {address.path}::{name}"
    axes = axis_order(_dimension_names(images), images.shape, location, letters)
    n_cells = images.shape[axes[0]] if images.ndim else 0
    try:
        annotations, used = RawAnnotations.from_lookup(lambda key: _column(file, images, key))
        if annotations.names is None and (ids := _cell_ids(file, n_cells)) is not None:
            annotations = RawAnnotations(
                labels=annotations.labels,
                groups=annotations.groups,
                names=ids,
                splits=annotations.splits,
            )
        sizes = [_column(file, images, key) for key in SIZE_KEYS]
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise InputError(f"{location}: the columns beside it cannot be read: {error}") from error
    known = [np.asarray(column) for column in sizes if column is not None]
    has_sizes = len(known) == len(SIZE_KEYS) and all(c.dtype.kind in "iu" for c in known)
    masks = images.parent.get(MASK_KEY)
    has_masks = isinstance(masks, h5py.Dataset) and masks.dtype.kind == "b" and masks.ndim in (3, 4)
    used |= {*(SIZE_KEYS if has_sizes else ()), *((MASK_KEY,) if has_masks else ())}
    beside = {key for key, node in images.parent.items() if isinstance(node, h5py.Dataset)}
    return Hdf5Cells(
        fetch=_fetch(images, axes, location),
        shape=images.shape,
        dtype=images.dtype,
        axes=axes,
        location=location,
        annotations=annotations,
        planes=_planes(images),
        heights=known[0] if has_sizes else None,
        widths=known[1] if has_sizes else None,
        masks=_mask_array(masks, location) if has_masks else None,
        unused=frozenset(beside - used - {name.rpartition("/")[2], *CELL_IDS}),
    )


def _find_images(file: h5py.File, address: Hdf5Address) -> h5py.Dataset:
    import h5py

    where = f"{address.path}"
    if address.data_set is not None:
        node = file.get(address.data_set)
        if not isinstance(node, h5py.Dataset):
            listed = _listed(list(_image_sets(file)))
            raise InputError(f"{where}: holds no data set {address.data_set!r}: it has {listed}")
        return node
    for name in IMAGES:
        node = file.get(name)
        if isinstance(node, h5py.Dataset):
            return node
    names = list(_image_sets(file))
    if len(names) != 1:
        raise InputError(
            f"{where}: holds {len(names) or 'no'} data sets of images, that is of numbers with "
            f"three or four axes{f' ({_listed(names)})' if names else ''}: name one, as in "
            f"{address.path.name}::{names[0] if names else 'NAME'}"
        )
    return file[names[0]]


def _image_sets(file: h5py.File) -> Iterator[str]:
    """Names of the data sets that may be images."""
    import h5py

    names: list[str] = []

    def note(name: str, node: Any) -> None:
        is_image = isinstance(node, h5py.Dataset) and node.ndim in (3, 4)
        if is_image and node.dtype.kind in PIXEL_KINDS and name.rpartition("/")[2] != MASK_KEY:
            names.append(name)

    file.visititems(note)
    yield from sorted(names)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return f"{', '.join(names[:MAX_LISTED]) or 'none'}{more}"


def _dimension_names(images: h5py.Dataset) -> list[str | None]:
    """Labels of the dimensions, which few programs store."""
    return [dimension.label or None for dimension in images.dims]


def _planes(images: h5py.Dataset) -> Planes:
    """Names of the channels, and which of them are masks, by scPortrait's attributes."""
    names = _texts(images.attrs.get("channel_names"))
    mapping = _texts(images.attrs.get("channel_mapping"))
    masks = tuple(k for k, kind in enumerate(mapping) if kind == MASK_CHANNEL)
    return Planes(masks=masks, names=names)


def _texts(values: Any) -> tuple[str, ...]:
    if values is None:
        return ()
    return tuple(
        v.decode(errors="replace") if isinstance(v, bytes) else str(v)
        for v in np.atleast_1d(values).tolist()
    )


def _column(file: h5py.File, images: h5py.Dataset, key: str) -> Column | None:
    """A column beside the images or in ``obs``; None if there is none of that name."""
    for group in (images.parent, file.get("obs")):
        values = None if group is None or not hasattr(group, "get") else _values(group.get(key))
        if values is not None and values.ndim == 1:
            return values
    return None


def _values(node: Any) -> NDArray[Any] | None:
    """Values of a data set, or of a group of categories as AnnData stores it."""
    import h5py

    if isinstance(node, h5py.Group) and {"codes", "categories"} <= set(node):
        codes, categories = _values(node["codes"]), _values(node["categories"])
        if codes is None or categories is None:
            return None
        # -1 is a missing value, which the check of annotations names.
        names: NDArray[Any] = np.append(categories.astype(np.str_), "")[codes]
        return names
    if not isinstance(node, h5py.Dataset) or node.ndim != 1:
        return None
    if h5py.check_string_dtype(node.dtype) is not None:
        return np.array(node.asstr()[()].tolist(), np.str_)
    values: NDArray[Any] = node[()]
    return values


def _cell_ids(file: h5py.File, n_cells: int) -> Column | None:
    """Ids of the cells as names; None where the file has none."""
    for key in CELL_IDS:
        node = file.get(key)
        if node is not None and getattr(node, "shape", ())[:1] == (n_cells,) and node.ndim <= 2:
            values = np.asarray(node[()]).reshape(n_cells, -1)[:, -1]
            if values.dtype.kind in "iu":
                return values.astype(np.str_)
    return None


def _mask_array(masks: h5py.Dataset, location: str) -> MaskArray:
    own = tuple(range(masks.ndim))
    return MaskArray(fetch=_fetch(masks, own, location), shape=masks.shape, dtype=masks.dtype)


def _fetch(
    data: h5py.Dataset, axes: tuple[int, ...], location: str
) -> Callable[[NDArray[np.int64]], Pixels]:
    """Reads cells by runs of neighbours: h5py is slow at lists of numbers."""

    def fetch(indices: NDArray[np.int64]) -> Pixels:
        unique, inverse = np.unique(indices, return_inverse=True)
        edges = [0, *(np.flatnonzero(np.diff(unique) != 1) + 1).tolist(), len(unique)]
        before = (slice(None),) * axes[0]
        parts = []
        try:
            for first, last in zip(edges, edges[1:]):
                if last > first:
                    run = slice(int(unique[first]), int(unique[last - 1]) + 1)
                    parts.append(np.transpose(data[(*before, run)], axes))
        except (OSError, RuntimeError, ValueError) as error:
            raise InputError(
                f"{location}: cells {int(unique[0])} to {int(unique[-1])} cannot be read: {error}: "
                f"the file is damaged, or packed with a filter that is not installed (pip install "
                f"hdf5plugin)"
            ) from error
        if not parts:
            shape = tuple(data.shape[axis] for axis in axes[1:])
            return np.empty((0, *shape), data.dtype)
        together = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return together[inverse]

    return fetch
