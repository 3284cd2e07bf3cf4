"""What encoding a chunk does before the codec: JPEG coefficients, known or looked for."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import JpegCell, Model
from zarrmal_codecs.lattice.picture import Camera

from ..archive.write.lattice import plan_search
from ..progress import silent
from ..sources import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """Of the cells of one chunk.

    Parameters
    ----------
    known
        By the source, one entry a cell.
    cameras
        Of other cells; without any, these are not searched.
    sizes
        int (cell, 2): height and width of each cell.
    """

    known: list[JpegCell | None]
    cameras: tuple[Camera, ...]
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, cells: Source, rows: NDArray[np.int64], model: Model) -> Coefficients | None:
        """As an archive would have them; None where it would have none."""
        search = plan_search(cells, model, "auto", silent)
        if search is None:
            return None
        known = cells.jpeg(rows) or [None] * len(rows)
        if not search.cameras and not any(cell is not None for cell in known):
            return None
        sizes = np.tile(np.array(cells.cell_shape[:2], np.int64), (len(rows), 1))
        if cells.sizes is not None:
            sizes = cells.sizes[rows].astype(np.int64)
        return cls(known=known, cameras=search.cameras, sizes=sizes)

    def of_cells(self, cells: NDArray[np.uint8]) -> list[JpegCell | None]:
        """Known, or found in these cells (cell, y, x[, channel]) one after the other."""
        if not self.cameras:
            return self.known
        from ..lattice.find import find_cell

        jpeg = list(self.known)
        for i, (height, width) in enumerate(self.sizes.tolist()):
            if jpeg[i] is None:
                pixels = np.ascontiguousarray(cells[i, :height, :width])
                found = find_cell(pixels, None, self.cameras)
                jpeg[i] = None if found is None else found.jpeg_cell
        return jpeg

    def save(self, path: Path) -> None:
        """For a process that times the work."""
        path.write_bytes(pickle.dumps(self))

    @staticmethod
    def load(path: Path) -> Coefficients | None:
        """What ``save`` wrote; None where there is no file."""
        return cast(Coefficients, pickle.loads(path.read_bytes())) if path.exists() else None
