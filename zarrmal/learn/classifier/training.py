"""Training the classifier's network on augmented cells."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...classify.normalise import normalise
from ..loop import Training, one_cycle
from .network import INPUT_SIZE, CellNet

BATCH_CELLS = 64
PREPARED_CELLS = 256
PEAK_RATE = 3e-3
WEIGHT_DECAY = 2e-2
LABEL_SMOOTHING = 0.05
"""Some labels are wrong, and none should be learnt with certainty."""


def prepare_images(cells: NDArray[np.uint8]) -> Tensor:
    """Prepared cells float16 (cell, plane, y, x) of uint8 (cell, y, x[, channel])."""
    n_planes = 1 + (cells.shape[3] if cells.ndim == 4 else 1)
    halves = np.empty((len(cells), INPUT_SIZE, INPUT_SIZE, n_planes), np.float16)
    for start in range(0, len(cells), PREPARED_CELLS):
        rows = slice(start, start + PREPARED_CELLS)
        halves[rows] = normalise(cells[rows], INPUT_SIZE)
    return torch.from_numpy(halves.transpose(0, 3, 1, 2))


def augmented(images: Tensor, generator: np.random.Generator) -> Tensor:
    """The same cells as on another slide: rotated, stained and focused differently.

    Parameters
    ----------
    images
        float32 (cell, plane, y, x); the last plane is the foreground.
    generator
        Draws all random numbers.
    """
    n, n_planes = images.shape[:2]
    out = torch.empty_like(images)
    turns = generator.integers(8, size=n)
    for turn in range(8):
        rows = torch.from_numpy(np.flatnonzero(turns == turn))
        rotated = torch.rot90(images[rows], turn % 4, (2, 3))
        out[rows] = rotated.flip(3) if turn >= 4 else rotated

    def draw(values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).reshape(n, -1, 1, 1)

    darkness, foreground = out[:, :-1], out[:, -1:]
    # Depth of stain: of all planes together, and of each.
    depth = generator.lognormal(0, 0.2, (n, 1)) * generator.lognormal(0, 0.1, (n, n_planes - 1))
    darkness = darkness * draw(depth)
    blurred = functional.avg_pool2d(darkness, 3, 1, 1)
    focus = generator.uniform(-0.6, 0.8, (n, 1)) * (generator.random((n, 1)) < 0.5)
    darkness = darkness + draw(focus) * (blurred - darkness)
    darkness = darkness + draw(generator.normal(0, 0.04, (n, n_planes - 1))) * foreground
    return torch.cat([darkness, foreground], dim=1)


class ClassifierTraining(Training):
    """Training of a classifier in epochs.

    Parameters
    ----------
    images, labels
        float16 (cell, plane, y, x); uint8 (cell,).
    epochs
        Passes over the cells.
    seed
        Of the weights, and of the order and augmentation of each epoch.
    """

    network: CellNet

    def __init__(
        self, images: Tensor, labels: NDArray[np.uint8], n_classes: int, epochs: int, seed: int
    ) -> None:
        torch.manual_seed(seed)
        network = CellNet(images.shape[1], n_classes)
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY)
        n_batches = max(1, round(len(images) / BATCH_CELLS))
        super().__init__(network, optimizer, n_steps=epochs * n_batches, epoch_steps=n_batches)
        self._images, self._labels = images, torch.from_numpy(labels.astype(np.int64))
        self._seed, self._generator = seed, np.random.default_rng(seed)
        self._batches: list[NDArray[np.int64]] = []

    def learning_rate(self, fraction: float) -> float:
        """One cycle."""
        return PEAK_RATE * one_cycle(fraction, warm_up=0.15, start=0.04)

    def begin_epoch(self) -> None:
        """Draw the order of the cells; all random numbers follow from seed and epoch."""
        self._generator = np.random.default_rng([self._seed, self.step // self.epoch_steps])
        torch.manual_seed(int(self._generator.integers(1 << 62)))
        order = self._generator.permutation(len(self._images))
        self._batches = np.array_split(order, self.epoch_steps)

    def loss(self, fraction: float) -> Tensor:
        """Cross-entropy."""
        rows = torch.from_numpy(self._batches[self.step % self.epoch_steps])
        batch = augmented(self._images[rows].float(), self._generator)
        batch = batch.contiguous(memory_format=torch.channels_last)
        return functional.cross_entropy(
            self.network(batch), self._labels[rows], label_smoothing=LABEL_SMOOTHING
        )

    def note(self) -> str:
        """Loss of the last batches."""
        return f"loss {self.mean_loss:.3f}"
