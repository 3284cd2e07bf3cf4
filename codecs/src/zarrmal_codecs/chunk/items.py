"""An array's items: the dtype that a chunk declares for them, and their bytes (FORMAT 4.1).

Items are never computed with, only moved: each bit of a NaN comes back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constants import DTYPE_CODES, DTYPE_OTHER

DTYPE_NAMES = {code: name for name, code in DTYPE_CODES.items()}


def stored_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype as which a chunk stores items of another one, with the same bytes.

    Numbers are stored as what they are, times as int64, and everything else as void.

    Raises
    ------
    TypeError
        If the items are objects or strings of any length, or have no bytes.
    """
    if dtype.hasobject or not dtype.itemsize:
        raise TypeError(
            f"the zarrmal codec stores items of a fixed number of bytes, not {dtype}: choose a "
            f"dtype such as float32 or S16, or another codec"
        )
    if dtype.kind in "mM":
        return np.dtype(dtype.str[0] + "i8")
    if dtype.str[1:] in DTYPE_CODES:
        return np.dtype(dtype.str)
    return np.dtype((np.void, dtype.itemsize))


def dtype_code(dtype: np.dtype[Any]) -> int:
    """The header's code of a stored dtype; dtype_of is the inverse."""
    return DTYPE_CODES.get(dtype.str[1:], DTYPE_OTHER)


def dtype_of(code: int, item_bytes: int = 0, *, big_endian: bool = False) -> np.dtype[Any]:
    """The stored dtype of a code; ``item_bytes`` matters to DTYPE_OTHER alone."""
    if code == DTYPE_OTHER:
        return np.dtype((np.void, item_bytes))
    return np.dtype((">" if big_endian else "<") + DTYPE_NAMES[code])


def has_byte_order(code: int) -> bool:
    """Whether items of this code are numbers of several bytes."""
    return code in DTYPE_NAMES and np.dtype(DTYPE_NAMES[code]).itemsize > 1


def is_big_endian(dtype: np.dtype[Any]) -> bool:
    """Whether items have their highest byte first."""
    return dtype.str[0] == ">"


def octets_of(array: NDArray[Any]) -> NDArray[np.uint8]:
    """The bytes of all items in C order, those of numbers from lowest to highest."""
    # As void, items are copied with the padding of their fields.
    items = np.ascontiguousarray(array.view(stored_dtype(array.dtype)))
    return items.astype(items.dtype.newbyteorder("<"), copy=False).reshape(-1).view(np.uint8)


def items_of(octets: NDArray[np.uint8], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Inverse of octets_of: items of a stored dtype, of one dimension."""
    return octets.view(dtype.newbyteorder("<")).astype(dtype, copy=False)


def as_dtype(items: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Stored items as an array of the dtype that they had, in its byte order."""
    return items.astype(stored_dtype(dtype), copy=False).view(dtype)
