"""What other programs have added to an archive: cells behind its own, variables beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import zarr
from zarr.core.sync import sync
from zarrmal_codecs import ZarrmalError

from ..errors import InputError
from .format import BASE_NAMES, CELLS, dimensions
from .opened import OpenArchive, find_array, reopened

CELL_DIMENSION = dimensions(CELLS, 1)[0]
GROUP_DOCUMENTS = ("zarr.json", ".zgroup", ".zattrs", ".zmetadata")


def longer_arrays(archive: OpenArchive) -> dict[str, int]:
    """Arrays that hold more cells than the archive says, and how many they hold.

    During an append of zarrmal, and after one that was interrupted, they are longer too: look for
    its journal first.

    Parameters
    ----------
    archive
        By each array's own documents; consolidated metadata may not know of what was added.
    """
    lengths = {}
    for name in sorted(archive.facts.arrays):
        try:
            array = archive.array(name)
        except ZarrmalError:
            continue  # damage is reported where the array is read
        if array is not None and array.ndim and array.shape[0] > archive.facts.n_cells:
            lengths[name] = array.shape[0]
    return lengths


def longer_problem(archive: OpenArchive) -> str | None:
    """A line about cells that another program has stored behind the archive's; None without."""
    lengths = longer_arrays(archive)
    if not lengths:
        return None
    held = ", ".join(f"`{name}` holds {n:,}" for name, n in lengths.items())
    return (
        f"{held} cells, the archive says {archive.facts.n_cells:,}: another program has added the "
        f"rest"
    )


def refuse_longer(archive: OpenArchive) -> None:
    """InputError if an append would replace cells that another program has stored."""
    problem = longer_problem(archive)
    if problem is not None:
        raise InputError(
            f"{archive.location.url}: {problem}, and appending would replace them: read them with "
            f"zarr, take them off with zarr's `resize`, then append them with `zarrmal append`"
        )


def refuse_foreign_variables(archive: OpenArchive) -> None:
    """InputError if arrays of others count the archive's cells: an append would not extend them.

    xarray could not open the group any more, as one dimension would have two lengths.
    """
    names = sorted({name for name, _ in _foreign_variables(archive)})
    if names:
        shown = ", ".join(f"`{name}`" for name in names)
        raise InputError(
            f"{archive.location.url} holds {shown} of another program, with a value for each cell; "
            f"the appended cells would have none, and xarray could not open the archive: move it "
            f"to a group of its own first"
        )


def _foreign_variables(archive: OpenArchive) -> Iterator[tuple[str, zarr.Array[Any]]]:
    """Arrays with a dimension `cell` that are not the archive's, by either kind of metadata."""
    group, own = archive.group, BASE_NAMES.union(archive.facts.arrays)
    groups = [reopened(group, consolidated=False)]
    if group.metadata.consolidated_metadata is not None:
        groups.append(group)
    else:
        with suppress(Exception):  # there is no copy, or it is damaged in whatever way
            groups.append(reopened(group, consolidated=True))
    for each in groups:
        names = [name for name in _names_in(each) if name not in own]
        for name in names:
            array = find_array(each, name)
            if array is not None and CELL_DIMENSION in dimension_names(array):
                yield name, array


def _names_in(group: zarr.Group) -> list[str]:
    """Names below a group, without a look at what they are: of the archive's own that is known."""
    if group.metadata.consolidated_metadata is not None:
        return list(group.array_keys())

    async def listed() -> list[str]:
        return [name.strip("/") async for name in group.store.list_dir(group.path)]

    return [name for name in sync(listed()) if name not in GROUP_DOCUMENTS]


def dimension_names(array: zarr.Array[Any]) -> tuple[str | None, ...]:
    """Names of an array's dimensions in either format; empty if it has none."""
    names: Any = getattr(array.metadata, "dimension_names", None)
    if array.metadata.zarr_format == 2:
        names = array.attrs.get("_ARRAY_DIMENSIONS")
    return tuple(names) if isinstance(names, list | tuple) else ()


def n_foreign_cells(archive: OpenArchive) -> int:
    """Cells that another program has stored behind the archive's, by the document of `cells`."""
    try:
        array = find_array(reopened(archive.group, consolidated=False), CELLS)
    except ZarrmalError:
        return 0  # damage is reported where the array is read
    n_stored = array.shape[0] if array is not None and array.ndim else 0
    return max(n_stored - archive.n_cells, 0)
