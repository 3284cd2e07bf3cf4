"""verify: the chunks of ``cells``, each fetched and decoded once, and the source's pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarrmal_codecs.coder import Coder

from ..sources import Source
from . import layout
from .chunks import CellsChunk, chunk_starts, read_chunks
from .findings import Finding, cells_finding
from .layout import ArchiveFacts
from .verify_index import Index


def check_cells(
    group: zarr.Group,
    array: zarr.Array[Any],
    coder: Coder,
    facts: ArchiveFacts,
    index: Index,
    source: Source | None,
) -> Iterator[tuple[CellsChunk, list[Finding]]]:
    """What is wrong with each chunk, in order."""
    order, names = index.get(layout.SOURCE_INDEX), index.get(layout.SOURCE_NAME)
    places = np.zeros(0, np.int64) if order is None else np.where(order.known, order.values, -1)
    called = [] if names is None else np.where(names.known, names.values, "").tolist()
    for chunk in read_chunks(group, array, coder, facts, chunk_starts(array), array.shape[0]):
        findings = []
        found = chunk.salvage
        if found.kind is not None:
            findings.append(cells_finding(chunk, places, called))
        if found.good.all() and found.pixels[chunk.stop - chunk.start :].any():
            fault, none = "is padded with something else than zeros", np.arange(0)
            findings.append(
                cells_finding(chunk, places, called, kind="padded", fault=fault, lost=none)
            )
        differ = np.arange(0) if source is None else _differing(chunk, index, source)
        if len(differ):
            fault = (
                f"differs from the source in {len(differ)} of its cells, the first is number "
                f"{places[differ[0]]} there"
            )
            findings.append(
                cells_finding(chunk, places, called, kind="differs", fault=fault, lost=differ)
            )
        yield chunk, findings


def _differing(chunk: CellsChunk, index: Index, source: Source) -> NDArray[np.intp]:
    """Positions of the cells that were decoded and are not the source's."""
    order = index.get(layout.SOURCE_INDEX)
    if order is None:
        return np.arange(0)
    n = chunk.stop - chunk.start
    decoded = chunk.salvage.good[:n] | (chunk.salvage.kind == "changed")
    rows = np.flatnonzero(decoded & order.known[chunk.start : chunk.stop])
    if not len(rows):
        return rows
    wanted = source.read(order.values[chunk.start + rows])
    differ = (chunk.salvage.pixels[rows] != wanted).reshape(len(rows), -1).any(axis=1)
    return chunk.start + np.extract(differ, rows)
