"""Cells found, compared with the JPEG files that they were cut out of."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.jpeg.picture import decode

from ...lattice.found import FoundCell
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
        others that decode to the same visible pixels, so that no search can tell: a constant
        block's mean, say, where its step is below 8, or a block whose colours are clamped. The
        decoder proves it (``_alike``).
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
    missed: list[str] = field(default_factory=list)
    """Whole blocks that are neither equal nor alike, in words; none of cells without the phase."""

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
        true = _file_values(file, found, corner)
        mine = [
            levels * table.astype(np.int64)
            for levels, table in zip(found.coefficients, found.camera.tables, strict=True)
        ]
        same = [
            (own == values).all(axis=(2, 3)) & known
            for own, values, known in zip(mine, true, found.is_known, strict=True)
        ]
        others = [
            own & known & ~equal
            for own, known, equal in zip(whole, found.is_known, same, strict=True)
        ]
        alike = _alike(found, file, visible, true, mine, others)
        right, equal = True, True
        for plane, values in enumerate(true):
            steps = found.camera.tables[plane].astype(np.int64)
            self.values_equal += int((same[plane] & whole[plane]).sum())
            self.ambiguous += int(alike[plane].sum())
            told = values[whole[plane] & ~alike[plane]]
            file_steps = file.camera.tables[plane].astype(np.int64)
            is_told = (told != 0).any(axis=0)
            fits = (told % steps == 0).all(axis=0) & (steps % file_steps == 0)
            right = right and bool(fits[is_told].all())
            equal = equal and bool((steps == file_steps)[is_told].all())
            for row, column in np.argwhere(whole[plane] & ~same[plane] & ~alike[plane]).tolist():
                n_wrong = int((mine[plane] != values)[row, column].sum())
                what = f"{n_wrong} values differ" if others[plane][row, column] else "not known"
                self.missed.append(f"{name}: plane {plane}, block ({row}, {column}): {what}")
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
            "missed": self.missed,
        }  # fmt: skip


def _file_values(
    file: JpegFile, found: FoundCell, corner: tuple[int, int]
) -> list[NDArray[np.int64]]:
    """Of each plane the file's dequantised coefficients in a cell, (row, column, 8, 8)."""
    values = []
    for plane, blocks in enumerate(file.blocks):
        down, across = file.camera.ratios[plane]
        row = (corner[0] - found.phase[0]) // (8 * down)
        column = (corner[1] - found.phase[1]) // (8 * across)
        rows, columns = found.is_known[plane].shape
        own = blocks[row : row + rows, column : column + columns].astype(np.int64)
        values.append(own * file.camera.tables[plane])
    return values


def _alike(
    found: FoundCell,
    file: JpegFile,
    visible: NDArray[np.bool_],
    true: list[NDArray[np.int64]],
    mine: list[NDArray[np.int64]],
    others: list[NDArray[np.bool_]],
) -> list[NDArray[np.bool_]]:
    """Which other blocks are proven alike, of each plane bool (row, column).

    They are put into the file in place of its own, all at once, and decoded: no visible pixel that
    one of them takes part in may change. Those with such a pixel are left out, until none has.
    """
    camera = replace(file.camera, tables=np.ones_like(file.camera.tables))

    def decoded(values: list[NDArray[np.int64]]) -> NDArray[np.uint8]:
        blocks = [own.astype(np.int16) for own in values]
        return decode(camera, blocks, found.shape, found.phase)

    expected = decoded(true)
    left = others
    while any(flags.any() for flags in left):
        mixed = [
            np.where(flags[:, :, None, None], own, values)
            for flags, own, values in zip(left, mine, true, strict=True)
        ]
        pixels = decoded(mixed)
        differs = pixels != expected if pixels.ndim == 2 else (pixels != expected).any(axis=2)
        differs &= visible
        if not differs.any():
            break
        kept = [
            flags & _whole(~_widened(differs, file, plane), file, found.phase, plane, True)
            for plane, flags in enumerate(left)
        ]
        if all((now == flags).all() for now, flags in zip(kept, left, strict=True)):
            return [np.zeros_like(flags) for flags in left]
        left = kept
    return left


def _widened(marked: NDArray[np.bool_], file: JpegFile, plane: int) -> NDArray[np.bool_]:
    """Marked pixels and those as far away as interpolation reaches."""
    wide = marked.copy()
    for axis, ratio in enumerate(file.camera.ratios[plane]):
        for shift in range(1, ratio):
            before, after = np.roll(wide, -shift, axis), np.roll(wide, shift, axis)
            wide = wide | before | after
    return wide


def _whole(
    visible: NDArray[np.bool_],
    file: JpegFile,
    phase: tuple[int, int],
    plane: int,
    outside: bool = False,
) -> NDArray[np.bool_]:
    """Blocks of a plane of which all pixels are visible; whether those outside the cell are."""
    shape = visible.shape[0], visible.shape[1]
    rows, columns = file.camera.n_blocks(shape, phase)[plane]
    down, across = file.camera.ratios[plane]
    padded = np.full((rows * 8 * down, columns * 8 * across), outside, np.bool_)
    padded[phase[0] : phase[0] + shape[0], phase[1] : phase[1] + shape[1]] = visible
    return np.asarray(padded.reshape(rows, 8 * down, columns, 8 * across).all(axis=(1, 3)))
