"""Inputs of the context network, as the codec computes them, for pixels drawn from many cells.

The integers are those of zarrmal_codecs.pixel_coder; a test holds them equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs.constants import REACH
from zarrmal_codecs.context import PREDICTION_OFFSETS, own_base, position, positions
from zarrmal_codecs.prediction import pool
from zarrmal_codecs.tables import CAUSAL, FULL, SQUASH

from .options import Effort

SAMPLE_RATE = 0.15
BLANK_WEIGHT = 8.0
"""Pixels with only blank neighbours are drawn 8 times more rarely, and weigh 8 times more."""

GRID = 10
BLOCK_CELLS = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class PreparedCells:
    """Cells ready to draw pixels from.

    Parameters
    ----------
    padded
        uint8 (cell, plane, padded y, padded x), zeros about each plane.
    own_base
        uint8 (cell, plane, y, x): prediction from the neighbours in the same plane.
    blank_around
        bool (cell, y, x): blank neighbours only, in every plane.
    pooled
        float32 (cell, y * x * plane), 0..1: input of the autoencoder.
    classes
        int64 (cell,).
    grid
        Height and width of ``pooled``.
    """

    padded: torch.Tensor
    own_base: torch.Tensor
    blank_around: torch.Tensor
    pooled: torch.Tensor
    classes: torch.Tensor
    grid: tuple[int, int]

    @property
    def size(self) -> tuple[int, int, int, int]:
        """(cell, plane, y, x)."""
        n, n_planes, height, width = self.own_base.shape
        return n, n_planes, height, width

    def sample(self, rows: torch.Tensor, rate: float) -> tuple[torch.Tensor, ...]:
        """Draw pixels of some cells at about this rate, 0 < rate <= 1.

        Returns
        -------
        tuple
            Of each pixel: index into ``rows``, index into the cell, and weight.
        """
        blank = self.blank_around[rows].reshape(len(rows), -1)
        chance = torch.where(blank, rate / BLANK_WEIGHT, rate)
        drawn = torch.rand(blank.shape, device=blank.device) < chance
        cell, pixel = drawn.nonzero(as_tuple=True)
        weight = torch.where(blank[cell, pixel], BLANK_WEIGHT / rate, 1 / rate)
        return cell, pixel, weight


def prepare(
    cells: NDArray[np.uint8], classes: NDArray[np.uint8], device: torch.device
) -> PreparedCells:
    """Prepare cells uint8 (cell, plane, y, x) of classes uint8 (cell,)."""
    n, _, height, width = cells.shape
    grid = (min(GRID, height), min(GRID, width))
    padded, own, blank_around, pooled = [], [], [], []
    for start in range(0, n, BLOCK_CELLS):
        block = cells[start : start + BLOCK_CELLS]
        block_padded = np.pad(block, ((0, 0), (0, 0), (REACH, REACH), (REACH, REACH)))
        views = {
            (y, x): block_padded[
                :, :, REACH + y : REACH + y + height, REACH + x : REACH + x + width
            ]
            for y, x in CAUSAL[:12]
        }
        nearest = [views[o].astype(np.int16) for o in ((0, -1), (-1, 0), (-1, 1), (-1, -1))]
        padded.append(block_padded)
        own.append(own_base(*nearest).astype(np.uint8))
        blank_around.append(np.logical_and.reduce([(v == 0).all(axis=1) for v in views.values()]))
        pooled.append(pool(block, grid).astype(np.float32) / 255)

    def tensor(parts: Sequence[NDArray[Any]]) -> torch.Tensor:
        return torch.from_numpy(np.concatenate(parts)).to(device)

    return PreparedCells(
        padded=tensor(padded),
        own_base=tensor(own),
        blank_around=tensor(blank_around),
        pooled=tensor(pooled),
        classes=torch.from_numpy(classes.astype(np.int64)).to(device),
        grid=grid,
    )


class ContextInputs:
    """Inputs of the context network of each step.

    Parameters
    ----------
    effort
        Sets the neighbours that are inputs.
    order
        Plane of each step.
    """

    def __init__(self, effort: Effort, order: tuple[int, ...], cells: PreparedCells) -> None:
        device = cells.own_base.device
        _, _, self.height, self.width = cells.size
        self.effort, self.order, self.cells = effort, order, cells
        self._row_length = self.width + 2 * REACH

        def flat(offsets: tuple[tuple[int, int], ...]) -> torch.Tensor:
            return torch.tensor([y * self._row_length + x for y, x in offsets], device=device)

        self._causal = flat(CAUSAL[: effort.n_causal])
        self._full = flat(FULL[: effort.n_full])
        self._squash = torch.from_numpy(SQUASH.astype(np.float32)).to(device) / 64
        down, across = positions(self.height, self.height), positions(self.width, self.width)
        inputs = [
            position(down[y], across[x]) for y in range(len(down)) for x in range(len(across))
        ]
        flat_inputs = np.concatenate(inputs, axis=1).T.astype(np.float32)
        self._positions = torch.from_numpy(flat_inputs).to(device) / 64
        self._positions -= torch.tensor([1.0, 1.0, 0.0], device=device)

    def offsets(self, step: int, has_prediction: bool) -> torch.Tensor:
        """Of each input of a step: an integer f enters the network as f / 64 - offset."""
        e = self.effort
        parts = [1.0] * e.n_causal + [0.0] * e.n_flags
        parts += ([0.0, 1.0, 1.0] + [1.0] * e.n_full) * step
        parts += [1.0, 1.0, 1.0, 0.0] + [1.0] * (len(PREDICTION_OFFSETS) * has_prediction)
        return torch.tensor(parts)

    def __call__(
        self,
        step: int,
        rows: torch.Tensor,
        cell: torch.Tensor,
        pixel: torch.Tensor,
        predicted: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Inputs float32 (pixel, input), values and bases int64 (pixel,).

        Parameters
        ----------
        rows
            Cells of the batch.
        cell, pixel
            Of each drawn pixel: index into rows, and index into the cell.
        predicted
            float32 (row, plane, y, x) in grey levels, or None.
        """
        cells, e = self.cells, self.effort
        y, x = pixel // self.width, pixel % self.width
        n_planes = len(self.order)
        owner = rows[cell] * n_planes
        offset = (y + REACH) * self._row_length + x + REACH
        area = self.height * self.width
        padded_area = (self.height + 2 * REACH) * self._row_length
        flat, own = cells.padded.view(-1), cells.own_base.view(-1)

        def centre(plane: int) -> torch.Tensor:
            return (owner + plane) * padded_area + offset

        def expected(plane: int) -> torch.Tensor:
            return own[(owner + plane) * area + pixel].long()

        plane = self.order[step]
        base = expected(plane)
        earlier = [(plane, flat[centre(plane)].long()) for plane in self.order[:step]]
        if step:
            last, known = earlier[-1]
            base = torch.where(known > 0, (base + known - expected(last)).clamp(1, 255), base)
        near = flat[centre(plane)[:, None] + self._causal].int()
        blank = near == 0
        parts = [self._difference(near, base.int()[:, None]).masked_fill_(blank, 0)]
        parts.append(blank[:, : e.n_flags].float())
        for earlier_plane, known in earlier:
            missing = (known == 0)[:, None]
            errors = torch.stack([known - base, known - expected(earlier_plane)], dim=1)
            around = flat[centre(earlier_plane)[:, None] + self._full].int()
            differences = self._difference(around, known.int()[:, None])
            parts += [
                missing.float(),
                self._squash[errors + 255].masked_fill_(missing, 0),
                differences.masked_fill_(missing | (around == 0), 0),
            ]
        parts += [((base >> 1).float() / 64 - 1)[:, None], self._positions[pixel]]
        if predicted is not None:
            parts.append(self._prediction(predicted, plane, cell, y, x, base))
        return torch.cat(parts, dim=1), flat[centre(plane)].long(), base

    def _difference(self, values: torch.Tensor, base: torch.Tensor) -> torch.Tensor:
        return self._squash[values - base + 255]

    def _prediction(
        self,
        predicted: torch.Tensor,
        plane: int,
        cell: torch.Tensor,
        y: torch.Tensor,
        x: torch.Tensor,
        base: torch.Tensor,
    ) -> torch.Tensor:
        parts = []
        for dy, dx in PREDICTION_OFFSETS:
            rows, columns = (y + dy).clamp(max=self.height - 1), (x + dx).clamp(max=self.width - 1)
            d = predicted[cell, plane, rows, columns] - base
            size = d.abs()
            # S(d) without its steps, so that a gradient reaches the autoencoder.
            squashed = 2 * size.clamp(max=8) + size.clamp(max=32) / 2 + size / 8
            parts.append(torch.sign(d) * squashed / 64)
        return torch.stack(parts, dim=1)
