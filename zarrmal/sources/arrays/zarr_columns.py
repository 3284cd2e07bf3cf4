"""What a Zarr group holds of each cell beside the array of cells: labels, names, sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ...errors import InputError
from ..columns.annotations import SIZE_KEYS, Column
from .archive_facts import archive_facts
from .digests import ArchiveDigests

if TYPE_CHECKING:
    pass
from .zarr_names import dimension_names


def archive_label_names(group: zarr.Group) -> list[str] | None:
    """Names of an archive's labels; None if the group is no archive with labels.

    The array's `flag_meanings` are no substitute: blanks in names are underscores there.
    """
    names = (archive_facts(group) or {}).get("label_names")
    return [str(name) for name in names] if isinstance(names, list) and names else None


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
