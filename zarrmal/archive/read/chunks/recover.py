"""Recover the cells of one chunk, damaged or not: bytes -> pixels, and which of them are good.

A chunk with the expected SHA-256 decodes whole. Of a damaged chunk whose header is sound (its
CRC-32 matches), each cell is decoded alone; the cell's own CRC-16 is then its only check, which
wrong pixels pass with a chance of 2**-16 (FORMAT 4.4).
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import ZarrmalError
from zarrmal_codecs.chunk.chunk import decode_cells, decode_chunk, expect_shape
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.chunk.header import Header, header_bytes, parse_header

from ....sources.sizes import Pixels
from ....sources.source import UINT8

Kind = Literal[
    "missing", "unreadable", "changed", "undecodable", "no digest", "padded", "beyond", "differs"
]

MAX_WRONG_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecoveredChunk:
    """The cells of one chunk, as far as they can be recovered.

    Parameters
    ----------
    pixels
        (cell, \\*cell_shape) as they are stored; not to be used where ``good`` is false. Without
        padding where nothing is good.
    good
        bool (cell,): the cell is recovered.
    reasons
        Why a cell is lost, by its index in the chunk.
    kind
        What is wrong; None for a sound chunk.
    fault
        The same in words: "is missing", "was changed: …".
    certain
        The good cells are those of the chunk that was written. Else a cell's CRC-16 is its only
        check.
    """

    pixels: Pixels
    good: NDArray[np.bool_]
    reasons: dict[int, str]
    kind: Kind | None = None
    fault: str = ""
    certain: bool = True


def recover_chunk(
    data: bytes | None,
    coder: Coder | None,
    shape: tuple[int, ...],
    digest: str | None,
    n_cells: int | None = None,
    dtype: np.dtype[Any] = UINT8,
) -> RecoveredChunk:
    """Recover what can be recovered of a chunk; never raises, whatever the bytes.

    Parameters
    ----------
    data
        The stored bytes; None if there are none.
    coder
        Of the archive's model.
    shape
        Of the whole chunk, padding included: (cell, \\*cell_shape).
    digest
        The SHA-256 that the archive states, in hexadecimal; None if it states none.
    n_cells
        Cells of the chunk that are not padding; None for all. Where nothing is recovered, the
        result has no more cells than these: the shape comes from an untrusted document.
    dtype
        Of the pixels.
    """
    n_cells = shape[0] if n_cells is None else n_cells
    unpadded = (min(shape[0], n_cells), *shape[1:])
    if data is None:
        return nothing(unpadded, "missing", "is missing", dtype=dtype)
    actual = hashlib.sha256(data).hexdigest()
    same = actual == digest
    try:
        pixels = decode_chunk(data, coder, shape=shape, dtype=dtype)
    except ZarrmalError as error:
        before = "cannot" if same or digest is None else "was changed and cannot"
        fault = f"{before} be decoded: {error}"
        return _damaged(data, coder, shape, digest, fault, unpadded, dtype)
    good = np.ones(len(pixels), np.bool_)
    if same:
        return RecoveredChunk(pixels=pixels, good=good, reasons={})
    fault = "has no digest" if digest is None else _damaged_digest(actual, digest)
    if fault:
        return RecoveredChunk(pixels=pixels, good=good, reasons={}, kind="no digest", fault=fault)
    why = "the chunk is sound in itself, but not the one that was written here"
    return RecoveredChunk(
        pixels=pixels,
        good=~good,
        reasons=dict.fromkeys(range(len(pixels)), why),
        kind="changed",
        fault="was changed: its sha256 does not match",
    )


def _damaged_digest(actual: str, stated: str) -> str:
    """The fault in words if the stated digest itself is damaged: no other comes that close."""
    wrong = sum(a != b for a, b in zip(actual, stated, strict=False))
    if len(actual) != len(stated) or wrong > MAX_WRONG_DIGITS:
        return ""
    return f"has a damaged digest: {wrong} of its {len(actual)} digits are wrong"


def nothing(
    shape: tuple[int, ...],
    kind: Kind,
    fault: str,
    reason: str = "",
    *,
    dtype: np.dtype[Any] = UINT8,
) -> RecoveredChunk:
    """A chunk of which nothing is recovered."""
    return RecoveredChunk(
        pixels=np.zeros(shape, dtype),
        good=np.zeros(shape[0], np.bool_),
        reasons=dict.fromkeys(range(shape[0]), reason or f"the chunk {fault}"),
        kind=kind,
        fault=fault,
    )


def _damaged(
    data: bytes,
    coder: Coder | None,
    shape: tuple[int, ...],
    digest: str | None,
    fault: str,
    unpadded: tuple[int, ...],
    dtype: np.dtype[Any],
) -> RecoveredChunk:
    """``unpadded`` is the shape without padding."""
    nothing_of = partial(nothing, unpadded, "undecodable", fault, dtype=dtype)
    try:
        header = parse_header(memoryview(data))
        expect_shape(header, shape)
        start = header_bytes(memoryview(data))
    except ZarrmalError as error:
        return nothing_of(f"the chunk is wholly lost: {error}")
    whole = data[: start + header.payload_bytes]
    if len(whole) < len(data) and hashlib.sha256(whole).hexdigest() == digest:
        inner = recover_chunk(whole, coder, shape, digest, dtype=dtype)
        return replace(inner, kind="undecodable", fault=fault)
    if header.index is None:
        why = "the chunk is wholly lost: its pixels are stored together, with one check for all"
        return nothing_of(why)
    payload = memoryview(data)[start : start + header.payload_bytes]
    try:
        decode_cells(header, np.arange(0), lambda a, b: payload[a:b], coder)  # is it the model's?
    except ZarrmalError as error:
        return nothing_of(f"the chunk is wholly lost: {error}")
    pixels, reasons = _each_cell(header, payload, coder)
    good = np.ones(len(pixels), np.bool_)
    good[list(reasons)] = False
    if good.all() and zlib.crc32(pixels.data) != header.pixel_crc32:
        fault += " (each cell passes its own check, yet at least one is wrong)"
    return RecoveredChunk(
        pixels=pixels,
        good=good,
        reasons=reasons,
        kind="undecodable",
        fault=fault,
        certain=False,
    )


def _each_cell(
    header: Header, payload: memoryview, coder: Coder | None
) -> tuple[Pixels, dict[int, str]]:
    """Pixels of all cells, and why some are lost.

    A block of cells that fails is halved and tried again, so that a few damaged cells among many do
    not cost a call per cell.
    """
    assert header.index is not None
    pixels = np.zeros(header.shape, header.dtype.newbyteorder("="))
    reasons: dict[int, str] = {}
    complete = np.cumsum(header.index.lengths) <= len(payload)
    complete |= header.index.lengths == 0
    for row in np.flatnonzero(~complete).tolist():
        reasons[row] = "its bytes are missing: the chunk is truncated"
    blocks = [np.flatnonzero(complete)]
    while blocks:
        rows = blocks.pop()
        try:
            pixels[rows] = decode_cells(header, rows, lambda a, b: payload[a:b], coder)
        except ZarrmalError as error:
            if len(rows) == 1:
                reasons[int(rows[0])] = str(error)
            else:
                blocks += [rows[len(rows) // 2 :], rows[: len(rows) // 2]]
    return pixels, dict(sorted(reasons.items()))
