"""Names that a Zarr array gives its dimensions, its channels and its masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import zarr

if TYPE_CHECKING:
    pass

CHANNEL_NAMES, MASK_NAMES = "channel_names", "mask_names"
"""Attributes of ``cells`` and ``mask`` of an archive."""


def dimension_names(array: zarr.Array[Any]) -> tuple[str | None, ...] | None:
    """Names of the dimensions, in format 2 by xarray's attribute; None if there are none."""
    names = getattr(array.metadata, "dimension_names", None)
    names = array.attrs.get("_ARRAY_DIMENSIONS") if names is None else names
    if not isinstance(names, list | tuple) or len(names) != array.ndim:
        return None
    return tuple(str(name) if name else None for name in names)


def channel_names(array: zarr.Array[Any], key: str = CHANNEL_NAMES) -> tuple[str, ...]:
    """Names of an array's channels, by its attribute; empty where it has none."""
    names = array.attrs.get(key)
    return tuple(map(str, names)) if isinstance(names, list) else ()


def mask_names(array: zarr.Array[Any]) -> tuple[str, ...]:
    """Names of the masks of a cell, likewise."""
    return channel_names(array, MASK_NAMES)
