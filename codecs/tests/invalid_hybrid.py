"""Hostile chunks of profile `hybrid`, made by hand from FORMAT 2.3, 4.3 and 6."""

from __future__ import annotations

import struct
import zlib

import hybrid_models
import numpy as np
from zarrmal_codecs import Model, rans
from zarrmal_codecs.chunk.chunk import encode_chunk
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.hybrid import pixel_coder
from zarrmal_codecs.hybrid.cells import HybridCells
from zarrmal_codecs.hybrid.depth import SHALLOW
from zarrmal_codecs.hybrid.known import Known


def ending_in(model: Model, pixels: np.ndarray, last: int) -> bytes:
    """The stream of one cell (y, x), which ends in the given state."""
    cells = HybridCells(model, 0)
    plan = pixel_coder.Plan(cells._steps, False, SHALLOW)
    known = Known(shape=(1, 1, *pixels.shape), first=cells._first(None, 1))
    pairs = pixel_coder._intervals(plan, pixels[None, None], known)
    starts, frequencies = np.array(list(pairs)).transpose(1, 0, 2)
    return rans.encode(starts, frequencies, np.array([last]))[0]


def column(least: int, n_bits: int = 0, bits: bytes = b"") -> bytes:
    """One number of each cell (FORMAT 4.3)."""
    return struct.pack("<HB", least, n_bits) + bits


