"""Mutations of single fields of chunks, with lengths and checksums recomputed (FORMAT 4).

Otherwise nearly every mutation would fail at the header's CRC-32.
"""

from __future__ import annotations

import struct
import zlib
from random import Random

import havoc
from chunk_fields import (
    BLANK,
    CAMERA,
    ITEM_BYTES,
    OTHER,
    UINT8,
    UINT16,
    Chunk,
    Index,
    build,
    n_outline_columns,
    parse,
    reseal,
)


def mutate(data: bytes, rng: Random, prefixes: list[bytes]) -> bytes:
    """A mutation of a chunk; ``prefixes`` are the digest prefixes of the known models."""
    if rng.random() < 0.15:
        return havoc.havoc(data, rng)
    try:
        chunk = parse(data)
    except (AssertionError, IndexError, struct.error, zlib.error):
        return reseal(havoc.havoc(data, rng))
    for _ in range(rng.randint(1, 3)):
        if chunk.index is not None and rng.random() < 0.75:
            _mutate_index(chunk, chunk.index, rng, prefixes)
        else:
            _mutate_fields(chunk, rng)
    mutated = build(chunk, rng)
    return reseal(havoc.havoc(mutated, rng)) if rng.random() < 0.1 else mutated


def _mutate_fields(chunk: Chunk, rng: Random) -> None:
    kind = rng.randrange(10)
    if kind == 9 and len(chunk.shape) == 4:  # channels first, or last again
        chunk.flags ^= 32
        _, a, b, c = chunk.shape
        chunk.shape[1:] = [c, a, b] if chunk.flags & 32 else [b, c, a]
    elif kind == 0:
        setattr(chunk, rng.choice(("version", "mode")), rng.randrange(6))
        chunk.flags ^= rng.choice((0, 0, 1 << rng.randrange(8)))
    elif kind == 8:
        _mutate_dtype(chunk, rng)
    elif kind == 1:
        chunk.crc = rng.choice((0, rng.randrange(1 << 32), zlib.crc32(chunk.payload)))
    elif kind == 2 and chunk.shape:
        chunk.shape[rng.randrange(len(chunk.shape))] = havoc.size(rng)
    elif kind == 3:
        chunk.shape.insert(rng.randint(0, len(chunk.shape)), rng.choice((0, 1, 2, 1 << 16)))
    elif kind == 4 and chunk.shape:
        del chunk.shape[rng.randrange(len(chunk.shape))]
    elif kind == 5:
        rng.shuffle(chunk.shape)
    elif kind == 6:
        field = rng.choice(("payload", "header", "rank", "runs", "cameras", "deflated"))
        chunk.extra[field] = havoc.size(rng)
    elif chunk.mode == 1:
        _mutate_deflated(chunk, rng)
    else:
        chunk.payload = havoc.havoc(chunk.payload, rng)


def _mutate_dtype(chunk: Chunk, rng: Random) -> None:
    chunk.dtype = rng.randrange(17)
    chunk.item_bytes = havoc.size(rng) if rng.random() < 0.3 else rng.randrange(9)
    size = chunk.item_bytes if chunk.dtype >= OTHER else ITEM_BYTES[chunk.dtype]
    if chunk.mode == 0 and size and size <= len(chunk.payload):  # as many items as there are bytes
        n = len(chunk.payload) // size
        chunk.shape, chunk.payload = [n], chunk.payload[: n * size]
        items = b"".join(chunk.payload[k::n] for k in range(n))
        chunk.crc = zlib.crc32(items)
        chunk.flags = rng.choice((0, 1, 4, 5))


def _mutate_deflated(chunk: Chunk, rng: Random) -> None:
    if rng.random() < 0.3:
        chunk.payload = havoc.havoc(chunk.payload, rng)
        return
    raw = bytes(rng.randrange(1 << 22)) if rng.random() < 0.1 else b"".join(chunk.payload.split())
    raw = havoc.havoc(raw, rng)
    chunk.payload = zlib.compress(raw, rng.choice((0, 1, 9)), wbits=-15)
    chunk.crc = zlib.crc32(raw)
    if rng.random() < 0.7:
        chunk.shape = [len(raw)]


