"""Other lossless coders, each behind one small adapter with its best sensible settings.

imagecodecs is imported late: only the benchmark and the demo need these coders.
"""

from __future__ import annotations

import lzma
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


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
        The inverse.
    slow
        Left out unless asked for.
    """

    name: str
    encode: Callable[[Pixels], bytes]
    decode: Callable[[bytes, tuple[int, ...]], Pixels]
    slow: bool = False


def all_rivals() -> tuple[Rival, ...]:
    """Every rival of the benchmark."""
    return (
        _png(),
        _zstd(),
        _xz(),
        _jpeg2000(),
        _jpegls(),
        _webp(),
        _jxl(7),
        _jxl(9),
        _jxl(10, slow=True),
    )


def _image(decode: Callable[[bytes], Any]) -> Callable[[bytes, tuple[int, ...]], Pixels]:
    return lambda data, shape: np.asarray(decode(data)).reshape(shape)


def _png() -> Rival:
    import imagecodecs as ic

    return Rival(
        name="png:level=9",
        encode=lambda image: bytes(ic.png_encode(image, level=9)),
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
        name="jpeg2000:reversible",
        encode=lambda image: bytes(
            # The bare codestream: the jp2 box costs 0.27 bits/pixel on one 50 x 50 cell.
            ic.jpeg2k_encode(image, level=0, reversible=True, codecformat="j2k", numthreads=1)
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
        name="zstd:level=19",
        encode=lambda image: bytes(ic.zstd_encode(image.tobytes(), level=19)),
        decode=decode,
    )


def _xz() -> Rival:
    def decode(data: bytes, shape: tuple[int, ...]) -> Pixels:
        return np.frombuffer(lzma.decompress(data), np.uint8).reshape(shape)

    return Rival(
        name="xz:preset=9e",
        encode=lambda image: lzma.compress(image.tobytes(), preset=9 | lzma.PRESET_EXTREME),
        decode=decode,
    )
