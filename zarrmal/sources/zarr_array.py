"""Zarr arrays and groups at any address, and xarray variables: read lazily, by index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from ..errors import InputError
from .annotations import Column, Columns
from .array_source import Fetch, sorted_fetch

VARIABLE = "cells"
ZARR_MARKERS = ("zarr.json", ".zgroup", ".zarray")
OPENING_ERRORS = (OSError, ValueError, TypeError, LookupError, RuntimeError)


def open_zarr(where: str, storage_options: Mapping[str, Any]) -> tuple[zarr.Array[Any], Columns]:
    """The array of cells at an address, and the columns beside it.

    Parameters
    ----------
    where
        Path or URL of an array, or of a group with the array `cells`. Of a group, 1-D arrays
        with one value per cell are taken along: `label`, `source_group` or `slide`,
        `source_name` or `path`.
    storage_options
        Of fsspec; unused for a path.

    Raises
    ------
    InputError
        If there is none, or it cannot be opened.
    """
    try:
        options = dict(storage_options) if "://" in where and storage_options else None
        node = zarr.open(where, mode="r", storage_options=options)
        if isinstance(node, zarr.Array):
            return node, Columns()
        cells = node.get(VARIABLE)
        if not isinstance(cells, zarr.Array):
            raise InputError(
                f"{where}: the group holds {', '.join(sorted(node.array_keys())) or 'no arrays'}, "
                f"but no `{VARIABLE}`: give the address of the array itself"
            )
        n_cells = cells.shape[:1]
        return cells, Columns.found(lambda key: read_column(node.get(key), n_cells, where))
    except InputError:
        raise
    except ImportError as error:
        raise InputError(f"{where}: needs a package that is not installed: {error}") from error
    except OPENING_ERRORS as error:
        raise InputError(
            f"{where}: no Zarr array or group can be opened there: {error}: check the address "
            "and the storage options"
        ) from error


def read_column(node: object, shape: tuple[int, ...], where: str) -> Column | None:
    """Values of a 1-D array beside the cells; None if there is none of that shape.

    Integers with the attribute `flag_meanings` are turned into those names (CF conventions, 3.5).

    Raises
    ------
    InputError
        If a value has no meaning among the flags.
    """
    if not isinstance(node, zarr.Array) or node.shape != shape:
        return None
    values = np.asarray(node[:])
    attributes = dict(node.attrs)
    return with_flag_meanings(values, attributes, f"{where}: `{node.basename}`")


def with_flag_meanings(values: NDArray[Any], attributes: Mapping[str, Any], what: str) -> Column:
    """Integers as the names that CF's `flag_values` and `flag_meanings` give them, 3.5."""
    if values.dtype.kind not in "iu" or "flag_meanings" not in attributes:
        return values
    meanings = str(attributes["flag_meanings"]).split()
    flags = np.atleast_1d(np.asarray(attributes.get("flag_values", range(len(meanings)))))
    if flags.shape != (len(meanings),):
        raise InputError(
            f"{what} has {flags.size} flag_values and {len(meanings)} flag_meanings: one each"
        )
    table = dict(zip(flags.tolist(), meanings, strict=True))
    unknown = sorted(set(np.unique(values).tolist()) - set(table))
    if unknown:
        raise InputError(f"{what} holds {unknown[0]}, flag_values allow {flags.tolist()}")
    return np.array([table[value] for value in values.tolist()], np.str_)


def zarr_fetch(array: zarr.Array[Any]) -> Fetch:
    """Reads cells of a Zarr array: only the chunks that hold them."""

    def take(selection: NDArray[np.int64] | slice) -> NDArray[np.uint8]:
        return np.asarray(array.oindex[selection])

    return sorted_fetch(take)


def xarray_fetch(array: xr.DataArray) -> Fetch:
    """Reads cells of an xarray variable, whose first dimension counts them."""

    def take(selection: NDArray[np.int64] | slice) -> NDArray[np.uint8]:
        return array.isel({array.dims[0]: selection}).to_numpy()

    return sorted_fetch(take)
