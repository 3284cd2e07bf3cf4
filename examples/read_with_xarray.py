"""Compute the mean image of each class lazily with xarray, and save it as PNG.

python examples/read_with_xarray.py cells.zarr mean
"""

from __future__ import annotations

import json
import sys

import numpy as np
import xarray as xr
from PIL import Image

archive, prefix = sys.argv[1:3]
dataset = xr.open_zarr(archive)
means = dataset.cells.groupby(dataset.predicted_class.compute()).mean("cell").compute()
for k, name in enumerate(json.loads(dataset.attrs["zarrmal"])["classes"]):
    image = means.sel(predicted_class=k)
    print(name, "mean grey level", float(image.mean().round(2)))
    Image.fromarray(np.rint(image.values).astype(np.uint8)).save(f"{prefix}-{name}.png")
