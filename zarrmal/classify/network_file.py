"""The classifier file: magic, header in JSON, float16 tensors, CRC-32.

::

    8 bytes   b"zarrmalC"
    u32 LE    length of the header
    header    UTF-8 JSON; "version", and "shapes": the shapes of the tensors
    tensors   float16, little-endian, C order, one after the other
    u32 LE    CRC-32 of all bytes before it
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..errors import InputError
from .layer import Floats

MAGIC = b"zarrmalC"
VERSION = 1
MAX_TENSORS = 256
MAX_SIDE = 4096
"""Length of any axis of a tensor."""


def pack(header: dict[str, Any], tensors: Sequence[Floats]) -> bytes:
    """Bytes of a file; InputError if a weight is too large for float16."""
    halves = [tensor.astype("<f2") for tensor in tensors]
    if not all(np.isfinite(half).all() for half in halves):
        raise InputError("a weight of this classifier is too large to be stored: train it again")
    contents = {"version": VERSION, **header, "shapes": [tensor.shape for tensor in tensors]}
    text = json.dumps(contents, ensure_ascii=False, separators=(",", ":")).encode()
    data = MAGIC + struct.pack("<I", len(text)) + text + b"".join(h.tobytes() for h in halves)
    return data + struct.pack("<I", zlib.crc32(data))


def unpack(data: bytes) -> tuple[dict[str, Any], list[Floats]]:
    """Header and tensors from the bytes of a file; InputError if they are damaged."""
    start = len(MAGIC) + 4
    if data[: len(MAGIC)] != MAGIC:
        raise InputError("this is no file of a zarrmal classifier")
    if len(data) < start + 4 or zlib.crc32(data[:-4]) != struct.unpack("<I", data[-4:])[0]:
        raise InputError("the classifier file is damaged or cut off: its CRC-32 does not fit")
    (n_header,) = struct.unpack("<I", data[len(MAGIC) : start])
    if n_header > len(data) - start - 4:
        raise InputError("the classifier file is damaged: its header is longer than the file")
    try:
        header = json.loads(data[start : start + n_header].decode())
        version, shapes = header["version"], [tuple(shape) for shape in header["shapes"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError("the classifier file is damaged: its header cannot be read") from None
    if version != VERSION:
        raise InputError(
            f"the classifier file has version {version}, this software reads {VERSION}: update it"
        )
    sides = [n for shape in shapes for n in shape]
    if len(shapes) > MAX_TENSORS or not all(type(n) is int and 0 < n <= MAX_SIDE for n in sides):
        raise InputError("the classifier file is damaged: a tensor has an impossible shape")
    body = data[start + n_header : -4]
    if 2 * sum(prod(shape) for shape in shapes) != len(body):
        raise InputError("the classifier file is damaged: its tensors have another length")
    flat, start, arrays = np.frombuffer(body, "<f2").astype(np.float32), 0, []
    for shape in shapes:
        arrays.append(flat[start : start + prod(shape)].reshape(shape))
        start += prod(shape)
    return header, arrays
