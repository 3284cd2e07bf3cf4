"""All rivals, by the number of channels of the cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from ...errors import InputError
from .byte_coders import blosc, xz, zstd
from .colour import channels, minus_green, planes, shuffled
from .image_coders import calic, jpeg2000, jpegls, jxl, png, webp
from .rival import Rival

RGB_CHANNELS = 3


def all_rivals(n_channels: int = 1, dtype: DTypeLike = np.uint8) -> tuple[Rival, ...]:
    """Return every rival of the benchmark.

    Parameters
    ----------
    n_channels
        Three channels of uint8 are read as red, green, blue: coders without a colour transform also
        run with one. For any other number above one, planes are laid one below the other.
    dtype
        uint8 or uint16. Of uint16, channels are coded each by itself; three of them by JPEG XL as
        colour, too.
    """
    if np.dtype(dtype) == np.uint16:
        grey = (png(), jpeg2000(), jpegls(), jxl(7), jxl(9), jxl(10, slow=True))
        rivals = (*grey, shuffled(zstd()), shuffled(xz(1)))
        if n_channels == 1:
            return rivals
        colour = (jxl(9),) if n_channels == RGB_CHANNELS else ()
        return (*(channels(rival) for rival in rivals), *colour)
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
    if n_channels != RGB_CHANNELS:
        return tuple(planes(rival) for rival in (*native, calic()))
    with_colour_transform = (
        minus_green(png()),
        minus_green(planes(zstd())),
        minus_green(planes(blosc())),
        minus_green(xz(n_channels)),
        minus_green(planes(jpegls())),
        minus_green(planes(calic())),
    )
    return (*native, *with_colour_transform)


def named_rivals(
    rivals: Sequence[Rival], names: Sequence[str] | None, *, slow: bool
) -> list[Rival]:
    """Select rivals whose names begin with one of ``names``; all without names.

    Parameters
    ----------
    slow
        Include slow rivals.

    Raises
    ------
    InputError
        If no rival's name begins with one of these.
    """
    for name in names or ():
        if not any(rival.name.startswith(name) for rival in rivals):
            known = ", ".join(sorted({rival.name.split(":")[0] for rival in rivals}))
            raise InputError(f"--rival {name}: no coder has this name; choose from {known}")
    prefixes = tuple(names or ("",))
    return [r for r in rivals if r.name.startswith(prefixes) and (slow or not r.slow)]
