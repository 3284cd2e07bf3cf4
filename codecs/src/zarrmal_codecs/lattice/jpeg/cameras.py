"""Cameras of a chunk ↔ bytes that deflate well (FORMAT-lattice 9.2).

Steps are stored as differences to a standard table at one of libjpeg's qualities, or to the table
of the plane before, frequency by frequency: so a usual camera leaves zeros alone, and cameras that
are nearly the same leave repetitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...constants import CAMERA_BYTES
from ...errors import CorruptionError
from .picture import COLOURS, LARGEST_RATIO, Camera
from .transform import SIDE

N_STEPS: Final = SIDE * SIDE
N_PLANES: Final = 3
"""For which each camera has bytes; those of a grey one are zero but for the first plane."""
FANCY: Final = 4
"""Added to the number of the colour."""
N_QUALITIES: Final = 100

STANDARD: Final = np.full((2, SIDE, SIDE), 99, np.int64)
"""int64 (kind, row, column): the tables K.1 of luma and K.2 of chroma of ITU-T T.81."""
STANDARD[0] = [
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99],
]
STANDARD[1, :4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]

NO_BASE: Final = 0
AS_BEFORE: Final = 2 * N_QUALITIES + 1
"""Base codes: 0 zeros; 1..100 luma of that quality; 101..200 chroma; 201 the plane before."""


def _bases() -> NDArray[np.int64]:
    quality = np.arange(1, N_QUALITIES + 1)
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    scaled = (STANDARD.reshape(2, 1, N_STEPS) * scale[:, None] + 50) // 100
    scaled = np.minimum(np.maximum(scaled, 1), 255).reshape(-1, N_STEPS)
    return np.concatenate([np.zeros((1, N_STEPS), np.int64), scaled])


BASES: Final = _bases()
"""int64 (code, step): the tables of the base codes but AS_BEFORE."""


def pack_cameras(cameras: Sequence[Camera]) -> bytes:
    """CAMERA_BYTES bytes for each; ``PackedCameras`` is the inverse."""
    n = len(cameras)
    kinds = [COLOURS.index(c.colour) + FANCY * c.fancy for c in cameras]
    ratios = np.zeros((N_PLANES, n), np.uint8)
    tables = np.zeros((N_PLANES, n, N_STEPS), np.int64)
    has = np.zeros((N_PLANES, n), bool)
    for i, camera in enumerate(cameras):
        for p, (down, across) in enumerate(camera.ratios):
            ratios[p, i] = LARGEST_RATIO * (down - 1) + across - 1
            tables[p, i], has[p, i] = camera.tables[p].reshape(-1), True
    codes = np.zeros((N_PLANES, n), np.int64)
    for p in range(N_PLANES):
        codes[p, has[p]] = _base_codes(tables[p, has[p]])
        if p:
            codes[p, has[p] & (tables[p] == tables[p - 1]).all(axis=1)] = AS_BEFORE
    signed = ((tables - _base_tables(codes, tables) + (1 << 15)) & 0xFFFF) - (1 << 15)
    folded = np.where(signed < 0, -2 * signed - 1, 2 * signed).transpose(0, 2, 1).astype(np.uint16)
    parts = (
        np.array(kinds, np.uint8), ratios, codes.astype(np.uint8),
        (folded & 0xFF).astype(np.uint8), (folded >> 8).astype(np.uint8),
    )  # fmt: skip
    return b"".join(part.tobytes() for part in parts)


def _base_codes(tables: NDArray[np.int64]) -> NDArray[np.int64]:
    """Codes of tables (table, step): the equal standard one, else that nearest to all others."""
    if not len(tables):
        return np.zeros(0, np.int64)
    equal = np.stack([(table == BASES).all(axis=1) for table in tables])
    exact = equal.any(axis=1)
    codes: NDArray[np.int64] = equal.argmax(axis=1).astype(np.int64)
    if not exact.all():
        far = np.stack([np.abs(tables[~exact] - base).sum() for base in BASES])
        codes[~exact] = far.argmin()
    return codes


def _base_tables(codes: NDArray[np.int64], tables: NDArray[np.int64]) -> NDArray[np.int64]:
    """The bases of all tables (plane, camera, step), given the tables themselves."""
    bases = BASES[np.where(codes == AS_BEFORE, NO_BASE, codes)]
    before = np.concatenate([np.zeros_like(tables[:1]), tables[:-1]])
    return np.where((codes == AS_BEFORE)[:, :, None], before, bases)


class PackedCameras:
    """Cameras out of a chunk's header, each made when it is asked for.

    Parameters
    ----------
    data
        CAMERA_BYTES bytes for each of ``n``.
    n
        How many there are.

    Raises
    ------
    CorruptionError
        One of them is no camera.
    """

    def __init__(self, data: bytes, n: int) -> None:
        raw = np.frombuffer(data, np.uint8)
        assert len(raw) == n * CAMERA_BYTES
        stops = np.cumsum([n, N_PLANES * n, N_PLANES * n, N_PLANES * N_STEPS * n])
        kinds, ratios, codes, low, high = np.split(raw, stops)
        self._kinds = kinds
        self._ratios = ratios.reshape(N_PLANES, n)
        bases: NDArray[np.int64] = codes.reshape(N_PLANES, n).astype(np.int64)
        folded = (low.astype(np.int64) | high.astype(np.int64) << 8).reshape(N_PLANES, N_STEPS, n)
        signed = np.where(folded & 1, -(folded + 1 >> 1), folded >> 1).transpose(0, 2, 1)
        has = np.ones((N_PLANES, n), bool)
        has[1:] = (kinds & (FANCY - 1)) > 0  # all planes but the first of grey
        if (
            (kinds >= 2 * FANCY).any()
            or ((kinds & (FANCY - 1)) >= len(COLOURS)).any()
            or (ratios >= LARGEST_RATIO * LARGEST_RATIO).any()
            or (bases > AS_BEFORE).any()
            or (bases[0] == AS_BEFORE).any()
            or self._ratios[~has].any()
            or bases[~has].any()
            or folded.transpose(0, 2, 1)[~has].any()
        ):
            raise CorruptionError("the chunk's cameras have members out of range")
        tables = np.zeros((N_PLANES, n, N_STEPS), np.int64)
        for p in range(N_PLANES):
            base = _base_tables(bases[: p + 1], tables[: p + 1])[p]
            tables[p] = (base + signed[p]) & 0xFFFF
        if not tables[has].all():
            raise CorruptionError("the chunk's cameras have a step of 0; steps are 1..65535")
        self._tables = tables.astype(np.uint16)
        self._made: dict[int, Camera] = {}

    def __len__(self) -> int:
        return len(self._kinds)

    @property
    def are_grey(self) -> NDArray[np.bool_]:
        """bool (camera,): which have one plane."""
        grey: NDArray[np.bool_] = (self._kinds & (FANCY - 1)) == 0
        return grey

    @property
    def groups(self) -> NDArray[np.int64]:
        """Rows and columns of pixels in a group of blocks of each camera, int64 (camera, 2)."""
        down, across = self._ratios // LARGEST_RATIO, self._ratios % LARGEST_RATIO
        return SIDE * (1 + np.stack([down.max(axis=0), across.max(axis=0)], axis=1).astype(int))

    def __getitem__(self, index: int) -> Camera:
        camera = self._made.get(index)
        if camera is None:
            kind = int(self._kinds[index])
            n_planes = 1 if self.are_grey[index] else N_PLANES
            sides = self._ratios[:n_planes, index].tolist()
            camera = self._made[index] = Camera(
                tables=self._tables[:n_planes, index].reshape(n_planes, SIDE, SIDE),
                ratios=tuple((1 + s // LARGEST_RATIO, 1 + s % LARGEST_RATIO) for s in sides),
                colour=COLOURS[kind & (FANCY - 1)],
                fancy=bool(kind & FANCY),
            )
        return camera
