"""A source whose cells get silhouettes that are inferred from their pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.cell import JpegCell
from zarrmal_codecs.silhouette.coverage import coverage
from zarrmal_codecs.silhouette.lattice import expand
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

from ..errors import InputError
from ..lattice.compiled import IS_AVAILABLE
from ..lazy import lazy
from ..progress import Progress, silent
from ..sources import Source
from ..sources.sizes import Pixels
from ..sources.source import FACTS, checked_indices
from .rule import SAMPLE_CELLS, Mask, Rule

# What is compiled is imported where it is used: numba takes as long as all of zarrmal.

InferMode = Literal["auto", "off"]
"""auto: where a source has no masks, and its cells look cut out and then resampled."""

LEAST_SIDE, MOST_SIDE = 16, 256
"""Height and width of cells whose masks are inferred: the time grows with both."""

LEAST_CELLS = 256
"""Of fewer cells none is inferred, unless it is known what their masks have in common: to find that
takes the time of so many."""

N_KEPT = 1 << 16
"""Masks that are kept, some 300 bytes each: cells are asked for again, to choose a class, to train
and to archive."""

FINDING = "looking for masks"
"""Name of this in progress."""

N_GLANCED = 8
"""Cells by which it is told whether inference is missed where numba is not installed."""


@dataclass(frozen=True, slots=True)
class PackedMask:
    """The lattice points of a mask, eight to a byte.

    Parameters
    ----------
    shape, spacing
        Rows and columns of points, and pixels from one to the next.
    packed
        The points, row by row.
    """

    shape: tuple[int, int]
    spacing: int
    packed: bytes

    @classmethod
    def of(cls, points: Mask, spacing: int) -> Self:
        """Pack points, bool (row, column)."""
        return cls((points.shape[0], points.shape[1]), spacing, np.packbits(points).tobytes())

    def mask(self) -> Mask:
        """The mask, bool (y, x)."""
        n_points = self.shape[0] * self.shape[1]
        bits = np.unpackbits(np.frombuffer(self.packed, np.uint8), count=n_points)
        return expand(bits.astype(bool).reshape(self.shape), self.spacing)


class InferredSilhouettes(Source):
    """The cells of a source, with masks inferred from how bright they are at their edges.

    None is archived as the cells' own: such a mask only makes the cell shorter.

    Parameters
    ----------
    source
        See may_infer. Also an attribute.
    rule
        What the masks have in common, where that is known; else a sample is looked at.
    progress
        Of looking at the sample.
    """

    def __init__(
        self, source: Source, rule: Rule | None = None, progress: Progress = silent
    ) -> None:
        self.source = source
        for name in FACTS:
            setattr(self, name, getattr(source, name))
        self._kept: dict[int, PackedMask | None] = {}
        self._progress = progress
        if rule is not None:
            self.rule = rule

    def read(self, indices: NDArray[np.int64]) -> Pixels:
        """See Source.read."""
        return self.source.read(indices)

    def masks(self, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
        """See Source.masks."""
        return self.source.masks(indices)

    def jpeg(self, indices: NDArray[np.int64]) -> list[JpegCell | None] | None:
        """See Source.jpeg."""
        return self.source.jpeg(indices)

    def silhouettes(self, indices: NDArray[np.int64]) -> Silhouettes | None:
        """Masks that explain the pixels of some cells; None where the source's have none in common.

        See Source.silhouettes.
        """
        rows = checked_indices(indices, self.n_cells)
        rule = self.rule
        if rule is None:
            return None
        missing = np.array([row for row in rows.tolist() if row not in self._kept], np.int64)
        new: dict[int, PackedMask | None] = {}
        if len(missing):
            cells = self.source.read(missing)
            for row, cell in zip(missing.tolist(), cells, strict=True):
                new[row] = _mask_of(cell, rule)
        kept = self._kept
        packed = [new[row] if row in new else kept[row] for row in rows.tolist()]
        self._keep(new)
        masks = [None if each is None else each.mask() for each in packed]
        return Silhouettes(masks=masks, resampling=rule.resampling)

    @lazy
    def rule(self) -> Rule | None:
        """What the masks have in common; None where none are found in a sample."""
        from .survey import survey

        return survey(_sample(self.source, SAMPLE_CELLS), partial(self._progress, FINDING))

    def __getstate__(self) -> dict[str, Any]:
        """Without the masks that were inferred already: workers infer those of their own cells."""
        return {**self.__dict__, "_kept": {}, "_progress": silent}

    def _keep(self, new: dict[int, PackedMask | None]) -> None:
        kept = {**self._kept, **new}
        if len(kept) > N_KEPT:
            kept = new
        self._kept = kept  # at once: other threads read it


def _mask_of(cell: Pixels, rule: Rule) -> PackedMask | None:
    """The mask of a cell; where none is found, that of its pixels above 0.

    Of the size of the pixels a mask covers them wholly or not at all, by whichever resampling.
    """
    from .search import infer_mask, plane_of

    has: Mask = (cell if cell.ndim == 2 else cell.max(axis=2)) > 0
    inferred = infer_mask(plane_of(cell), rule)
    if inferred is not None:
        mask = expand(inferred.points, rule.spacing)
        height, width = has.shape
        if (coverage(mask, (height, width), rule.resampling)[has] > 0).all():
            return PackedMask.of(inferred.points, rule.spacing)
    return PackedMask.of(has, 1) if has.any() and not has.all() else None


def with_inferred_masks(
    source: Source,
    mode: InferMode = "auto",
    rule: Rule | None = None,
    progress: Progress = silent,
) -> Source:
    """The source, with silhouettes inferred where it has none; itself where that cannot be.

    Parameters
    ----------
    rule, progress
        See InferredSilhouettes.

    Raises
    ------
    InputError
        If there is no such mode.
    """
    if mode not in get_args(InferMode):
        first, last = get_args(InferMode)
        raise InputError(f"infer_masks is {first} or {last}, not {mode!r}")
    if mode == "auto" and may_infer(source, rule):
        return InferredSilhouettes(source, rule, progress)
    return source


def may_infer(source: Source, rule: Rule | None = None) -> bool:
    """Whether masks of the cells may be inferred: numba is there, and the source has no masks."""
    return IS_AVAILABLE and _may_be_cut_out(source, 1 if rule else LEAST_CELLS)


def lacks_inference(source: Source, mode: InferMode) -> bool:
    """Whether masks would be inferred, but numba, which that takes, is not installed."""
    if mode == "off" or IS_AVAILABLE or not _may_be_cut_out(source, LEAST_CELLS):
        return False
    from .survey import has_mixed_edge

    planes = _sample(source, N_GLANCED)
    return 2 * sum(map(has_mixed_edge, planes)) >= len(planes)


def _may_be_cut_out(source: Source, least_cells: int) -> bool:
    """uint8 of one size, neither small nor large, without masks, and not few."""
    sides = source.cell_shape[:2]
    return (
        source.dtype == np.uint8
        and source.sizes is None
        and source.n_cells >= least_cells
        and min(sides) >= LEAST_SIDE
        and max(sides) <= MOST_SIDE
        and source.silhouettes(np.zeros(1, np.int64)) is None
    )


def _sample(source: Source, n_cells: int) -> list[NDArray[np.float64]]:
    from .search import plane_of

    rows = np.unique(np.linspace(0, source.n_cells - 1, n_cells).astype(np.int64))
    return [plane_of(cell) for cell in source.read(rows)]