def _mutate_index(chunk: Chunk, index: Index, rng: Random, prefixes: list[bytes]) -> None:
    n = len(index.streams)
    offset = rng.randrange(n) if n else 0
    run = rng.choice(index.runs) if index.runs else [0, 1]
    kind = rng.randrange(18)
    if kind == 17:
        _mutate_cameras(chunk, index, rng)
    elif kind == 15:
        _mutate_reductions(chunk, index, rng)
    elif kind == 16 and index.table is not None:
        n_table = rng.choice((0, 1, 2, 6, 10, 16))
        index.table = rng.choice((
            havoc.havoc(index.table, rng),
            bytes([n_table]) + rng.randbytes(1 << n_table),
        ))  # fmt: skip
    elif kind == 12 and n and index.columns:
        column = rng.choice(index.columns)
        column[rng.randrange(len(column))] = rng.choice((0, 1, 2, 3, 9, 15, 16, 255, 4096, 65535))
    elif kind == 13:
        index.resampling = rng.choice((*range(6), rng.randrange(256)))
    elif kind == 14:
        _mutate_outlines(chunk, index, rng)
    elif kind < 4 and n:
        index.streams[offset] = _stream(index.streams[offset], rng, words=chunk.words)
    elif kind == 4 and n:  # a cell lost
        del index.streams[offset]
        for column in index.columns:
            del column[offset]
        run[1] -= 1
        chunk.shape[:1] = [n - 1]
    elif kind == 5 and n and index.runs:  # cells doubled
        more = rng.choice((1, 1, 2, 300))
        index.streams[offset:offset] = [index.streams[offset]] * more
        for column in index.columns:
            column[offset:offset] = [column[offset]] * more
        run[1] += more
        chunk.shape[:1] = [n + more]
    elif kind == 6:  # blank cells, many of which cost nothing
        more = rng.choice((1, 9, 200, 4000))
        index.streams += [b""] * more
        for column in index.columns:
            column += [1] * more
        index.runs.append([BLANK, more])
        chunk.shape[:1] = [n + more]
        if rng.random() < 0.3 and len(chunk.shape) > 1:
            chunk.shape[rng.randrange(1, len(chunk.shape))] = rng.choice((1, 2048, 1 << 16))
    elif kind == 7:
        run[0] = rng.choice((0, 1, 2, 63, 64, 254, BLANK))
    elif kind == 8:
        run[1] = rng.choice((run[1] + 1, run[1] - 1, 0, havoc.size(rng)))
    elif kind == 9:
        index.runs.insert(rng.randint(0, len(index.runs)), list(run))
    elif kind == 10:
        index.codings = bytes(rng.choice((c, c, rng.randrange(10), 255)) for c in index.codings)
        if rng.random() < 0.2:
            index.codings = havoc.havoc(index.codings, rng)[:255]
    elif kind == 11 and rng.random() < 0.3:
        index.digest_prefix = rng.choice(prefixes)
    elif n > 1:
        rng.shuffle(index.streams)


def _mutate_reductions(chunk: Chunk, index: Index, rng: Random) -> None:
    """Items of 16 bits where they had 8, the other way round, or other reductions."""
    if not index.reductions or rng.random() < 0.2:
        is_deep = not index.reductions
        chunk.dtype, chunk.flags = (UINT16 if is_deep else UINT8), chunk.flags & ~4
        n_channels = min(chunk.n_channels, 80)
        index.reductions = [[1, 1, 0, 0] for _ in range(n_channels * is_deep)]
    elif rng.random() < 0.1:
        index.reductions = rng.choice((index.reductions * 2, index.reductions[1:]))
    else:
        channel = rng.randrange(len(index.reductions))
        least, step, n_raw, n_bins = index.reductions[channel]
        index.reductions[channel] = [
            rng.choice((least, least, 0, 1, 65535, rng.randrange(1 << 16))),
            rng.choice((step, step, 0, 1, 257, 65535)),
            rng.choice((n_raw, n_raw, 0, 1, 8, 9, 255)),
            rng.choice((n_bins, n_bins, 0, 1, 31, 127, 128, 255)),
        ]


def _mutate_outlines(chunk: Chunk, index: Index, rng: Random) -> None:
    """Silhouettes where there were none, or masks of another size for all cells."""
    n = len(index.streams)
    if index.table is not None:
        return
    if not chunk.outlined and rng.random() < 0.5:
        chunk.flags |= 16
        index.resampling = rng.randrange(6)
    del index.columns[2 * chunk.sized :]
    index.columns.append([rng.choice((0, 1, 1, 2, 3, 15)) for _ in range(n)])
    index.columns += [[rng.choice((1, 2, 5, 9, 40, 300))] * n for _ in range(2)]


def _mutate_cameras(chunk: Chunk, index: Index, rng: Random) -> None:
    """Coefficients where there were none, or other cameras and places."""
    n = len(index.streams)
    if index.table is not None:
        return
    if not chunk.latticed:
        if rng.random() < 0.8:
            return
        del index.columns[2 * chunk.sized + n_outline_columns(index.resampling) * chunk.outlined :]
        chunk.flags |= 64
        kind = 4 + (chunk.n_channels == 3)
        bases = bytes([rng.randint(1, 200), 160 * (kind > 4), 201 * (kind > 4)])
        index.cameras = bytes([kind, 0, 0, 0]) + bases + bytes(384)
        index.columns += [[rng.choice((0, 1, 2, 2)) for _ in range(n)] for _ in "n"]
        index.columns += [[rng.choice((0, 0, 7, 8, 31))] * n for _ in range(2)]
        index.columns.append([rng.choice((0, 0, 1))] * n)
    elif rng.random() < 0.2:
        index.limits = bytes(rng.choice((0, 1, 28, 64, 65)) for _ in range(2))
    elif index.cameras and rng.random() < 0.7:
        cameras, at = bytearray(index.cameras), rng.randrange(len(index.cameras))
        n_cameras = len(cameras) // CAMERA
        at = rng.choice((at, at % (7 * n_cameras or 1)))
        cameras[at] = rng.choice((0, 1, 4, 5, 6, 15, 16, 100, 200, 201, 255))
        index.cameras = bytes(cameras)
    else:
        index.cameras = rng.choice((index.cameras * 2, index.cameras[:-1], b""))


def _stream(stream: bytes, rng: Random, *, words: bool) -> bytes:
    kind = rng.randrange(6)
    if kind == 0:
        stream = stream[: rng.randint(0, len(stream))]
    elif kind == 1:
        stream += rng.choice((b"\0\0", b"\xff\xff", rng.randbytes(2 * rng.randint(1, 40))))
    elif kind == 2:
        stream = bytes([rng.choice((0, 255, 0x55))]) * len(stream)
    elif kind == 3:
        stream = rng.randbytes(len(stream))
    else:
        stream = havoc.havoc(stream, rng)
    return stream[: len(stream) & ~1] if words else stream
