"""Write an archive through obstore, which speaks to S3, Google Cloud Storage, Azure and folders.

python examples/write_with_obstore.py cells folder
"""

from __future__ import annotations

import sys

import obstore.store
import zarr
from zarr.storage import ObjectStore

import zarrmal

folder, path = sys.argv[1:3]

# Such as obstore.store.S3Store("bucket", prefix="cells.zarr").
store = ObjectStore(obstore.store.LocalStore(path, mkdir=True))
zarrmal.write(folder, store)

print(zarrmal.verify(store).problems or "sound")
print(zarr.open_group(store, mode="r")["cells"].shape)
