"""Mutations of models inside their compressed bodies: JSON and tensors (FORMAT 2)."""

from __future__ import annotations

import json
import lzma
import struct
import zlib
from math import prod
from random import Random
from typing import Any

import havoc
import json_tree

ITEM_BYTES = {"int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4}
MAX_BYTES = 1 << 20
UNFIT = (ValueError, TypeError, LookupError, AttributeError, RecursionError, ArithmeticError,
         MemoryError, EOFError, struct.error, zlib.error, lzma.LZMAError)  # fmt: skip
"""Exceptions of parsing a file that is already damaged."""


def unpack(data: bytes) -> tuple[Any, list[bytes]]:
    """The JSON and the bytes of each tensor; any exception if the file is damaged."""
    _, _, compressor, _, n_body = struct.unpack_from("<4sBBHI", data)
    packed = data[12:]
    if compressor == 1:
        packed = zlib.decompressobj().decompress(packed, min(n_body, MAX_BYTES))
    elif compressor == 2:
        packed = lzma.LZMADecompressor().decompress(packed, min(n_body, MAX_BYTES))
    n_json = int.from_bytes(packed[:4], "little")
    tree = json.loads(packed[4 : 4 + n_json])
    blobs, offset = [], 4 + n_json
    for dtype, shape in tree["tensors"]:
        n = prod(shape) * ITEM_BYTES[dtype]
        blobs.append(packed[offset : offset + n])
        offset += n
    return tree, blobs


def pack(text: bytes, blobs: list[bytes], rng: Random) -> bytes:
    """A model file; one length in thirty is wrong."""
    n_json = len(text) if rng.random() > 0.03 else havoc.size(rng)
    body = struct.pack("<I", n_json) + text + b"".join(blobs)
    compressor = rng.choices((0, 1, 2), (8, 1, 1))[0]
    if compressor == 1:
        packed = zlib.compress(body, 1)
    elif compressor == 2:
        packed = lzma.compress(body, preset=0)
    else:
        packed = body
    n_body = len(body) if rng.random() > 0.03 else havoc.size(rng)
    return struct.pack("<4sBBHI", b"ZMAM", 1, compressor, 0, n_body) + packed


def mutate(data: bytes, rng: Random) -> bytes:
    """A mutation of a model file."""
    if rng.random() < 0.1:
        return havoc.havoc(data, rng)
    try:
        tree, blobs = unpack(data)
        for _ in range(rng.randint(1, 3)):
            tree, blobs = _edit(tree, blobs, rng)
        return pack(json_tree.text(tree, rng), blobs, rng)
    except UNFIT:
        return havoc.havoc(data, rng)


def _edit(tree: Any, blobs: list[bytes], rng: Random) -> tuple[Any, list[bytes]]:
    kind = rng.randrange(10)
    if kind < 3:
        return json_tree.mutate(tree, rng), blobs
    k = rng.randrange(len(blobs))
    blobs = list(blobs)
    dtype, shape = tree["tensors"][k]
    if kind in (3, 4):
        blobs[k] = _values(blobs[k], ITEM_BYTES[dtype], rng)
    elif kind == 5 and shape:  # another size, its bytes with it
        axis = rng.randrange(len(shape))
        size = rng.choice((0, 1, 2, shape[axis] + 1, max(0, shape[axis] - 1), 300, 5000))
        shape = [*shape[:axis], size, *shape[axis + 1 :]]
        n = prod(shape) * ITEM_BYTES[dtype]
        if n <= MAX_BYTES:
            tree["tensors"][k] = [dtype, shape]
            blobs[k] = (blobs[k] * (n // max(1, len(blobs[k])) + 1))[:n].ljust(n, b"\0")
    elif kind == 6:
        _classes(tree, rng)
    elif kind in (8, 9):
        _steps(tree, rng)
    else:
        tree["cell_shape"] = [rng.choice((n, n, n + 1, 1, 64, 1 << 11)) for n in tree["cell_shape"]]
    return tree, blobs


def _steps(tree: Any, rng: Random) -> None:
    """Other numbers of a step, steps that share or lose what they have, more of them."""
    steps = rng.choice(tree["classes"])["steps"]
    s = rng.randrange(len(steps))
    step, kind = steps[s], rng.randrange(8)
    if kind == 0:
        name = rng.choice(("plane", "causal", "flags", "full", "components", "coverage"))
        step[name] = max(0, step[name] + rng.choice((-1, 1, 1, 20, 300)))
    elif kind == 1:
        step["earlier"] = [rng.randrange(len(steps)) for _ in range(rng.randrange(5))]
    elif kind == 2:
        step["follows"] = not step["follows"]
    elif kind == 3:
        step["layers"] = rng.choice(steps)["layers"]
    elif kind == 4:
        layer = rng.choice(step["layers"])
        name = rng.choice(("weight", "bias", "shift", "multiplier", "transpose_of"))
        layer[name] = rng.randrange(len(tree["tensors"]))
        if rng.randrange(4) == 0:
            layer[rng.choice(("input", "output"))] = rng.choice(("int8", "uint7", "uint8", "int32"))
    elif kind == 5:
        tree["depth"] = rng.choice((8, 16, 16, 0, 12))
    elif kind == 6:
        rng.shuffle(steps)
    else:  # a plane for each of many steps
        copies = rng.choice((1, 2, 63, 64))
        steps += [step | {"plane": len(steps) + k} for k in range(copies)]
        tree["cell_shape"] = [*tree["cell_shape"][:2], len(steps)]


def _values(blob: bytes, n_bytes: int, rng: Random) -> bytes:
    """Set values to the ends of their range, or to random ones."""
    out = bytearray(blob)
    for _ in range(rng.choice((1, 2, 8, 1 << 10))):
        if len(out) < n_bytes:
            break
        offset = rng.randrange(len(out) // n_bytes) * n_bytes
        new = rng.choice((b"\0" * 4, b"\xff" * 4, b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\1\0\0\0",
                          b"\x7f" * 4, b"\x80" * 4, rng.randbytes(4)))  # fmt: skip
        out[offset : offset + n_bytes] = new[-n_bytes:] if rng.random() < 0.5 else new[:n_bytes]
    return bytes(out)


def _classes(tree: Any, rng: Random) -> None:
    """Repeat a class or a layer, or exchange tensors of a class."""
    classes = tree["classes"]
    chosen = rng.choice(classes)
    kind = rng.randrange(3)
    if kind == 0:
        copies = rng.choice((1, 3, 64))
        classes += [chosen | {"name": f"{chosen['name']}{k}"} for k in range(copies)]
    elif kind == 1:
        layers = rng.choice(list(chosen["networks"].values()))
        layers.insert(0, rng.choice(layers))
    else:
        chosen["tensors"] = {
            name: rng.choice((index, index, index, rng.randrange(len(tree["tensors"]))))
            for name, index in chosen["tensors"].items()
        }
