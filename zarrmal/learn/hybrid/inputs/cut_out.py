"""The coverage of the training cells' pixels, from their silhouettes or from their background."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.hybrid.engine import levels
from zarrmal_codecs.silhouette.outlined import outline
from zarrmal_codecs.silhouette.silhouettes import cut_out

from ....sources import Source

Planes = Sequence[NDArray[Any]] | NDArray[Any]

BLOCK_CELLS = 1_000
LEAST_SHARE = 0.5
"""Of the cells that must have a silhouette, else the model knows none."""

MAX_MASKS = 4_000
"""So many are counted for the table of masks."""


@dataclass(slots=True, kw_only=True, eq=False)
class CutOut:
    """Cells cut out along silhouettes.

    Parameters
    ----------
    coverage
        Of each cell uint8 (y, x), or of all (cell, y, x) where they have one size.
    masks
        Of some of the cells the lattice points, bool (rows, columns).
    share
        Of the cells that have a silhouette.
    """

    coverage: Planes
    masks: list[NDArray[np.bool_]] = field(default_factory=list)
    share: float = 0.0


def read_cut_out(source: Source, rows: NDArray[np.int64], cells: Planes) -> CutOut:
    """Coverage and masks of cells uint8 (plane, y, x), of one size or not.

    Parameters
    ----------
    rows
        int64 (cell,): which cells of the source they are.
    """
    coverage: list[NDArray[np.uint8]] = []
    masks: list[NDArray[np.bool_]] = []
    n_cut_out, stride = 0, -(-len(rows) // MAX_MASKS)
    for of_block, block in _blocks(rows, cells):
        has: NDArray[np.uint8] = block.max(axis=1)
        silhouettes = source.silhouettes(of_block) or cut_out(has)
        outlined = None
        if silhouettes is not None:
            outlined = outline(silhouettes, has, None, native=len(levels()) > 1)
        if outlined is None:
            coverage.append(np.full(has.shape, 255, np.uint8))
            continue
        coverage.append(outlined.coverage)
        present = [points for points in outlined.points if points.size]
        masks += present[-n_cut_out % stride :: stride]
        n_cut_out += len(present)
    whole = np.concatenate(coverage) if isinstance(cells, np.ndarray) else [c[0] for c in coverage]
    return CutOut(coverage=whole, masks=masks, share=n_cut_out / max(len(rows), 1))


def _blocks(
    rows: NDArray[np.int64], cells: Planes
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """Rows and cells (cell, plane, y, x), some of one size at a time."""
    step = BLOCK_CELLS if isinstance(cells, np.ndarray) else 1
    for start in range(0, len(rows), step):
        yield rows[start : start + step], np.asarray(cells[start : start + step])
