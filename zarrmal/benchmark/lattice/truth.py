"""Cells found, compared with the JPEG files that they were cut out of."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.jpeg.transform import inverse_dct

from ...lattice.found import FoundCell, covered_pixels
from ...lattice.jpeg_file import JpegFile

MIN_WHOLE_BLOCKS = 12
"""Cells with fewer whole blocks of luma are not compared."""


@dataclass(slots=True, kw_only=True)
class Score:
    """How much of what was found is right.

    Attributes
    ----------
    n_cells, n_found
        Cells with at least MIN_WHOLE_BLOCKS, and those in which something was found.
    phase, sampling
        Cells with the right ones.
    tables, tables_equal
        Cells with the right steps at all frequencies that their whole blocks tell, those with a
        coefficient that is not 0: each is the file's, or a multiple of it of which all the file's
        values in the cell are multiples (where all levels of a frequency are even, nothing tells it
        from the double); and cells in which all of these are the file's. Values that can be
        replaced by others that decode to the same samples tell nothing.
    blocks, values_equal, ambiguous
        Whole blocks of all planes, those with the file's dequantised coefficients, and those with
        others that decode to the same samples or the same pixels, between which no pixel decides: a
        constant block's mean, say, where its step is below 8, or a block whose colours are clamped.
    """

    n_cells: int = 0
    n_found: int = 0
    phase: int = 0
    sampling: int = 0
    tables: int = 0
    tables_equal: int = 0
    blocks: int = 0
    values_equal: int = 0
    ambiguous: int = 0
    wrong: list[str] = field(default_factory=list)
    """Cells with something wrong, in words."""

    def add(
        self, name: str, found: FoundCell | None, file: JpegFile, corner: tuple[int, int],
        visible: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        """Compare a cell with its file.

        Parameters
        ----------
        name
            Of the cell.
        found
            What was found.
        file
            The JPEG that it was cut out of.
        corner
            Row and column of the cell's first pixel there.
        visible
            bool (y, x): its pixels.
        """
        group = file.camera.group
        phase = corner[0] % group[0], corner[1] % group[1]
        whole = [_whole(visible, file, phase, plane) for plane in range(len(file.blocks))]
        if whole[0].sum() < MIN_WHOLE_BLOCKS:
            return
        self.n_cells += 1
        self.blocks += sum(int(w.sum()) for w in whole)
        if found is None:
            self.wrong.append(f"{name}: nothing found")
            return
        self.n_found += 1
        same_sampling = (found.camera.ratios, found.camera.colour) == (
            file.camera.ratios,
            file.camera.colour,
        )
        self.sampling += same_sampling
        self.phase += found.phase == phase
        if not same_sampling or found.phase != phase:
            self.wrong.append(
                f"{name}: phase {found.phase}, {phase} is right; sampling {found.camera.ratios}, "
                f"{file.camera.ratios} is right"
            )
            return
        shown = _shown(found, visible)
        right, equal = True, True
        for plane, blocks in enumerate(file.blocks):
            down, across = file.camera.ratios[plane]
            row = (corner[0] - phase[0]) // (8 * down)
            column = (corner[1] - phase[1]) // (8 * across)
            rows, columns = found.is_known[plane].shape
            true = blocks[row : row + rows, column : column + columns].astype(np.int64)
            true = true * file.camera.tables[plane]
            steps = found.camera.tables[plane].astype(np.int64)
            mine = found.coefficients[plane] * steps
            same = (mine == true).all(axis=(2, 3)) & found.is_known[plane]
            self.values_equal += int((same & whole[plane]).sum())
            other = whole[plane] & found.is_known[plane] & ~same
            alike = (inverse_dct(mine[other]) == inverse_dct(true[other])).all(axis=(1, 2))
            alike |= _whole(shown, file, phase, plane)[other]
            self.ambiguous += int(alike.sum())
            told = whole[plane].copy()
            told[other] &= ~alike
            values, file_steps = true[told], file.camera.tables[plane].astype(np.int64)
            is_told = (values != 0).any(axis=0)
            fits = (values % steps == 0).all(axis=0) & (steps % file_steps == 0)
            right = right and bool(fits[is_told].all())
            equal = equal and bool((steps == file_steps)[is_told].all())
        self.tables += right
        self.tables_equal += equal
        if not right:
            self.wrong.append(f"{name}: a step")

    def add_all(self, other: Score) -> None:
        """Add the sums of another."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def to_json(self) -> dict[str, Any]:
        """Strict JSON."""
        return {
            "compared": self.n_cells, "found": self.n_found, "phase_right": self.phase,
            "sampling_right": self.sampling, "tables_right": self.tables,
            "tables_equal": self.tables_equal, "whole_blocks": self.blocks,
            "values_equal": self.values_equal, "ambiguous": self.ambiguous, "wrong": self.wrong,
        }  # fmt: skip


def _shown(found: FoundCell, visible: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Visible pixels that the coefficients found give, bool (y, x)."""
    covered = covered_pixels(found.camera, found.is_known, found.shape, found.phase)
    shown = np.asarray(visible & covered)
    shown.reshape(-1)[found.correction_positions] = False
    return shown


def _whole(
    visible: NDArray[np.bool_], file: JpegFile, phase: tuple[int, int], plane: int
) -> NDArray[np.bool_]:
    """Blocks of a plane of which all pixels are visible."""
    shape = visible.shape[0], visible.shape[1]
    rows, columns = file.camera.n_blocks(shape, phase)[plane]
    down, across = file.camera.ratios[plane]
    padded = np.zeros((rows * 8 * down, columns * 8 * across), np.bool_)
    padded[phase[0] : phase[0] + shape[0], phase[1] : phase[1] + shape[1]] = visible
    return np.asarray(padded.reshape(rows, 8 * down, columns, 8 * across).all(axis=(1, 3)))
