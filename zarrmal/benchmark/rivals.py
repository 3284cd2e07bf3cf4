"""Other lossless coders, each behind one small adapter with the best settings found.

Settings and layouts were compared on sheets of 1,000 NIH cells, red alone and RGB, sorted by class;
what lost is left out. imagecodecs is imported late: only the benchmark and the
demo need these coders. It is a core dependency already (compressed TIFF), so no extra is needed.
"""

from __future__ import annotations

import lzma
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Encode = Callable[[Pixels], bytes]
Decode = Callable[[bytes, tuple[int, ...]], Pixels]

SHEET_COLUMNS = 40
COLOURS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """One coder with one setting.

    Parameters
    ----------
    name
        With its settings, as ``jxl:effort=9``.
    encode
        uint8 image (y, x) or (y, x, channel) -> bytes.
    decode
        The inverse; it is told the image's shape.
    slow
        Left out unless asked for.
    columns
        Cells side by side on a sheet. Coders of bytes do best with one cell after the other.
    """

    name: str
    encode: Encode
    decode: Decode
    slow: bool = False
    columns: int = SHEET_COLUMNS


def all_rivals(n_channels: int = 1) -> tuple[Rival, ...]:
    """Every rival of the benchmark.

    Parameters
    ----------
    n_channels
        Of the cells. Three are taken for red, green, blue: coders without a colour transform of
        their own get one too. Of any other number above one, planes are laid one below the other.
    """
    native = (
        _png(),
        _zstd(),
        _xz(n_channels),
        _jpeg2000(),
        _jpegls(),
        _webp(),
        _jxl(7),
        _jxl(9),
        _jxl(10, slow=True),
    )
    if n_channels == 1:
        return native
    if n_channels != COLOURS:
        return tuple(_planes(rival) for rival in native)
    helped = (
        _minus_green(_png()),
        _minus_green(_planes(_zstd())),
        _minus_green(_xz(n_channels)),
        _minus_green(_planes(_jpegls())),
    )
    return (*native, *helped)


def _planes(rival: Rival) -> Rival:
    """The planes of an image one below the other, as one grey image."""

    def encode(image: Pixels) -> bytes:
        flat = image if image.ndim == 2 else np.concatenate(np.moveaxis(image, 2, 0))
        return rival.encode(np.ascontiguousarray(flat))

    def decode(data: bytes, shape: tuple[int, ...]) -> Pixels:
        if len(shape) == 2:
            return rival.decode(data, shape)
        height, width, n_planes = shape
        flat = rival.decode(data, (n_planes * height, width))
        return np.moveaxis(flat.reshape(n_planes, height, width), 0, 2)

    return _changed(rival, "planes", encode, decode)


def _minus_green(rival: Rival) -> Rival:
    """Green, red - green + 128, blue - green + 128, modulo 256: HP1, the simplest colour transform
    of HP's JPEG-LS coder, which imagecodecs does not offer."""

    def encode(image: Pixels) -> bytes:
        if image.ndim == 2:
            return rival.encode(image)
        moved = image[..., [1, 0, 2]]
        moved[..., 1:] += np.uint8(128) - moved[..., :1]
        return rival.encode(np.ascontiguousarray(moved))

    def decode(data: bytes, shape: tuple[int, ...]) -> Pixels:
        found = rival.decode(data, shape)
        if len(shape) == 2:
            return found
        moved = np.array(found)
        moved[..., 1:] += moved[..., :1] - np.uint8(128)
        return moved[..., [1, 0, 2]]

    return _changed(rival, "minus-green", encode, decode)


def _changed(rival: Rival, note: str, encode: Encode, decode: Decode) -> Rival:
    name = f"{rival.name}{',' if ':' in rival.name else ':'}{note}"
    return Rival(name=name, encode=encode, decode=decode, slow=rival.slow, columns=rival.columns)


def _image(decode: Callable[[bytes], Any]) -> Decode:
    return lambda data, shape: np.asarray(decode(data)).reshape(shape)


def _png() -> Rival:
    import imagecodecs as ic

    # All filters are tried; zlib's strategy for filtered data is 2% smaller here than its default.
    filtered = ic.PNG.STRATEGY.FILTERED
    return Rival(
        name="png:level=9",
        encode=lambda image: bytes(ic.png_encode(image, level=9, strategy=filtered)),
        decode=_image(ic.png_decode),
    )


def _jpegls() -> Rival:
    import imagecodecs as ic

    def encode(image: Pixels) -> bytes:
        # Noise can grow; without room CharLS fails instead of growing.
        return bytes(ic.jpegls_encode(image, out=bytearray(2 * image.size + 4096)))

    return Rival(name="jpegls", encode=encode, decode=_image(ic.jpegls_decode))


def _jpeg2000() -> Rival:
    import imagecodecs as ic

    return Rival(
        name="jpeg2000:reversible,resolutions=2",
        encode=lambda image: bytes(
            # The bare codestream: the jp2 box costs 0.27 bits/pixel on one 50 x 50 cell. Colour
            # is decorrelated by the standard's reversible transform (mct). One wavelet step: more
            # of them smear the black around the cells, and cost 1% to 2.5%.
            ic.jpeg2k_encode(
                image, level=0, reversible=True, codecformat="j2k", resolutions=2, numthreads=1
            )
        ),
        decode=_image(lambda data: ic.jpeg2k_decode(data, numthreads=1)),
    )


def _webp() -> Rival:
    import imagecodecs as ic

    def encode(image: Pixels) -> bytes:
        rgb = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
        return bytes(ic.webp_encode(rgb, lossless=True, method=6, level=100, numthreads=1))

    def decode(data: bytes, shape: tuple[int, ...]) -> Pixels:
        image = np.asarray(ic.webp_decode(data))
        return image[..., :3] if len(shape) == 3 else np.ascontiguousarray(image[..., 0])

    return Rival(name="webp:lossless,method=6", encode=encode, decode=decode)


def _jxl(effort: int, slow: bool = False) -> Rival:
    import imagecodecs as ic

    return Rival(
        name=f"jxl:effort={effort}",
        encode=lambda image: bytes(
            ic.jpegxl_encode(image, lossless=True, effort=effort, numthreads=1)
        ),
        decode=_image(lambda data: ic.jpegxl_decode(data, numthreads=1)),
        slow=slow,
    )


def _zstd() -> Rival:
    import imagecodecs as ic

    def decode(data: bytes, shape: tuple[int, ...]) -> Pixels:
        return np.frombuffer(ic.zstd_decode(data), np.uint8).reshape(shape)

    return Rival(
        name="zstd:level=19",  # 22 gives the same bytes: a sheet is smaller than its windows
        encode=lambda image: bytes(ic.zstd_encode(image.tobytes(), level=19)),
        decode=decode,
        columns=1,
    )


def _xz(n_channels: int) -> Rival:
    # pb=0: pixels are not aligned to four bytes; lc=4 and the differences gain 1% more.
    filters: list[dict[str, Any]] = [
        {"id": lzma.FILTER_DELTA, "dist": n_channels},
        {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0, "pb": 0},
    ]

    def decode(data: bytes, shape: tuple[int, ...]) -> Pixels:
        return np.frombuffer(lzma.decompress(data), np.uint8).reshape(shape)

    return Rival(
        name=f"xz:preset=9e,delta={n_channels},lc=4,pb=0",
        encode=lambda image: lzma.compress(
            image.tobytes(), format=lzma.FORMAT_XZ, check=lzma.CHECK_NONE, filters=filters
        ),
        decode=decode,
        columns=1,
    )
