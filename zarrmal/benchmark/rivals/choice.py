"""Which rivals there are for cells of so many channels."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import InputError
from .calic import calic
from .colour import minus_green, planes
from .general import blosc, xz, zstd
from .jpegs import jpeg2000, jpegls, jxl
from .png import png
from .rival import Rival
from .webp import webp

COLOURS = 3


def all_rivals(n_channels: int = 1) -> tuple[Rival, ...]:
    """Every rival of the benchmark.

    Parameters
    ----------
    n_channels
        Of the cells. Three are taken for red, green, blue: coders without a colour transform of
        their own get one too. Of any other number above one, planes are laid one below the other.
    """
    native = (
        png(),
        zstd(),
        blosc(),
        xz(n_channels),
        jpeg2000(),
        jpegls(),
        webp(),
        jxl(7),
        jxl(9),
        jxl(10, slow=True),
    )
    if n_channels == 1:
        return (*native, calic())
    if n_channels != COLOURS:
        return tuple(planes(rival) for rival in (*native, calic()))
    helped = (
        minus_green(png()),
        minus_green(planes(zstd())),
        minus_green(planes(blosc())),
        minus_green(xz(n_channels)),
        minus_green(planes(jpegls())),
        minus_green(planes(calic())),
    )
    return (*native, *helped)


def named_rivals(
    rivals: Sequence[Rival], names: Sequence[str] | None, *, slow: bool
) -> list[Rival]:
    """Those whose names begin with one of ``names``, all without; slow ones where wished.

    Raises
    ------
    InputError
        If a name begins none of theirs.
    """
    for name in names or ():
        if not any(rival.name.startswith(name) for rival in rivals):
            known = ", ".join(sorted({rival.name.split(":")[0] for rival in rivals}))
            raise InputError(f"--rival {name}: there is no such coder here, but {known}")
    wanted = tuple(names or ("",))
    return [one for one in rivals if one.name.startswith(wanted) and (slow or not one.slow)]
