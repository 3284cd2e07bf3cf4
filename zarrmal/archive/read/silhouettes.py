"""Silhouettes of cells, as the chunks hold them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import CorruptionError
from zarrmal_codecs.chunk.chunk import decode_silhouettes
from zarrmal_codecs.chunk.coder import Coder, coder_for
from zarrmal_codecs.chunk.header import header_bytes, parse_header
from zarrmal_codecs.silhouette.coverage import Resampling
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

from ..opened import OpenArchive
from ..shard import split_shard
from .chunks.chunks import chunk_key, stored_object


def read_silhouettes(archive: OpenArchive, rows: NDArray[np.int64]) -> Silhouettes | None:
    """Silhouettes of some cells; None where none has one, or not all were resampled alike.

    Raises
    ------
    ZarrmalError
        If a chunk is missing or damaged.
    """
    if archive.model is None:
        return None
    coder = coder_for(archive.model)
    if not coder.takes_silhouettes:
        return None
    masks: list[NDArray[np.bool_] | None] = [None] * len(rows)
    resamplings: set[Resampling] = set()
    starts = rows // archive.grid.chunk_cells * archive.grid.chunk_cells
    for start in np.unique(starts).tolist():
        members = np.flatnonzero(starts == start)
        part = chunk_silhouettes(stored_chunk(archive, start), rows[members] - start, coder)
        if part is None:
            continue
        resamplings.add(part.resampling)
        for i, mask in zip(members.tolist(), part.masks, strict=True):
            masks[i] = mask
    return Silhouettes(masks=masks, resampling=resamplings.pop()) if len(resamplings) == 1 else None


def chunk_silhouettes(
    chunk: bytes | memoryview, rows: NDArray[np.int64], coder: Coder
) -> Silhouettes | None:
    """Silhouettes of some cells of a chunk; None if it has none."""
    view = memoryview(chunk).cast("B")
    header = parse_header(view)
    payload = view[header_bytes(view) :]
    return decode_silhouettes(header, rows, lambda a, b: payload[a:b], coder)


def stored_chunk(archive: OpenArchive, start: int) -> bytes | memoryview:
    """The chunk that begins with a cell; CorruptionError if it is missing."""
    grid, stored = archive.grid, stored_object(archive.cells, start)
    chunk: bytes | memoryview | None = stored
    if stored is not None and grid.sharded:
        parts = split_shard(stored, grid.chunks_per_object, grid.index_location)
        chunk = parts[start % grid.object_cells // grid.chunk_cells]
    if chunk is None:
        raise CorruptionError(
            f"chunk {chunk_key(archive.cells, start)} is missing: see `zarrmal verify`"
        )
    return chunk
