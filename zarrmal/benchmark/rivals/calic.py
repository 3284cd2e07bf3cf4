"""CALIC, by our own implementation: there is no library."""

from __future__ import annotations

from .rival import Pixels, Rival


def calic() -> Rival:
    """Grey only. ImportError at the first image where numba, of the extra `bench`, is missing."""

    def encode(image: Pixels) -> bytes:
        from .. import calic

        return calic.encode(image)

    def decode(data: bytes, shape: tuple[int, ...]) -> Pixels:
        from .. import calic

        return calic.decode(data).reshape(shape)

    # 1,000 cells in a row are 1.5% smaller than 25 rows of 40.
    return Rival(name="calic", encode=encode, decode=decode, columns=1000)
