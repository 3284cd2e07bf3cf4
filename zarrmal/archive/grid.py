"""How an array's cells lie in chunks, and chunks in stored objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import zarr


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Along the cells; a chunk holds whole cells.

    Parameters
    ----------
    chunk_cells
        Cells of a chunk.
    object_cells
        Cells of a stored object: of a shard, or, where there are none, of a chunk.
    sharded
        Objects are shards, if of one chunk.
    """

    chunk_cells: int
    object_cells: int
    sharded: bool

    @classmethod
    def of(cls, array: zarr.Array[Any]) -> Self:
        """The grid of an array whose first dimension are cells."""
        shards = array.shards
        return cls(
            chunk_cells=array.chunks[0],
            object_cells=array.chunks[0] if shards is None else shards[0],
            sharded=shards is not None,
        )

    @property
    def chunks_per_object(self) -> int:
        """Chunks in a stored object."""
        return self.object_cells // self.chunk_cells

    def n_objects(self, n_cells: int) -> int:
        """Stored objects of so many cells."""
        return -(-n_cells // self.object_cells)

    def key(self, array: zarr.Array[Any], k: int) -> str:
        """Key of stored object ``k`` below the array."""
        return str(array.metadata.encode_chunk_key((k, *[0] * (array.ndim - 1))))
