"""verify: the chunks of the cells, each decoded once and compared with the source's pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ...sources import Source
from ...sources.bits import differing
from ...sources.sizes import Pixels
from .. import format as layout
from ..opened import OpenArchive
from ..read.chunks.chunks import CellsChunk, chunk_starts, read_chunks
from ..read.chunks.findings import Finding, cells_finding, ranges, ranges_text
from ..read.columns.sizes import StoredSizes
from .columns import Columns


def check_cells(
    archive: OpenArchive, columns: Columns, sizes: StoredSizes | None, source: Source | None
) -> Iterator[tuple[CellsChunk, list[Finding]]]:
    """What is wrong with each chunk, in order."""
    order, name = columns.get(layout.SOURCE_INDEX), columns.get(layout.SOURCE_NAME)
    indices = np.zeros(0, np.int64) if order is None else np.where(order.known, order.values, -1)
    names = [] if name is None else np.where(name.known, name.values, "").tolist()
    for chunk in read_chunks(archive, chunk_starts(archive.cells, archive.n_cells)):
        findings = []
        recovered = chunk.recovered
        if recovered.kind is not None:
            findings.append(cells_finding(chunk, indices, names))
        holds_new_cells = archive.journal is not None and chunk.stop == archive.n_cells
        behind = recovered.pixels[chunk.stop - chunk.start :]
        if recovered.good.all() and behind.any() and not holds_new_cells:
            fault, none = "is padded with something else than zeros", np.arange(0)
            findings.append(
                cells_finding(chunk, indices, names, kind="padded", fault=fault, lost=none)
            )
        if sizes is not None and len(wrong := beyond_sizes(chunk, sizes)):
            fault = f"holds pixels beyond the size of {len(wrong)} of its cells: " + ranges_text(
                ranges(wrong)
            )
            none = np.arange(0)
            findings.append(
                cells_finding(chunk, indices, names, kind="beyond", fault=fault, lost=none)
            )
        differ = np.arange(0)
        if source is not None:
            differ = differing_cells(chunk, columns, source.read)
        if len(differ):
            fault = (
                f"differs from the source in {len(differ)} of its cells, the first is number "
                f"{indices[differ[0]]} there"
            )
            findings.append(
                cells_finding(chunk, indices, names, kind="differs", fault=fault, lost=differ)
            )
        yield chunk, findings


def beyond_sizes(chunk: CellsChunk, sizes: StoredSizes) -> NDArray[np.intp]:
    """Positions of the cells that were decoded and have pixels outside their known sizes."""
    n = chunk.stop - chunk.start
    rows = np.flatnonzero(chunk.recovered.good[:n] & sizes.known[chunk.start : chunk.stop])
    wrong = sizes.beyond(chunk.cells[rows], chunk.start + rows)
    return chunk.start + np.extract(wrong, rows)


def differing_cells(
    chunk: CellsChunk, columns: Columns, read: Callable[[NDArray[np.int64]], Pixels]
) -> NDArray[np.intp]:
    """Positions of the cells that were decoded and are not the source's, which ``read`` gives."""
    order = columns.get(layout.SOURCE_INDEX)
    if order is None:
        return np.arange(0)
    n = chunk.stop - chunk.start
    decoded = chunk.recovered.good[:n] | (chunk.recovered.kind == "changed")
    rows = np.flatnonzero(decoded & order.known[chunk.start : chunk.stop])
    if not len(rows):
        return rows
    expected = read(order.values[chunk.start + rows])
    return chunk.start + np.extract(differing(chunk.cells[rows], expected), rows)
