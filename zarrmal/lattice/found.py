"""What was found behind a cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.cell import JpegCell
from zarrmal_codecs.lattice.jpeg.picture import Camera
from zarrmal_codecs.lattice.jpeg.upsampling import upsampled

from .solve.blocks import Phase
from .solve.dct import BLOCK

MIN_SHARE_CLEAR = 0.9
"""Of the whole blocks without clamped pixels must be found, else the cell is left alone."""

MIN_SHARE_PIXELS = 0.25
"""Of the visible pixels must come out, else the cell is left alone."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundCell:
    """The camera's own bits behind a cell's pixels.

    `zarrmal_codecs.lattice.jpeg.picture.decode(camera, coefficients, shape, phase, is_known)` gives
    the pixels that ``covered_pixels`` tells, but for the corrections.

    Attributes
    ----------
    camera
        Tables, sampling and colour.
    shape
        Height and width in pixels.
    phase
        Row and column of the first pixel in its group of blocks.
    coefficients
        Of each plane int16 (row, column, 8, 8), vertical frequency first; 0 in blocks not known.
    is_known
        Of each plane bool (row, column): blocks with coefficients.
    is_exact
        The same: blocks whose coefficients give all that is visible of them.
    is_sure
        Of each plane bool (row, column): whole blocks whose coefficients are exact.
    correction_positions
        int32 (n,): y * width + x of the visible pixels that the coefficients do not give although
        they are covered, ascending.
    correction_values
        uint8 (n,) or (n, channel): those pixels.
    n_visible, n_covered
        Pixels of the cell, and those of them all of whose samples are in known blocks.
    n_whole, n_whole_found
        Of each plane, whole blocks and those of them whose coefficients are exact.
    n_clear, n_clear_found
        The same for blocks without a clamped pixel, of all planes.
    """

    camera: Camera
    shape: tuple[int, int]
    phase: Phase
    coefficients: tuple[NDArray[np.int16], ...]
    is_known: tuple[NDArray[np.bool_], ...]
    is_exact: tuple[NDArray[np.bool_], ...]
    is_sure: tuple[NDArray[np.bool_], ...]
    correction_positions: NDArray[np.int32]
    correction_values: NDArray[np.uint8]
    n_visible: int
    n_covered: int
    n_whole: tuple[int, ...]
    n_whole_found: tuple[int, ...]
    n_clear: int
    n_clear_found: int

    @property
    def is_worthwhile(self) -> bool:
        """Whether most of what can be found was found."""
        return (
            self.n_clear_found >= MIN_SHARE_CLEAR * self.n_clear
            and self.n_exact >= MIN_SHARE_PIXELS * self.n_visible
        )

    @property
    def share_whole(self) -> float:
        """Share of the whole blocks of all planes whose coefficients are exact."""
        return sum(self.n_whole_found) / max(sum(self.n_whole), 1)

    @property
    def n_exact(self) -> int:
        """Visible pixels that the coefficients alone give."""
        return self.n_covered - len(self.correction_positions)

    @property
    def jpeg_cell(self) -> JpegCell:
        """What the coder is told of the cell; it finds the corrections by decoding."""
        return JpegCell(
            camera=self.camera,
            phase=self.phase,
            coefficients=self.coefficients,
            coded=self.is_known,
        )


def used_frequencies(found: FoundCell) -> NDArray[np.bool_]:
    """Frequencies at which a cell has a non-zero coefficient, bool (plane, 8, 8)."""
    return np.stack([(levels != 0).any(axis=(0, 1)) for levels in found.coefficients])


def covered_pixels(
    camera: Camera,
    is_known: Sequence[NDArray[np.bool_]],
    shape: tuple[int, int],
    phase: Phase,
) -> NDArray[np.bool_]:
    """Pixels all of whose samples are in known blocks, in all planes; bool (y, x).

    A sample beyond the blocks of the cell takes no part, as at the edge of a picture.
    """
    covered = np.ones(shape, np.bool_)
    for plane, (known, ratio) in enumerate(zip(is_known, camera.ratios, strict=True)):
        rows, columns = camera.n_samples(shape, phase)[plane]
        samples = known.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)[:rows, :columns]
        # Weights sum to a power of two, so that only a mean of 192s is 192.
        shown = upsampled(samples.astype(np.uint8) * np.uint8(192), ratio, fancy=camera.fancy)
        inside = tuple(slice(p, p + n) for p, n in zip(phase, shape, strict=True))
        covered &= (shown == 192)[inside]
    return covered
