"""``Weights`` ↔ a file of their own, which training keeps; no part of the format."""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np

from ..errors import CompatibilityError, ModelError
from .weights import N_KINDS, SHAPES, PlaneWeights, Weights

MAGIC: Final = b"ZMLW"
VERSION: Final = 1
_SIZES: Final = {
    name: int(np.prod(shape)) * np.dtype(dtype).itemsize for name, (dtype, shape) in SHAPES.items()
}


def write_weights(weights: Weights) -> bytes:
    """All arrays, in the order of SHAPES, planes one after the other."""
    raw = [
        getattr(plane, name).astype(np.dtype(dtype).newbyteorder("<")).tobytes()
        for plane in weights.planes
        for name, (dtype, _) in SHAPES.items()
    ]
    return MAGIC + bytes([VERSION]) + zlib.compress(b"".join(raw), 9)


def read_weights(data: bytes) -> Weights:
    """Inverse of ``write_weights``.

    Raises
    ------
    ModelError
        The bytes are damaged, or hold weights that could overflow.
    CompatibilityError
        They are of a newer version.
    """
    if data[: len(MAGIC)] != MAGIC or len(data) <= len(MAGIC):
        raise ModelError("not a file of weights of the lattice")
    if data[len(MAGIC)] != VERSION:
        raise CompatibilityError(
            f"weights of version {data[len(MAGIC)]}; this software reads version {VERSION}"
        )
    n = N_KINDS * sum(_SIZES.values())
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(data[len(MAGIC) + 1 :], n + 1)
    except zlib.error as error:
        raise ModelError(f"the weights are damaged: {error}") from None
    if len(raw) != n or not unpacker.eof or unpacker.unused_data:
        raise ModelError(f"the weights have {len(raw)} bytes or more, not {n}")
    planes, start = [], 0
    for _ in range(N_KINDS):
        arrays = {}
        for name, (dtype, shape) in SHAPES.items():
            part = raw[start : start + _SIZES[name]]
            values = np.frombuffer(part, np.dtype(dtype).newbyteorder("<")).astype(dtype)
            arrays[name] = values.reshape(shape)
            start += _SIZES[name]
        planes.append(PlaneWeights(**arrays))
    return Weights(tuple(planes))
