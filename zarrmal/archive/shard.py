"""A shard: the chunks of one stored object (Zarr's codec `sharding_indexed`).

Zarr's own writer would choose the classes of cells anew, so we assemble shards ourselves. The index
lies at the start or at the end of a shard:

* At the end, Zarr's default, every implementation reads it; zarrita.js 0.7 reads no other. But it
  takes a request for the last bytes of an object, which fsspec's file systems of Azure, and its
  caches (``simplecache::``, ``filecache::``, ``blockcache::``), refuse.
* At the start zarr-python reads it through all of them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Literal

import google_crc32c
from zarrmal_codecs import CorruptionError, TruncatedError

IndexLocation = Literal["start", "end"]

MISSING = 2**64 - 1
"""Offset and length of a chunk that is not there."""
ENTRY = struct.Struct("<QQ")
CHECK_BYTES = 4


def join_shard(
    chunks: Sequence[bytes | memoryview | None], index_location: IndexLocation = "start"
) -> bytes:
    """A shard of these chunks; None for those that lie behind the array's end.

    The index is an offset and a length (u64, little-endian) for each chunk and the CRC-32C of
    them; chunks follow without gaps.
    """
    offset = shard_index_bytes(len(chunks)) if index_location == "start" else 0
    entries = bytearray()
    for chunk in chunks:
        if chunk is None:
            entries += ENTRY.pack(MISSING, MISSING)
        else:
            entries += ENTRY.pack(offset, len(chunk))
            offset += len(chunk)
    check = google_crc32c.value(bytes(entries)).to_bytes(CHECK_BYTES, "little")
    index, present = bytes(entries) + check, [chunk for chunk in chunks if chunk is not None]
    return b"".join([index, *present] if index_location == "start" else [*present, index])


def split_shard(
    data: bytes | memoryview, n_chunks: int, index_location: IndexLocation = "start"
) -> list[memoryview | None]:
    """Inverse of join_shard, for shards of any writer.

    Raises
    ------
    TruncatedError, CorruptionError
        If the index is damaged or names bytes that are not there.
    """
    view = memoryview(data)
    n_index = shard_index_bytes(n_chunks)
    first, last = (n_index, len(view)) if index_location == "start" else (0, len(view) - n_index)
    index = view if index_location == "start" else view[max(last, 0) :]
    chunks: list[memoryview | None] = []
    for entry in read_shard_index(index, n_chunks):
        if entry is None:
            chunks.append(None)
            continue
        offset, length = entry
        if offset < first or offset + length > last:
            raise TruncatedError(
                f"the shard's index names bytes {offset} to {offset + length} of {len(view)}"
            )
        chunks.append(view[offset : offset + length])
    return chunks


def read_shard_index(data: bytes | memoryview, n_chunks: int) -> list[tuple[int, int] | None]:
    """Offset and length of each chunk, by the index and what follows it; None for one not there.

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
