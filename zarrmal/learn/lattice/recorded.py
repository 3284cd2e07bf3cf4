"""What the coder's networks see of blocks and of rim pixels, and what they are to tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.blocks.coefficients import last_diagonal
from zarrmal_codecs.lattice.blocks.spatial import Canvas, inputs_of
from zarrmal_codecs.lattice.cells import FULLY_VISIBLE, PlaneOfCells
from zarrmal_codecs.lattice.frame import LEAST_OF_OTHERS
from zarrmal_codecs.lattice.jpeg.picture import planes_of
from zarrmal_codecs.lattice.numbers import SCAN
from zarrmal_codecs.lattice.pixels import unmixed

from ...lattice.known import KnownCell

Array = NDArray[Any]
BATCH = 1 << 12


@dataclass(frozen=True, slots=True, eq=False)
class RecordedBlocks:
    """Blocks of a plane.

    Parameters
    ----------
    inputs
        int8 (block, 64, 32): of the networks of coefficients.
    distance
        float32 (block, 64): of the coefficients from their predictions.
    values
        int16 (block, 64): the coefficients.
    diagonal_inputs
        int8 (block, 32): of the network of the last diagonal.
    last
        int64 (block,): the last diagonal.
    """

    inputs: NDArray[np.int8]
    distance: NDArray[np.float32]
    values: NDArray[np.int16]
    diagonal_inputs: NDArray[np.int8]
    last: NDArray[np.int64]

    @classmethod
    def of(cls, plane: PlaneOfCells, chosen: Array, rng: np.random.Generator) -> RecordedBlocks:
        """Of the blocks ``chosen`` of a plane with all its coefficients."""
        parts = []
        for start in range(0, len(chosen), BATCH):
            index = chosen[start : start + BATCH]
            lanes, own = plane.lanes(index), plane.coefficients[index].astype(np.int64)
            lanes.last = last_diagonal(own)
            diagonal_inputs = lanes.diagonal_inputs().astype(np.int8)
            inputs = np.zeros((len(index), 64, lanes.inputs(0).shape[1]), np.int8)
            distance = np.zeros((len(index), 64), np.float32)
            for j in SCAN.tolist():
                predicted = lanes.predicted(j)
                inputs[:, j] = lanes.inputs(j)
                distance[:, j] = own[:, j] - predicted / 32
                lanes.take(j, own[:, j], predicted)
            parts.append((inputs, distance, own.astype(np.int16), diagonal_inputs, lanes.last))
        joined = cls(*(np.concatenate(part) for part in zip(*parts, strict=True)))
        if (plane.visible[chosen] == FULLY_VISIBLE).all():
            # Whole blocks say nothing about cut ones: their share must not act as a bias.
            share = rng.integers(LEAST_OF_OTHERS, FULLY_VISIBLE + 1, len(chosen))
            share = share.astype(np.int8)
            joined.inputs[:, :, 27], joined.diagonal_inputs[:, 24] = share[:, None], share
        return joined


@dataclass(frozen=True, slots=True, eq=False)
class RecordedRims:
    """Rim pixels of a plane.

    Parameters
    ----------
    inputs
        int8 (pixel, 64).
    distance
        float32 (pixel,): of the value from the base.
    """

    inputs: NDArray[np.int8]
    distance: NDArray[np.float32]


def record_rims(cells: Sequence[KnownCell]) -> list[RecordedRims]:
    """Rim pixels of each plane of cells of three planes, as the coder sees them."""
    frames = [cell.frame for cell in cells]
    seen = [frame.seen() for frame in frames]
    told, planes = [], []
    for cell, frame in zip(cells, frames, strict=True):
        layout, kept = cell.coded()
        flags = layout.coded or ()
        decoded = planes_of(frame.camera, kept, frame.shape, frame.phase, flags)
        told.append(frame.told(flags))
        true = unmixed(frame.camera, cell.pixels)
        both = zip(told[-1], decoded, true, strict=True)
        planes.append([np.where(known, d, own) for known, d, own in both])
    canvases: list[Canvas] = []
    rims = []
    for p in range(3):
        canvas = Canvas.of([own[p] for own in planes], seen, [maps[p] for maps in told])
        canvases.append(canvas)
        index = np.concatenate(canvas.turns)
        cell_of = np.repeat(np.arange(len(canvas.turns)), [len(turn) for turn in canvas.turns])
        steps = np.stack([frame.camera.tables[p].reshape(64) for frame in frames])
        inputs, base = inputs_of(canvases, index, cell_of, steps.astype(np.int64))
        distance = canvas.values[index] - base / 32
        rims.append(RecordedRims(inputs.astype(np.int8), distance.astype(np.float32)))
    return rims
