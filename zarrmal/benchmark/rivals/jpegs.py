"""The JPEG committee's lossless coders: JPEG-LS, JPEG 2000, JPEG XL."""

from __future__ import annotations

from .rival import Pixels, Rival, image


def jpegls() -> Rival:
    """CharLS."""
    import imagecodecs as ic

    def encode(pixels: Pixels) -> bytes:
        # Noise can grow; without room CharLS fails instead of growing.
        return bytes(ic.jpegls_encode(pixels, out=bytearray(2 * pixels.size + 4096)))

    # 1,000 cells in a row are 2% smaller than 25 rows of 40.
    return Rival(name="jpegls", encode=encode, decode=image(ic.jpegls_decode), columns=1000)


def jpeg2000() -> Rival:
    """OpenJPEG.

    The bare codestream: the jp2 box costs 0.27 bits/pixel on one 50 x 50 cell. Colour is
    decorrelated by the standard's reversible transform (mct). One wavelet step: more of them smear
    the black around the cells, and cost 1% to 2.5%.
    """
    import imagecodecs as ic

    return Rival(
        name="jpeg2000:reversible,resolutions=2",
        encode=lambda pixels: bytes(
            ic.jpeg2k_encode(
                pixels, level=0, reversible=True, codecformat="j2k", resolutions=2, numthreads=1
            )
        ),
        decode=image(lambda data: ic.jpeg2k_decode(data, numthreads=1)),
    )


def jxl(effort: int, *, slow: bool = False) -> Rival:
    """libjxl; sheets wider than 2048 pixels cost it 10%."""
    import imagecodecs as ic

    return Rival(
        name=f"jxl:effort={effort}",
        encode=lambda pixels: bytes(
            ic.jpegxl_encode(pixels, lossless=True, effort=effort, numthreads=1)
        ),
        decode=image(lambda data: ic.jpegxl_decode(data, numthreads=1)),
        slow=slow,
    )
