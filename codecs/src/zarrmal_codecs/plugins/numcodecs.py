"""The codec for Zarr format 2: a numcodecs codec, passed as ``compressor``."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numcodecs.abc import Codec
from numcodecs.compat import ensure_contiguous_ndarray_like, ensure_ndarray_like, ndarray_copy

from ..chunk.chunk import decode_chunk, encode_chunk
from ..constants import CODEC_NAME
from ..model.model import Model
from ..paper.golomb_rice import RiceChoice, checked_rice
from .configuration import Configuration


class NumcodecsZarrmal(Codec):  # type: ignore[misc]
    """Compressor that stores uint8 cells with the models of their classes (FORMAT 5.2).

    Make one with ``NumcodecsZarrmal.of(model)``, or let ``array_arguments`` do it. Arrays of other
    dtypes and shapes are stored or deflated.
    """

    codec_id = CODEC_NAME

    def __init__(self, **configuration: Any) -> None:
        self._configuration = Configuration.from_json(configuration)
        self._rice: RiceChoice = "mean"

    @classmethod
    def of(cls, model: Model | None, *, rice: RiceChoice = "mean") -> Self:
        """A codec with this model; with None it has no model, and stores or deflates all.

        ``rice`` is what this object does when it encodes: no metadata hold it, and equal codecs may
        differ in it.
        """
        codec = cls(**Configuration.of(model).to_json())
        codec._rice = checked_rice(rice)
        return codec

    @property
    def configuration(self) -> Configuration:
        """Model and digest."""
        return self._configuration

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._configuration.describe()})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NumcodecsZarrmal) and self._configuration == other._configuration

    def __hash__(self) -> int:
        return hash(self._configuration)

    def get_config(self) -> dict[str, Any]:
        """The JSON object of .zarray (FORMAT 5.2)."""
        return {"id": self.codec_id, **self._configuration.to_json()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Inverse of get_config."""
        return cls(**{key: value for key, value in config.items() if key != "id"})

    def encode(self, buf: Any) -> bytes:
        """Encode a buffer.

        Parameters
        ----------
        buf
            Array of any dtype, shape and memory order, or a buffer: bytes, bytearray, mmap,
            memoryview, array.array. Only uint8 arrays are coded with a model.

        Raises
        ------
        TypeError
            If ``buf`` has items of objects.
        """
        array = np.asarray(ensure_ndarray_like(buf))
        return encode_chunk(
            array,
            self._configuration.coder(),
            rice=self._rice,
            fortran_order=array.flags.f_contiguous and not array.flags.c_contiguous,
        )

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Decode to an array of the shape, memory order and byte order that was encoded.

        Its bytes are those that were encoded. Its dtype is the same for numbers, int64 for times,
        and void for other items.

        Parameters
        ----------
        buf
            A chunk, in any buffer.
        out
            A writeable buffer of as many bytes, which is filled in memory order and returned.

        Raises
        ------
        ZarrmalError
            If the bytes are not exactly a chunk.
        TypeError, ValueError
            If ``out`` has items of objects, or another size.
        """
        data = ensure_contiguous_ndarray_like(buf, flatten=True).view(np.uint8)
        items = decode_chunk(np.asarray(data).data, self._configuration.coder())
        if out is None:  # stored items are a view of buf, which belongs to the caller
            return items.copy(order="K") if np.may_share_memory(items, data) else items
        target = ensure_ndarray_like(out)
        if target.dtype.hasobject:
            raise TypeError("out must not be an array of objects: zarrmal decodes to bytes")
        if target.nbytes != items.nbytes:
            raise ValueError(f"out has {target.nbytes} bytes, the chunk decodes to {items.nbytes}")
        return ndarray_copy(items, out)
