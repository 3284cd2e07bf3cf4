"""Read an archive with zarr. `zarrmal-codecs` must be installed; nothing of it is imported.

python examples/read_with_zarr.py cells.zarr
"""

from __future__ import annotations

import json
import sys

import zarr

archive = zarr.open_group(sys.argv[1], mode="r")
cells = archive["cells"]
print(cells.shape, cells.dtype)

cell = cells[17]  # fetches and decodes only this cell
names = json.loads(archive.attrs["zarrmal"])["classes"]
print("cell 17 is", names[int(archive["predicted_class"][17])], "with mean grey level", cell.mean())

everything = cells[:]
print("all cells:", everything.nbytes, "bytes of pixels")
