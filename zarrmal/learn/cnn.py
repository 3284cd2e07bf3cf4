"""A small convolutional classifier of cells (torch)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

INPUT_SIZE = 48
"""Cells of any size are resampled to this square before the first layer."""

BATCH_CELLS = 64
LEARNING_RATE = 2e-3
PREDICT_CELLS = 512


class CellNet(nn.Module):
    """Four convolutions with pooling, a mean over places, a linear layer."""

    def __init__(self, n_channels: int, n_classes: int) -> None:
        super().__init__()
        widths = (n_channels, 16, 32, 48, 64)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(inplace=True)
            )
            for a, b in zip(widths, widths[1:])
        )
        self.head = nn.Linear(2 * widths[-1], n_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (cell, class) of float images (cell, channel, y, x)."""
        for k, block in enumerate(self.blocks):
            images = block(images)
            if k < len(self.blocks) - 1:
                images = functional.max_pool2d(images, 2)
        # A parasite is a small thing: its maximum tells more than the mean over the cell.
        pooled = torch.cat([images.mean(dim=(2, 3)), images.amax(dim=(2, 3))], dim=1)
        logits: Tensor = self.head(pooled)
        return logits


def to_images(cells: NDArray[np.uint8]) -> Tensor:
    """float32 (cell, channel, y, x), about zero mean, of uint8 (cell, y, x[, channel])."""
    tensor = torch.from_numpy(np.ascontiguousarray(cells)).float() / 128 - 1
    tensor = tensor[:, None] if tensor.ndim == 3 else tensor.permute(0, 3, 1, 2)
    if tensor.shape[-2:] != (INPUT_SIZE, INPUT_SIZE):
        tensor = functional.interpolate(tensor, (INPUT_SIZE, INPUT_SIZE), mode="area")
    return tensor.contiguous()


def fit_cnn(
    cells: NDArray[np.uint8], labels: NDArray[np.uint8], n_classes: int, *, epochs: int, seed: int
) -> Iterator[tuple[int, int, CellNet]]:
    """Train a classifier; yields (done, total, network) after each epoch.

    Parameters
    ----------
    cells
        uint8 (cell, y, x[, channel]), at least two.
    labels
        uint8 (cell,).
    n_classes, epochs, seed
        As they say. Cells are flipped and turned at random: they have no upside.
    """
    torch.manual_seed(seed)
    images, targets = to_images(cells), torch.from_numpy(labels.astype(np.int64))
    network = CellNet(images.shape[1], n_classes)
    weights = 1 / torch.bincount(targets, minlength=n_classes).clamp(min=1).float()
    weights = weights / weights[targets].mean()
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=1e-2)
    n_batches = max(1, len(images) // BATCH_CELLS)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=epochs * n_batches
    )
    for epoch in range(epochs):
        network.train()
        order = torch.randperm(len(images))
        for rows in torch.tensor_split(order, n_batches):
            turn = int(torch.randint(8, ()))
            batch = torch.rot90(images[rows], turn % 4, (2, 3))
            batch = batch.flip(3) if turn >= 4 else batch
            loss = functional.cross_entropy(
                network(batch), targets[rows], weight=weights, label_smoothing=0.02
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        network.eval()
        yield epoch + 1, epochs, network


def predict_cnn(network: CellNet, cells: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probabilities, float32 (cell, class), of uint8 (cell, y, x[, channel])."""
    out = []
    with torch.no_grad():
        for start in range(0, len(cells), PREDICT_CELLS):
            logits = network(to_images(cells[start : start + PREDICT_CELLS]))
            out.append(functional.softmax(logits, dim=1).numpy())
    n_classes = network.head.out_features
    return np.concatenate(out) if out else np.empty((0, n_classes), np.float32)
