"""Read an archive with plain zarr. Only `zarrmal-codecs` has to be installed, nothing is imported.

python examples/read_with_zarr.py cells.zarr
"""

from __future__ import annotations

import sys

import zarr

archive = zarr.open_group(sys.argv[1], mode="r")
cells = archive["cells"]
print(cells.shape, cells.dtype)

one = cells[17]  # fetches and decodes this cell alone
names = archive.attrs["zarrmal"]["classes"]
print("cell 17 is", names[int(archive["predicted_class"][17])], "with mean grey level", one.mean())

everything = cells[:]
print("all cells:", everything.nbytes, "bytes of pixels")
