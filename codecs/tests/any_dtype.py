"""Dtypes of every kind that arrays can have, and arrays of them with arbitrary bits."""

from __future__ import annotations

import models
import numpy as np

BYTES = ("|b1", "|i1", "|u1")
WIDE = ("i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
NUMBERS = [np.dtype(name) for name in (*BYTES, *(order + name for name in WIDE for order in "<>"))]
FIELDS = [("a", ">i2"), ("b", "<f4"), ("c", "S3")]
OTHERS = [
    np.dtype(name)
    for name in ("<M8[ns]", ">M8[D]", "<m8[s]", ">m8[ms]", "S1", "S5", "<U3", ">U3", "V1", "V7")
] + [np.dtype(FIELDS)]
DTYPES = NUMBERS + OTHERS
SHAPES = [(), (0,), (3, 0, 2), (7,), (3, 5, 2), (2, 1, 3, 2, 2)]


def filled(dtype: np.dtype, shape: tuple[int, ...], *, order: str = "C") -> np.ndarray:
    """Arbitrary bits, valid ones for bool and U. Many floats are NaNs with a payload."""
    n = int(np.prod(shape))
    octets = models.array(5, (n, dtype.itemsize), 0, 255, "uint8")
    if dtype.kind == "b":
        octets &= 1
    elif dtype.kind == "U":
        points = octets.view("u4") % 0xD800
        octets = points.astype(dtype.str[0] + "u4").view("u1")
    elif dtype.kind in "fc":
        octets[::2, -2:] = octets[::2, :2] = 0xFF
    return np.asarray(octets.reshape(-1).view(dtype).reshape(shape), order=order)


def special_floats(dtype: np.dtype) -> np.ndarray:
    """Zeros of both signs, infinities, and NaNs that signal or hold a payload."""
    size = dtype.itemsize
    mantissa = {2: 10, 4: 23, 8: 52}[size]
    sign, infinity = 1 << (8 * size - 1), ((1 << (8 * size - 1 - mantissa)) - 1) << mantissa
    quiet = infinity | 1 << (mantissa - 1)
    bits = [0, infinity, infinity | 1, infinity | 0x155, quiet, quiet | 3]
    values = np.array([*bits, *(b | sign for b in bits)], f"<u{size}")
    return values.astype(values.dtype.newbyteorder(dtype.str[0])).view(dtype)
