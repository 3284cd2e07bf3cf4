"""One convolutional layer of a classifier, in NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """A convolution, with its batch norm folded in, and ReLU.

    Parameters
    ----------
    weight
        float32 (y, x, in, out).
    bias
        float32 (out,).
    padding
        Rows and columns of zeros on each side, 0 <= padding < y, x.
    residual
        Whether the input is added before ReLU.
    pool
        Whether 2 x 2 max pooling follows; an odd last row or column is dropped.
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
        out = columns @ self.weight.reshape(-1, n_out)
        out = out.reshape(len(images), *windows.shape[1:3], n_out)
        if self.residual:
            out += images
        if self.pool:
            y, x = out.shape[1] // 2 * 2, out.shape[2] // 2 * 2
            out = np.maximum(out[:, :y:2, :x], out[:, 1:y:2, :x])
            out = np.maximum(out[:, :, ::2], out[:, :, 1::2])
        # Bias and ReLU are monotonic: after pooling they give the same, for a quarter of the work.
        out += self.bias
        np.maximum(out, 0, out=out)
        return out
