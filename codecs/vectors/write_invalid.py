"""Write the hostile files: ``python codecs/vectors/write_invalid.py``.

Each must give a named error. ``error`` is its class, ``says`` a part of its message.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np

VECTORS = Path(__file__).parent
sys.path.insert(0, str(VECTORS.parent / "tests"))

import invalid_hybrid  # noqa: E402
import invalid_hybrid_models  # noqa: E402
import invalid_lattice  # noqa: E402
import invalid_models  # noqa: E402
import invalid_wide  # noqa: E402
import models  # noqa: E402
from zarrmal_codecs import Model  # noqa: E402
from zarrmal_codecs.chunk.chunk import decode_chunk, encode_chunk  # noqa: E402
from zarrmal_codecs.chunk.coder import Coder  # noqa: E402

PIXELS = models.pixels(21, (3, 6, 5))


def sealed(chunk: bytes) -> bytes:
    """The chunk with a correct CRC of its header."""
    n = struct.unpack_from("<I", chunk, 8)[0]
    return chunk[: n - 4] + struct.pack("<I", zlib.crc32(chunk[: n - 4])) + chunk[n:]


def crc_16(data: bytes) -> int:
    """FORMAT 1.7."""
    register = 0xFFFF
    for byte in data:
        register ^= byte << 8
        for _ in range(8):
            register = (register << 1 ^ (0x1021 if register & 0x8000 else 0)) & 0xFFFF
    return register


def chunk_of(
    mode: int,
    shape: tuple[int, ...],
    payload: bytes,
    index: bytes = b"",
    *,
    dtype: int = 1,
    flags: int = 0,
    crc: int = 12345,
) -> bytes:
    """A chunk with arbitrary fields (FORMAT 4.1)."""
    tail = struct.pack(f"<B{len(shape)}I", len(shape), *shape) + index
    head = struct.pack(
        "<4sBBBBIQI", b"ZMAC", 1, mode, dtype, flags, 24 + len(tail) + 4, len(payload), crc
    )
    return sealed(head + tail + bytes(4) + payload)


def items_of(
    code: int, shape: tuple[int, ...], payload: bytes, item_bytes: int | None = None, mode: int = 0
) -> bytes:
    """A chunk of items of a dtype; ``item_bytes`` None leaves the field out."""
    field = b"" if item_bytes is None else struct.pack("<I", item_bytes)
    return chunk_of(mode, shape, payload, field, dtype=code, crc=zlib.crc32(payload))


def cells_of(
    streams: list[bytes],
    *,
    coding: int = 0,
    n_cells: int | None = None,
    runs: list[tuple[int, int]] | None = None,
    n_runs: int | None = None,
    lengths: bytes | None = None,
    fixed: tuple[int, int] | None = None,
) -> bytes:
    """A chunk of constant() cells, with streams of one length."""
    n = len(streams) if n_cells is None else n_cells
    runs = [(0, n)] if runs is None else runs
    least, n_bits = (len(streams[0]), 0) if fixed is None else fixed
    index = bytes.fromhex(models.constant().digest)[:8] + bytes([1, coding])
    index += bytes([len(runs) if n_runs is None else n_runs])
    index += b"".join(bytes([k, count]) for k, count in runs)
    index += struct.pack("<IB", least, n_bits) + (lengths or b"")
    index += b"".join(struct.pack("<H", crc_16(s)) for s in streams)
    return chunk_of(2, (n, 3, 4), b"".join(streams), index)


def words_of(stream: bytes) -> bytes:
    """A cell of constant() with the index of profile `hybrid`."""
    index = bytes.fromhex(models.constant().digest)[:8] + bytes([1, 0, 1, 0, 1])
    index += struct.pack("<IBB", len(stream) // 2, 1, 0)
    chunk = chunk_of(2, (1, 3, 4), stream, index)
    return sealed(chunk[:7] + b"\2" + chunk[8:])


def chunks() -> dict[str, tuple[bytes, str, str, str | None]]:
    """Name -> bytes, class of the error, part of its message, model."""
    good = encode_chunk(PIXELS, Coder(models.two_classes()), classes=np.array([0, 1, 1]))
    flat = bytes(1) + bytes(2)  # latent 0, twelve zero bits, four bits that should be ones
    exact = bytes(1) + bytes([0, 0x0F])
    bomb = zlib.compress(bytes(1 << 20), 9, wbits=-15)
    raw = zlib.compress(bytes(100), 9, wbits=-15)

    def patched(offset: int, value: int) -> bytes:
        return sealed(good[:offset] + bytes([value]) + good[offset + 1 :])

    n_header = struct.unpack_from("<I", good, 8)[0]
    two, one = "two_classes", "constant"
    both = {
        "empty": (b"", "TruncatedError", "chunk", None),
        "magic": (b"ZARR" + good[4:], "CorruptionError", "not a zarrmal chunk", two),
        "version-2": (patched(4, 2), "CompatibilityError", "version 2", two),
        "version-0": (patched(4, 0), "CorruptionError", "version 0", two),
        "mode-3": (patched(5, 3), "CompatibilityError", "mode 3, dtype 1", two),
        "mode-4": (patched(5, 4), "CompatibilityError", "mode 4", two),
        "dtype-2": (patched(6, 2), "CompatibilityError", "dtype 2", two),
        "flags": (patched(7, 4), "CompatibilityError", "flags", two),
        "flag-of-words": (patched(7, 2), "CorruptionError", "follow", two),
        "words-of-paper": (words_of(bytes(4)), "CorruptionError", "profile 'paper'", one),
        "truncated-prelude": (good[:20], "TruncatedError", "needed", two),
        "truncated-header": (good[: n_header - 1], "TruncatedError", "needed", two),
        "truncated-payload": (good[:-1], "TruncatedError", "payload", two),
        "trailing": (good + b"\0", "CorruptionError", "follow", two),
        "header-too-short": (
            good[:8] + struct.pack("<I", 20) + good[12:], "CorruptionError", "header of 20", two),
        "header-huge": (
            good[:8] + struct.pack("<I", 2**32 - 1) + good[12:], "TruncatedError", "needed", two),
        "header-crc": (
            good[: n_header - 1] + bytes([good[n_header - 1] ^ 1]) + good[n_header:],
            "CorruptionError", "CRC-32", two),
        "pixel-crc": (patched(20, good[20] ^ 1), "CorruptionError", "match their CRC-32", two),
        "rank-33": (chunk_of(0, (1,) * 33, b"a"), "CorruptionError", "rank 33", None),
        "shape-2-31": (chunk_of(0, (1 << 16, 1 << 15), bytes(60)), "CorruptionError", "2147", None),
        "shape-hidden-by-zero": (
            chunk_of(0, (0, *[1 << 31] * 5), b""), "CorruptionError", "bytes are allowed", None),
        "shape-huge-deflate": (chunk_of(1, (1 << 15, 1 << 15), bytes(60)), "CorruptionError",
                               "cannot hold", None),
        "shape-huge-stored": (chunk_of(0, (1 << 15, 1 << 15), bytes(60)), "CorruptionError",
                              "stores 60", None),
        "shape-huge-cells": (
            cells_of([exact], n_cells=1 << 27, runs=[(0, 1)]), "TruncatedError", "short", one),
        "stored-longer": (chunk_of(0, (3,), b"abcd"), "CorruptionError", "stores 4", None),
        "stored-crc": (chunk_of(0, (3,), b"abc"), "CorruptionError", "CRC-32", None),
        "deflate-bomb": (chunk_of(1, (100,), bomb), "CorruptionError", "more than", None),
        "deflate-shorter": (chunk_of(1, (101,), raw), "TruncatedError", "end after 100", None),
        "deflate-longer": (chunk_of(1, (99,), raw), "CorruptionError", "more than", None),
        "deflate-cut": (chunk_of(1, (100,), raw[:-1]), "TruncatedError", "end after", None),
        "deflate-trailing": (chunk_of(1, (100,), raw + b"\0"), "CorruptionError", "after", None),
        "deflate-garbage": (chunk_of(1, (100,), b"\xff" * 9), "CorruptionError", "damaged", None),
        "no-model": (encode_chunk(models.pixels(22, (2, 3, 3)), Coder(models.one_layer())),
                     "ModelError", "needs the model", None),
        "other-model": (good, "ModelError", "written with model", "one_class"),
        "digest-prefix": (patched(24 + 13, good[24 + 13] ^ 1), "ModelError", "written", two),
        "n-classes-0": (patched(24 + 21, 0), "CorruptionError", "0 classes", two),
        "n-classes-3": (patched(24 + 21, 3), "CorruptionError", "", two),
        "n-classes-65": (patched(24 + 21, 65), "CorruptionError", "65 classes", two),
        "cells-rank-1": (chunk_of(2, (3,), b"", bytes(40)), "CorruptionError", "", one),
        "cells-none": (cells_of([exact], n_cells=0), "CorruptionError", "0 cells", one),
        "cells-other-shape": (
            chunk_of(2, (1, 3, 5), exact, cells_of([exact])[37:-7]), "CorruptionError", "", one),
        "runs-0": (cells_of([exact], runs=[], n_runs=0), "CorruptionError", "0 class runs", one),
        "runs-too-few": (cells_of([exact] * 3, runs=[(0, 2)]), "CorruptionError", "2 of 3", one),
        "runs-too-many": (cells_of([exact] * 2, runs=[(0, 3)]), "CorruptionError", "fit", one),
        "runs-more-than-cells": (
            cells_of([exact], runs=[(0, 1), (0, 1)]), "CorruptionError", "2 class runs", one),
        "run-of-none": (
            cells_of([exact] * 2, runs=[(0, 0), (0, 2)]), "CorruptionError", "fit", one),
        "run-of-class-1": (cells_of([exact], runs=[(1, 1)]), "CorruptionError", "class 1", one),
        "run-of-class-254": (cells_of([exact], runs=[(254, 1)]), "CorruptionError", "254", one),
        "blank-with-stream": (cells_of([exact], runs=[(255, 1)]), "CorruptionError", "blank", one),
        "length-bits-33": (
            cells_of([exact], fixed=(3, 33), lengths=bytes(5)), "CorruptionError", "33 bits", one),
        "lengths-sum": (cells_of([exact] * 2, fixed=(2, 0)), "CorruptionError", "add up", one),
        "lengths-overflow": (
            cells_of([exact] * 2, fixed=(2**32 - 1, 32), lengths=b"\xff" * 8),
            "CorruptionError", "add up", one),
        "lengths-fill": (
            cells_of([exact] * 2, fixed=(3, 1), lengths=b"\1"), "CorruptionError", "padded", one),
        "header-trailing": (
            cells_of([exact], lengths=b"\0\0"), "CorruptionError", "follow", one),
        "check": (good[:-1] + bytes([good[-1] ^ 1]), "CorruptionError", "CRC-16", two),
        "stream-empty": (cells_of([b""]), "TruncatedError", "fewer", one),
        "stream-short": (cells_of([exact[:2]]), "TruncatedError", "fewer", one),
        "stream-short-for-s": (cells_of([exact], coding=3), "TruncatedError", "fewer", one),
        "unary-zeros": (cells_of([flat]), "CorruptionError", "codewords", one),
        "unary-ones": (cells_of([b"\0\0\x1f"]), "CorruptionError", "codewords", one),
        "unary-no-zero": (cells_of([b"\0\xff\xff"]), "CorruptionError", "codewords", one),
        "unary-extra-byte": (cells_of([exact + b"\xff"]), "CorruptionError", "last code", one),
        "unary-borrowed": (
            # Twice twelve values, but thirteen in one cell and eleven in the other.
            cells_of([b"\0\0\x07", b"\0\0\x1f"]), "CorruptionError", "last codeword", one),
        "unary-above-255": (
            cells_of([b"\0" + b"\xff" * 32 + b"\0\x0f"]), "CorruptionError", "above 255", one),
        "remainders-fill": (
            cells_of([b"\0\0\x01" + b"\0\x0f"], coding=1), "CorruptionError", "padded", one),
        "s-8-goes-on": (cells_of([bytes(14)], coding=8), "CorruptionError", "continues", one),
        "per-cell-empty": (cells_of([b""], coding=255), "TruncatedError", "fewer", one),
        "per-cell-9": (cells_of([b"\x09" + exact], coding=255), "CorruptionError", "most 8", one),
        "per-cell-255": (cells_of([b"\xff" + exact], coding=255), "CorruptionError", "most", one),
    }  # fmt: skip
    both |= items()
    for coding in (9, 100, 254):
        both[f"coding-{coding}"] = cells_of([exact], coding=coding), "CorruptionError", "8", one
    return both


def items() -> dict[str, tuple[bytes, str, str, None]]:
    """Items of other dtypes than uint8 (FORMAT 4.1, 4.2)."""
    compatibility, corruption, truncated = "CompatibilityError", "CorruptionError", "TruncatedError"
    word = bytes(range(12))
    deflated = zlib.compress(bytes(100), 9, wbits=-15)
    index = bytes.fromhex(models.constant().digest)[:8]
    both = {
        "item-bytes-0": (items_of(15, (3,), b"", 0), corruption, "items of 0 bytes"),
        "item-bytes-0-empty": (items_of(15, (0,), b"", 0), corruption, "items of 0 bytes"),
        "item-bytes-missing": (items_of(15, (3,), b"abc"), truncated, "needed"),
        "item-bytes-of-int32": (items_of(5, (3,), word, 4), corruption, "4 bytes too many"),
        "item-bytes-other": (items_of(15, (3,), word, 5), corruption, "items have 15"),
        "item-bytes-huge": (items_of(15, (), b"abc", 2**32 - 1), corruption, "bytes are allowed"),
        "item-bytes-largest": (items_of(15, (), b"abc", 2**31 - 1), corruption, "stores 3 bytes"),
        "items-2-31": (items_of(12, (1 << 28,), bytes(60)), corruption, "bytes are allowed"),
        "items-hidden-by-zero": (
            items_of(15, (0, 2), b"", 1 << 30), corruption, "bytes are allowed"),
        "items-huge-stored": (items_of(12, (1 << 27,), bytes(60)), corruption, "stores 60"),
        "items-huge-deflate": (
            items_of(12, (1 << 27,), bytes(60), mode=1), corruption, "cannot hold"),
        "items-short": (items_of(5, (3,), word[:11]), corruption, "stores 11"),
        "items-long": (items_of(5, (3,), word + b"a"), corruption, "stores 13"),
        "items-counted-as-bytes": (items_of(5, (12,), word), corruption, "items have 48"),
        "items-deflate-shorter": (
            items_of(14, (7,), deflated, mode=1), truncated, "after 100 of 112"),
        "items-deflate-longer": (items_of(14, (6,), deflated, mode=1), corruption, "more than 96"),
        "items-crc-of-shuffled": (items_of(5, (3,), word), corruption, "CRC-32"),
        "items-crc-of-big-endian": (
            sealed(_flagged(chunk_of(0, (1,), word[:4], dtype=5, crc=zlib.crc32(word[3::-1])))),
            corruption, "CRC-32"),
    }  # fmt: skip
    for code in (0, 16, 255):
        both[f"dtype-{code}"] = items_of(code, (3,), b"abc"), compatibility, f"dtype {code}"
    for code in (4, 15):
        chunk = chunk_of(2, (1, 3, 4), b"", index + bytes(16), dtype=code)
        both[f"dtype-{code}-in-cells"] = chunk, compatibility, f"dtype {code}"
    for code in (1, 2, 3):
        chunk = sealed(_flagged(items_of(code, (3,), b"abc")))
        both[f"big-endian-{code}"] = chunk, compatibility, "flags"
    chunk = sealed(_flagged(items_of(15, (3,), word, 4)))
    both["big-endian-15"] = chunk, compatibility, "flags"
    return {name: (*case, None) for name, case in both.items()}


def _flagged(chunk: bytes) -> bytes:
    return chunk[:7] + bytes([chunk[7] | 4]) + chunk[8:]


def configurations() -> dict[str, tuple[object, str, str]]:
    """Name -> JSON, class of the error, part of its message; read with the chunk "no-model"."""
    model = models.one_layer()
    good = {"version": 1, "model": base64.b64encode(model.to_bytes()).decode()}
    good["sha256"] = model.digest
    deep: list[object] = []
    for _ in range(300):
        deep = [deep]
    other = hashlib.sha256(b"other").hexdigest()
    return {
        "version-2": (good | {"version": 2}, "CompatibilityError", "version 2"),
        "version-0": (good | {"version": 0}, "CompatibilityError", "version"),
        "version-many-digits": (good | {"version": 10**4000}, "CompatibilityError", "digits"),
        "version-deep": (good | {"version": deep}, "CompatibilityError", "a list"),
        "unknown-members-long": (
            good | {"m" * 999: 1, "speed": 3},
            "CompatibilityError",
            "does not know",
        ),
        "version-true": (good | {"version": True}, "CompatibilityError", "True"),
        "version-text": (good | {"version": "1"}, "CompatibilityError", "'1'"),
        "version-null": (good | {"version": None}, "CompatibilityError", "None"),
        "unknown-member": (good | {"speed": 3}, "CompatibilityError", "speed"),
        "not-an-object": ([1, 2], "CompatibilityError", "must be an object"),
        "null": (None, "CompatibilityError", "must be an object"),
        "rice": (good | {"rice": "best"}, "CompatibilityError", "does not know"),
        "no-model": ({"version": 1}, "ModelError", "needs the model"),
        "model-without-sha256": (good | {"sha256": ""}, "ModelError", "both"),
        "sha256-without-model": (good | {"model": ""}, "ModelError", "both"),
        "model-null": (good | {"model": None}, "ModelError", "string"),
        "model-list": (good | {"model": [1]}, "ModelError", "string"),
        "sha256-wrong": (good | {"sha256": other}, "ModelError", "states"),
        "sha256-upper": (good | {"sha256": other.upper()}, "ModelError", "lower-case"),
        "sha256-short": (good | {"sha256": other[:63]}, "ModelError", "64"),
        "sha256-number": (good | {"sha256": 1}, "ModelError", "string"),
        "base64-cut": (good | {"model": "AAA", "sha256": other}, "CorruptionError", "base64"),
        "base64-line": (good | {"model": "AA\nAA", "sha256": other}, "CorruptionError", "base64"),
        "base64-unicode": (good | {"model": "é" * 4, "sha256": other}, "CorruptionError", "base64"),
    }


def expect_good(data: bytes, model: Model, pixels: np.ndarray) -> None:
    """Else errors of its changes could come from something that is wrong in all of them."""
    assert decode_chunk(data, Coder(model)).tobytes() == pixels.tobytes()


def write(folder: Path) -> None:
    """Write all files and their index."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    index = {}
    for name, (data, error, says, model) in (chunks() | invalid_wide.chunks(chunk_of)).items():
        index[f"chunk-{name}.bin"] = {"error": error, "says": says, "model": model}
        (folder / f"chunk-{name}.bin").write_bytes(data)
    tools = {
        "chunk_of": chunk_of,
        "sealed": sealed,
        "crc_16": crc_16,
        "constant": models.constant(),
        "expect_good": expect_good,
    }
    hybrid = invalid_hybrid.chunks(tools) | invalid_hybrid.silhouettes(tools)
    for name, (data, error, says, model) in hybrid.items():
        index[f"chunk-hybrid-{name}.bin"] = {"error": error, "says": says, "model": model}
        (folder / f"chunk-hybrid-{name}.bin").write_bytes(data)
    for name, (data, error, says, model) in invalid_lattice.chunks(tools).items():
        index[f"chunk-{name}.bin"] = {"error": error, "says": says, "model": model}
        (folder / f"chunk-{name}.bin").write_bytes(data)
    more = {f"hybrid-{name}": case for name, case in invalid_hybrid_models.models().items()}
    more |= {f"lattice-{name}": case for name, case in invalid_lattice.models().items()}
    for name, (data, error, says) in (invalid_models.cases() | more).items():
        index[f"model-{name}.zmal"] = {"error": error, "says": says}
        (folder / f"model-{name}.zmal").write_bytes(data)
    for name, (tree, error, says) in configurations().items():
        index[f"config-{name}.json"] = {"error": error, "says": says}
        (folder / f"config-{name}.json").write_text(json.dumps(tree) + "\n", encoding="utf-8")
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(VECTORS / "invalid")
