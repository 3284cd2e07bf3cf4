"""What encoding a chunk does before the codec: JPEG coefficients, known or looked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import JpegCell, Model
from zarrmal_codecs.lattice.jpeg.picture import COLOURS, Camera

from ...archive.write.encode.lattice import LatticeMode, plan_search
from ...progress import silent
from ...sources import Source


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
    def of(
        cls,
        cells: Source,
        rows: NDArray[np.int64],
        model: Model,
        lattice: LatticeMode = "auto",
    ) -> Coefficients | None:
        """As an archive would have them; None where it would have none."""
        search = plan_search(cells, model, lattice, silent)
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
        from ...lattice.find import find_cell

        jpeg = list(self.known)
        for i, (height, width) in enumerate(self.sizes.tolist()):
            if jpeg[i] is None:
                pixels = np.ascontiguousarray(cells[i, :height, :width])
                found = find_cell(pixels, None, self.cameras)
                jpeg[i] = None if found is None else found.jpeg_cell
        return jpeg

    def save(self, path: Path) -> None:
        """For a process that times the work: a .npz file, all numbers."""
        arrays: dict[str, NDArray[Any]] = {"sizes": self.sizes}
        for k, camera in enumerate(self.cameras):
            arrays |= _camera_arrays(f"camera{k}", camera)
        for i, cell in enumerate(self.known):
            if cell is None:
                continue
            arrays |= _camera_arrays(f"cell{i}", cell.camera)
            arrays[f"cell{i}.place"] = np.array([*cell.phase, cell.is_file])
            for p, (blocks, coded) in enumerate(zip(cell.coefficients, cell.coded, strict=True)):
                arrays |= {f"cell{i}.blocks{p}": blocks, f"cell{i}.coded{p}": coded}
        with path.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> Coefficients | None:
        """What ``save`` wrote; None where there is no file."""
        if not path.exists():
            return None
        with np.load(path) as file:
            arrays = dict(file)
        cameras: list[Camera] = []
        while f"camera{len(cameras)}.tables" in arrays:
            cameras.append(_camera(f"camera{len(cameras)}", arrays))
        known: list[JpegCell | None] = [None] * len(arrays["sizes"])
        for i in range(len(known)):
            if f"cell{i}.place" not in arrays:
                continue
            camera = _camera(f"cell{i}", arrays)
            planes = range(len(camera.ratios))
            y, x, is_file = arrays[f"cell{i}.place"].tolist()
            known[i] = JpegCell(
                camera=camera,
                phase=(y, x),
                coefficients=tuple(arrays[f"cell{i}.blocks{p}"] for p in planes),
                coded=tuple(arrays[f"cell{i}.coded{p}"] for p in planes),
                is_file=bool(is_file),
            )
        return cls(known=known, cameras=tuple(cameras), sizes=arrays["sizes"])


def _camera_arrays(name: str, camera: Camera) -> dict[str, NDArray[Any]]:
    kind = np.array([COLOURS.index(camera.colour), camera.fancy])
    return {
        f"{name}.tables": camera.tables,
        f"{name}.ratios": np.array(camera.ratios),
        f"{name}.kind": kind,
    }


def _camera(name: str, arrays: dict[str, NDArray[Any]]) -> Camera:
    colour, fancy = arrays[f"{name}.kind"].tolist()
    return Camera(
        tables=arrays[f"{name}.tables"],
        ratios=tuple((down, across) for down, across in arrays[f"{name}.ratios"].tolist()),
        colour=COLOURS[colour],
        fancy=bool(fancy),
    )
