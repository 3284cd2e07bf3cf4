"""Named dimensions of an array: which axis counts cells, which are y, x and channel."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import InputError

STANDARD = ("cell", "y", "x", "channel")
SYNONYMS = {
    "cell": "cell cells n batch crop crops image images index instance item object sample samples",
    "y": "y h height row rows",
    "x": "x w width col cols column columns",
    "channel": "channel channels c ch band bands color colour rgb",
}
ROLES = {name: role for role, names in SYNONYMS.items() for name in names.split()}
PLACEHOLDER = re.compile(r"phony_dim_\d+")  # given to axes of HDF5 files that have no names


def axis_order(names: Sequence[str | None] | None, rank: int, location: str) -> tuple[int, ...]:
    """Axes of an array in the order (cell, y, x[, channel]), from the names of its dimensions.

    Names are matched ignoring case. One unknown name gets the role that is left; more than one
    are taken in the standard order if another axis is named as the cells'. Without any names the
    order is the standard one.

    Parameters
    ----------
    names
        One per axis; None, or the names that xarray gives by default, where an axis has none.
    rank
        Number of axes. Ranks other than 3 and 4 are for the caller to refuse.
    location
        Begins messages.

    Raises
    ------
    InputError
        If the names do not say which axis is which.
    """
    standard = tuple(range(rank))
    if names is None or len(names) != rank or rank not in (3, 4):
        return standard
    given = [None if _is_placeholder(name, axis) else name for axis, name in enumerate(names)]
    if not any(given):
        return standard
    roles = [ROLES.get(str(name).casefold()) for name in given]
    missing = [role for role in STANDARD[:rank] if role not in roles]
    unknown = [axis for axis in standard if roles[axis] is None]
    if len(missing) != len(unknown) or (len(unknown) > 1 and "cell" not in roles):
        raise InputError(
            f"{location}: has dimensions ({', '.join(map(str, names))}), which do not say which "
            f"axis is which: name them cell, y, x{', channel' if rank == 4 else ''}, or give the "
            "array without names, in that order"
        )
    for axis, role in zip(unknown, missing, strict=True):
        roles[axis] = role
    return tuple(roles.index(role) for role in STANDARD[:rank])


def _is_placeholder(name: str | None, axis: int) -> bool:
    """Whether a library made the name up; xarray calls axis 2 dim_2."""
    return not name or name == f"dim_{axis}" or bool(PLACEHOLDER.fullmatch(name))
