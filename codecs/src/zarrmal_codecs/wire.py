"""Bounds-checked reading and writing of little-endian integers and blocks (FORMAT 1.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .errors import CorruptionError, TruncatedError

MAX_VARINT_BYTES = 5


@dataclass(slots=True)
class Reader:
    """A cursor over bytes that never reads past the end.

    Parameters
    ----------
    data
        The bytes to read.
    what
        Name of these bytes in error messages, as in "the model".
    """

    data: memoryview
    what: str
    position: int = 0

    def block(self, n_bytes: int) -> memoryview:
        """The next ``n_bytes`` bytes; TruncatedError if there are fewer."""
        end = self.position + n_bytes
        if end > len(self.data):
            raise TruncatedError(
                f"{self.what} ends at byte {len(self.data)}, but {n_bytes} bytes are needed at "
                f"byte {self.position}: fetch it again"
            )
        block = self.data[self.position : end]
        self.position = end
        return block

    def uint(self, n_bytes: int) -> int:
        """An unsigned little-endian integer of ``n_bytes`` bytes."""
        return int.from_bytes(self.block(n_bytes), "little")

    def varint(self) -> int:
        """An unsigned LEB128 integer below 2**32 (FORMAT 1.1)."""
        value = 0
        for k in range(MAX_VARINT_BYTES):
            byte = self.uint(1)
            value |= (byte & 0x7F) << (7 * k)
            if byte < 0x80:
                if value >> 32:
                    break
                return value
        raise CorruptionError(
            f"{self.what} holds a varint of more than 32 bits before byte {self.position}"
        )

    def finish(self) -> None:
        """Raise CorruptionError unless every byte has been read."""
        if self.position != len(self.data):
            raise CorruptionError(
                f"{self.what} is followed by {len(self.data) - self.position} bytes too many"
            )


@dataclass(slots=True)
class Writer:
    """The inverse of Reader."""

    parts: list[bytes] = field(default_factory=list)

    def block(self, data: bytes) -> None:
        """Append bytes."""
        self.parts.append(data)

    def uint(self, value: int, n_bytes: int) -> None:
        """Append an unsigned little-endian integer."""
        self.parts.append(value.to_bytes(n_bytes, "little"))

    def varint(self, value: int) -> None:
        """Append an unsigned LEB128 integer."""
        if not 0 <= value < 1 << 32:
            raise ValueError(f"a varint must be 0 <= value < 2**32, not {value}")
        while value >= 0x80:
            self.uint(value & 0x7F | 0x80, 1)
            value >>= 7
        self.uint(value, 1)

    def getvalue(self) -> bytes:
        """All bytes appended so far."""
        return b"".join(self.parts)


def packed_bytes(n_values: int, n_bits: int) -> int:
    """Bytes taken by ``n_values`` values of ``n_bits`` bits (FORMAT 1.2)."""
    return (n_values * n_bits + 7) // 8


def pack_bits(values: NDArray[np.int64], n_bits: int) -> bytes:
    """Values of ``n_bits`` bits each, most significant bit first, zero-padded (FORMAT 1.2)."""
    shifts = np.arange(n_bits - 1, -1, -1)
    bits = (values[:, None] >> shifts) & 1
    return np.packbits(bits.astype(np.uint8).ravel()).tobytes()


def unpack_bits(data: memoryview, n_values: int, n_bits: int) -> NDArray[np.int64]:
    """Inverse of pack_bits; CorruptionError if the last byte is not filled with zeros."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    if bits[n_values * n_bits :].any():
        raise CorruptionError("the last byte of packed values is not padded with zero bits")
    planes = bits[: n_values * n_bits].reshape(n_values, n_bits)
    values = np.zeros(n_values, np.int64)
    for k in range(n_bits):
        values <<= 1
        values |= planes[:, k]
    return values
