"""The law for any bytes: the exact array or a ZarrmalError (FORMAT 1.4).

A law returns how much memory its input may take, in bytes, and raises LawBroken where it fails.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import numpy as np
import seeds
from zarrmal_codecs import JpegCell, Model, NumcodecsZarrmal, ZarrmalCodec, ZarrmalError
from zarrmal_codecs.chunk.chunk import decode_cells, decode_chunk, encode_chunk
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.chunk.header import Header, header_bytes, parse_header
from zarrmal_codecs.chunk.lattice_cells import LatticeCells
from zarrmal_codecs.chunk.streams import jpeg_cells
from zarrmal_codecs.hybrid.engine import VARIABLE, levels
from zarrmal_codecs.lattice.jpeg.picture import Camera
from zarrmal_codecs.lattice.place import Place
from zarrmal_codecs.plugins.configuration import Configuration

try:  # the codecs can be tested without the package that writes archives
    from zarrmal.archive.layout import ArchiveFacts
except ImportError:
    ArchiveFacts = None

LONGEST_MESSAGE = 600
BASE_BYTES = 64 << 20
MANY_CELL_PIXELS = 1 << 8
"""Pixels of a cell. NumPy takes a third of a millisecond for each, for any number of cells."""
MANY_PIXELS = 1 << 22


class LawBroken(AssertionError):
    """The result is neither the exact array nor a named error."""


def require(holds: bool, what: str) -> None:
    """Raise LawBroken unless the condition holds."""
    if not holds:
        raise LawBroken(what)


def outcome(call: Callable[[], Any]) -> Any:
    """The result of a call, or the ZarrmalError that it raises. Other exceptions pass."""
    try:
        return call()
    except ZarrmalError as error:
        require(len(str(error)) <= LONGEST_MESSAGE, f"a message of {len(str(error))} characters")
        return error


@contextlib.contextmanager
def engine(level: str) -> Iterator[None]:
    """Code pixels with one of ``levels()``."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = level
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


CODERS = {
    bytes.fromhex(coder.model.digest)[:8]: coder
    for coder in (Coder(Model.from_bytes(data)) for data in seeds.models())
}
NEEDS_MODEL = (seeds.VECTORS / "invalid" / "chunk-no-model.bin").read_bytes()


def chunk(data: bytes) -> int:
    """All engines agree, and cells decoded alone are those of the whole array."""
    header = outcome(lambda: parse_header(memoryview(data)))
    if isinstance(header, ZarrmalError):
        require(isinstance(outcome(lambda: decode_chunk(data, None)), ZarrmalError), "no header")
        return BASE_BYTES + 64 * len(data)
    coder = CODERS.get(header.index.digest_prefix) if header.index else None
    n_pixels = prod(header.shape)
    used = [level for level in levels() if _affordable(header, level)]
    outcomes = []
    for level in used:
        with engine(level):
            outcomes.append(outcome(lambda: decode_chunk(data, coder)))
    for other in outcomes[1:]:
        _same(outcomes[0], other)
    for result in outcomes[:1]:
        if header.index is not None:
            _cells(data, header, coder, result, used[-1])
        if isinstance(result, np.ndarray) and result.size < MANY_CELL_PIXELS:
            jpeg = None
            if header.index is not None and header.index.lattice is not None:
                jpeg = jpeg_cells(data, coder, np.arange(header.shape[0]))
            again = decode_chunk(encode_chunk(result, coder, jpeg=jpeg), coder)
            require(_equal(again, result), "encoding what was decoded")
    other = outcome(lambda: decode_chunk(data, coder, shape=(*header.shape, 1)))
    require(isinstance(other, ZarrmalError), "another shape than expected")
    other = outcome(lambda: decode_chunk(data, coder, dtype=np.dtype("V11")))
    require(isinstance(other, ZarrmalError) or header.dtype == "V11", "another dtype than expected")
    of_masks = 16 * min(_mask_pixels(header), MANY_PIXELS)
    return BASE_BYTES + 64 * len(data) + 40 * n_pixels * header.dtype.itemsize + of_masks


def _affordable(header: Header, level: str) -> bool:
    streams = header.index or header.masks
    if streams is None or prod(header.shape) == 0:
        return True
    masks = _mask_shapes(header)
    if _mask_pixels(header) > MANY_PIXELS:
        return False
    if level == "numpy":
        return max(prod(header.shape[1:]), int(masks.max(axis=0).prod())) <= MANY_CELL_PIXELS
    return prod(header.shape) <= MANY_PIXELS or not streams.lengths.any()


def _mask_shapes(header: Header) -> np.ndarray[Any, Any]:
    """At least the rows and columns of each mask, (cell, 2)."""
    if header.masks is not None:
        return header.masks.spacings[:, None].astype(np.int64) * header.masks.shapes
    if header.index is None or header.index.outlines is None:
        return np.zeros((1, 2), np.int64)
    outlines = header.index.outlines
    return outlines.spacings[:, None].astype(np.int64) * outlines.shapes


def _mask_pixels(header: Header) -> int:
    return int(_mask_shapes(header).prod(axis=1).sum())


def _same(a: Any, b: Any) -> None:
    if isinstance(a, ZarrmalError) or isinstance(b, ZarrmalError):
        require(type(a) is type(b), f"one decoder says {a!r:.300}, the other {b!r:.300}")
    else:
        require(_equal(a, b), "two decoders give two arrays")


