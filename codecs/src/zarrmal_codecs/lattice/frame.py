"""What is known of a cell of a JPEG picture before its stream: which pixels and blocks it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .cells import FULLY_VISIBLE, Layout
from .jpeg.picture import Camera
from .jpeg.transform import SIDE
from .jpeg.upsampling import is_fancy

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

LEAST_OF_FIRST, LEAST_OF_OTHERS = 32, 16
"""Visible pixels of a block, in 64ths, from which on its coefficients cost less than its pixels."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """What is known of a cell before its stream.

    Parameters
    ----------
    camera
        Tables, sampling, colour.
    shape
        Height and width.
    phase
        Of the first pixel in its group of blocks; see ``picture.decode``.
    visible
        bool (y, x), at least one; the other pixels are 0. None: all, and all blocks are coded.
    least
        Visible pixels, in 64ths of a block, from which on the first plane's blocks, and those of
        the others, are coded.
    is_file
        The cell is a whole picture, of which all pixels are visible: it has the blocks that only
        fill its last groups, too.
    """

    camera: Camera
    shape: tuple[int, int]
    phase: tuple[int, int] = (0, 0)
    visible: Flags | None = None
    least: tuple[int, int] = (LEAST_OF_FIRST, LEAST_OF_OTHERS)
    is_file: bool = False

    @property
    def n_blocks(self) -> list[tuple[int, int]]:
        """Rows and columns of blocks of each plane."""
        if self.is_file:
            return self.camera.n_blocks_of_file(self.shape)
        return self.camera.n_blocks(self.shape, self.phase)

    def shares(self) -> list[NDArray[np.uint8]]:
        """Of each plane's blocks the visible pixels in 64ths, rounded down, uint8 (row, column)."""
        shares = []
        for (down, across), (rows, columns) in zip(self.camera.ratios, self.n_blocks, strict=True):
            whole = np.zeros((rows * SIDE * down, columns * SIDE * across), np.int64)
            inside = self.phase[0] + self.shape[0], self.phase[1] + self.shape[1]
            seen = 1 if self.visible is None else self.visible
            whole[self.phase[0] : inside[0], self.phase[1] : inside[1]] = seen
            counts = whole.reshape(rows, SIDE * down, columns, SIDE * across).sum(axis=(1, 3))
            # A part of a pixel is none, but a pixel is a part: 0 means that nothing is visible.
            shares.append(np.maximum(counts // (down * across), counts > 0).astype(np.uint8))
        return shares

    def candidates(self, shares: Sequence[NDArray[np.uint8]]) -> list[Flags]:
        """Which blocks of each plane are coded unless the stream says otherwise."""
        if self.visible is None:
            return [np.ones(share.shape, bool) for share in shares]
        least = (self.least[0], self.least[1], self.least[1])
        return [share >= most for share, most in zip(shares, least, strict=False)]

    def layout(self, coded: Sequence[Flags], shares: Sequence[NDArray[np.uint8]]) -> Layout:
        """For the coder of coefficients."""
        full = [np.full(share.shape, FULLY_VISIBLE, np.uint8) for share in shares]
        return Layout(
            camera=self.camera,
            n_blocks=tuple(share.shape for share in shares),
            coded=tuple(coded),
            visible=tuple(full if self.visible is None else shares),
        )

    def seen(self) -> Flags:
        """bool (y, x)."""
        return np.ones(self.shape, bool) if self.visible is None else self.visible

    def told(self, coded: Sequence[Flags]) -> list[Flags]:
        """For each plane, bool (y, x): pixels all of whose samples lie in coded blocks.

        Beyond a cell that was cut out lie samples that are not known.
        """
        maps = []
        samples = self.camera.n_samples(self.shape, self.phase)
        for flags, ratio, (rows, columns) in zip(coded, self.camera.ratios, samples, strict=True):
            known = np.zeros((rows + 2, columns + 2), bool)
            if self.visible is None:
                known[...] = True
            spread = flags.repeat(SIDE, axis=0).repeat(SIDE, axis=1)[:rows, :columns]
            known[1:-1, 1:-1] = spread
            fancy = is_fancy(ratio, columns, fancy=self.camera.fancy)
            y, next_y = _samples_of(self.shape[0], self.phase[0], ratio[0], fancy=fancy)
            x, next_x = _samples_of(self.shape[1], self.phase[1], ratio[1], fancy=fancy)
            both = known[y] & known[next_y]
            maps.append(both[:, x] & both[:, next_x])
        return maps


def _samples_of(n: int, phase: int, ratio: int, *, fancy: bool) -> tuple[Ints, Ints]:
    """Nearest and next nearest sample of each pixel along one axis, the first sample being 1."""
    pixels = np.arange(n) + phase
    nearest = pixels // ratio + 1
    if not fancy or ratio == 1:
        return nearest, nearest
    return nearest, nearest + np.where(pixels % 2, 1, -1)
