"""How many bytes of an archive belong to each class of cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarrmal_codecs.header import parse_header

from ..archive import Archive
from ..sources import Source


def class_bytes(archive: Archive, cells: Source) -> dict[str, int]:
    """Bytes of the streams of each class's cells, latents included.

    What belongs to no cell (model, headers, metadata) is not in it. A chunk in a fallback mode is
    shared out evenly.

    Parameters
    ----------
    cells
        The archive's source, which knows the true classes. Without labels: no class.
    """
    if cells.labels is None:
        return {}
    group: Any = archive.group
    labels = cells.labels[np.asarray(group["source_index"][:])]
    lengths = _stream_bytes(archive.cells)
    return {
        name: round(float(lengths[labels == k].sum()))
        for k, name in enumerate(cells.class_names)
        if (labels == k).any()
    }


def _stream_bytes(array: zarr.Array[Any]) -> NDArray[np.float64]:
    """(cell,), in the archive's order."""
    n_cells, n = array.shape[0], array.chunks[0]
    found = np.zeros(n_cells)
    for k in range(-(-n_cells // n)):
        coordinates = (k, *[0] * (array.ndim - 1))
        key = f"{array.path}/{array.metadata.encode_chunk_key(coordinates)}"
        data = sync(array.store.get(key, default_buffer_prototype()))
        if data is None:
            continue  # all black, and not stored
        header = parse_header(memoryview(data.to_bytes()))
        rows = found[k * n : (k + 1) * n]
        # The last chunk is as long as the others; its cells beyond the array are blank.
        rows[:] = header.payload_bytes / n if header.index is None else (
            header.index.lengths[: len(rows)]
        )  # fmt: skip
    return found
