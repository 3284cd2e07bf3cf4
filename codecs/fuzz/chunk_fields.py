"""The fields of a chunk, with values that need not agree, and their bytes (FORMAT 4).

Written anew, lengths and checksums are computed.
"""

from __future__ import annotations

import struct
import zlib
from binascii import crc_hqx
from dataclasses import dataclass, field
from random import Random

PRELUDE = struct.Struct("<4sBBBBIQI")
BLANK = 255
OTHER, UINT8, UINT16 = 15, 1, 7
REDUCTION = struct.Struct("<HHBB")
CAMERA = 391
ITEM_BYTES = (0, 1, 1, 1, 2, 4, 8, 2, 4, 8, 2, 4, 8, 8, 16)


@dataclass(slots=True)
class Index:
    """The cell or mask index, with values that need not agree."""

    digest_prefix: bytes
    codings: bytes
    runs: list[list[int]]
    streams: list[bytes]
    columns: list[list[int]]
    """Numbers of each cell: heights and widths; spacings, and rows and columns of masks; names of
    cameras, rows and columns of phases, and which are files."""
    resampling: int = 0
    reductions: list[list[int]] = field(default_factory=list)
    """Of each channel of 16 bits: least, step, raw bits, bins - 1."""
    table: bytes | None = None
    """Of an array of masks: its binary logarithm, and the values."""
    limits: bytes = bytes([32, 28])
    """Of cells that are coefficients: visible pixels from which on blocks are coded."""
    cameras: bytes = b""
    """Of these, CAMERA bytes each."""


@dataclass(slots=True)
class Chunk:
    """The fields of a chunk."""

    version: int
    mode: int
    dtype: int
    flags: int
    crc: int
    shape: list[int]
    index: Index | None = None
    payload: bytes = b""
    item_bytes: int = 0
    """Written for dtype 15 alone."""
    extra: dict[str, int] = field(default_factory=dict)
    """Fields to write with wrong values."""

    @property
    def words(self) -> bool:
        """Streams of 16-bit words, without checks."""
        return bool(self.flags & 2) or (self.index is not None and self.index.table is not None)

    @property
    def n_channels(self) -> int:
        """Channels of a cell."""
        return self.shape[1 if self.flags & 32 else 3] if len(self.shape) == 4 else 1

    @property
    def sized(self) -> bool:
        """Cells have sizes of their own."""
        return bool(self.flags & 8)

    @property
    def outlined(self) -> bool:
        """Cells have silhouettes."""
        return bool(self.flags & 16)

    @property
    def latticed(self) -> bool:
        """Cells are coefficients of JPEG pictures."""
        return bool(self.flags & 64)


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    value = k = 0
    while True:
        byte = data[offset]
        value |= (byte & 127) << (7 * k)
        offset, k = offset + 1, k + 1
        if byte < 128:
            return value, offset


