"""Which rivals there are for cells of so many channels."""

from __future__ import annotations

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
