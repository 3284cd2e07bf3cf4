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
from .promised import ARCHIVE_ATTRIBUTE, Promises

VARIABLE = "cells"
LABEL = "label"
ZARR_MARKERS = ("zarr.json", ".zgroup", ".zarray")
OPENING_ERRORS = (OSError, ValueError, TypeError, LookupError, RuntimeError)


def open_zarr(
    where: str, storage_options: Mapping[str, Any]
) -> tuple[zarr.Array[Any], Columns, Promises | None]:
    """The array of cells at an address, the columns beside it, and what is promised of its chunks.

    Parameters
    ----------
    where
        Path or URL of an array, or of a group with the array `cells`. Of a group, 1-D arrays
        with one value per cell are taken along: `label`, `source_group` or `slide`,
        `source_name` or `path`. The labels of an archive are named as its own attribute says.
    storage_options
        Of fsspec; unused for a path.

    Raises
    ------
    InputError
        If there is none, it cannot be opened, or an archive's columns are damaged.
    """
    try:
        options = dict(storage_options) if "://" in where and storage_options else None
        node = zarr.open(where, mode="r", storage_options=options)
        if isinstance(node, zarr.Array):
            return node, Columns(), None
        cells = node.get(VARIABLE)
        if not isinstance(cells, zarr.Array):
            raise InputError(
                f"{where}: the group holds {', '.join(sorted(node.array_keys())) or 'no arrays'}, "
                f"but no `{VARIABLE}`: give the address of the array itself"
            )
        names, promises = archive_label_names(node), Promises(node, where)
        promises.expect_arrays(node)

        def column(key: str) -> Column | None:
            own, array = names if key == LABEL else None, node.get(key)
            if isinstance(array, zarr.Array):
                promises.check(array)
            return read_column(array, cells, where, own)

        return cells, Columns.found(column), promises
    except InputError:
        raise
    except ImportError as error:
        raise InputError(f"{where}: needs a package that is not installed: {error}") from error
    except OPENING_ERRORS as error:
        raise InputError(
            f"{where}: no Zarr array or group can be opened there: {error}: check the address "
            "and the storage options"
        ) from error


def archive_label_names(group: zarr.Group) -> list[str] | None:
    """What the labels of an archive refer to; None if the group is no archive with labels.

    Its `flag_meanings` say less: there blanks have become underscores.
    """
    facts = group.attrs.get(ARCHIVE_ATTRIBUTE)
    names = facts.get("label_names") if isinstance(facts, Mapping) else None
    return [str(name) for name in names] if isinstance(names, list) and names else None


def read_column(
    node: object, cells: zarr.Array[Any], where: str, names: list[str] | None = None
) -> Column | None:
    """Values of a 1-D array beside the cells; None if there is none, or it has another dimension.

    Integers are turned into the names that are given for 0, 1, …; without such, and with the
    attribute `flag_meanings`, into those (CF conventions, 3.5).

    Raises
    ------
    InputError
        If a value has no name among them.
    """
    if not isinstance(node, zarr.Array):
        return None
    if node.shape != cells.shape[:1]:
        mine, theirs = _dimension(node), _dimension(cells)
        if mine is not None and theirs is not None and mine != theirs:
            return None
        # Not read; its shape is refused where columns are checked, unless another one is given.
        return np.broadcast_to(np.array(""), node.shape)
    values = np.asarray(node[:])
    what = f"{where}: `{node.basename}`"
    if names is not None and values.dtype.kind in "iu":
        return _named(values, dict(enumerate(names)), what, "the archive names")
    return with_flag_meanings(values, dict(node.attrs), what)


def _dimension(array: zarr.Array[Any]) -> str | None:
    """Name of the first dimension, where it has one."""
    names = getattr(array.metadata, "dimension_names", None)
    names = array.attrs.get("_ARRAY_DIMENSIONS") if names is None else names
    return str(names[0]) if isinstance(names, list | tuple) and names and names[0] else None


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
    return _named(values, table, what, "flag_values allow")


def _named(values: NDArray[Any], table: Mapping[int, str], what: str, allowed: str) -> Column:
    unknown = sorted(set(np.unique(values).tolist()) - set(table))
    if unknown:
        raise InputError(f"{what} holds {unknown[0]}, {allowed} {list(table)}")
    return np.array([table[value] for value in values.tolist()], np.str_)


def zarr_fetch(array: zarr.Array[Any], promises: Promises | None = None) -> Fetch:
    """Reads cells of a Zarr array: only the chunks that hold them, which must be as promised."""

    def take(selection: NDArray[np.int64] | slice) -> NDArray[np.uint8]:
        if promises is not None:
            promises.check(array, np.arange(array.shape[0])[selection])
        return np.asarray(array.oindex[selection])

    return sorted_fetch(take)


def xarray_fetch(array: xr.DataArray) -> Fetch:
    """Reads cells of an xarray variable, whose first dimension counts them."""

    def take(selection: NDArray[np.int64] | slice) -> NDArray[np.uint8]:
        return array.isel({array.dims[0]: selection}).to_numpy()

    return sorted_fetch(take)
