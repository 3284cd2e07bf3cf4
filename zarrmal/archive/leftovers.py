"""What interrupted runs leave in an archive and no reader sees."""

from __future__ import annotations

from collections.abc import Iterable

import zarr

from .durable import PARTIAL
from .grid import Grid
from .stored import join_key
from .target import Target

DOCUMENTS = ("zarr.json", ".zarray", ".zattrs")


def remove_leftovers(target: Target, group: zarr.Group, names: Iterable[str], n_cells: int) -> None:
    """Remove what lies below some arrays and is no document or object of so many cells."""
    fs, root = target.filesystem()
    stored = target.sizes()
    for name in names:
        array = group[name]
        assert isinstance(array, zarr.Array)
        grid = Grid.of(array)
        keys = {grid.key(array, k) for k in range(grid.n_objects(n_cells))} | {*DOCUMENTS}
        kept = {join_key(name, key) for key in keys}
        for key in stored:
            if key.startswith(f"{name}/") and key not in kept:
                fs.rm_file(f"{root.rstrip('/')}/{key}")
    for key in stored:
        if "/" not in key and key.endswith(PARTIAL):
            fs.rm_file(f"{root.rstrip('/')}/{key}")
