"""Write an archive into a zip file through zarr's store, and read it there.

python examples/write_to_a_zip.py cells cells.zip
"""

from __future__ import annotations

import sys

import zarr
from zarr.storage import ZipStore

import zarrmal

folder, path = sys.argv[1:3]

with ZipStore(path, mode="w") as store:  # each object is stored once: nothing can be appended
    zarrmal.write(folder, store)

print(zarrmal.verify(f"zip::{path}").problems or "sound")
with ZipStore(path, mode="r") as store:
    print(zarr.open_group(store, mode="r")["cells"].shape)
