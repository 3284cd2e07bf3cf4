"""Training all classes together on the bits of residue and latents; weights rounded at the end."""

from __future__ import annotations

import numpy as np
import torch

from ..checkpoint import Arrays
from ..loop import Training, one_cycle
from .groups.groups import Reassignment
from .inputs.context import SAMPLE_RATE, PreparedCells
from .network import HybridNetwork
from .options import Effort

BATCH_PIXELS = 320_000  # of which SAMPLE_RATE are drawn
BATCH_PIXELS_COLOUR = 160_000
MIN_BATCH_CELLS = 8
RAGGED_BATCH_CELLS = 32
ROUNDING_FROM = 0.65
"""Fraction of the training after which weights and activations are rounded."""

CLIP_NORM = 1.0
WEIGHT_DECAY = 1e-4
EVALUATION_BLOCK = 16


class HybridTraining(Training):
    """Training of a hybrid network on pixels drawn at random.

    Parameters
    ----------
    cells
        To train on.
    n_steps
        Batches in all.
    reassign
        Called before each step; changes ``cells.classes``. None leaves the classes as they are.
    """

    network: HybridNetwork

    def __init__(
        self,
        network: HybridNetwork,
        cells: PreparedCells,
        effort: Effort,
        n_steps: int,
        reassign: Reassignment | None = None,
    ) -> None:
        optimizer = torch.optim.AdamW(
            network.parameters(), betas=(0.9, 0.99), weight_decay=WEIGHT_DECAY
        )
        super().__init__(network, optimizer, n_steps=n_steps, clip_norm=CLIP_NORM)
        self._cells, self._peak, self._reassign = cells, effort.learning_rate, reassign

    def learning_rate(self, fraction: float) -> float:
        """One cycle."""
        return self._peak * one_cycle(fraction, warm_up=0.08, start=0.02, end=0.002)

    def loss(self, fraction: float) -> torch.Tensor:
        """Bits per sample of a random batch."""
        if self._reassign is not None:
            self._reassign(self.network, fraction)
        cells = self._cells
        n_rows, rate = batch(cells)
        rows = torch.randint(len(cells), (n_rows,)).to(cells.classes.device)
        cell, pixel, weight = cells.sample(rows, rate)
        total = self.network.total_bits(
            rows, cells.classes[rows], cell, pixel, weight, fraction >= ROUNDING_FROM
        )
        return total / (float(cells.areas[rows].sum()) * cells.n_planes)

    def note(self) -> str:
        """Rate of the last batches."""
        return f"{self.mean_loss * self._cells.n_planes:.3f} bits/pixel"

    def state(self) -> Arrays:
        """The classes, where training changes them."""
        if self._reassign is None:
            return {}
        classes = self._cells.classes.cpu().numpy().astype(np.uint8)
        return {"classes": classes, "rounds": np.array(self._reassign.rounds)}

    def load_state(self, arrays: Arrays) -> None:
        """Inverse of ``state``."""
        if self._reassign is not None:
            self._cells.classes.copy_(torch.from_numpy(arrays["classes"]))
            self._reassign.rounds = int(arrays["rounds"])


def bits_per_pixel(network: HybridNetwork, cells: PreparedCells, *, integer: bool) -> float:
    """Bits per (y, x) of all pixels and latents of some cells.

    Parameters
    ----------
    integer
        Round weights and activations as the codec does.
    """
    device, total = cells.classes.device, 0.0
    network.set_cells(cells)
    network.eval()
    with torch.no_grad():
        for rows in torch.split(torch.arange(len(cells), device=device), EVALUATION_BLOCK):
            cell, pixel = cells.pixels(rows)
            total += float(network.total_bits(rows, cells.classes[rows], cell, pixel, 1.0, integer))
    return total / float(cells.areas.sum())


def batch(cells: PreparedCells) -> tuple[int, float]:
    """Cells of a batch, and the share of their pixels that is drawn."""
    batch_pixels = BATCH_PIXELS if cells.n_planes == 1 else BATCH_PIXELS_COLOUR
    area = float(cells.areas.float().mean())
    n_rows = min(len(cells), max(MIN_BATCH_CELLS, int(batch_pixels // area)))
    if cells.one_size is not None:
        return n_rows, SAMPLE_RATE if n_rows > MIN_BATCH_CELLS else 1.0
    # Crops of all sizes: rather fewer pixels of more cells.
    n_rows = min(len(cells), max(n_rows, RAGGED_BATCH_CELLS))
    return n_rows, min(1.0, SAMPLE_RATE * batch_pixels / (n_rows * area))
