"""The codec for Zarr format 2: a numcodecs codec, passed as ``compressor``."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numcodecs.abc import Codec
from numcodecs.compat import ensure_contiguous_ndarray_like, ensure_ndarray_like, ndarray_copy

from .chunk import decode_chunk, encode_chunk
from .configuration import Configuration
from .constants import CODEC_NAME
from .golomb_rice import RiceChoice
from .model import Model


class NumcodecsZarrmal(Codec):  # type: ignore[misc]
    """Compressor that stores uint8 cells with the models of their classes (FORMAT 5.2).

    Make one with ``NumcodecsZarrmal.of(model)``, or let ``array_arguments`` do it. In an array of
    another dtype the first write raises TypeError: format 2 does not tell a codec the dtype before.
    """

    codec_id = CODEC_NAME

    def __init__(self, **configuration: Any) -> None:
        self._configuration = Configuration.from_json(configuration)

    @classmethod
    def of(cls, model: Model | None, *, rice: RiceChoice = "mean") -> Self:
        """A codec with this model; with None it has no model, and stores or deflates pixels."""
        return cls(**Configuration.of(model, rice).to_json())

    @property
    def configuration(self) -> Configuration:
        """Model, digest and the way to choose Rice parameters."""
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
            uint8 array of any shape and memory order, or a buffer of bytes: bytes, bytearray,
            mmap, or a memoryview or array.array of format "B".

        Raises
        ------
        TypeError
            If ``buf`` has items of another type.
        """
        array = np.asarray(ensure_ndarray_like(buf))
        return encode_chunk(
            array,
            self._configuration.coder(),
            rice=self._configuration.rice,
            fortran_order=array.flags.f_contiguous and not array.flags.c_contiguous,
        )

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Decode to a uint8 array of the shape and memory order that was encoded.

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
        pixels = decode_chunk(np.asarray(data).data, self._configuration.coder())
        if out is None:  # stored pixels are a view of buf, which belongs to the caller
            return pixels.copy(order="K") if np.may_share_memory(pixels, data) else pixels
        target = ensure_ndarray_like(out)
        if target.dtype.hasobject:
            raise TypeError("out must not be an array of objects: zarrmal decodes to uint8 pixels")
        if target.nbytes != pixels.nbytes:
            raise ValueError(f"out has {target.nbytes} bytes, the chunk decodes to {pixels.nbytes}")
        return ndarray_copy(pixels, out)