def _varint_bytes(value: int) -> bytes:
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def parse(data: bytes) -> Chunk:
    """Parse the fields of a chunk; any exception if it is damaged."""
    magic, version, mode, dtype, flags, n_header, _, crc = PRELUDE.unpack_from(data)
    assert magic == b"ZMAC"
    rank = data[24]
    offset = 25 + 4 * rank
    chunk = Chunk(version, mode, dtype, flags, crc, list(struct.unpack_from(f"<{rank}I", data, 25)))
    chunk.payload = data[n_header:]
    if dtype == OTHER:
        (chunk.item_bytes,) = struct.unpack_from("<I", data, offset)
    if mode == 3:
        chunk.index = _parse_masks(chunk, data, offset)
    if mode != 2:
        return chunk
    prefix, n_classes = data[offset : offset + 8], data[offset + 8]
    codings = data[offset + 9 : offset + 9 + n_classes]
    n_runs, offset = _varint(data, offset + 9 + n_classes)
    runs = []
    for _ in range(n_runs):
        k, (count, offset) = data[offset], _varint(data, offset + 1)
        runs.append([k, count])
    n = chunk.shape[0]
    assert n < 5000
    reductions = []
    for _ in range(chunk.n_channels if dtype == UINT16 else 0):
        reductions.append(list(REDUCTION.unpack_from(data, offset)))
        offset += REDUCTION.size
    columns, resampling = [], 0
    for _ in range(2 * chunk.sized):
        values, offset = _packed("<HB", data, offset, n)
        columns.append(values)
    if chunk.outlined:
        resampling, offset = data[offset], offset + 1
        for _ in range(n_outline_columns(resampling)):
            values, offset = _packed("<HB", data, offset, n)
            columns.append(values)
    limits, cameras = bytes([32, 28]), b""
    if chunk.latticed:
        limits, offset = data[offset : offset + 2], offset + 2
        (n_cameras, offset) = _varint(data, offset)
        (n_deflated, offset) = _varint(data, offset)
        raw = zlib.decompress(data[offset : offset + n_deflated], wbits=-15)
        assert len(raw) == 2 * n + CAMERA * n_cameras
        offset, cameras = offset + n_deflated, raw[2 * n :]
        columns.append([raw[c] + 256 * raw[n + c] for c in range(n)])
        for _ in range(3):
            values, offset = _packed("<HB", data, offset, n)
            columns.append(values)
    lengths, offset = _packed("<IB", data, offset, n)
    streams = _cut(chunk.payload, lengths, 2 if chunk.words else 1)
    chunk.index = Index(prefix, codings, runs, streams, columns, resampling, reductions)
    chunk.index.limits, chunk.index.cameras = limits, cameras
    return chunk


def _parse_masks(chunk: Chunk, data: bytes, offset: int) -> Index:
    n, log_table = chunk.shape[0], data[offset]
    assert n < 5000
    assert log_table <= 16
    n_table = 1 << log_table
    table, offset = data[offset : offset + 1 + n_table], offset + 1 + n_table
    columns = []
    for _ in range(3):
        values, offset = _packed("<HB", data, offset, n)
        columns.append(values)
    lengths, offset = _packed("<IB", data, offset, n)
    return Index(b"", b"", [], _cut(chunk.payload, lengths, 2), columns, table=table)


def _cut(payload: bytes, lengths: list[int], size: int) -> list[bytes]:
    """Streams of these lengths."""
    streams, start = [], 0
    for length in lengths:
        streams.append(payload[start : start + size * length])
        start += size * length
    return streams


def n_outline_columns(resampling: int) -> int:
    """Columns of silhouettes: their spacings, and the shapes of those that were resampled."""
    return 3 if resampling else 1


def _packed(form: str, data: bytes, offset: int, n: int) -> tuple[list[int], int]:
    """``least``, ``n_bits`` and ``n`` packed differences."""
    least, n_bits = struct.unpack_from(form, data, offset)
    assert n_bits <= 32
    start = offset + struct.calcsize(form)
    stop = start + (n * n_bits + 7) // 8
    packed = int.from_bytes(data[start:stop], "big") >> -n * n_bits % 8
    mask = (1 << n_bits) - 1
    return [least + (packed >> (n_bits * (n - 1 - c)) & mask) for c in range(n)], stop


def _packed_bytes(form: str, values: list[int], fewest_bits: int, rng: Random | None) -> bytes:
    """Inverse of _packed; with an rng, values may be wider."""
    most = (1 << 8 * (struct.calcsize(form) - 1)) - 1
    least = min([*values, most]) if values else 0
    if rng and rng.random() < 0.1:
        least = rng.randint(0, least)
    n_bits = max([(n - least).bit_length() for n in values] + [fewest_bits])
    if rng and rng.random() < 0.1:
        n_bits = rng.randint(n_bits, 33)
    packed = 0
    for n in values:
        packed = packed << n_bits | n - least
    n_packed = (len(values) * n_bits + 7) // 8
    packed <<= 8 * n_packed - len(values) * n_bits
    return struct.pack(form, least, n_bits) + packed.to_bytes(n_packed, "big")


