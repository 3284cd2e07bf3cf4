"""Arrays of an archive, by the consolidated copy of their metadata where their own are damaged."""

from __future__ import annotations

from typing import Any

import zarr
from zarrmal_codecs import Model, ZarrmalError

from .chunks import expect_whole_cells
from .info import cells_array, codec_configuration, model_of
from .layout import CELLS, ArchiveFacts
from .target import find_array


def find_or_copy(group: zarr.Group, name: str) -> tuple[zarr.Array[Any] | None, str | None]:
    """An array, and what is wrong with its metadata; None if it cannot be had at all."""
    try:
        array = find_array(group, name)
    except ZarrmalError as error:
        problem = str(error)
    else:
        if array is not None:
            return array, None
        problem = f"`{name}` is missing"
    whole = _by_copies(group)
    array = None if whole is None else find_array(whole, name)
    return array, problem if array is None else _with_copy(problem)


def find_cells(group: zarr.Group, facts: ArchiveFacts) -> tuple[zarr.Array[Any], Model, str | None]:
    """The array ``cells``, its model, and what is wrong with its metadata.

    Raises
    ------
    ZarrmalError
        If they are damaged, and no sound copy holds the archive's model.
    """
    try:
        return *_cells(group), None
    except ZarrmalError as error:
        whole = _by_copies(group)
        if whole is None:
            raise
        try:
            array, model = _cells(whole)
        except ZarrmalError:
            raise error from None
        if model.digest != facts.sha256:
            raise
        return array, model, _with_copy(f"the metadata of `{CELLS}` cannot be used: {error}")


def _cells(group: zarr.Group) -> tuple[zarr.Array[Any], Model]:
    array = cells_array(group)
    expect_whole_cells(array)
    return array, model_of(codec_configuration(array))


def _with_copy(problem: str) -> str:
    return f"{problem}; the consolidated copy of its metadata is used"


def _by_copies(group: zarr.Group) -> zarr.Group | None:
    try:
        return zarr.open_group(
            group.store,
            path=group.path,
            mode="r",
            zarr_format=group.metadata.zarr_format,
            use_consolidated=True,
        )
    except Exception:  # there is no copy, or it is damaged in whatever way
        return None
