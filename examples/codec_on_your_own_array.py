"""Use the codec on a plain Zarr array of your own, and on an xarray dataset.

python examples/codec_on_your_own_array.py [MODEL]
"""

from __future__ import annotations

import sys
import tempfile

import numpy as np
import xarray as xr
import zarr
from zarrmal_codecs import Model, array_arguments

from zarrmal.models import shipped_model
from zarrmal.sources.synthetic import synthetic_cells

model = Model.load(sys.argv[1]) if sys.argv[1:] else shipped_model(1)
cells = synthetic_cells(256, channels=1, seed=9).cells

with tempfile.TemporaryDirectory() as folder:
    # zarr: the codec is the serializer, and array_arguments puts it there.
    array = zarr.create_array(
        f"{folder}/mine.zarr",
        shape=cells.shape,
        chunks=(64, 50, 50),
        dtype="uint8",
        **array_arguments(model),
    )
    array[:] = cells  # each cell goes to the class that codes it in fewer bits
    array[3:5] = 0  # plain zarr in every way
    assert not zarr.open_array(f"{folder}/mine.zarr", mode="r")[3:5].any()

    # xarray: the same arguments are a variable's encoding.
    dataset = xr.Dataset({"cells": (("cell", "y", "x"), cells)})
    encoding = {"chunks": (64, 50, 50), **array_arguments(model, library="xarray")}
    dataset.to_zarr(f"{folder}/xarray.zarr", encoding={"cells": encoding}, consolidated=False)
    again = xr.open_zarr(f"{folder}/xarray.zarr", consolidated=False)
    assert np.array_equal(again.cells, cells)

print("both arrays came back bit for bit")
