"""The cameras behind cells that are stored as JPEG coefficients: counted, and named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.index.lattice_index import LatticeIndex
from zarrmal_codecs.lattice.jpeg.picture import Camera

from ..lattice.series import sampling_name, series_name


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraInfo:
    """Pictures with the same sampling and tables.

    Parameters
    ----------
    sampling
        Such as "4:2:2", "grey" or "rgb".
    tables
        Name of the table of each plane, such as "standard luma 75"; "own" for one of no series.
    n_cells
        Cells that come from such pictures.
    n_cameras
        Different sets of tables among them.
    """

    sampling: str
    tables: tuple[str, ...]
    n_cells: int
    n_cameras: int

    @property
    def text(self) -> str:
        """``4:2:2, luma 96 / chroma 96``."""
        names = [name.removeprefix("standard ") for name in self.tables]
        while len(names) > 1 and names[-1] == names[-2]:
            del names[-1]
        return f"{self.sampling}, {' / '.join(names)}"


def codes_coefficients(model: Model | None) -> bool:
    """Whether a model has weights for coefficients."""
    return model is not None and any(each.lattice for each in model.classes)


def cell_cameras(index: LatticeIndex) -> Counter[Camera]:
    """Cells of a chunk that are stored as coefficients, by their camera."""
    numbers, counts = np.unique(index.numbers[index.is_lattice], return_counts=True)
    pairs = zip(numbers.tolist(), counts.tolist(), strict=True)
    return Counter({index.cameras[number]: count for number, count in pairs})


def camera_infos(cameras: Mapping[Camera, int]) -> tuple[CameraInfo, ...]:
    """Cameras by name, those of most cells first."""
    cells: Counter[tuple[str, tuple[str, ...]]] = Counter()
    kinds: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for camera, n_cells in cameras.items():
        tables = tuple(series_name(table.reshape(-1)) for table in camera.tables)
        cells[sampling_name(camera), tables] += n_cells
        kinds[sampling_name(camera), tables] += 1
    return tuple(
        CameraInfo(sampling=name[0], tables=name[1], n_cells=n, n_cameras=kinds[name])
        for name, n in sorted(cells.items(), key=lambda item: (-item[1], item[0]))
    )
