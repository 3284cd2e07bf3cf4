"""Save some cells of an archive as netCDF, for programs that do not read Zarr.

Needs h5netcdf and h5py.

python examples/save_as_netcdf.py cells.zarr cells.nc
"""

from __future__ import annotations

import sys

import xarray as xr

import zarrmal

archive, path = sys.argv[1:3]

dataset = zarrmal.open(archive, source_order=True)
first = dataset.isel(cell=slice(0, 64)).load()
# netCDF does not know our codec: with gzip the file is about twice as large as the archive.
compressed = {"cells": {"zlib": True, "chunksizes": (16, *first.cells.shape[1:])}}
first.drop_encoding().to_netcdf(path, engine="h5netcdf", encoding=compressed)

with xr.open_dataset(path, engine="h5netcdf") as again:
    xr.testing.assert_identical(again.load(), first)
    print(f"{again.sizes['cell']} cells in {path}: equal pixels, columns and attributes")
