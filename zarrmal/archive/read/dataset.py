"""An archive as an xarray.Dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import zarr

from ..format import SOURCE_INDEX
from ..opened import OpenArchive

if TYPE_CHECKING:
    import xarray as xr

MISSING_IS_AN_ERROR = {"array.read_missing_chunks": False}
"""Of zarr's configuration; versions that lack it read a missing chunk as a black one."""

Chunks = int | dict[Any, Any] | Literal["auto"] | None


def open_dataset(
    archive: OpenArchive, *, source_order: bool = False, chunks: Chunks = None
) -> xr.Dataset:
    """See Archive.dataset."""
    import xarray as xr  # takes as long as all else that is imported

    metadata = archive.group.metadata
    with zarr.config.set(MISSING_IS_AN_ERROR):
        dataset: xr.Dataset = xr.open_zarr(
            **archive.location.xarray_arguments(),
            chunks=chunks,
            # One object instead of a listing and two requests an array; web servers list nothing.
            consolidated=metadata.consolidated_metadata is not None,
            zarr_format=metadata.zarr_format,
        )
    if source_order:
        dataset = dataset.isel(cell=np.argsort(dataset[SOURCE_INDEX].values))
    return dataset
