"""What new cells save that are stored as coefficients, measured on a few of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.chunk.chunk import decode_cells, encode_chunk
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.chunk.header import header_bytes, parse_header

from ...format import LatticeSaving
from ...opened import OpenArchive
from ...read.silhouettes import chunk_silhouettes
from ...shard import split_shard
from ...storage.objects import get_bytes, join_key

MAX_OBJECTS = 4
MAX_CELLS = 8
MAX_PIXELS = 1 << 19
"""Of the cells that are measured in an object, on their canvas."""


def measured_saving(archive: OpenArchive, numbers: list[int]) -> LatticeSaving:
    """Code some cells of stored objects once more, as pixels.

    Parameters
    ----------
    numbers
        Of the objects that hold such cells, ascending.
    """
    total = LatticeSaving()
    coder = archive.coder
    if coder is None or not numbers:
        return total
    places = np.unique(np.linspace(0, len(numbers) - 1, MAX_OBJECTS).astype(np.int64))
    for number in (numbers[place] for place in places.tolist()):
        for chunk in _chunks(archive, number):
            own = _of_chunk(chunk, coder)
            total += own
            if own.pixel_bytes:
                break
    return total


def _chunks(archive: OpenArchive, number: int) -> Iterator[bytes | memoryview]:
    array, grid = archive.cells, archive.grid
    data = get_bytes(array.store, join_key(array.path, grid.key(array, number)))
    if data is None:
        return
    if not grid.sharded:
        yield data
        return
    for chunk in split_shard(data, grid.chunks_per_object, grid.index_location):
        if chunk is not None:
            yield chunk


def _of_chunk(chunk: bytes | memoryview, coder: Coder) -> LatticeSaving:
    view = memoryview(chunk).cast("B")
    header = parse_header(view)
    index = header.index
    if index is None or index.lattice is None:
        return LatticeSaving()
    payload = view[header_bytes(view) :]
    rows = np.flatnonzero(index.lattice.is_lattice)
    n = max(min(MAX_CELLS, MAX_PIXELS // int(np.prod(header.cell_shape[:2]))), 1)
    rows = _spread(rows, n)
    pixels = decode_cells(header, rows, lambda a, b: payload[a:b], coder)
    again = encode_chunk(
        pixels,
        coder,
        classes=index.classes[rows],
        keep_cells=True,
        silhouettes=chunk_silhouettes(chunk, rows, coder),
    )
    plain = parse_header(memoryview(again)).index
    return LatticeSaving(
        n_cells=len(rows),
        stored_bytes=int(index.lengths[rows].sum()),
        pixel_bytes=0 if plain is None else int(plain.lengths.sum()),
    )


def _spread(rows: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """At most ``n`` of the rows, evenly."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, n).astype(np.int64))]
