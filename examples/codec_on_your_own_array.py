"""Use the codec for a Zarr array of your own and for an xarray dataset.

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
    # zarr: array_arguments passes the codec as the serializer.
    array = zarr.create_array(
        f"{folder}/mine.zarr",
        shape=cells.shape,
        chunks=(64, 50, 50),
        dtype="uint8",
        **array_arguments(model),
    )
    array[:] = cells  # each cell is coded with the class that needs the fewest bits
    array[3:5] = 0  # the array behaves as any other
    assert not zarr.open_array(f"{folder}/mine.zarr", mode="r")[3:5].any()

    # xarray: the arguments are the encoding of a variable.
    dataset = xr.Dataset({"cells": (("cell", "y", "x"), cells)})
    encoding = {"chunks": (64, 50, 50), **array_arguments(model, library="xarray")}
    dataset.to_zarr(f"{folder}/xarray.zarr", encoding={"cells": encoding}, consolidated=False)
    again = xr.open_zarr(f"{folder}/xarray.zarr", consolidated=False)
    assert np.array_equal(again.cells, cells)

print("both arrays are equal to the cells, bit for bit")
