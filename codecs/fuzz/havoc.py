"""Bytes changed without knowledge of what they mean."""

from __future__ import annotations

from random import Random

SIZES = (0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 4095, 4096, 65535, 65536, 1 << 22, (1 << 31) - 1,
         1 << 31, (1 << 32) - 1)  # fmt: skip
"""Where something is often wrong."""


def size(rng: Random) -> int:
    """A number below 2**32, often a small or an awkward one."""
    return rng.choice((rng.choice(SIZES), rng.randrange(9), rng.randrange(1 << 32)))


def havoc(data: bytes, rng: Random) -> bytes:
    """One to four edits: bits flipped, bytes set, blocks lost, doubled, moved or made up."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(out) + 1)
        stop = min(len(out), at + rng.choice((1, 1, 1, 2, 4, 8, 32)))
        kind = rng.randrange(7)
        if kind == 0 and at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(out):
            out[at] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
        elif kind == 2:
            del out[at:stop]
        elif kind == 3:
            out[at:at] = out[at:stop]
        elif kind == 4:
            out[at:at] = rng.randbytes(rng.choice((1, 2, 4, 16)))
        elif kind == 5:
            out[at:stop] = bytes([rng.choice((0, 255))]) * (stop - at)
        elif kind == 6 and len(out) >= 4:
            at = rng.randrange(len(out) - 3)
            out[at : at + 4] = size(rng).to_bytes(4, "little")
    return bytes(out)
