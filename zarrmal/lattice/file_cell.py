"""A JPEG file of one cell: its coefficients, and the bytes around them that make a file again."""

from __future__ import annotations

import binascii
import zlib
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.cell import JpegCell
from zarrmal_codecs.lattice.jpeg.picture import decode

from .jpeg_file import JpegFile, UnsupportedJpegError, read_jpeg, write_jpeg

JPEG_START: Final = b"\xff\xd8\xff"
_SEPARATOR: Final = "."


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegFrame:
    """What a JPEG file holds beside its coefficients.

    Parameters
    ----------
    head, tail, fills
        See JpegFile: tables, sizes, EXIF and colour profile are in the head.
    crc32
        Of the file, where it comes back byte for byte; None where only its coefficients do.
    """

    head: bytes
    tail: bytes
    fills: bytes
    crc32: int | None

    def to_text(self) -> str:
        """Head, tail and fills in base64, then the CRC-32 in hexadecimal, with dots between."""
        parts = [b64encode(part).decode() for part in (self.head, self.tail, self.fills)]
        return _SEPARATOR.join([*parts, "" if self.crc32 is None else f"{self.crc32:08x}"])

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Inverse of to_text; UnsupportedJpegError if it is none."""
        try:
            *parts, crc32 = text.split(_SEPARATOR)
            head, tail, fills = (b64decode(part, validate=True) for part in parts)
            return cls(head=head, tail=tail, fills=fills, crc32=int(crc32, 16) if crc32 else None)
        except (ValueError, TypeError, AttributeError, binascii.Error) as error:
            raise UnsupportedJpegError(
                f"the text {str(text)[:40]!r} does not say what surrounds a JPEG file's "
                f"coefficients: {error}"
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FileCell(JpegCell):
    """A cell that is a whole JPEG file.

    Parameters
    ----------
    frame
        What the file holds beside the coefficients; None where that is not known.
    """

    frame: JpegFrame | None = None


def file_cell(data: bytes, pixels: NDArray[np.uint8]) -> FileCell | None:
    """The coefficients of a file; None where they do not give its pixels exactly.

    Parameters
    ----------
    data
        All bytes of the file, whatever its format.
    pixels
        uint8 (y, x) or (y, x, 3) that another decoder made of it.
    """
    if not data.startswith(JPEG_START):
        return None
    try:
        file = read_jpeg(data)
        if not np.array_equal(decode(file.camera, file.coefficients, file.shape), pixels):
            return None
        is_same = write_jpeg(file) == data
    except UnsupportedJpegError:
        return None
    return FileCell(
        camera=file.camera,
        phase=(0, 0),
        coefficients=file.blocks,
        coded=tuple(np.ones(plane.shape[:2], np.bool_) for plane in file.blocks),
        is_file=True,
        frame=JpegFrame(
            head=file.head,
            tail=file.tail,
            fills=file.fills,
            crc32=zlib.crc32(data) if is_same else None,
        ),
    )


def file_bytes(cell: JpegCell, frame: JpegFrame) -> bytes:
    """The JPEG file of a cell's coefficients.

    Raises
    ------
    UnsupportedJpegError
        If the frame is not one of these coefficients, or the file not the one that it was.
    """
    data = write_jpeg(
        JpegFile(
            camera=cell.camera,
            shape=(0, 0),  # the head has it
            blocks=cell.coefficients,
            head=frame.head,
            tail=frame.tail,
            fills=frame.fills,
        )
    )
    if frame.crc32 is not None and zlib.crc32(data) != frame.crc32:
        raise UnsupportedJpegError("the JPEG file's CRC-32 does not match")
    return data


def with_frame(cell: JpegCell, frame: JpegFrame | None) -> FileCell:
    """The same cell with its frame."""
    return FileCell(
        camera=cell.camera,
        phase=cell.phase,
        coefficients=cell.coefficients,
        coded=cell.coded,
        is_file=cell.is_file,
        frame=frame,
    )
