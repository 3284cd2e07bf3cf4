"""Image coders: PNG, WebP, JPEG-LS, JPEG 2000, JPEG XL, and our own CALIC."""

from __future__ import annotations

import numpy as np

from ..measurement import Pixels
from .rival import Rival, decode_image


def png() -> Rival:
    """All filters are tried; zlib's strategy for filtered data gains 2% over its default."""
    import imagecodecs as ic

    strategy = ic.PNG.STRATEGY.FILTERED
    return Rival(
        name="png:level=9",
        encode=lambda image: bytes(ic.png_encode(image, level=9, strategy=strategy)),
        decode=decode_image(ic.png_decode),
        columns=100,  # 1% smaller than 40
    )


def webp() -> Rival:
    """WebP codes colour only: grey planes are repeated."""
    import imagecodecs as ic

    def encode(image: Pixels) -> bytes:
        rgb = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
        return bytes(ic.webp_encode(rgb, lossless=True, method=6, level=100, numthreads=1))

    def decode(data: bytes, shape: tuple[int, ...]) -> Pixels:
        image = np.asarray(ic.webp_decode(data))
        return image[..., :3] if len(shape) == 3 else np.ascontiguousarray(image[..., 0])

    return Rival(name="webp:lossless,method=6", encode=encode, decode=decode)


def jpegls() -> Rival:
    """CharLS."""
    import imagecodecs as ic

    def encode(image: Pixels) -> bytes:
        # Noise can grow; without room CharLS fails.
        return bytes(ic.jpegls_encode(image, out=bytearray(2 * image.size + 4096)))

    # 1,000 cells in a row are 2% smaller than 25 rows of 40.
    return Rival(name="jpegls", encode=encode, decode=decode_image(ic.jpegls_decode), columns=1000)


def jpeg2000() -> Rival:
    """OpenJPEG.

    The bare codestream: the jp2 box costs 0.27 bits/pixel on one 50 x 50 cell. Colour is
    decorrelated by the standard's reversible transform (mct). One wavelet step: more steps smear
    the black around the cells, and cost 1% to 2.5%.
    """
    import imagecodecs as ic

    return Rival(
        name="jpeg2000:reversible,resolutions=2",
        encode=lambda image: bytes(
            ic.jpeg2k_encode(
                image, level=0, reversible=True, codecformat="j2k", resolutions=2, numthreads=1
            )
        ),
        decode=decode_image(lambda data: ic.jpeg2k_decode(data, numthreads=1)),
    )


def jxl(effort: int, *, slow: bool = False) -> Rival:
    """libjxl; sheets wider than 2048 pixels cost it 10%."""
    import imagecodecs as ic

    return Rival(
        name=f"jxl:effort={effort}",
        encode=lambda image: bytes(
            ic.jpegxl_encode(image, lossless=True, effort=effort, numthreads=1)
        ),
        decode=decode_image(lambda data: ic.jpegxl_decode(data, numthreads=1)),
        slow=slow,
    )


def calic() -> Rival:
    """CALIC, which no library has. Grey only.

    The first image raises ImportError where numba, of the extra `bench`, is missing.
    """

    def encode(image: Pixels) -> bytes:
        from .. import calic

        return calic.encode(image)

    def decode(data: bytes, shape: tuple[int, ...]) -> Pixels:
        from .. import calic

        return calic.decode(data).reshape(shape)

    # 1,000 cells in a row are 1.5% smaller than 25 rows of 40.
    return Rival(name="calic", encode=encode, decode=decode, columns=1000)
