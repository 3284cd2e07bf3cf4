"""Axes of an array: which of them counts cells, which are y, x and channel.

In this order of precedence: what the caller says (``--axes``), the names of the dimensions, and of
arrays of four axes without names their lengths.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from math import prod

from ..errors import InputError

STANDARD = ("cell", "y", "x", "channel")
LETTERS = {"n": "cell", "y": "y", "x": "x", "c": "channel"}
MAX_CHANNELS = 64
FEW_CHANNELS = 4
"""A last axis so short is that of the channels, whatever the others are."""
SYNONYMS = {
    "cell": "cell cells n batch crop crops image images index instance item object sample samples",
    "y": "y h height row rows",
    "x": "x w width col cols column columns",
    "channel": "channel channels c ch band bands color colour rgb",
}
ROLES = {name: role for role, names in SYNONYMS.items() for name in names.split()}
PLACEHOLDER = re.compile(r"phony_dim_\d+")  # given to axes of HDF5 files that have no names


def axis_order(
    names: Sequence[str | None] | None,
    shape: tuple[int, ...],
    location: str,
    letters: str | None = None,
) -> tuple[int, ...]:
    """Axes of an array in the order (cell, y, x[, channel]).

    Names are matched ignoring case. One unknown name gets the role that is left; more than one
    are taken in the standard order if another axis is named as the cells'. Without any names see
    ``axes_by_length``.

    Parameters
    ----------
    names
        One per axis; None, or the names that xarray gives by default, where an axis has none.
    shape
        Of the array. Ranks other than 3 and 4 are for the caller to refuse.
    location
        Begins messages.
    letters
        What the caller says; see ``axes_by_letters``.

    Raises
    ------
    InputError
        If neither of them says which axis is which.
    """
    rank = len(shape)
    if letters is not None:
        return axes_by_letters(letters, shape, location)
    standard = tuple(range(rank))
    if rank not in (3, 4):
        return standard
    if names is None or len(names) != rank:
        return axes_by_length(shape, location)
    given = [None if _is_placeholder(name, axis) else name for axis, name in enumerate(names)]
    if not any(given):
        return axes_by_length(shape, location)
    roles = [ROLES.get(str(name).casefold()) for name in given]
    missing = [role for role in STANDARD[:rank] if role not in roles]
    unknown = [axis for axis in standard if roles[axis] is None]
    if len(missing) != len(unknown) or (len(unknown) > 1 and "cell" not in roles):
        raise InputError(
            f"{location}: has dimensions ({', '.join(map(str, names))}), which do not say which "
            f"axis is which: name them cell, y, x{', channel' if rank == 4 else ''}, or give the "
            "array without names, in that order; or say it with --axes"
        )
    for axis, role in zip(unknown, missing, strict=True):
        roles[axis] = role
    return tuple(roles.index(role) for role in STANDARD[:rank])


def axes_by_letters(letters: str, shape: tuple[int, ...], location: str) -> tuple[int, ...]:
    """Axes of an array in the order (cell, y, x[, channel]), said with letters.

    Parameters
    ----------
    letters
        One of y, x and, where there are channels, c for each axis, such as "cyx" or "yxc"; n for
        the cells, which come first where it is left out.

    Raises
    ------
    InputError
        If they are others, or the array has another number of axes.
    """
    text = checked_letters(letters)
    if len(text) != len(shape):
        axes = " or ".join(map(repr, ("cyx", "yxc") if len(shape) == 4 else ("yx",)))
        advice = f"give {axes}" if len(shape) in (3, 4) else "cells have three or four"
        raise InputError(
            f"{location}: has shape {shape}, {len(shape)} axes, --axes {letters} says {len(text)}, "
            f"that of the cells included: {advice}"
        )
    roles = [LETTERS[letter] for letter in text]
    return tuple(roles.index(role) for role in STANDARD[: len(shape)])


def checked_letters(letters: str) -> str:
    """The letters with n for the cells; InputError unless they name each axis of an array once."""
    text = letters.casefold()
    text = text if "n" in text else f"n{text}"
    if sorted(text) not in (sorted("nyx"), sorted("nyxc")):
        raise InputError(
            f"axes are told by the letters y, x and c for channel, each once, such as yx, yxc or "
            f"cyx (n for the cells, where they are not the first), not {letters!r}"
        )
    return text


def axes_by_length(shape: tuple[int, ...], location: str) -> tuple[int, ...]:
    """Axes of an array without names in the order (cell, y, x[, channel]), by their lengths.

    Cells come first, y before x. A last axis of at most 4 is the channel. Else the shortest of the
    three is, if it is the first or the last of them, and has at most 64.

    Raises
    ------
    InputError
        If that does not say where the channel is.
    """
    if len(shape) != 4 or shape[3] <= FEW_CHANNELS:
        return tuple(range(len(shape)))
    first, _, last = shape[1:]
    shortest = min(shape[1:])
    if shape[1:].count(shortest) == 1 and shortest <= MAX_CHANNELS:
        if shortest == first:
            return (0, 2, 3, 1)
        if shortest == last:
            return (0, 1, 2, 3)
    raise InputError(
        f"{location}: has shape {shape}, which does not say which axis is the channel: give --axes "
        f"cyx or --axes yxc"
    )


def axis_order_of_each(
    shapes: Collection[tuple[int, ...]], n_cells: int, location: str, letters: str | None = None
) -> tuple[int, ...]:
    """Axes in the order (cell, y, x, channel), of arrays that are one cell each.

    Where only the first or only the last axis has the same length in all of them, it is the
    channel. Else the largest tells as in ``axes_by_length``.

    Parameters
    ----------
    shapes
        (y, x, channel) or (channel, y, x), of the cells.
    letters
        See axis_order.
    """
    lengths = [{shape[axis] for shape in shapes if len(shape) == 3} for axis in (0, 2)]
    if letters is None and (len(lengths[0]) == 1) != (len(lengths[1]) == 1):
        return (0, 2, 3, 1) if len(lengths[0]) == 1 else (0, 1, 2, 3)
    largest = max((shape for shape in shapes if len(shape) == 3), key=prod)
    return axis_order(None, (n_cells, *largest), location, letters)


def archive_dimensions(rank: int, channel_first: bool) -> tuple[str, ...]:
    """Names of the dimensions of an archive's cells."""
    return ("cell", "channel", "y", "x") if channel_first and rank == 4 else STANDARD[:rank]


def is_channel_first(axes: Sequence[int]) -> bool:
    """Whether the channel comes before y and x, of axes in the order (cell, y, x[, channel])."""
    return len(axes) == 4 and axes[3] < min(axes[1:3])


def _is_placeholder(name: str | None, axis: int) -> bool:
    """Whether a library made the name up; xarray calls axis 2 dim_2."""
    return not name or name == f"dim_{axis}" or bool(PLACEHOLDER.fullmatch(name))