def build(chunk: Chunk, rng: Random | None = None) -> bytes:
    """Bytes of these fields, with derived fields computed; with an rng, lengths may be wider."""
    extra = chunk.extra
    tail = struct.pack("<B", extra.get("rank", len(chunk.shape)) & 255)
    tail += b"".join(struct.pack("<I", n & 0xFFFFFFFF) for n in chunk.shape)
    if chunk.dtype == OTHER:
        tail += struct.pack("<I", chunk.item_bytes & 0xFFFFFFFF)
    payload = chunk.payload
    if chunk.index is not None:
        payload = b"".join(chunk.index.streams)
        tail += _index_bytes(chunk, chunk.index, rng)
    n_payload = extra.get("payload", len(payload))
    n_header = extra.get("header", PRELUDE.size + len(tail) + 4)
    head = PRELUDE.pack(
        b"ZMAC", chunk.version & 255, chunk.mode & 255, chunk.dtype & 255, chunk.flags & 255,
        n_header & 0xFFFFFFFF, n_payload, chunk.crc)  # fmt: skip
    return head + tail + struct.pack("<I", zlib.crc32(head + tail)) + payload


def _index_bytes(chunk: Chunk, index: Index, rng: Random | None) -> bytes:
    if index.table is not None:
        columns = b"".join(_packed_bytes("<HB", values, 0, rng) for values in index.columns)
        lengths = [len(s) // 2 for s in index.streams]
        return index.table + columns + _packed_bytes("<IB", lengths, 1, rng)
    out = index.digest_prefix + bytes([len(index.codings) & 255]) + index.codings
    out += _varint_bytes(chunk.extra.get("runs", len(index.runs)))
    out += b"".join(bytes([k & 255]) + _varint_bytes(n & 0xFFFFFFFF) for k, n in index.runs)
    out += b"".join(REDUCTION.pack(*each) for each in index.reductions)
    n_sizes, n_outlines = 2 * chunk.sized, n_outline_columns(index.resampling) * chunk.outlined
    n_columns = n_sizes + n_outlines + 4 * chunk.latticed
    columns = (index.columns + [[1] * len(index.streams)] * 9)[:n_columns]
    for k, values in enumerate(columns):
        if n_outlines and k == n_sizes:
            out += bytes([index.resampling])
        if chunk.latticed and k == n_sizes + n_outlines:
            out += _cameras_bytes(chunk, index, values)
        else:
            out += _packed_bytes("<HB", values, 0, rng)
    lengths = [len(s) // 2 if chunk.words else len(s) for s in index.streams]
    out += _packed_bytes("<IB", lengths, int(chunk.words), rng)
    if not chunk.words:
        out += b"".join(struct.pack("<H", crc_hqx(s, 0xFFFF)) for s in index.streams)
    return out


def _cameras_bytes(chunk: Chunk, index: Index, names: list[int]) -> bytes:
    raw = bytes(n & 255 for n in names) + bytes(n >> 8 & 255 for n in names) + index.cameras
    deflated = zlib.compress(raw, 9, wbits=-15)
    counts = {"cameras": len(index.cameras) // CAMERA, "deflated": len(deflated)}
    sizes = [_varint_bytes(chunk.extra.get(k, n) & 0xFFFFFFFF) for k, n in counts.items()]
    return index.limits + b"".join(sizes) + deflated


def reseal(data: bytes) -> bytes:
    """The chunk with a correct CRC-32 at the declared end of its header."""
    n = int.from_bytes(data[8:12], "little")
    if not 28 <= n <= len(data):
        return data
    return data[: n - 4] + struct.pack("<I", zlib.crc32(data[: n - 4])) + data[n:]
