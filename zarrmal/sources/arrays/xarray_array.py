"""Variables of xarray: read lazily, by index."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..columns.annotations import SIZE_KEYS, Column, RawAnnotations
from ..sizes import Pixels
from .array_source import Fetch, sorted_fetch

if TYPE_CHECKING:
    import xarray as xr
from .zarr_columns import with_flag_meanings


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
    beside = [array.coords[key] for key in SIZE_KEYS if key in array.coords]
    sizes = [
        each.to_numpy()
        for each in beside
        if each.dims == cell_dimension and each.dtype.kind in "iu"
    ]
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