def silhouettes(tools: dict) -> dict[str, tuple[bytes, str, str, str]]:
    """Chunks of the model `cut_out` with wrong silhouettes; see chunks()."""
    chunk_of, sealed = tools["chunk_of"], tools["sealed"]
    model: Model = hybrid_models.cut_out()
    grey, paper = hybrid_models.grey(), tools["constant"]
    good = np.full((1, 4, 4), 9, np.uint8)
    good[0, 0, :2] = 0
    coder = Coder(model)
    stream = coder.cells(0).encode(good, "mean", None, coder.outline(good, None, None))[1][0]
    long = bytes(range(1, 255)) * 2

    def cells(
        outlines: bytes,
        body: bytes = stream,
        *,
        n: int = 1,
        shape: tuple[int, int] = (4, 4),
        of: Model = model,
        run: bytes = bytes([1, 0, 1]),
        flags: int = 18,
        sizes: bytes = b"",
        lengths: bytes | None = None,
    ) -> bytes:
        index = bytes.fromhex(of.digest)[:8] + bytes([len(of.classes)]) + bytes(len(of.classes))
        index += run + sizes + outlines
        index += struct.pack("<IBB", len(body) // 2, 1, 0) if lengths is None else lengths
        chunk = chunk_of(2, (n, *shape), body * n, index, crc=zlib.crc32(good))
        return sealed(chunk[:7] + bytes([flags]) + chunk[8:])

    def same(spacing: int) -> bytes:
        return b"\0" + column(spacing)

    def triangle(spacing: int, rows: int, columns: int) -> bytes:
        return b"\1" + column(spacing) + column(rows) + column(columns)

    whole = encode_chunk(good, coder, classes=np.array([0]), keep_cells=True)
    assert cells(same(1)) == whole
    newer, corrupt, short = "CompatibilityError", "CorruptionError", "TruncatedError"
    many = 512  # masks of 2**22 points each
    lots = {"n": many, "run": bytes([1, 0, 0x80, 4]), "shape": (1, 1)}
    lots["lengths"] = struct.pack("<IB", 16, 1) + bytes(many // 8)
    cases = {
        "paper": (
            cells(same(1), bytes(4), of=paper, shape=(3, 4), flags=16,
                  lengths=struct.pack("<IBH", 4, 0, tools["crc_16"](bytes(4)))),
            corrupt, "profile 'paper'", "constant"),
        "no-table": (cells(same(1), of=grey), corrupt, "does not suit", "grey"),
        "resampling-6": (cells(b"\6" + triangle(1, 2, 2)[1:]), newer, "method 6", ""),
        "resampling-255": (cells(b"\xff" + triangle(1, 2, 2)[1:]), newer, "method 255", ""),
        "spacing-16": (cells(triangle(16, 2, 2)), corrupt, "up to 16", ""),
        "spacing-16-same": (cells(same(16), shape=(17, 17)), corrupt, "up to 16", ""),
        "spacing-bits": (cells(b"\0" + column(1, 17, b"\0\0\0")), corrupt, "17 bits", ""),
        "spacing-fill": (cells(b"\0" + column(0, 1, b"\xc0")), corrupt, "padded", ""),
        "spacing-of-cell": (cells(same(2)), corrupt, "does not fit", ""),
        "spacing-of-columns": (cells(same(2), shape=(5, 4)), corrupt, "does not fit", ""),
        "spacing-of-size": (
            cells(same(3), flags=26, sizes=column(4) + column(3)), corrupt, "does not fit", ""),
        "rows-0": (cells(triangle(1, 0, 2)), corrupt, "of no size", ""),
        "columns-0": (cells(triangle(15, 2, 0)), corrupt, "of no size", ""),
        "rows-4097": (cells(triangle(1, 4097, 1), long), corrupt, "4097 rows", ""),
        "columns-4097": (cells(triangle(8, 1, 513), long), corrupt, "4097 rows", ""),
        "rows-65535": (cells(triangle(15, 65535, 65535), long), corrupt, "983011 rows", ""),
        "pixels": (cells(triangle(1, 2049, 2048), long), corrupt, "4194304 pixels", ""),
        "pixels-of-lattice": (cells(triangle(4, 513, 513), long), corrupt, "4194304 pixels", ""),
        "points": (
            cells(triangle(1, 2048, 2048), long[:32], **lots), corrupt, "more than 2147483647", ""),
        "blank": (
            cells(same(1), b"", run=bytes([1, 255, 1])), corrupt, "of blank cells", ""),
        "stream-short": (
            cells(triangle(1, 2048, 2048), long[:30]), short, "fewer than the 32", ""),
        "stream-empty": (cells(same(1), b""), short, "fewer than the 4", ""),
        "ends-in-points": (cells(triangle(1, 90, 90), stream[:4]), short, "last pixel", ""),
        "zeros": (cells(triangle(1, 90, 90), bytes(4)), corrupt, "begins with", ""),
        "ends-in-pixels": (cells(same(1), stream[:-2]), short, "last pixel", ""),
        "words-left": (cells(same(1), stream + b"\0\0"), corrupt, "last state", ""),
        "not-said": (cells(b"", flags=2), corrupt, "", ""),
        "not-there": (cells(same(0)), corrupt, "", ""),
        "other-mask": (cells(triangle(1, 3, 4)), corrupt, "", ""),
        "columns-missing": (cells(triangle(1, 4, 4)[:-3]), short, "needed", ""),
        "flag-of-stored": (
            sealed(_with_flags(chunk_of(0, (3,), b"abc"), 16)), newer, "flags", ""),
    }  # fmt: skip
    return {
        f"silhouettes-{name}": (data, error, says, model or "cut_out")
        for name, (data, error, says, model) in cases.items()
    }


def _with_flags(chunk: bytes, flags: int) -> bytes:
    return chunk[:7] + bytes([flags]) + chunk[8:]


MODEL = "grey"
GOOD = np.array([[[9, 0], [200, 8]], [[1, 2], [3, 4]]], np.uint8)


def chunks(tools: dict) -> dict[str, tuple[bytes, str, str, str | None]]:
    """Name -> bytes, class of the error, part of its message, model."""
    model: Model = hybrid_models.HYBRID[MODEL]()
    chunk_of, sealed = tools["chunk_of"], tools["sealed"]
    good = encode_chunk(GOOD, Coder(model))
    streams = Coder(model).cells(0).encode(GOOD, "mean")[1]
    colour = encode_chunk(np.ones((1, 2, 2, 3), np.uint8), Coder(hybrid_models.colour()))

    def patched(offset: int, value: int, data: bytes = good) -> bytes:
        return sealed(data[:offset] + bytes([value]) + data[offset + 1 :])

    def cells(
        bodies: list[bytes],
        *,
        shape: tuple[int, ...] | None = None,
        coding: int = 0,
        n_bits: int = 1,
        packed: bytes | None = None,
        runs: bytes | None = None,
        flags: int = 2,
        least: int | None = None,
        checks: bytes = b"",
        sizes: bytes = b"",
    ) -> bytes:
        n = len(bodies)
        index = bytes.fromhex(model.digest)[:8] + bytes([1, coding])
        index += bytes([1, 0, n]) if runs is None else runs
        index += sizes
        index += struct.pack("<IB", len(bodies[0]) // 2 if least is None else least, n_bits)
        index += bytes((n * n_bits + 7) // 8) if packed is None else packed
        return patched(7, flags, chunk_of(2, shape or (n, 2, 2), b"".join(bodies), index + checks))

    first = streams[0]
    last = int(rans.last_states(GOOD[:1, None])[0])
    assert ending_in(model, GOOD[0], last) == first
    other = np.full((2, 2), 77, np.uint8)[None]
    long = Coder(model).cells(0).encode(other, "mean")[1][0]
    corrupt, short = "CorruptionError", "TruncatedError"
    return {
        name: (data, error, says, MODEL)
        for name, (data, error, says) in {
            "pixel-crc": (patched(20, good[20] ^ 1), corrupt, "match their CRC-32"),
            "no-flag": (patched(7, 0), short, "needed"),
            "checks-of-paper": (
                cells([first], flags=0, least=len(first), n_bits=0, packed=b"", checks=b"\0\0"),
                corrupt, "profile 'hybrid'"),
            "unknown-flag": (patched(7, 6), "CompatibilityError", "flags"),
            "flag-of-stored": (
                patched(7, 2, chunk_of(0, (3,), b"abc")), "CompatibilityError", "flags"),
            "size-beyond": (
                cells([first], flags=10, sizes=struct.pack("<HBHB", 2, 0, 3, 0)),
                corrupt, "3 to 3 rows or columns in an array of 2"),
            "size-0": (
                cells([first], flags=10, sizes=struct.pack("<HBHB", 0, 0, 2, 0)),
                corrupt, "0 to 0 rows"),
            "size-bits": (
                cells([first], flags=10, sizes=struct.pack("<HB3sHB", 1, 17, b"", 2, 0)),
                corrupt, "17 bits"),
            "size-of-black": (  # the last row is coded, but its pixels are said to be beyond
                cells([first], flags=10, sizes=struct.pack("<HBHB", 1, 0, 2, 0)),
                corrupt, "last state"),
            "sizes-of-paper": (
                cells([first], flags=8, least=len(first), n_bits=0, packed=b"",
                      checks=b"\0\0", sizes=struct.pack("<HBHB", 2, 0, 2, 0)),
                corrupt, "profile 'hybrid'"),
            "sizes-huge": (
                cells([long], shape=(1, 1 << 11, 1 << 11), flags=10,
                      sizes=struct.pack("<HBHB", 1 << 11, 0, 1 << 11, 0)),
                short, "fewer than the 1024"),
            "checks": (cells([first], checks=b"\0\0"), corrupt, "follow"),
            "bits-0": (cells([first], n_bits=0), corrupt, "0 bits"),
            "bits-33": (cells([first], n_bits=33), corrupt, "33 bits"),
            "lengths-fill": (cells([first], packed=b"\1"), corrupt, "padded"),
            "lengths-sum": (cells([first], packed=b"\x80"), corrupt, "add up"),
            "lengths-huge": (
                cells([first], n_bits=32, packed=b"\xff" * 4, least=2**32 - 1),
                corrupt, "add up"),
            "odd-length": (cells([first + b"\0"]), corrupt, "add up"),
            "empty": (cells([b""]), short, "fewer"),
            "two-bytes": (cells([first[:2]]), short, "fewer"),
            "state-alone": (cells([first[:4]]), short, "last pixel"),
            "word-missing": (cells([long[:-2]]), short, "last pixel"),
            "word-more": (cells([long + b"\0\0"]), corrupt, "last state"),
            "other-state": (
                cells([bytes([long[0] ^ 1]) + long[1:]]), corrupt, ""),
            "ends-in-lowest": (
                cells([ending_in(model, GOOD[0], 1 << 16)]), corrupt, "last state"),
            "ends-in-other": (
                cells([ending_in(model, GOOD[0], last ^ 1)]), corrupt, "last state"),
            "ends-in-2-17": (
                cells([ending_in(model, GOOD[0], last + (1 << 16))]), corrupt, "last state"),
            "zeros": (cells([bytes(4)]), corrupt, "begins with"),
            "ones": (cells([b"\xff" * 40]), corrupt, "last state"),
            "coding-1": (cells([first], coding=1), corrupt, "coding 1"),
            "coding-255": (cells([first], coding=255), corrupt, "coding 255"),
            "blank-with-stream": (
                cells([first], runs=bytes([1, 255, 1])), corrupt, "blank"),
            "cell-rank-1": (cells([first], shape=(1, 4)), corrupt, "has cells"),
            "cell-rank-3": (cells([first], shape=(1, 2, 2, 1)), corrupt, "has cells"),
            "cell-no-pixels": (cells([first], shape=(1, 0, 4)), corrupt, "has cells"),
            "cell-too-large": (
                cells([first], shape=(1, 1 << 11, (1 << 11) + 1)), corrupt, "has cells"),
            "cell-large": (
                cells([long], shape=(1, 1 << 11, 1 << 11)), short, "fewer than the 1024"),
            "cells-large": (
                cells([long] * 200, shape=(200, 1 << 11, 1 << 11),
                      runs=bytes([1, 0, 0xC8, 1])), corrupt, "pixels a byte"),
            "blank-huge": (  # two GiB of black in 127 bytes
                cells([b""] * 511, shape=(511, 1 << 11, 1 << 11),
                      runs=bytes([1, 255, 0xFF, 3])), corrupt, "pixels a byte"),
            "cell-wide": (
                cells([first], shape=(1, 1, (1 << 12) + 1)), corrupt, "has cells"),
            "cells-huge": (
                cells([first], shape=(1 << 28, 2, 2)), short, "short for 268435456"),
            "cells-beyond": (
                cells([first], shape=(8 * len(good), 1, 1)), short, "short for"),
        }.items()
    } | {
        "other-model": (good, "ModelError", "written with model", "grey_latent"),
        "no-model": (good, "ModelError", "needs the model", None),
        "channels": (
            sealed(colour[:37] + struct.pack("<I", 1) + colour[41:]), corrupt, "has cells",
            "colour"),
    }  # fmt: skip
