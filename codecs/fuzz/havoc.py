"""Mutations of bytes without knowledge of their format."""

from __future__ import annotations

from random import Random

SIZES = (0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 4095, 4096, 65535, 65536, 1 << 22, (1 << 31) - 1,
         1 << 31, (1 << 32) - 1)  # fmt: skip
"""Sizes at which mistakes are likely."""


def size(rng: Random) -> int:
    """A number below 2**32, often a small one or one of SIZES."""
    return rng.choice((rng.choice(SIZES), rng.randrange(9), rng.randrange(1 << 32)))


def havoc(data: bytes, rng: Random) -> bytes:
    """One to four edits: flip bits, set bytes, remove, repeat, overwrite or insert blocks."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        offset = rng.randrange(len(out) + 1)
        stop = min(len(out), offset + rng.choice((1, 1, 1, 2, 4, 8, 32)))
        kind = rng.randrange(7)
        if kind == 0 and offset < len(out):
            out[offset] ^= 1 << rng.randrange(8)
        elif kind == 1 and offset < len(out):
            out[offset] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
        elif kind == 2:
            del out[offset:stop]
        elif kind == 3:
            out[offset:offset] = out[offset:stop]
        elif kind == 4:
            out[offset:offset] = rng.randbytes(rng.choice((1, 2, 4, 16)))
        elif kind == 5:
            out[offset:stop] = bytes([rng.choice((0, 255))]) * (stop - offset)
        elif kind == 6 and len(out) >= 4:
            offset = rng.randrange(len(out) - 3)
            out[offset : offset + 4] = size(rng).to_bytes(4, "little")
    return bytes(out)
