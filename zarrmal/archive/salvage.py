"""What can be had of one chunk, damaged or not: bytes -> pixels, which of them are good, and why.

A chunk that is the one promised, by its sha256, decodes whole. Of a damaged one whose header is
sound (its CRC-32 fits), each cell is decoded alone; its own CRC-16 is then all that vouches for it,
which wrong pixels pass with a chance of 2**-16 (FORMAT 4.4).
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import ZarrmalError
from zarrmal_codecs.chunk import decode_cells, decode_chunk, expect_shape
from zarrmal_codecs.coder import Coder
from zarrmal_codecs.header import Header, header_bytes, parse_header

Kind = Literal["missing", "unreadable", "changed", "undecodable", "no digest", "padded", "differs"]

MAX_WRONG_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Salvage:
    """One chunk, as far as it can be had.

    Parameters
    ----------
    pixels
        uint8 (cell, \\*cell_shape); not to be used where ``good`` is false. Padding may be left out
        where nothing is good.
    good
        bool (cell,): the cell is there.
    reasons
        Why a cell is lost, by its place in the chunk.
    kind
        What is wrong; None for a sound chunk.
    fault
        The same in words: "is missing", "was changed: …".
    certain
        What is good is the very chunk that was written. Else its CRC-16 alone vouches for a cell.
    """

    pixels: NDArray[np.uint8]
    good: NDArray[np.bool_]
    reasons: dict[int, str]
    kind: Kind | None = None
    fault: str = ""
    certain: bool = True


def salvage_chunk(
    data: bytes | None,
    coder: Coder | None,
    shape: tuple[int, ...],
    digest: str | None,
    n_cells: int | None = None,
) -> Salvage:
    """All that can be had of a chunk; never raises, whatever the bytes.

    Parameters
    ----------
    data
        The stored bytes; None if there are none.
    coder
        Of the archive's model.
    shape
        Of the whole chunk, padding included: (cell, \\*cell_shape).
    digest
        The sha256 that the archive promises, in hexadecimal; None if it promises none.
    n_cells
        Of the chunk that are no padding; None for all. Where nothing can be had, no more are told
        of, as the shape is what a stranger's document says.
    """
    n_cells = shape[0] if n_cells is None else n_cells
    there = (min(shape[0], n_cells), *shape[1:])
    if data is None:
        return nothing(there, "missing", "is missing")
    found = hashlib.sha256(data).hexdigest()
    same = found == digest
    try:
        pixels = decode_chunk(data, coder, shape=shape)
    except ZarrmalError as error:
        before = "cannot" if same or digest is None else "was changed and cannot"
        return _damaged(data, coder, shape, digest, f"{before} be decoded: {error}", there)
    good = np.ones(len(pixels), np.bool_)
    if same:
        return Salvage(pixels=pixels, good=good, reasons={})
    fault = "has no digest" if digest is None else _damaged_digest(found, digest)
    if fault:
        return Salvage(pixels=pixels, good=good, reasons={}, kind="no digest", fault=fault)
    why = "the chunk is sound in itself, but not the one that was written here"
    return Salvage(
        pixels=pixels,
        good=~good,
        reasons=dict.fromkeys(range(len(pixels)), why),
        kind="changed",
        fault="was changed: its sha256 does not match",
    )


def _damaged_digest(found: str, promised: str) -> str:
    """In words, if the promise itself was damaged: no other chunk comes so near to it."""
    wrong = sum(a != b for a, b in zip(found, promised, strict=False))
    if len(found) != len(promised) or wrong > MAX_WRONG_DIGITS:
        return ""
    return f"has a damaged digest: {wrong} of its {len(found)} digits are wrong"


def nothing(shape: tuple[int, ...], kind: Kind, fault: str, reason: str = "") -> Salvage:
    """A chunk of which nothing can be had."""
    return Salvage(
        pixels=np.zeros(shape, np.uint8),
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
    there: tuple[int, ...],
) -> Salvage:
    """``there`` is the shape without padding."""
    try:
        header = parse_header(memoryview(data))
        expect_shape(header, shape)
        start = header_bytes(memoryview(data))
    except ZarrmalError as error:
        return nothing(there, "undecodable", fault, f"the chunk is wholly lost: {error}")
    whole = data[: start + header.payload_bytes]
    if len(whole) < len(data) and hashlib.sha256(whole).hexdigest() == digest:
        inner = salvage_chunk(whole, coder, shape, digest)
        return replace(inner, kind="undecodable", fault=fault)
    if header.index is None:
        why = "the chunk is wholly lost: its pixels are stored together, with one check for all"
        return nothing(there, "undecodable", fault, why)
    payload = memoryview(data)[start : start + header.payload_bytes]
    try:
        decode_cells(header, np.arange(0), lambda a, b: payload[a:b], coder)  # is the model its?
    except ZarrmalError as error:
        return nothing(there, "undecodable", fault, f"the chunk is wholly lost: {error}")
    pixels, reasons = _each_cell(header, payload, coder)
    good = np.ones(len(pixels), np.bool_)
    good[list(reasons)] = False
    if good.all() and zlib.crc32(pixels.data) != header.pixel_crc32:
        fault += " (each cell passes its own check, yet at least one is wrong)"
    return Salvage(
        pixels=pixels,
        good=good,
        reasons=reasons,
        kind="undecodable",
        fault=fault,
        certain=False,
    )


def _each_cell(
    header: Header, payload: memoryview, coder: Coder | None
) -> tuple[NDArray[np.uint8], dict[int, str]]:
    """Pixels of all cells, and why some are lost.

    Halves of what does not decode are tried again, so that a few damaged cells among many do not
    cost a call a cell.
    """
    assert header.index is not None
    pixels = np.zeros(header.shape, np.uint8)
    reasons: dict[int, str] = {}
    there = np.cumsum(header.index.lengths) <= len(payload)
    there |= header.index.lengths == 0
    for row in np.flatnonzero(~there).tolist():
        reasons[row] = "its bytes are missing: the chunk is cut off before its end"
    waiting = [np.flatnonzero(there)]
    while waiting:
        rows = waiting.pop()
        try:
            pixels[rows] = decode_cells(header, rows, lambda a, b: payload[a:b], coder)
        except ZarrmalError as error:
            if len(rows) == 1:
                reasons[int(rows[0])] = str(error)
            else:
                waiting += [rows[len(rows) // 2 :], rows[: len(rows) // 2]]
    return pixels, dict(sorted(reasons.items()))
