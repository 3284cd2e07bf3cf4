"""The part of a chunk's header that tells which cells are coefficients (FORMAT-lattice 9)."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...constants import (
    BLANK_CLASS,
    CAMERA_BYTES,
    DEFLATE_MAX_RATIO,
    MAX_CAMERAS,
    MAX_LEAST_VISIBLE,
)
from ...errors import CorruptionError
from ...lattice.frame import LEAST_OF_FIRST, LEAST_OF_OTHERS
from ...lattice.jpeg.cameras import N_PLANES, PackedCameras, pack_cameras
from ...lattice.jpeg.picture import Camera
from ...lattice.place import Place
from ...silhouette.outlined import Outlines
from ...wire import Reader, Writer
from .columns import read_column, write_column

SPATIAL = -1
"""Number of the camera of a cell whose pixels are coded as those of others."""
_NEW = 1  # in the header: 0 no camera, 1 the first that no cell has had before, 2 + number


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LatticeIndex:
    """Cameras and places of the cells.

    Parameters
    ----------
    cameras
        At most MAX_CAMERAS.
    numbers
        int64 (cell,): index of each cell's camera, or SPATIAL.
    phases
        uint8 (cell, 2): row and column of the first pixel in its group of blocks.
    are_files
        bool (cell,): which cells are whole JPEG pictures.
    least
        Visible pixels, in 64ths of a block, from which on blocks of the first plane, and those of
        the others, are coded; 1..MAX_LEAST_VISIBLE.
    """

    cameras: Sequence[Camera] | PackedCameras
    numbers: NDArray[np.int64]
    phases: NDArray[np.uint8]
    are_files: NDArray[np.bool_]
    least: tuple[int, int]

    @property
    def is_lattice(self) -> NDArray[np.bool_]:
        """bool (cell,): which cells are coded as coefficients."""
        has: NDArray[np.bool_] = self.numbers != SPATIAL
        return has

    def places(self, rows: NDArray[np.int64]) -> list[Place]:
        """Of some of the cells that are coded as coefficients."""
        columns = (self.numbers, self.phases, self.are_files)
        return [
            Place(camera=self.cameras[number], phase=(y, x), is_file=is_file, least=self.least)
            for number, (y, x), is_file in zip(*(c[rows].tolist() for c in columns), strict=True)
        ]

    @classmethod
    def of(cls, places: Sequence[Place | None]) -> LatticeIndex:
        """Of cells of no more than MAX_CAMERAS cameras."""
        cameras: dict[Camera, int] = {}
        numbers = np.full(len(places), SPATIAL, np.int64)
        phases, files = np.zeros((len(places), 2), np.uint8), np.zeros(len(places), bool)
        for i, place in enumerate(places):
            if place is not None:
                numbers[i] = cameras.setdefault(place.camera, len(cameras))
                phases[i], files[i] = place.phase, place.is_file
        return cls(
            cameras=list(cameras), numbers=numbers, phases=phases, are_files=files,
            least=(LEAST_OF_FIRST, LEAST_OF_OTHERS),
        )  # fmt: skip

    def write(self, out: Writer) -> None:
        """The layout of FORMAT-lattice 9.1; ``read`` is the inverse."""
        out.uint(self.least[0], 1)
        out.uint(self.least[1], 1)
        # Of each camera the first cell takes the same number, so distinct cameras deflate well.
        names, n_seen = np.zeros(len(self.numbers), np.int64), 0
        for i, number in enumerate(self.numbers.tolist()):
            if number != SPATIAL:
                names[i] = _NEW if number == n_seen else _NEW + 1 + number
                n_seen += number == n_seen
        raw = (names & 0xFF).astype(np.uint8).tobytes() + (names >> 8).astype(np.uint8).tobytes()
        raw += pack_cameras([self.cameras[i] for i in range(len(self.cameras))])
        deflated = zlib.compress(raw, 9, wbits=-15)
        out.varint(len(self.cameras))
        out.varint(len(deflated))
        out.block(deflated)
        has = self.is_lattice
        for column in (*self.phases.T, self.are_files):
            write_column(out, column, has)

    @classmethod
    def read(
        cls,
        reader: Reader,
        shape: tuple[int, ...],
        classes: NDArray[np.uint8],
        outlines: Outlines | None,
    ) -> LatticeIndex:
        """Parse the index of an array (cell, y, x[, channel]), and check it against the limits."""
        n_cells = shape[0]
        least = reader.uint(1), reader.uint(1)
        n_cameras, n_deflated = reader.varint(), reader.varint()
        if not 1 <= min(least) <= max(least) <= MAX_LEAST_VISIBLE:
            raise CorruptionError(f"the chunk declares limits {least} of visible pixels")
        if not 1 <= n_cameras <= min(n_cells, MAX_CAMERAS):
            raise CorruptionError(f"the chunk declares {n_cameras} cameras for {n_cells} cells")
        raw = _inflated(reader.block(n_deflated), 2 * n_cells + n_cameras * CAMERA_BYTES)
        names = np.frombuffer(raw[: 2 * n_cells], np.uint8).reshape(2, n_cells).astype(np.int64)
        numbers = _numbers(names[0] | names[1] << 8, n_cameras)
        cameras = PackedCameras(raw[2 * n_cells :], n_cameras)
        phases = np.stack([read_column(reader, n_cells) for _ in range(2)], axis=1)
        files = read_column(reader, n_cells)
        has = numbers != SPATIAL
        phases[~has], files[~has] = 0, 0
        own = numbers[has]
        n_planes = np.where(cameras.are_grey[own], 1, N_PLANES)
        is_outlined = np.zeros(n_cells, bool)
        if outlines is not None:
            is_outlined = outlines.spacings > 0
        if (
            len(shape) not in (3, 4)
            or (n_planes != (shape[3] if len(shape) == 4 else 1)).any()
            or (phases[has] >= cameras.groups[own]).any()
            or has[classes == BLANK_CLASS].any()
            or files.max() > 1
            or (files[:, None] * (phases + is_outlined[:, None])).any()
            or (outlines is not None and outlines.resampling != "same" and is_outlined[has].any())
        ):
            raise CorruptionError(
                "the chunk declares coefficients of cells that cannot have them: blank ones, of "
                "other channels than their camera, or at a place where no such cell can lie"
            )
        return cls(
            cameras=cameras, numbers=numbers, phases=phases.astype(np.uint8),
            are_files=files > 0, least=least,
        )  # fmt: skip


def _numbers(names: NDArray[np.int64], n_cameras: int) -> NDArray[np.int64]:
    """Indices of cameras, or SPATIAL, out of what the header has for each cell."""
    is_new = names == _NEW
    numbers = np.where(is_new, np.cumsum(is_new) - 1, names - _NEW - 1)
    numbers[names == 0] = SPATIAL
    if int(numbers.max()) >= n_cameras:
        raise CorruptionError(f"a cell of the chunk has none of its {n_cameras} cameras")
    return numbers


def _inflated(deflated: memoryview, n_bytes: int) -> bytes:
    """Exactly ``n_bytes`` bytes."""
    if n_bytes > DEFLATE_MAX_RATIO * (len(deflated) + 1):
        raise CorruptionError(f"{len(deflated)} deflated bytes cannot hold {n_bytes}")
    inflate = zlib.decompressobj(wbits=-15)
    try:
        raw = inflate.decompress(deflated, n_bytes + 1)
    except zlib.error as error:
        raise CorruptionError(f"the chunk's cameras are damaged: {error}") from None
    if len(raw) != n_bytes or inflate.unused_data or not inflate.eof:
        raise CorruptionError(f"the chunk's cameras do not take {n_bytes} bytes")
    return raw


def without_cameras(places: Sequence[Place | None]) -> list[Place | None]:
    """The same, but for cells of more cameras than a chunk may have."""
    kept: dict[Camera, int] = {}
    result: list[Place | None] = []
    for place in places:
        fits = place is not None and (place.camera in kept or len(kept) < MAX_CAMERAS)
        if fits and place is not None:
            kept[place.camera] = 0
        result.append(place if fits else None)
    return result
