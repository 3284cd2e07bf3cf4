"""Coefficients of the JPEG pictures behind new cells: the source knows them, or they are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.chunk import encode_chunk
from zarrmal_codecs.chunk.coder import coder_for
from zarrmal_codecs.chunk.header import parse_header
from zarrmal_codecs.lattice.cell import JpegCell
from zarrmal_codecs.lattice.jpeg.picture import Camera
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

from ....errors import InputError
from ....lattice.compiled import IS_AVAILABLE
from ....progress import Progress, silent
from ....sources import Source
from ....sources.sizes import Pixels
from ...cameras import codes_coefficients

LatticeMode = Literal["auto", "known", "off"]
"""See WriteOptions."""
SAMPLE_CELLS = 48
"""Cells whose cameras are looked for first; where none has one, no other cell is searched."""


FEW_CELLS = 8
"""By which models are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatticeSearch:
    """How the coefficients behind new cells are had.

    Parameters
    ----------
    cameras
        Found in a sample of the cells; without any, pixels are not searched.
    """

    cameras: tuple[Camera, ...] = ()

    def coefficients(
        self,
        source: Source,
        rows: NDArray[np.int64],
        cells: Pixels,
        silhouettes: Silhouettes | None,
    ) -> list[JpegCell | None]:
        """Coefficients of some cells; None where they are neither known nor found.

        Parameters
        ----------
        rows
            Of the source.
        cells
            uint8 (cell, y, x[, channel]) on their canvas.
        silhouettes
            Of these cells; None: they are not known.
        """
        jpeg = source.jpeg(rows) or [None] * len(rows)
        if not self.cameras:
            return jpeg
        from ....lattice.find import find_cell  # numba takes a second

        for i, row in enumerate(rows.tolist()):
            if jpeg[i] is None:
                height, width = _size(source, row)
                pixels = np.ascontiguousarray(cells[i, :height, :width])
                found = find_cell(pixels, _visible(silhouettes, i, pixels), self.cameras)
                jpeg[i] = None if found is None else found.jpeg_cell
        return jpeg


def check_lattice_mode(mode: str) -> None:
    """InputError unless it is one."""
    if mode not in get_args(LatticeMode):
        *first, last = get_args(LatticeMode)
        raise InputError(f"lattice is {', '.join(first)} or {last}, not {mode!r}")


def may_hold_lattice(source: Source, model: Model | None) -> bool:
    """Whether the model codes coefficients, and the pixels may be those of a JPEG decoder."""
    return (
        codes_coefficients(model)
        and source.dtype == np.uint8
        and source.cell_shape[2:] in ((), (3,))
        and not source.preprocessing.changes_pixels
    )


def lacks_search(source: Source, model: Model | None, mode: LatticeMode) -> bool:
    """Whether pixels would be searched, but numba, which that takes, is not installed."""
    wanted = mode == "auto" and may_hold_lattice(source, model)
    return wanted and not IS_AVAILABLE and bool(_unknown_sample(source))


def plan_search(
    source: Source,
    model: Model | None,
    mode: LatticeMode,
    progress: Progress = silent,
    n_cells: int = SAMPLE_CELLS,
) -> LatticeSearch | None:
    """Look at a sample of the cells for the cameras that they came from.

    Parameters
    ----------
    n_cells
        Of the sample.

    Returns
    -------
    LatticeSearch or None
        None where coefficients are not asked for, or cannot be had.
    """
    if mode == "off" or not may_hold_lattice(source, model) or not source.n_cells:
        return None
    if mode == "known" or not IS_AVAILABLE:
        return LatticeSearch()
    sample = _unknown_sample(source, n_cells)
    if not sample:
        return LatticeSearch()
    from ....lattice.survey import survey  # numba takes a second

    progress("looking for the cells' JPEG cameras", 0, len(sample))
    pixels = [source.original(row) for row in sample]
    masks = source.silhouettes(np.array(sample))
    cells = [(own, _visible(masks, i, own)) for i, own in enumerate(pixels)]
    cameras = survey(cells, len(cells))
    progress("looking for the cells' JPEG cameras", len(sample), len(sample))
    return LatticeSearch(cameras=tuple(cameras))


def share_of_bits(source: Source, model: Model, mode: LatticeMode) -> float:
    """Bits that a few cells take with their coefficients, in those that their pixels take.

    1 where the model or the cells have none.
    """
    search = plan_search(source, model, mode, n_cells=FEW_CELLS)
    if search is None:
        return 1.0
    rows = _spread(source.n_cells, FEW_CELLS)
    pixels, silhouettes = source.read(rows), source.silhouettes(rows)
    jpeg = search.coefficients(source, rows, pixels, silhouettes)
    if all(cell is None for cell in jpeg):
        return 1.0
    classes = np.zeros(len(rows), np.uint8)
    lengths = []
    for own in (jpeg, None):
        chunk = encode_chunk(
            pixels,
            coder_for(model),
            classes=classes,
            silhouettes=silhouettes,
            jpeg=own,
            keep_cells=True,
        )
        index = parse_header(memoryview(chunk)).index
        lengths.append(0 if index is None else int(index.lengths.sum()))
    return lengths[0] / max(lengths[1], 1)


def _spread(n: int, n_rows: int) -> NDArray[np.int64]:
    """So many evenly spaced rows of ``n``, or all."""
    return np.unique(np.linspace(0, n - 1, n_rows).astype(np.int64))


def _unknown_sample(source: Source, n_cells: int = SAMPLE_CELLS) -> list[int]:
    """Evenly spaced cells of which the source itself knows no coefficients."""
    rows = _spread(source.n_cells, n_cells)
    known = source.jpeg(rows)
    if known is None:
        return [int(row) for row in rows]
    return [int(row) for row, cell in zip(rows, known, strict=True) if cell is None]


def _size(source: Source, row: int) -> tuple[int, int]:
    if source.sizes is None:
        return source.cell_shape[0], source.cell_shape[1]
    height, width = source.sizes[row].tolist()
    return height, width


def _visible(silhouettes: Silhouettes | None, i: int, pixels: Pixels) -> NDArray[np.bool_] | None:
    """The mask of a cell at the size of its pixels; None where it is not known."""
    if silhouettes is None or silhouettes.resampling != "same":
        return None
    mask = silhouettes.masks[i]
    return mask if mask is not None and mask.shape == pixels.shape[:2] else None
