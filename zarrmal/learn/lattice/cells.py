"""Cells with the coefficients behind their pixels, out of sources: what weights learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.cell import JpegCell
from zarrmal_codecs.lattice.cells import Layout
from zarrmal_codecs.lattice.picture import decode
from zarrmal_codecs.lattice.pixels import Frame

from ...errors import InputError
from ...lattice.compiled import IS_AVAILABLE
from ...lattice.find import find_cell
from ...lattice.survey import Cell, survey
from ...progress import Progress
from ...sources import Source

Pixels = NDArray[np.uint8]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownCell:
    """A cell and the coefficients behind it.

    Parameters
    ----------
    pixels
        uint8 (y, x, channel), 0 where not visible.
    visible
        bool (y, x); None: the cell is a whole picture.
    jpeg
        Its coefficients, as many blocks as ``jpeg.camera.n_blocks(shape, jpeg.phase)``.
    """

    pixels: Pixels
    visible: Flags | None
    jpeg: JpegCell

    @classmethod
    def of(cls, pixels: Pixels, visible: Flags | None, jpeg: JpegCell) -> KnownCell:
        """Without the blocks of a file that only fill its last groups."""
        counts = jpeg.camera.n_blocks((pixels.shape[0], pixels.shape[1]), jpeg.phase)
        cut = JpegCell(
            camera=jpeg.camera,
            phase=jpeg.phase,
            coefficients=tuple(
                np.ascontiguousarray(blocks[:rows, :columns])
                for blocks, (rows, columns) in zip(jpeg.coefficients, counts, strict=True)
            ),
            coded=tuple(
                np.ascontiguousarray(flags[:rows, :columns])
                for flags, (rows, columns) in zip(jpeg.coded, counts, strict=True)
            ),
        )
        return cls(pixels=pixels, visible=visible, jpeg=cut)

    @property
    def frame(self) -> Frame:
        """What the decoder knows before the stream."""
        shape = self.pixels.shape[0], self.pixels.shape[1]
        return Frame(
            camera=self.jpeg.camera, shape=shape, phase=self.jpeg.phase, visible=self.visible
        )

    def coded(self) -> tuple[Layout, list[NDArray[np.int16]]]:
        """The layout, and the coefficients of the blocks that are coded."""
        frame = self.frame
        shares = frame.shares()
        both = zip(frame.candidates(shares), self.jpeg.coded, strict=True)
        flags = [wanted & given for wanted, given in both]
        kept = [
            np.where(own[:, :, None, None], blocks, 0).astype(np.int16)
            for own, blocks in zip(flags, self.jpeg.coefficients, strict=True)
        ]
        return frame.layout(flags, shares), kept


def picture_of(jpeg: JpegCell, shape: tuple[int, int]) -> Pixels:
    """Pixels of a whole JPEG picture, uint8 (y, x, channel)."""
    pixels = decode(jpeg.camera, jpeg.coefficients, shape)
    return pixels if pixels.ndim == 3 else pixels[..., None]


def known_cells(
    source: Source, rows: NDArray[np.int64], task: str, progress: Progress
) -> list[KnownCell]:
    """Those of some cells behind which coefficients are known, or found.

    Parameters
    ----------
    source
        Cells (y, x) or (y, x, 3) of uint8.
    rows
        int64 (cell,): indices into the source, ascending.
    task, progress
        Reported after each cell.

    Raises
    ------
    InputError
        If coefficients would have to be searched, and numba is not installed.
    """
    if source.dtype != np.uint8 or source.cell_shape[2:] not in ((), (3,)):
        raise InputError(
            f"{source.description}: cells that came from JPEG pictures are uint8, grey or RGB; "
            f"these are {source.dtype} {source.cell_shape}"
        )
    given = source.jpeg(rows) or [None] * len(rows)
    cells: list[KnownCell] = []
    unknown: list[Cell] = []
    for done, (row, jpeg) in enumerate(zip(rows.tolist(), given, strict=True)):
        pixels = source.original(row)
        pixels = pixels if pixels.ndim == 3 else pixels[..., None]
        if jpeg is None:
            unknown.append((pixels, _visible(source, row, pixels)))
            continue
        visible = None if jpeg.is_file else _visible(source, row, pixels)
        cells.append(KnownCell.of(pixels, visible, jpeg))
        progress(task, done + 1, len(rows))
    if unknown and not IS_AVAILABLE:
        raise InputError(
            f"{source.description}: {len(unknown):,} cells are no JPEG files, and finding the "
            f"coefficients behind them needs numba: pip install 'zarrmal[lattice]'"
        )
    searched = [(_squeezed(pixels), visible) for pixels, visible in unknown]
    cameras = survey(searched)
    for done, ((pixels, visible), cell) in enumerate(zip(unknown, searched, strict=True)):
        found = find_cell(*cell, cameras) if cameras else None
        if found is not None:
            cells.append(KnownCell.of(pixels, visible, found.jpeg_cell))
        progress(task, len(rows) - len(unknown) + done + 1, len(rows))
    return cells


def _squeezed(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(pixels[..., 0]) if pixels.shape[2] == 1 else pixels


def _visible(source: Source, row: int, pixels: Pixels) -> Flags:
    """The silhouette where the source has one of the cell's size, else what is not 0."""
    silhouettes = source.silhouettes(np.array([row]))
    if silhouettes is not None:
        mask = silhouettes.masks[0]
        if mask is not None and mask.shape == pixels.shape[:2]:
            return np.asarray(mask)
    return np.asarray(pixels.any(axis=2))


def n_pixels(cells: Sequence[KnownCell]) -> int:
    """Of the boxes of cells."""
    return sum(cell.pixels.shape[0] * cell.pixels.shape[1] for cell in cells)
