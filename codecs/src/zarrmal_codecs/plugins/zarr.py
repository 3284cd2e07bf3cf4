"""The codec for Zarr format 3: an array-to-bytes codec, passed as ``serializer``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from zarr.abc.codec import ArrayBytesCodec, ArrayBytesCodecPartialDecodeMixin
from zarr.abc.store import RangeByteRequest

from ..chunk.chunk import (
    decode_cells,
    decode_chunk,
    encode_chunk,
    expect_dtype,
    expect_shape,
    first_read_bytes,
)
from ..chunk.header import Header, header_bytes, known_header
from ..chunk.items import stored_dtype
from ..constants import (
    BLANK_CLASS,
    CAMERA_BYTES,
    CHUNK_PRELUDE_BYTES,
    CODEC_NAME,
    MAX_CAMERAS,
)
from ..errors import CorruptionError, TruncatedError
from ..model.model import Model
from ..paper.golomb_rice import RiceChoice, checked_rice
from .configuration import Configuration

Reading = Generator[list[RangeByteRequest | None], Any, Callable[[], Any]]
"""Yields lists of byte ranges of a chunk, None for the whole; is sent their buffers; returns a
function that decodes."""

# Cells further apart are fetched with two requests, nearer ones with one.
MAX_GAP_BYTES = 16_384


@dataclass(frozen=True)
class ZarrmalCodec(ArrayBytesCodec, ArrayBytesCodecPartialDecodeMixin):
    """Serializer that stores uint8 and uint16 cells with the models of their classes (FORMAT 5.1).

    Arrays of other dtypes and shapes are stored or deflated.

    Make one with ``ZarrmalCodec.of(model)``, or let ``array_arguments`` do it.

    Parameters
    ----------
    configuration
        Model and digest, which the array's metadata hold.
    rice
        How Rice parameters are chosen when this object encodes. No metadata hold it, and equal
        codecs may differ in it.
    """

    configuration: Configuration
    rice: RiceChoice = field(default="mean", compare=False)

    is_fixed_size = False

    def __post_init__(self) -> None:
        if not isinstance(self.configuration, Configuration):
            raise TypeError(
                f"ZarrmalCodec wants a Configuration, not a {type(self.configuration).__name__}: "
                f"make the codec of a model with ZarrmalCodec.of(model)"
            )

    @classmethod
    def of(cls, model: Model | None, *, rice: RiceChoice = "mean") -> Self:
        """A codec with this model; with None it has no model, and stores or deflates all."""
        return cls(Configuration.of(model), checked_rice(rice))

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
        """TypeError if the array's items are objects, such as strings of any length."""
        stored_dtype(_numpy_dtype(dtype))

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        """Not known before encoding. Zarr calls this for fixed-size codecs only."""
        raise NotImplementedError

    def _decode_sync(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        data = np.ascontiguousarray(chunk_bytes.as_numpy_array()).view(np.uint8)
        dtype = _numpy_dtype(chunk_spec.dtype)
        items = decode_chunk(
            data.data,
            self.configuration.coder(),
            shape=chunk_spec.shape,
            dtype=dtype.newbyteorder("<"),
        )
        items = items.astype(dtype, copy=False)
        return chunk_spec.prototype.nd_buffer.from_ndarray_like(items)

    def _encode_sync(self, chunk_array: Any, chunk_spec: Any) -> Any:
        # Metadata of format 3 hold no byte order, neither of numbers nor of strings and fields.
        dtype = _numpy_dtype(chunk_spec.dtype).newbyteorder("<")
        data = encode_chunk(
            chunk_array.as_numpy_array().astype(dtype, casting="equiv", copy=False),
            self.configuration.coder(),
            rice=self.rice,
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

        Each cell is checked by its CRC-16; the CRC-32 over all pixels would need all cells.
        """
        reading, buffers, decode = self._partial(selection, chunk_spec), None, None
        while decode is None:
            try:
                ranges = reading.send(buffers)
            except StopIteration as end:
                decode = end.value
            else:
                reads = (byte_getter.get(chunk_spec.prototype, part) for part in ranges)
                buffers = await asyncio.gather(*reads)
        return await asyncio.to_thread(decode)

    def _decode_partial_sync(self, byte_getter: Any, selection: Any, chunk_spec: Any) -> Any:
        """The same without an event loop, for zarr's fused pipeline."""
        reading, buffers, decode = self._partial(selection, chunk_spec), None, None
        while decode is None:
            try:
                ranges = reading.send(buffers)
            except StopIteration as end:
                decode = end.value
            else:
                get, prototype = byte_getter.get_sync, chunk_spec.prototype
                buffers = [get(prototype=prototype, byte_range=part) for part in ranges]
        return decode()

    def _partial(self, selection: Any, chunk_spec: Any) -> Reading:
        """Read the parts of a chunk that hold the selected cells; return their decoder."""
        shape = tuple(chunk_spec.shape)
        rows = _rows(selection, shape)
        dtype = _numpy_dtype(chunk_spec.dtype).newbyteorder("=")
        whole = rows is None or dtype not in (np.uint8, np.uint16) or 2 * len(rows) > shape[0]
        if not whole:
            n_first = first_read_bytes(shape[0])
            (first,) = yield [RangeByteRequest(0, n_first)]
            if first is None:
                return _no_chunk
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
            header = known_header(head)
            expect_shape(header, shape)
            expect_dtype(header, dtype)
            whole = header.index is None
        if not whole and rows is not None:
            missing = _missing(header, len(head) - n_header, rows)
            parts = yield [RangeByteRequest(n_header + a, n_header + b) for a, b in missing]
            assert header.index is not None
            # A chunk that ends with blank cells is the last one of its array. Another process may
            # append cells to it between these reads; if its header is the same again, it did not.
            if missing and header.index.classes[-1] == BLANK_CLASS:
                (again,) = yield [RangeByteRequest(0, n_header)]
                whole = _view(again) != head[:n_header]
        if whole:  # a single read of an object is consistent
            (everything,) = yield [None]
            if everything is None:
                return _no_chunk
            return lambda: self._decode_sync(everything, chunk_spec)[selection]
        assert rows is not None
        fetched = [(start, _view(part)) for (start, _), part in zip(missing, parts, strict=True)]
        ranges = _Ranges([*fetched, (0, head[n_header:])])

        def decode() -> Any:
            # Memory of rows that are not written is never mapped.
            out = np.zeros(shape, _numpy_dtype(chunk_spec.dtype))
            out[rows] = decode_cells(header, rows, ranges.read, self.configuration.coder())
            return chunk_spec.prototype.nd_buffer.from_ndarray_like(out[selection])

        return decode


def _numpy_dtype(dtype: Any) -> np.dtype[Any]:
    is_zarr = hasattr(dtype, "to_native_dtype")
    native: np.dtype[Any] = dtype.to_native_dtype() if is_zarr else np.dtype(dtype)
    return native


def _no_chunk() -> None:
    """The decoder of a chunk that does not exist."""


def header_limit(shape: tuple[int, ...]) -> int:
    """Bytes of the longest valid header for a shape.

    A cell takes at most a class run, 32 bits of length, eight times 16 bits, of its size, its
    silhouette and its place in a JPEG picture, and a camera of its own; classes and reductions of
    channels take at most 640 bytes.
    """
    n_cells = shape[0] if shape else 0
    n_cameras = min(n_cells, MAX_CAMERAS)
    # Deflate stores what it cannot make shorter, with few bytes more.
    cameras = 64 + (n_cameras * CAMERA_BYTES + 2 * n_cells) * 101 // 100
    return CHUNK_PRELUDE_BYTES + 640 + 4 * len(shape) + 26 * n_cells + cameras


def _rows(selection: Any, shape: tuple[int, ...]) -> NDArray[np.int64] | None:
    """Indices of the cells that a selection touches, ascending; None for the whole chunk."""
    if not shape or 0 in shape:
        return None
    parts = selection if isinstance(selection, tuple) else (selection,)
    if not parts or parts[0] is Ellipsis:
        return None
    first = np.asarray(parts[0]) if not isinstance(parts[0], (slice, int)) else parts[0]
    return np.unique(np.arange(shape[0])[first])


def _view(buffer: Any) -> memoryview:
    if buffer is None:
        raise TruncatedError("the chunk was deleted while it was read")
    return np.ascontiguousarray(buffer.as_numpy_array()).view(np.uint8).data


class _Ranges:
    """Ranges of the payload in memory."""

    def __init__(self, parts: Iterable[tuple[int, memoryview]]) -> None:
        self._parts = tuple(parts)

    def read(self, start: int, stop: int) -> memoryview:
        """Payload bytes [start, stop), or fewer if the store returned fewer."""
        for offset, data in self._parts:
            if offset <= start < offset + len(data):
                return data[start - offset : stop - offset]
        return memoryview(b"")


def _missing(header: Header, n_held: int, rows: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Few payload ranges that cover the streams of some cells, without those already held."""
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
