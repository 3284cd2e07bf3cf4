"""Byte coders: zstd, Blosc with zstd, xz."""

from __future__ import annotations

import lzma
from typing import Any

from .rival import Rival, decode_bytes


def zstd() -> Rival:
    """Level 19: level 22 gives the same bytes, as a sheet is smaller than its window."""
    import imagecodecs as ic

    return Rival(
        name="zstd:level=19",
        encode=lambda image: bytes(ic.zstd_encode(image.tobytes(), level=19)),
        decode=decode_bytes(ic.zstd_decode),
        columns=1,
    )


def blosc() -> Rival:
    """One block per file, so that zstd sees all of it; either shuffle makes grey cells larger."""
    import imagecodecs as ic

    return Rival(
        name="blosc:zstd,clevel=9,noshuffle,one-block",
        encode=lambda image: bytes(
            ic.blosc_encode(
                image.tobytes(),
                level=9,
                compressor="zstd",
                shuffle=ic.BLOSC.SHUFFLE.NOSHUFFLE,
                typesize=1,
                blocksize=image.nbytes,
                numthreads=1,
            )
        ),
        decode=decode_bytes(lambda data: ic.blosc_decode(data, numthreads=1)),
        columns=1,
    )


def xz(n_channels: int) -> Rival:
    """pb=0: pixels are not aligned to four bytes; lc=4 and the differences gain 1% more."""
    filters: list[dict[str, Any]] = [
        {"id": lzma.FILTER_DELTA, "dist": n_channels},
        {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0, "pb": 0},
    ]
    return Rival(
        name=f"xz:preset=9e,delta={n_channels},lc=4,pb=0",
        encode=lambda image: lzma.compress(
            image.tobytes(), format=lzma.FORMAT_XZ, check=lzma.CHECK_NONE, filters=filters
        ),
        decode=decode_bytes(lzma.decompress),
        columns=1,
    )
