"""What the context network sees, as the codec computes it, for pixels drawn from many cells.

The integers are those of zarrmal_codecs.pixel_coder; a test holds them equal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs.constants import REACH
from zarrmal_codecs.context import PREDICTION_OFFSETS, own_base, position
from zarrmal_codecs.prediction import pool
from zarrmal_codecs.tables import CAUSAL, FULL, SQUASH

from .options import Effort

SAMPLE_RATE = 0.15
BLANK_WEIGHT = 8.0
"""Pixels amid blank ones are drawn so many times more rarely, and weigh so many times more."""

GRID = 10
BLOCK_CELLS = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Cells ready to draw pixels from.

    Parameters
    ----------
    padded
        uint8 (cell, plane, padded y, padded x), zeros about each plane.
    own
        uint8 (cell, plane, y, x): what each plane's own neighbours lead one to expect.
    deep
        bool (cell, y, x): blank neighbours only, in every plane.
    pooled
        float32 (cell, y * x * plane), 0..1: what the autoencoder takes.
    classes
        int64 (cell,).
    grid
        Its (y, x).
    """

    padded: torch.Tensor
    own: torch.Tensor
    deep: torch.Tensor
    pooled: torch.Tensor
    classes: torch.Tensor
    grid: tuple[int, int]

    @property
    def size(self) -> tuple[int, int, int, int]:
        """(cell, plane, y, x)."""
        n, planes, height, width = self.own.shape
        return n, planes, height, width

    def sample(self, rows: torch.Tensor, rate: float) -> tuple[torch.Tensor, ...]:
        """Draw pixels: which of ``rows``, which pixel of it, and its weight."""
        deep = self.deep[rows].reshape(len(rows), -1)
        chance = torch.where(deep, rate / BLANK_WEIGHT, rate)
        cell, pixel = (torch.rand(deep.shape, device=deep.device) < chance).nonzero(as_tuple=True)
        weight = torch.where(deep[cell, pixel], BLANK_WEIGHT / rate, 1 / rate)
        return cell, pixel, weight


def prepare(cells: NDArray[np.uint8], classes: NDArray[np.uint8], device: torch.device) -> Pixels:
    """From uint8 (cell, plane, y, x) and uint8 (cell,)."""
    n, _, height, width = cells.shape
    grid = (min(GRID, height), min(GRID, width))
    padded, own, deep, pooled = [], [], [], []
    for start in range(0, n, BLOCK_CELLS):
        block = cells[start : start + BLOCK_CELLS]
        wide = np.pad(block, ((0, 0), (0, 0), (REACH, REACH), (REACH, REACH)))
        views = {
            o: wide[:, :, REACH + o[0] : REACH + o[0] + height, REACH + o[1] : REACH + o[1] + width]
            for o in CAUSAL[:12]
        }
        four = [views[o].astype(np.int16) for o in ((0, -1), (-1, 0), (-1, 1), (-1, -1))]
        padded.append(wide)
        own.append(own_base(*four).astype(np.uint8))
        deep.append(np.logical_and.reduce([(v == 0).all(axis=1) for v in views.values()]))
        pooled.append(pool(block, grid).astype(np.float32) / 255)
    parts = [
        torch.from_numpy(np.concatenate(part)).to(device) for part in (padded, own, deep, pooled)
    ]
    return Pixels(
        padded=parts[0],
        own=parts[1],
        deep=parts[2],
        pooled=parts[3],
        classes=torch.from_numpy(classes.astype(np.int64)).to(device),
        grid=grid,
    )


class Looker:
    """Inputs of the context network of each step.

    Parameters
    ----------
    effort
        How far it looks.
    order
        Plane of each step.
    """

    def __init__(self, effort: Effort, order: tuple[int, ...], pixels: Pixels) -> None:
        device = pixels.own.device
        _, _, self.height, self.width = pixels.size
        self.effort, self.order, self.pixels = effort, order, pixels
        self.row = self.width + 2 * REACH

        def flat(places: tuple[tuple[int, int], ...]) -> torch.Tensor:
            return torch.tensor([y * self.row + x for y, x in places], device=device)

        self.causal = flat(CAUSAL[: effort.n_causal])
        self.full = flat(FULL[: effort.n_full])
        self.squash = torch.from_numpy(SQUASH.astype(np.float32)).to(device) / 64
        where = [
            position(y, x, self.height, self.width)
            for y in range(self.height)
            for x in range(self.width)
        ]
        self.where = torch.tensor(where, dtype=torch.float32, device=device) / 64
        self.where -= torch.tensor([1.0, 1.0, 0.0], device=device)

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
            Of each drawn pixel: which of rows, and where in it.
        predicted
            float32 (row, plane, y, x) in grey levels, or None.
        """
        p, e = self.pixels, self.effort
        y, x = pixel // self.width, pixel % self.width
        n_planes = len(self.order)
        owner = rows[cell] * n_planes
        at = (y + REACH) * self.row + x + REACH
        area, whole = self.height * self.width, (self.height + 2 * REACH) * self.row
        flat, own = p.padded.view(-1), p.own.view(-1)

        def centre(plane: int) -> torch.Tensor:
            return (owner + plane) * whole + at

        def expected(plane: int) -> torch.Tensor:
            return own[(owner + plane) * area + pixel].long()

        plane = self.order[step]
        base = expected(plane)
        earlier = [(q, flat[centre(q)].long()) for q in self.order[:step]]
        if step:
            q, known = earlier[-1]
            base = torch.where(known > 0, (base + known - expected(q)).clamp(1, 255), base)
        near = flat[centre(plane)[:, None] + self.causal].int()
        blank = near == 0
        parts = [self._difference(near, base.int()[:, None]).masked_fill_(blank, 0)]
        parts.append(blank[:, : e.n_flags].float())
        for q, known in earlier:
            gone = known == 0
            three = torch.stack([known - base, known - expected(q)], dim=1)
            three = self.squash[three + 255].masked_fill_(gone[:, None], 0)
            around = flat[centre(q)[:, None] + self.full].int()
            seen = self._difference(around, known.int()[:, None])
            parts += [
                gone[:, None].float(),
                three,
                seen.masked_fill_(gone[:, None] | (around == 0), 0),
            ]
        parts += [((base >> 1).float() / 64 - 1)[:, None], self.where[pixel]]
        if predicted is not None:
            parts.append(self._prediction(predicted, plane, cell, y, x, base))
        return torch.cat(parts, dim=1), flat[centre(plane)].long(), base

    def _difference(self, values: torch.Tensor, base: torch.Tensor) -> torch.Tensor:
        return self.squash[values - base + 255]

    def _prediction(
        self,
        predicted: torch.Tensor,
        plane: int,
        cell: torch.Tensor,
        y: torch.Tensor,
        x: torch.Tensor,
        base: torch.Tensor,
    ) -> torch.Tensor:
        found = []
        for dy, dx in PREDICTION_OFFSETS:
            rows, columns = (y + dy).clamp(max=self.height - 1), (x + dx).clamp(max=self.width - 1)
            d = predicted[cell, plane, rows, columns] - base
            size = d.abs()
            # S(d) without its steps, so that a gradient reaches the autoencoder.
            bent = 2 * size.clamp(max=8) + size.clamp(max=32) / 2 + size / 8
            found.append(torch.sign(d) * bent / 64)
        return torch.stack(found, dim=1)
