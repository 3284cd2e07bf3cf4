"""Arrays of an archive, by the consolidated copy of their metadata where their own are damaged."""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr
from zarrmal_codecs import CorruptionError, Model, ZarrmalError

from .chunks import expect_whole_cells
from .grid import Grid
from .info import cells_array, codec_configuration, model_of
from .layout import CELLS, ArchiveFacts
from .stored import metadata_digests
from .target import find_array, reopened

MAX_UNVOUCHED_CELLS = 10_000_000


def find_or_copy(
    group: zarr.Group, name: str, kinds: str | None = None
) -> tuple[zarr.Array[Any] | None, str | None]:
    """An array, and what is wrong with its metadata; None if it cannot be had at all.

    Parameters
    ----------
    kinds
        What its values may be, as NumPy's ``dtype.kind``; None takes any.
    """

    def fits(array: zarr.Array[Any]) -> bool:
        return kinds is None or np.dtype(array.dtype).kind in kinds

    try:
        array = find_array(group, name)
    except ZarrmalError as error:
        problem = str(error)
    else:
        if array is not None and fits(array):
            return array, None
        problem = f"`{name}` is missing"
        if array is not None:
            problem = f"the metadata of `{name}` are wrong: it would hold {array.dtype}"
    whole = _by_copies(group)
    try:
        array = None if whole is None else find_array(whole, name)
    except ZarrmalError:
        array = None
    if array is None or not fits(array):
        return None, problem
    return array, _with_copy(problem)


def find_cells(
    group: zarr.Group, facts: ArchiveFacts, *, prefer_copy: bool = False
) -> tuple[zarr.Array[Any], Model, str | None]:
    """The array ``cells``, its model, and what is wrong with its metadata.

    Parameters
    ----------
    prefer_copy
        Where the metadata can be read, but are not those promised, take the copy if it differs.
        Else they are taken as any reader of Zarr would.

    Raises
    ------
    ZarrmalError
        If they are damaged, and no sound copy holds the archive's model.
    """
    try:
        array, model = _cells(group)
    except ZarrmalError as error:
        copy = _copied_cells(group, facts)
        if copy is None:
            raise
        return *copy, _with_copy(f"the metadata of `{CELLS}` cannot be used: {error}")
    if prefer_copy and is_changed(group, facts):
        copy = _copied_cells(group, facts)
        if copy is not None and copy[0].metadata.to_dict() != array.metadata.to_dict():
            return *copy, _with_copy(f"the metadata of `{CELLS}` were changed")
    return array, model, None


def expect_promised(n_cells: int, array: zarr.Array[Any], facts: ArchiveFacts) -> None:
    """CorruptionError if far more cells are declared than digests are there for.

    Arrays beside the pixels are read whole, so that a stranger's document could ask for any memory.
    """
    vouched = Grid.of(array).object_cells * len(facts.digests.get(CELLS, {}))
    if n_cells > vouched + MAX_UNVOUCHED_CELLS:
        raise CorruptionError(
            f"the archive declares {n_cells:,} cells, its digests are of {vouched:,} at most"
        )


def is_changed(group: zarr.Group, facts: ArchiveFacts) -> bool:
    """Whether the metadata of ``cells`` are not those that the archive promises."""
    found = metadata_digests(group, [CELLS])
    return any(facts.metadata_digests.get(key) != digest for key, digest in found.items())


def _copied_cells(group: zarr.Group, facts: ArchiveFacts) -> tuple[zarr.Array[Any], Model] | None:
    whole = _by_copies(group)
    try:
        copy = None if whole is None else _cells(whole)
    except ZarrmalError:
        return None
    return copy if copy is not None and copy[1].digest == facts.sha256 else None


def _cells(group: zarr.Group) -> tuple[zarr.Array[Any], Model]:
    array = cells_array(group)
    expect_whole_cells(array)
    return array, model_of(codec_configuration(array))


def _with_copy(problem: str) -> str:
    return f"{problem}; the consolidated copy of its metadata is used"


def _by_copies(group: zarr.Group) -> zarr.Group | None:
    try:
        return reopened(group, consolidated=True)
    except Exception:  # there is no copy, or it is damaged in whatever way
        return None
