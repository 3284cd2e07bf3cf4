"""Archive the cells of a slide, then take those of one class within a rectangle of the slide.

python examples/make_slide.py slide.svs
python examples/slide_to_archive.py slide.svs cells.zarr region.png
"""

from __future__ import annotations

import json
import sys

import numpy as np
import xarray as xr
from PIL import Image

import zarrmal

slide, archive, picture = sys.argv[1:4]

# The stain and the size of a cell are found from the slide; nothing is to be set.
info = zarrmal.write(slide, archive)
print(f"{info.n_cells} cells, {info.bits_per_pixel:.2f} bits/pixel, everything included")

# A reader needs xarray and zarrmal-codecs. Where a cell lies on the slide is a coordinate.
data = xr.open_zarr(archive)
classes = json.loads(data.attrs["zarrmal"])["classes"]
counts = np.bincount(data.predicted_class.values, minlength=len(classes))
k = int(counts.argmax())
here = (data.slide_x < 300) & (data.slide_y < 200) & (data.predicted_class == k)
some = data.isel(cell=np.flatnonzero(here.values))
print(f"{some.sizes['cell']} cells of class {classes[k]} in the rectangle")
print(f"mean diameter {float(some.equivalent_diameter.mean()):.1f} pixels")

# Drawn back where they were.
canvas = np.zeros((280, 380, 3), np.uint8)
for cell in range(some.sizes["cell"]):
    one = some.isel(cell=cell)
    pixels = one.cells.values[: int(one.slide_height), : int(one.slide_width)]
    y, x = int(one.slide_y), int(one.slide_x)
    part = canvas[y : y + pixels.shape[0], x : x + pixels.shape[1]]
    np.maximum(part, pixels, out=part)
Image.fromarray(canvas).save(picture)
