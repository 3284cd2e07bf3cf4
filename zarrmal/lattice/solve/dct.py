"""The 8 x 8 cosine transform: libjpeg's integer inverse, and the exact one as a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled

Float = NDArray[np.float64]

BLOCK = 8
N_COEFFICIENTS = BLOCK * BLOCK

_k, _x = np.mgrid[0:BLOCK, 0:BLOCK]
COSINES: Float = np.cos((2 * _x + 1) * _k * np.pi / 16)
COSINES *= np.where(_k == 0, np.sqrt(1 / 8), 0.5)
"""(frequency, position), orthonormal."""

BASIS: Float = np.einsum("ux,vy->uvxy", COSINES, COSINES).reshape(N_COEFFICIENTS, N_COEFFICIENTS)
"""(coefficient, pixel): the pixels of each coefficient, both in row-major order, vertical first."""


@compiled
def inverse_dct(coefficients: NDArray[np.int64], pixels: NDArray[np.int64]) -> None:
    """Dequantised coefficients (64) to samples 0..255 (64), as libjpeg's `jpeg_idct_islow`.

    The same integers as `zarrmal_codecs.lattice` gives, by test.
    """
    work = np.empty(64, np.int64)
    for column in range(8):
        _one_dimension(coefficients, work, column, 8, 1024, 11)
    for row in range(8):
        _one_dimension(work, pixels, 8 * row, 1, 131072, 18)
    for i in range(64):
        pixels[i] = min(max(pixels[i] + 128, 0), 255)


@compiled
def _one_dimension(
    source: NDArray[np.int64],
    target: NDArray[np.int64],
    first: int,
    step: int,
    half: int,
    shift: int,
) -> None:
    """Eight values from `first` in steps of `step`; 13-bit constants of Loeffler et al. 1989."""
    s0, s1, s2, s3 = (
        source[first],
        source[first + step],
        source[first + 2 * step],
        source[first + 3 * step],
    )
    s4, s5, s6, s7 = (
        source[first + 4 * step],
        source[first + 5 * step],
        source[first + 6 * step],
        source[first + 7 * step],
    )
    z1 = (s2 + s6) * 4433
    t2, t3 = z1 - s6 * 15137, z1 + s2 * 6270
    t0, t1 = (s0 + s4) << 13, (s0 - s4) << 13
    t10, t13, t11, t12 = t0 + t3, t0 - t3, t1 + t2, t1 - t2
    z5 = (s7 + s3 + s5 + s1) * 9633
    z1, z2 = -(s7 + s1) * 7373, -(s5 + s3) * 20995
    z3, z4 = -(s7 + s3) * 16069 + z5, -(s5 + s1) * 3196 + z5
    o0, o1 = s7 * 2446 + z1 + z3, s5 * 16819 + z2 + z4
    o2, o3 = s3 * 25172 + z2 + z3, s1 * 12299 + z1 + z4
    target[first] = (t10 + o3 + half) >> shift
    target[first + step] = (t11 + o2 + half) >> shift
    target[first + 2 * step] = (t12 + o1 + half) >> shift
    target[first + 3 * step] = (t13 + o0 + half) >> shift
    target[first + 4 * step] = (t13 - o0 + half) >> shift
    target[first + 5 * step] = (t12 - o1 + half) >> shift
    target[first + 6 * step] = (t11 - o2 + half) >> shift
    target[first + 7 * step] = (t10 - o3 + half) >> shift


def forward_dct(blocks: NDArray[np.floating]) -> Float:
    """Samples (..., 64) to coefficients (..., 64), orthonormal; 128 is taken off first."""
    flat = np.ascontiguousarray(blocks, np.float64).reshape(-1, N_COEFFICIENTS)
    coefficients = np.empty_like(flat)
    _forward(flat, COSINES, coefficients)
    return coefficients.reshape(blocks.shape)


@compiled
def _forward(samples: Float, cosines: Float, coefficients: Float) -> None:
    rows = np.empty((8, 8))
    for n in range(samples.shape[0]):
        rows[:] = 0.0
        for y in range(8):
            for x in range(8):
                sample = samples[n, 8 * y + x] - 128
                for v in range(8):
                    rows[y, v] += sample * cosines[v, x]
        for u in range(8):
            for v in range(8):
                coefficients[n, 8 * u + v] = 0.0
            for y in range(8):
                for v in range(8):
                    coefficients[n, 8 * u + v] += cosines[u, y] * rows[y, v]


def effects_of(steps: NDArray[np.int64]) -> Float:
    """What a level of each coefficient does to each sample, (sample, coefficient)."""
    return np.ascontiguousarray(BASIS.T * steps)


def error_inflation(blocks: NDArray[Any]) -> Float:
    """By how much rounding disturbs coefficients more than independent errors would, (block,).

    In a block that changes by less than 1 from sample to sample, neighbours are rounded alike: in
    a constant one all 64 have the same error, which is 64 times the variance in its mean.

    Parameters
    ----------
    blocks
        Samples (block, 64).
    """
    square = blocks.reshape(-1, BLOCK, BLOCK).astype(np.float64)
    alike = [1 - np.minimum(np.abs(np.diff(square, axis=k)).mean((1, 2)), 1) for k in (1, 2)]
    inflation: Float = (1 + (BLOCK - 1) * alike[0]) * (1 + (BLOCK - 1) * alike[1])
    return inflation
