"""One layer of a classifier, in NumPy: a matrix product over the pixels around."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """A convolution with its batch norm folded in, then ReLU.

    Parameters
    ----------
    weight
        float32 (y, x, in, out).
    bias
        float32 (out,).
    padding
        Zeros around, 0 <= padding < y, x.
    residual
        Whether what came in is added before ReLU.
    pool
        Whether the larger of each 2 x 2 goes on; an odd last row or column is left out.
    """

    weight: Floats
    bias: Floats
    padding: int = 0
    residual: bool = False
    pool: bool = False

    def __call__(self, images: Floats) -> Floats:
        """float32 (cell, y, x, in) -> (cell, y, x, out)."""
        height, width, n_in, n_out = self.weight.shape
        p = self.padding
        padded = np.pad(images, ((0, 0), (p, p), (p, p), (0, 0))) if p else images
        windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
        columns = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, height * width * n_in)
        new = columns @ self.weight.reshape(-1, n_out)
        new = new.reshape(len(images), *windows.shape[1:3], n_out)
        if self.residual:
            new += images
        if self.pool:
            y, x = new.shape[1] // 2 * 2, new.shape[2] // 2 * 2
            new = np.maximum(new[:, :y:2, :x], new[:, 1:y:2, :x])
            new = np.maximum(new[:, :, ::2], new[:, :, 1::2])
        # After pooling: a bias and ReLU keep the order, and there is a quarter of the work.
        new += self.bias
        np.maximum(new, 0, out=new)
        return new
