"""Silhouettes as a chunk holds them: facts in its index, points in its streams (FORMAT 4.7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..constants import MAX_CHUNK_PIXELS, MAX_LATTICE_SPACING
from ..scales import Pixels
from .coverage import FULL, RESAMPLINGS, Resampling
from .lattice import expand, find_spacing
from .silhouettes import Silhouettes, has_pixels

try:
    from .. import _kernel
except ImportError:  # built without a compiler
    _kernel = None  # type: ignore[assignment]

Mask = NDArray[np.bool_]
Sizes = NDArray[np.uint16]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlines:
    """What a chunk's index tells of the silhouettes of its cells.

    Parameters
    ----------
    resampling
        See Silhouettes.
    spacings
        uint8 (cell,): of the lattice on which each was drawn; 0 for a cell without silhouette.
    shapes
        uint16 (cell, 2): rows and columns of lattice points, both 0 without silhouette.
    """

    resampling: Resampling
    spacings: NDArray[np.uint8]
    shapes: NDArray[np.uint16]

    def take(self, rows: Rows) -> Self:
        """Those of some cells."""
        return type(self)(
            resampling=self.resampling, spacings=self.spacings[rows], shapes=self.shapes[rows]
        )

    def without(self, cells: Mask) -> Self:
        """The same, but for some cells, bool (cell,)."""
        shapes = np.where(cells[:, None], np.uint16(0), self.shapes)
        spacings = np.where(cells, np.uint8(0), self.spacings)
        return type(self)(resampling=self.resampling, spacings=spacings, shapes=shapes)

    @property
    def n_pixels(self) -> int:
        """Pixels of all masks."""
        sides = self.spacings[:, None] * (self.shapes.astype(np.int64) - 1) + 1
        return int(sides.prod(axis=1)[self.spacings > 0].sum())

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Those of several chunks; all must be resampled alike."""
        return cls(
            resampling=parts[0].resampling,
            spacings=np.concatenate([part.spacings for part in parts]),
            shapes=np.concatenate([part.shapes for part in parts]),
        )

    def masks(self, points: Sequence[Mask]) -> list[Mask | None]:
        """The masks of lattice points, bool (rows, columns) of each cell."""
        return [
            expand(each, spacing) if spacing else None
            for each, spacing in zip(points, self.spacings.tolist(), strict=True)
        ]

    def coverage(
        self, points: Sequence[Mask], shape: tuple[int, int], sizes: Sizes | None, *, native: bool
    ) -> NDArray[np.uint8]:
        """Coverage of each pixel, uint8 (cell, y, x); see Silhouettes.coverage.

        Parameters
        ----------
        native
            Computed by the kernel, which gives the same.
        """
        if not native:
            masks = Silhouettes(masks=self.masks(points), resampling=self.resampling)
            return masks.coverage(shape, sizes)
        if sizes is None:
            sizes = np.full((len(points), 2), shape, np.uint16)
        code = RESAMPLINGS.index(self.resampling)
        result: NDArray[np.uint8] = _kernel.coverage(
            flat(points), self.shapes, self.spacings, np.ascontiguousarray(sizes), shape, code
        )
        return result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlined:
    """Silhouettes of some cells, ready to be coded.

    Parameters
    ----------
    outlines
        Their part of the index.
    points
        Of each cell the lattice points of its mask, bool (rows, columns).
    coverage
        uint8 (cell, y, x).
    """

    outlines: Outlines
    points: list[Mask]
    coverage: NDArray[np.uint8]

    def take(self, rows: Rows) -> Self:
        """Those of some cells."""
        return type(self)(
            outlines=self.outlines.take(rows),
            points=[self.points[row] for row in rows.tolist()],
            coverage=self.coverage[rows],
        )


def outline(
    silhouettes: Silhouettes, pixels: Pixels, sizes: Sizes | None, *, native: bool
) -> Outlined | None:
    """Silhouettes as the stream has them, but for cells that contradict their own.

    None if no cell is left that has one.

    Parameters
    ----------
    pixels
        (cell, y, x[, channel]). A cell with pixels where its silhouette covers nothing is
        coded without.

    Raises
    ------
    ValueError
        If the masks have more lattice points than a chunk may have.
    """
    n = len(silhouettes)
    spacings, shapes = np.zeros(n, np.uint8), np.zeros((n, 2), np.uint16)
    points: list[Mask] = [np.zeros((0, 0), bool)] * n
    for i, mask in enumerate(silhouettes.masks):
        if mask is not None:
            spacings[i] = spacing_of(mask, native=native)
            points[i] = np.ascontiguousarray(mask[:: spacings[i], :: spacings[i]])
            shapes[i] = points[i].shape
    if int(shapes.astype(np.int64).prod(axis=1).sum()) > MAX_CHUNK_PIXELS:
        raise ValueError(
            f"masks of a chunk may have {MAX_CHUNK_PIXELS} lattice points: choose smaller chunks"
        )
    outlines = Outlines(resampling=silhouettes.resampling, spacings=spacings, shapes=shapes)
    shape = (pixels.shape[1], pixels.shape[2])
    covered = outlines.coverage(points, shape, sizes, native=native)
    wrong = (has_pixels(pixels) & (covered == 0)).reshape(n, -1).any(axis=1)
    for i in np.flatnonzero(wrong).tolist():
        spacings[i], shapes[i], points[i] = 0, 0, np.zeros((0, 0), bool)
        height, width = shape if sizes is None else sizes[i].tolist()
        covered[i] = 0
        covered[i, :height, :width] = FULL
    if not spacings.any():
        return None
    return Outlined(outlines=outlines, points=points, coverage=covered)


def spacing_of(mask: Mask, *, native: bool) -> int:
    """The widest spacing of a lattice whose points give back a mask, by the kernel or in NumPy."""
    if native:
        own = np.ascontiguousarray(mask).view(np.uint8)
        return _kernel.spacing(own, MAX_LATTICE_SPACING)
    return find_spacing(mask)


class Points(Sequence[Mask]):
    """Lattice points of some masks, one mask after another; each is cut out when it is asked for.

    Parameters
    ----------
    values
        uint8 (point,): 0 or 1, of all masks.
    shapes
        uint16 (mask, 2): rows and columns of each.
    """

    def __init__(self, values: NDArray[np.uint8], shapes: NDArray[np.uint16]) -> None:
        self.values, self._shapes = values, shapes
        self._stops = shapes.astype(np.int64).prod(axis=1).cumsum()

    def __len__(self) -> int:
        return len(self._shapes)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        rows, columns = self._shapes[index].tolist()
        stop = int(self._stops[index])
        return self.values[stop - rows * columns : stop].view(bool).reshape(rows, columns)


def flat(points: Sequence[Mask]) -> NDArray[np.uint8]:
    """All points one after another, uint8 (point,)."""
    if isinstance(points, Points):
        return points.values
    parts: list[NDArray[Any]] = [each.ravel() for each in points]
    return np.concatenate(parts).view(np.uint8) if parts else np.zeros(0, np.uint8)
