"""The codec of zarr format 3: an array -> bytes codec, passed as ``serializer``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from zarr.abc.codec import ArrayBytesCodec, ArrayBytesCodecPartialDecodeMixin
from zarr.abc.store import RangeByteRequest

from .chunk import (
    decode_cells,
    decode_chunk,
    encode_chunk,
    expect_shape,
    expect_uint8,
    first_read_bytes,
)
from .configuration import Configuration
from .constants import BLANK_CLASS, CHUNK_PRELUDE_BYTES, CODEC_NAME
from .errors import CorruptionError, TruncatedError
from .golomb_rice import RiceChoice
from .header import Header, header_bytes, parse_header
from .model import Model

Reading = Generator[list[RangeByteRequest | None], Any, Callable[[], Any]]
"""Asks for byte ranges of a chunk, None for all of it; is sent their buffers; returns a decoder."""

# Cells further apart than this are fetched by two requests, nearer ones by one.
MAX_GAP_BYTES = 16_384


@dataclass(frozen=True)
class ZarrmalCodec(ArrayBytesCodec, ArrayBytesCodecPartialDecodeMixin):
    """Serializer that stores uint8 cells with the models of their classes (FORMAT 5.1).

    Make one with ``ZarrmalCodec.of(model)``, or let ``array_arguments`` do it.

    Parameters
    ----------
    configuration
        Model, digest and the way to choose Rice parameters.
    """

    configuration: Configuration

    is_fixed_size = False

    @classmethod
    def of(cls, model: Model | None, *, rice: RiceChoice = "mean") -> Self:
        """A codec with this model; None gives one that has only the fallback modes."""
        return cls(Configuration.of(model, rice))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.configuration.describe()})"

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Parse the codec's entry in zarr.json (FORMAT 5.1)."""
        return cls(Configuration.from_json(data.get("configuration", {})))

    def to_dict(self) -> dict[str, Any]:
        """Inverse of from_dict."""
        return {"name": CODEC_NAME, "configuration": self.configuration.to_json()}

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:
        """TypeError unless the array is uint8."""
        is_zarr = hasattr(dtype, "to_native_dtype")
        expect_uint8(dtype.to_native_dtype() if is_zarr else np.dtype(dtype))

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        """Never known before encoding; zarr asks only fixed-size codecs."""
        raise NotImplementedError

    def _decode_sync(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        data = np.ascontiguousarray(chunk_bytes.as_numpy_array()).view(np.uint8)
        pixels = decode_chunk(data.data, self.configuration.coder(), shape=chunk_spec.shape)
        return chunk_spec.prototype.nd_buffer.from_ndarray_like(pixels)

    def _encode_sync(self, chunk_array: Any, chunk_spec: Any) -> Any:
        data = encode_chunk(
            chunk_array.as_numpy_array(),
            self.configuration.coder(),
            rice=self.configuration.rice,
        )
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        return await asyncio.to_thread(self._decode_sync, chunk_bytes, chunk_spec)

    async def _encode_single(self, chunk_array: Any, chunk_spec: Any) -> Any:
        return await asyncio.to_thread(self._encode_sync, chunk_array, chunk_spec)

    async def _decode_partial_single(
        self, byte_getter: Any, selection: Any, chunk_spec: Any
    ) -> Any:
        """Fetch and decode only the cells that a selection touches.

        The cells are checked by their own CRC-16; the checksum over all pixels needs all of them.
        """
        steps, got, decode = self._partial(selection, chunk_spec), None, None
        while decode is None:
            try:
                wanted = steps.send(got)
            except StopIteration as end:
                decode = end.value
            else:
                reads = (byte_getter.get(chunk_spec.prototype, part) for part in wanted)
                got = await asyncio.gather(*reads)
        return await asyncio.to_thread(decode)

    def _decode_partial_sync(self, byte_getter: Any, selection: Any, chunk_spec: Any) -> Any:
        """The same for zarr's fused pipeline, which reads without an event loop."""
        steps, got, decode = self._partial(selection, chunk_spec), None, None
        while decode is None:
            try:
                wanted = steps.send(got)
            except StopIteration as end:
                decode = end.value
            else:
                get, prototype = byte_getter.get_sync, chunk_spec.prototype
                got = [get(prototype=prototype, byte_range=part) for part in wanted]
        return decode()

    def _partial(self, selection: Any, chunk_spec: Any) -> Reading:
        """What is read of a chunk for some of its cells, and how they are decoded."""
        shape = tuple(chunk_spec.shape)
        rows = _rows(selection, shape)
        whole = rows is None or 2 * len(rows) > shape[0]
        if not whole:
            n_first = first_read_bytes(shape[0])
            (first,) = yield [RangeByteRequest(0, n_first)]
            if first is None:
                return _nothing
            head = _view(first)
            n_header = header_bytes(head)
            if n_header > len(head):
                limit = n_first + header_limit(shape)
                if n_header > limit:
                    raise CorruptionError(
                        f"the chunk declares a header of {n_header} bytes, more "
                        f"than {limit} for shape {shape}"
                    )
                (first,) = yield [RangeByteRequest(0, n_header)]
                head = _view(first)
            header = parse_header(head)
            expect_shape(header, shape)
            whole = header.index is None
        if not whole and rows is not None:
            missing = _missing(header, len(head) - n_header, rows)
            got = yield [RangeByteRequest(n_header + a, n_header + b) for a, b in missing]
            assert header.index is not None
            # A chunk that ends in blank cells is an array's last one, to which more may be appended
            # between our reads. It only grows: with the same header again it has not.
            if missing and header.index.classes[-1] == BLANK_CLASS:
                (again,) = yield [RangeByteRequest(0, n_header)]
                whole = _view(again) != head[:n_header]
        if whole:  # one object read at once is always one state of it
            (everything,) = yield [None]
            if everything is None:
                return _nothing
            return lambda: self._decode_sync(everything, chunk_spec)[selection]
        assert rows is not None
        fetched = [(start, _view(part)) for (start, _), part in zip(missing, got, strict=True)]
        ranges = _Ranges([*fetched, (0, head[n_header:])])

        def decode() -> Any:
            out = np.zeros(shape, np.uint8)  # pages of rows that are never touched cost nothing
            out[rows] = decode_cells(header, rows, ranges.read, self.configuration.coder())
            return chunk_spec.prototype.nd_buffer.from_ndarray_like(out[selection])

        return decode


def _nothing() -> None:
    """There is no such chunk."""


def header_limit(shape: tuple[int, ...]) -> int:
    """No valid header of a chunk of this shape is longer: a run a cell, 32 length bits a cell."""
    return CHUNK_PRELUDE_BYTES + 256 + 4 * len(shape) + 12 * (shape[0] if shape else 0)


def _rows(selection: Any, shape: tuple[int, ...]) -> NDArray[np.int64] | None:
    """Cells that a selection touches, ascending; None where they cannot be told apart."""
    if not shape or 0 in shape:
        return None
    parts = selection if isinstance(selection, tuple) else (selection,)
    if not parts or parts[0] is Ellipsis:
        return None
    first = np.asarray(parts[0]) if not isinstance(parts[0], (slice, int)) else parts[0]
    return np.unique(np.arange(shape[0])[first])


def _view(buffer: Any) -> memoryview:
    if buffer is None:
        raise TruncatedError("the chunk vanished while it was read")
    return np.ascontiguousarray(buffer.as_numpy_array()).view(np.uint8).data


class _Ranges:
    """Payload ranges held in memory."""

    def __init__(self, parts: Iterable[tuple[int, memoryview]]) -> None:
        self._parts = tuple(parts)

    def read(self, start: int, stop: int) -> memoryview:
        """Payload bytes [start, stop); fewer where the store had fewer."""
        for offset, data in self._parts:
            if offset <= start < offset + len(data):
                return data[start - offset : stop - offset]
        return memoryview(b"")


def _missing(header: Header, n_held: int, rows: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Payload ranges that hold the streams of some cells, few of them, beyond what is held."""
    assert header.index is not None
    stops = np.cumsum(header.index.lengths)[rows]
    starts = stops - header.index.lengths[rows]
    spans: list[list[int]] = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        if spans and start - spans[-1][1] <= MAX_GAP_BYTES:
            spans[-1][1] = stop
        else:
            spans.append([start, stop])
    # Blank cells have empty streams; stores refuse empty ranges.
    return [(start, stop) for start, stop in spans if stop > max(start, n_held)]
