"""Strings of millions of cells, held compactly: NumPy's StringDType instead of '<U'.

An array '<U' takes four bytes per character of its longest string, for every cell. StringDType
takes 16 bytes per cell, and the UTF-8 bytes of strings longer than 15 bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError

Strings = NDArray[Any]
"""(cell,) with STRINGS as dtype; of users' own sources also '<U'."""

STRINGS = np.dtypes.StringDType()
BLOCK_CELLS = 1 << 12  # converted to Python strings at a time


def checked_strings(column: Sequence[str] | NDArray[Any], n_cells: int, what: str) -> Strings:
    """A column as Strings; integers become their decimal digits.

    Parameters
    ----------
    column
        Any column of strings, UTF-8 bytes or integers.
    n_cells
        Expected length.
    what
        Begins messages; a plural.

    Returns
    -------
    Strings
        `column` itself if it is one already.

    Raises
    ------
    InputError
        If there is not one string or integer per cell, values are masked, or a string cannot be
        stored as UTF-8.
    """
    refuse_mask(column, what)
    if isinstance(column, list | tuple) and all(type(value) is str for value in column):
        array = np.fromiter(column, object, len(column))  # not as wide as the longest
    else:
        array = np.asarray(column)
    if array.shape != (n_cells,):
        raise InputError(
            f"{what} have shape {array.shape}, there are {n_cells:,} cells: one value per cell"
        )
    if array.dtype == STRINGS:
        return array
    if array.dtype.kind not in "OTSUiu":
        raise InputError(f"{what} are {array.dtype}: strings or integers are allowed")
    strings = np.empty(n_cells, STRINGS)
    for block in _blocks(n_cells):
        strings[block] = _converted(array[block], what)
    return strings


def _converted(array: NDArray[Any], what: str) -> Strings:
    """A block of a column as Strings."""
    if array.dtype.kind == "S":
        try:
            array = np.char.decode(array, "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{what} are bytes, but not UTF-8: {error}") from error
    if array.dtype.kind in "OT":
        others = [value for value in array.tolist() if not isinstance(value, str)]
        if others:
            raise InputError(f"{what} hold {others[0]!r}: strings or integers are allowed")
    if array.dtype.kind in "OU":
        refuse_surrogates(array.tolist(), what)
    return array.astype(STRINGS)


def refuse_mask(array: object, what: str) -> None:
    """Raise InputError if values of a NumPy array are masked: np.asarray would drop the mask."""
    if isinstance(array, np.ma.MaskedArray) and (n_masked := np.count_nonzero(array.mask)):
        raise InputError(
            f"{what}: {n_masked:,} of {array.size:,} values are masked, and a mask is not stored: "
            "fill them with .filled(value), or give .data to ignore the mask"
        )


def refuse_surrogates(strings: Sequence[str], what: str) -> None:
    """Raise InputError if a string holds a lone surrogate, which UTF-8 cannot encode.

    Python gives such names to files whose names are not UTF-8.
    """
    try:
        "".join(strings).encode()
    except UnicodeEncodeError as error:
        surrogate = error.object[error.start]
        example = next(string for string in strings if surrogate in string)
        raise InputError(
            f"{what} hold {example!a}, which cannot be stored as UTF-8: change it"
        ) from error


def unique_strings(strings: Strings) -> tuple[list[str], NDArray[np.int64]]:
    """The different strings, sorted, and int64 (cell,): the index of each cell's string.

    As np.unique, without sorting all strings.
    """
    codes: dict[str, int] = {}
    inverse = np.empty(len(strings), np.int64)
    for block in _blocks(len(strings)):
        inverse[block] = [codes.setdefault(s, len(codes)) for s in strings[block].tolist()]
    names = sorted(codes)
    rank = np.empty(len(names), np.int64)
    rank[[codes[name] for name in names]] = np.arange(len(names))
    return names, rank[inverse]


def iterate_strings(strings: Strings) -> Iterator[str]:
    """Python strings, a block of them in memory at a time."""
    for block in _blocks(len(strings)):
        yield from strings[block].tolist()


def fixed_width_bytes(strings: Strings) -> Iterator[bytes]:
    """The bytes of the strings as '<U' of the longest one, a block at a time.

    StringDType's own bytes hold addresses, and are of no use for a digest.
    """
    width = max(map(len, iterate_strings(strings)), default=0)
    for block in _blocks(len(strings)):
        yield strings[block].astype(f"<U{max(width, 1)}").tobytes()


def _blocks(n_cells: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK_CELLS) for start in range(0, n_cells, BLOCK_CELLS))
