"""Write an archive to an Icechunk repository: a commit makes its cells visible.

python examples/write_to_icechunk.py cells repository
"""

from __future__ import annotations

import sys

import icechunk
import xarray as xr

import zarrmal

folder, path = sys.argv[1:3]

repository = icechunk.Repository.create(icechunk.local_filesystem_storage(path))
session = repository.writable_session("main")
zarrmal.write(folder, session.store)
session.commit("all cells")

store = repository.readonly_session("main").store
print(zarrmal.verify(store).problems or "sound")
print(xr.open_zarr(store).cells.shape)
