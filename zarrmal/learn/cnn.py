"""The classifier's network while it is trained (torch)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

INPUT_SIZE = 50
"""Height and width of the square; the first layer makes 48 of it, then 24, 12 and 6."""

WIDTHS = (16, 32, 48, 72)
"""Channels at 48, 24, 12 and 6 pixels."""


class Block(nn.Module):
    """Convolution, batch norm, what came in added where asked, ReLU, pooling where asked."""

    def __init__(
        self, n_in: int, n_out: int, *, padding: int = 1, residual: bool = False, pool: bool = False
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(n_in, n_out, 3, padding=padding, bias=False)
        self.norm = nn.BatchNorm2d(n_out)
        self.residual, self.pool = residual, pool

    def forward(self, images: Tensor) -> Tensor:
        """(cell, channel, y, x) in and out."""
        new = self.norm(self.convolution(images))
        if self.residual:
            new = new + images
        # The larger of four first, then ReLU: the same numbers, a quarter of the work.
        return functional.relu(functional.max_pool2d(new, 2) if self.pool else new)


class CellNet(nn.Module):
    """Six convolutions in four sizes; mean and maximum over places; a linear layer.

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
        # A parasite is a small thing: its maximum tells more than the mean over the cell.
        pooled = torch.cat([images.mean(dim=(2, 3)), images.amax(dim=(2, 3))], dim=1)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits


def varied(images: Tensor, generator: np.random.Generator) -> Tensor:
    """The same cells as another slide might show them: turned, stained and focused otherwise.

    Parameters
    ----------
    images
        float32 (cell, plane, y, x); the last plane is the foreground.
    generator
        Of all random numbers.
    """
    n, n_planes = images.shape[:2]
    out = torch.empty_like(images)
    turns = generator.integers(8, size=n)
    for turn in range(8):
        rows = torch.from_numpy(np.flatnonzero(turns == turn))
        some = torch.rot90(images[rows], turn % 4, (2, 3))
        out[rows] = some.flip(3) if turn >= 4 else some

    def draw(values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).reshape(n, -1, 1, 1)

    dark, inside = out[:, :-1], out[:, -1:]
    # Depth of stain: of all planes together, and of each.
    depth = generator.lognormal(0, 0.2, (n, 1)) * generator.lognormal(0, 0.1, (n, n_planes - 1))
    dark = dark * draw(depth)
    blurred = functional.avg_pool2d(dark, 3, 1, 1)
    focus = generator.uniform(-0.6, 0.8, (n, 1)) * (generator.random((n, 1)) < 0.5)
    dark = dark + draw(focus) * (blurred - dark)
    dark = dark + draw(generator.normal(0, 0.04, (n, n_planes - 1))) * inside
    return torch.cat([dark, inside], dim=1)
