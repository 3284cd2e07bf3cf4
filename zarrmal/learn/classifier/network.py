"""The classifier's network, and its export to the layers that run in NumPy."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...classify.layer import Floats, Layer

INPUT_SIZE = 50
"""Height and width of the square; the first layer makes 48 of it, then 24, 12 and 6."""

WIDTHS = (16, 32, 48, 72)
"""Channels at 48, 24, 12 and 6 pixels."""


class Block(nn.Module):
    """Convolution, batch norm, residual connection where asked, ReLU, pooling where asked."""

    def __init__(
        self, n_in: int, n_out: int, *, padding: int = 1, residual: bool = False, pool: bool = False
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(n_in, n_out, 3, padding=padding, bias=False)
        self.norm = nn.BatchNorm2d(n_out)
        self.residual, self.pool = residual, pool

    def forward(self, images: Tensor) -> Tensor:
        """(cell, channel, y, x) in and out."""
        values = self.norm(self.convolution(images))
        if self.residual:
            values = values + images
        # The largest of four first, then ReLU: the same numbers, a quarter of the work.
        return functional.relu(functional.max_pool2d(values, 2) if self.pool else values)


class CellNet(nn.Module):
    """Six convolutions at four sizes; mean and maximum over positions; a linear layer.

    Parameters
    ----------
    n_planes
        Of the prepared cells: channels and foreground.
    n_classes
        At least two.
    """

    def __init__(self, n_planes: int, n_classes: int) -> None:
        super().__init__()
        a, b, c, d = WIDTHS
        self.blocks = nn.Sequential(
            Block(n_planes, a, padding=0, pool=True),
            Block(a, b, pool=True),
            Block(b, c),
            Block(c, c, residual=True, pool=True),
            Block(c, d),
            Block(d, d, residual=True),
        )
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(2 * d, n_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (cell, class) of prepared cells (cell, plane, y, x)."""
        images = self.blocks(images)
        # A parasite is small: the maximum says more of it than the mean over the cell.
        pooled = torch.cat([images.mean(dim=(2, 3)), images.amax(dim=(2, 3))], dim=1)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits


def fold_batch_norms(network: CellNet) -> tuple[tuple[Layer, ...], Floats, Floats]:
    """Layers with their batch norm in weight and bias; weight and bias of the head."""
    layers = []
    for block in network.blocks:
        assert isinstance(block, Block)
        norm, weight = block.norm, block.convolution.weight.detach()
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
        bias = norm.bias.detach() - norm.running_mean * scale
        scaled = (weight * scale[:, None, None, None]).permute(2, 3, 1, 0)
        layers.append(
            Layer(
                weight=np.ascontiguousarray(scaled.numpy()),
                bias=bias.numpy(),
                padding=int(block.convolution.padding[0]),
                residual=block.residual,
                pool=block.pool,
            )
        )
    head = network.head
    return (
        tuple(layers),
        np.ascontiguousarray(head.weight.detach().numpy().T),
        head.bias.detach().numpy().copy(),
    )
