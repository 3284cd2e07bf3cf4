"""verify: the chunks of the masks, each decoded once and compared with the source's masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarrmal_codecs import ZarrmalError

from ...sources import Source
from ...sources.sizes import Pixels
from .. import format as layout
from ..opened import OpenArchive, codec_configuration
from ..read.chunks.chunks import CellsChunk, chunk_starts, expect_whole_cells, read_chunks
from ..read.chunks.findings import Finding, cells_finding, ranges, ranges_text
from ..read.columns.sizes import StoredSizes
from ..read.consolidated import find_or_copy
from .cells import beyond_sizes, differing_cells
from .columns import Columns


def find_masks(archive: OpenArchive, problems: list[str]) -> zarr.Array[Any] | None:
    """The array of masks; None where there is none, or where it cannot be read, which is noted."""
    if layout.MASK not in archive.facts.arrays:
        return None
    array, problem = find_or_copy(archive.group, layout.MASK, "b")
    if problem is not None:
        problems.append(problem)
    try:
        if array is not None:
            expect_whole_cells(array)
            codec_configuration(array)
    except ZarrmalError as error:
        problems.append(str(error))
        return None
    if array is not None and array.shape[0] < archive.n_cells:
        problems.append(f"`{layout.MASK}` holds {array.shape[0]:,} cells, the archive says "
                        f"{archive.n_cells:,}")  # fmt: skip
        return None
    return array


def check_masks(
    archive: OpenArchive,
    array: zarr.Array[Any],
    columns: Columns,
    sizes: StoredSizes | None,
    source: Source | None,
) -> Iterator[tuple[CellsChunk, list[Finding]]]:
    """What is wrong with each chunk of masks, in order."""

    def read(rows: NDArray[np.int64]) -> Pixels:
        assert source is not None
        return np.moveaxis(source.masks(rows), 1, 3)

    none = np.arange(0)
    for chunk in read_chunks(archive, chunk_starts(array, archive.n_cells), layout.MASK, array):
        findings = []
        if chunk.recovered.kind is not None:
            findings.append(cells_finding(chunk, (), ()))
        if sizes is not None and len(wrong := beyond_sizes(chunk, sizes)):
            cells = ranges_text(ranges(wrong))
            fault = f"holds masks beyond the size of {len(wrong)} of its cells: {cells}"
            findings.append(cells_finding(chunk, (), (), kind="beyond", fault=fault, lost=none))
        if source is not None and source.n_masks:
            differ = differing_cells(_planes_last(chunk), columns, read)
            if len(differ):
                fault = f"differs from the source in {len(differ)} of its masks"
                findings.append(
                    cells_finding(chunk, (), (), kind="differs", fault=fault, lost=differ)
                )
        yield chunk, findings


def _planes_last(chunk: CellsChunk) -> CellsChunk:
    """The chunk with an axis of masks, where each cell has one."""
    recovered = chunk.recovered
    if recovered.pixels.ndim == 4:
        return chunk
    pixels = recovered.pixels[:, np.newaxis]
    return replace(chunk, recovered=replace(recovered, pixels=pixels), channel_first=True)
