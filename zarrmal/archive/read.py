"""Opening an archive as an xarray.Dataset."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from .layout import SOURCE_INDEX
from .target import Target, read_facts


def open_archive(
    url: str | os.PathLike[str],
    *,
    source_order: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Open an archive lazily: pixels are decoded when they are used.

    Parameters
    ----------
    url
        Local path or fsspec URL.
    source_order
        Give the cells in the order of the source instead of class by class. Reading a run of
        cells then touches several chunks.
    storage_options
        For fsspec.

    Returns
    -------
    xarray.Dataset
        ``cells`` uint8 (cell, y, x[, channel]) and the arrays of FORMAT 6, in dask chunks as
        stored.

    Raises
    ------
    InputError
        If there is no archive, or an incomplete one.
    """
    target = Target(os.fspath(url), storage_options or {})
    group = target.open(consolidated=None)
    read_facts(group, target.url)
    dataset: xr.Dataset = xr.open_zarr(
        target.url,
        chunks={},
        # One object instead of a listing and two requests an array; web servers list nothing.
        consolidated=group.metadata.consolidated_metadata is not None,
        zarr_format=group.metadata.zarr_format,
        storage_options=target.options or None,
    )
    if source_order:
        dataset = dataset.isel(cell=np.argsort(dataset[SOURCE_INDEX].values))
    return dataset
