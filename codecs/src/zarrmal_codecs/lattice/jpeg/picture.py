"""Coefficients of a picture, or of a cell cut out of one, → its pixels.

A cell is a picture of its own: that which begins with the group of blocks in which its first pixel
lies, and ends with its last pixel; the rows and columns before the first pixel are cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .colour import rgb
from .transform import SIDE, dequantised, inverse_dct
from .upsampling import Ratio, upsampled

Colour = Literal["grey", "ycbcr", "rgb"]
"""What the planes are: one of grey; luma, Cb and Cr; or red, green and blue themselves."""
COLOURS: Final[tuple[Colour, ...]] = get_args(Colour)
LARGEST_STEP: Final = (1 << 16) - 1
LARGEST_RATIO: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Camera:
    """What pixels are computed from coefficients with.

    Parameters
    ----------
    tables
        uint16 (plane, 8, 8): the steps of the quantiser, 1..65535, vertical frequency first.
    ratios
        For each plane the rows and columns of pixels that a sample stands for, 1..4.
    colour
        What the planes are.
    fancy
        Whether the decoder interpolated between samples of chroma; see ``upsampled``.
    """

    tables: NDArray[np.uint16]
    ratios: tuple[Ratio, ...]
    colour: Colour
    fancy: bool = True

    def __post_init__(self) -> None:
        n_planes = 1 if self.colour == "grey" else 3
        if self.colour not in COLOURS:
            raise ValueError(f"colour is {self.colour!r}; it is one of {', '.join(COLOURS)}")
        if self.tables.shape != (n_planes, SIDE, SIDE) or self.tables.dtype != np.uint16:
            raise ValueError(
                f"tables are {self.tables.dtype} {self.tables.shape}; for {self.colour} they are "
                f"uint16 {(n_planes, SIDE, SIDE)}"
            )
        if not self.tables.all():
            raise ValueError("a step of the tables is 0; steps are 1..65535")
        sides = [side for ratio in self.ratios for side in ratio]
        if len(self.ratios) != n_planes or not all(1 <= s <= LARGEST_RATIO for s in sides):
            raise ValueError(
                f"ratios are {self.ratios}; for {self.colour} they are {n_planes} pairs of "
                f"1..{LARGEST_RATIO}"
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Camera):
            return NotImplemented
        mine, others = ((*c.ratios, c.colour, c.fancy) for c in (self, other))
        return mine == others and np.array_equal(self.tables, other.tables)

    def __hash__(self) -> int:
        return hash((self.tables.tobytes(), self.ratios, self.colour, self.fancy))

    @property
    def group(self) -> tuple[int, int]:
        """Rows and columns of pixels after which the blocks of all planes begin together."""
        down = max(ratio[0] for ratio in self.ratios)
        across = max(ratio[1] for ratio in self.ratios)
        return SIDE * down, SIDE * across

    def n_samples(self, shape: tuple[int, int], phase: tuple[int, int]) -> list[tuple[int, int]]:
        """Rows and columns of samples of each plane, for ``decode``'s shape and phase."""
        height, width = shape[0] + phase[0], shape[1] + phase[1]
        return [(-(-height // down), -(-width // across)) for down, across in self.ratios]

    def n_blocks(self, shape: tuple[int, int], phase: tuple[int, int]) -> list[tuple[int, int]]:
        """Rows and columns of blocks of each plane, for ``decode``'s shape and phase."""
        samples = self.n_samples(shape, phase)
        return [(-(-rows // SIDE), -(-columns // SIDE)) for rows, columns in samples]

    def n_blocks_of_file(self, shape: tuple[int, int]) -> list[tuple[int, int]]:
        """Rows and columns of blocks of each plane of a JPEG file: all those of its last groups."""
        group = self.group
        rows, columns = (-(-n // side) * side for n, side in zip(shape, group, strict=True))
        return self.n_blocks((rows, columns), (0, 0))


def samples_of(
    coefficients: NDArray[np.integer], table: NDArray[np.uint16], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """One plane, uint8 of ``shape``, of its blocks' coefficients (row, column, 8, 8)."""
    blocks = inverse_dct(dequantised(coefficients, table))
    rows, columns = blocks.shape[:2]
    plane = blocks.transpose(0, 2, 1, 3).reshape(rows * SIDE, columns * SIDE)
    return plane[: shape[0], : shape[1]]


def planes_of(
    camera: Camera,
    coefficients: Sequence[NDArray[np.integer]],
    shape: tuple[int, int],
    phase: tuple[int, int] = (0, 0),
    known: Sequence[NDArray[np.bool_]] | None = None,
) -> list[NDArray[np.uint8]]:
    """The planes of ``decode`` before their colours are mixed, uint8 (y, x) each."""
    if len(coefficients) != len(camera.ratios):
        raise ValueError(f"{len(coefficients)} planes for a camera of {len(camera.ratios)}")
    if not all(0 <= p < g for p, g in zip(phase, camera.group, strict=True)):
        raise ValueError(f"phase is {phase}; it is below {camera.group} for this camera")
    planes = []
    n_samples, n_blocks = camera.n_samples(shape, phase), camera.n_blocks(shape, phase)
    for i, blocks in enumerate(coefficients):
        if blocks.shape != (*n_blocks[i], SIDE, SIDE):
            raise ValueError(
                f"plane {i} has coefficients {blocks.shape}; for {shape} pixels at phase {phase} "
                f"they are {(*n_blocks[i], SIDE, SIDE)}"
            )
        plane = samples_of(blocks, camera.tables[i], n_samples[i])
        mask = None
        if known is not None:
            mask = known[i].repeat(SIDE, axis=0).repeat(SIDE, axis=1)
            mask = mask[: plane.shape[0], : plane.shape[1]]
        full = upsampled(plane, camera.ratios[i], fancy=camera.fancy, known=mask)
        planes.append(full[phase[0] : phase[0] + shape[0], phase[1] : phase[1] + shape[1]])
    return planes


def decode(
    camera: Camera,
    coefficients: Sequence[NDArray[np.integer]],
    shape: tuple[int, int],
    phase: tuple[int, int] = (0, 0),
    known: Sequence[NDArray[np.bool_]] | None = None,
) -> NDArray[np.uint8]:
    """Pixels of a picture or a cell, uint8 (y, x) of grey, else (y, x, 3).

    Parameters
    ----------
    camera
        Tables, sampling and colour.
    coefficients
        For each plane its quantised blocks (row, column, 8, 8), vertical frequency first, as many
        as ``camera.n_blocks(shape, phase)``.
    shape
        Height and width in pixels.
    phase
        Row and column of the first pixel in its group of blocks, each below ``camera.group``;
        (0, 0) for a picture.
    known
        For each plane bool (row, column): a block not known has no part in its neighbours'
        pixels, and its own pixels mean nothing. None: all are known.

    Raises
    ------
    ValueError
        The arguments do not belong together.
    """
    planes = planes_of(camera, coefficients, shape, phase, known)
    if camera.colour == "grey":
        return planes[0]
    if camera.colour == "rgb":
        return np.stack(planes, axis=-1)
    return rgb(*planes)