def _equal(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    """Whether all bits are equal, also those of NaNs."""
    return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


def _cells(data: bytes, header: Header, coder: Coder | None, whole: Any, level: str) -> None:
    payload = memoryview(data)[header_bytes(memoryview(data)) :]
    for row in {0, header.shape[0] // 2, header.shape[0] - 1}:
        rows = np.array([row])
        with engine(level):
            cell = outcome(lambda r=rows: decode_cells(header, r, lambda a, b: payload[a:b], coder))
        if isinstance(whole, np.ndarray):
            require(not isinstance(cell, ZarrmalError), f"{cell!r:.300} for a cell of a good chunk")
            require(np.array_equal(cell[0], whole[row]), "a cell read alone is another")


def _lattice(coder: Coder) -> bytes:
    """Streams of a cell as coefficients, of each class that can code them."""
    streams = b""
    for k in range(len(coder.model.classes)):
        lattice = coder.lattice(k)
        streams += b"" if lattice is None else _stream_of_coefficients(lattice)
    return streams


def _stream_of_coefficients(lattice: LatticeCells) -> bytes:
    values = np.arange(3 * 4 * 64).reshape(3, 2, 2, 8, 8) * 3701 % 65521 - 32768
    values[..., 2:, :] = 0
    steps = (np.arange(3 * 64).reshape(3, 8, 8) * 1009 % 65521 + 1).astype(np.uint16)
    camera = Camera(tables=steps, ratios=((1, 1), (2, 2), (1, 2)), colour="ycbcr")
    counts = camera.n_blocks((9, 5), (0, 9))
    blocks = [own[:r, :c] for own, (r, c) in zip(values, counts, strict=True)]
    cell = JpegCell(
        camera=camera,
        phase=(0, 9),
        coefficients=tuple(own.astype(np.int16) for own in blocks),
        coded=tuple(np.ones(own.shape[:2], bool) for own in blocks),
    )
    pixels = (np.arange(9 * 5 * 3) * 37 % 251).astype(np.uint8).reshape(9, 5, 3)
    places = [Place(camera=camera, phase=(0, 9))]

    def decoded(stream: bytes) -> Any:
        return lattice.decode([memoryview(stream)], places, pixels.shape, None, None)

    (own,) = lattice.encode([pixels], places, [cell], [None], [None])
    require(np.array_equal(decoded(own)[0], pixels), "round trip of coefficients")
    for damaged in (bytes(4), b"\xff" * 64, bytes(range(64))):
        outcome(lambda s=damaged: decoded(s))
    return own


def model(data: bytes) -> int:
    """An accepted model codes any cells, with the same result in every engine."""
    made = outcome(lambda: _coder(data))
    n_body = min(int.from_bytes(data[8:12], "little"), 1 << 26)
    allowed = BASE_BYTES + 64 * len(data) + 16 * n_body
    if isinstance(made, ZarrmalError):
        return allowed
    require(made.model.to_bytes() == data, "a model keeps its bytes")
    require(isinstance(repr(made.model), str), "a model can be printed")
    shape = made.model.cell_shape
    if prod(shape) > MANY_CELL_PIXELS:
        return allowed
    is_deep = made.model.depth == 16
    values = np.arange(2 * prod(shape)) * (3701 if is_deep else 37) % (65521 if is_deep else 251)
    cells = values.astype(np.uint16 if is_deep else np.uint8).reshape(2, *shape)
    cells[1, shape[0] // 2 :] = 0
    outcomes = []
    for level in levels():
        with engine(level):
            stored = encode_chunk(cells, made, keep_cells=True)
            require(np.array_equal(decode_chunk(stored, made), cells), f"round trip on {level}")
            for stream in (b"", bytes(4), b"\xff" * 64, data[-40:]):
                for k in range(len(made.model.classes))[:2]:
                    outcome(lambda k=k, s=stream: made.cells(k).decode([memoryview(s)], 0, shape))
            stored += _lattice(made)
        outcomes.append(stored)
    require(len(set(outcomes)) == 1, "two encoders give two streams")
    return allowed


def _coder(data: bytes) -> Coder:
    return Coder(Model.from_bytes(data))


def config(data: bytes) -> int:
    """Parse a configuration, build its coder and decode with it."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):  # refused by whoever reads zarr.json
        return BASE_BYTES + 64 * len(data)
    parsed = outcome(lambda: Configuration.from_json(tree))
    if not isinstance(parsed, ZarrmalError):
        again = outcome(lambda: Configuration.from_json(parsed.to_json()))
        require(again == parsed, "from_json of to_json")
        require(len(repr(parsed)) <= LONGEST_MESSAGE, "a long repr")
        outcome(lambda: decode_chunk(NEEDS_MODEL, parsed.coder()))
    codec = outcome(lambda: ZarrmalCodec.from_dict({"name": "zarrmal", "configuration": tree}))
    require(isinstance(codec, ZarrmalError) == isinstance(parsed, ZarrmalError), "format 3")
    if isinstance(tree, dict):
        outcome(lambda: NumcodecsZarrmal.from_config(tree | {"id": "zarrmal"}))
        if ArchiveFacts is not None:
            facts = outcome(lambda: ArchiveFacts.from_json(tree))
            if not isinstance(facts, ZarrmalError):
                require(ArchiveFacts.from_json(facts.to_json()) == facts, "facts from to_json")
    return BASE_BYTES + 600 * len(data) + (1 << 30) * (len(data) > 1 << 16)
