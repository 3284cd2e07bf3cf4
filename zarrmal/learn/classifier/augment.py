"""Augmentation of the classifier's training cells."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


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
