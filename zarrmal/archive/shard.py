"""A shard: the chunks of one stored object (Zarr's codec `sharding_indexed`, index at the start).

Zarr's own writer would choose the classes of cells anew, so we assemble shards ourselves.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import google_crc32c
from zarrmal_codecs import CorruptionError, TruncatedError

MISSING = 2**64 - 1
"""Offset and length of a chunk that is not there."""
ENTRY = struct.Struct("<QQ")
CHECK_BYTES = 4


def join_shard(chunks: Sequence[bytes | memoryview | None]) -> bytes:
    """A shard of these chunks; None for those that lie behind the array's end.

    The index is an offset and a length (u64, little-endian) for each chunk and the CRC-32C of
    them; chunks follow without gaps.
    """
    offset = shard_index_bytes(len(chunks))
    entries = bytearray()
    for chunk in chunks:
        if chunk is None:
            entries += ENTRY.pack(MISSING, MISSING)
        else:
            entries += ENTRY.pack(offset, len(chunk))
            offset += len(chunk)
    check = google_crc32c.value(bytes(entries)).to_bytes(CHECK_BYTES, "little")
    return b"".join([bytes(entries), check, *(chunk for chunk in chunks if chunk is not None)])


def split_shard(data: bytes | memoryview, n_chunks: int) -> list[memoryview | None]:
    """Inverse of join_shard, for shards of any writer.

    Raises
    ------
    TruncatedError, CorruptionError
        If the index is damaged or names bytes that are not there.
    """
    view = memoryview(data)
    chunks: list[memoryview | None] = []
    for entry in read_shard_index(view, n_chunks):
        if entry is None:
            chunks.append(None)
            continue
        offset, length = entry
        if offset < shard_index_bytes(n_chunks) or offset + length > len(view):
            raise TruncatedError(
                f"the shard's index names bytes {offset} to {offset + length} of {len(view)}"
            )
        chunks.append(view[offset : offset + length])
    return chunks


def read_shard_index(data: bytes | memoryview, n_chunks: int) -> list[tuple[int, int] | None]:
    """Offset and length of each chunk, of a shard or its first bytes; None for one not there.

    Raises
    ------
    TruncatedError, CorruptionError
        If the index is damaged.
    """
    n_index = shard_index_bytes(n_chunks)
    if len(data) < n_index:
        raise TruncatedError(f"the shard has {len(data)} bytes, its index takes {n_index}")
    entries = bytes(data[: n_index - CHECK_BYTES])
    check = int.from_bytes(data[n_index - CHECK_BYTES : n_index], "little")
    if google_crc32c.value(entries) != check:
        raise CorruptionError("the shard's index is damaged: its CRC-32C does not match")
    return [
        None if (offset, length) == (MISSING, MISSING) else (offset, length)
        for offset, length in ENTRY.iter_unpack(entries)
    ]


def shard_index_bytes(n_chunks: int) -> int:
    """Length of the index of so many chunks."""
    return n_chunks * ENTRY.size + CHECK_BYTES
