"""JPEG files ↔ their quantised coefficients, and all else that they hold (ITU-T T.81).

Only what the exact decoder of ``zarrmal_codecs.lattice`` reproduces is read: sequential
Huffman-coded files of 8 bits with one scan. The bytes around the coefficients (tables, sizes, EXIF,
colour profile, the file's own Huffman tables) are kept as they are, so that the file that is
written from the same coefficients is the same, byte for byte.

jpeglib, which reads coefficients too, is not used: it writes them with Huffman tables and markers
of its own, so a file would not come back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.jpeg.picture import LARGEST_RATIO, Camera, Colour

from ..errors import InputError
from .jpeg_scan import ZIGZAG, HuffmanTable, ScanError, ScanPlane, read_scan, write_scan

_SOI, _EOI, _SOS, _DQT, _DHT, _DRI = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD
_SEQUENTIAL: Final = (0xC0, 0xC1)  # baseline, and extended with Huffman coding
_OTHER_FRAMES: Final = {
    0xC2: "progressive", 0xC3: "lossless", 0xC5: "hierarchical", 0xC6: "hierarchical",
    0xC7: "hierarchical", 0xC9: "arithmetic", 0xCA: "progressive arithmetic",
    0xCB: "lossless arithmetic", 0xCD: "hierarchical", 0xCE: "hierarchical", 0xCF: "hierarchical",
}  # fmt: skip
_APP0, _APP14 = 0xE0, 0xEE
LARGEST_PIXELS: Final = 1 << 28
"""Pixels of a file, before anything is allocated."""


class UnsupportedJpegError(InputError):
    """A JPEG file that does not come apart here: its pixels are coded like those of others."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JpegFile:
    """A JPEG file, taken apart.

    Parameters
    ----------
    camera
        Tables, sampling and colour.
    shape
        Height and width in pixels.
    blocks
        For each plane int16 (row, column, 8, 8), vertical frequency first; with the blocks that
        only fill the last group of a row or column.
    head, tail
        The file's bytes before the scan's data and after them.
    fills
        For each part of the scan between restart markers the bits that fill its last byte, with
        a 1 before them; empty where all are 1s.
    """

    camera: Camera
    shape: tuple[int, int]
    blocks: tuple[NDArray[np.int16], ...]
    head: bytes
    tail: bytes
    fills: bytes

    @property
    def coefficients(self) -> list[NDArray[np.int16]]:
        """The blocks that have pixels, for ``zarrmal_codecs.lattice.jpeg.picture.decode``."""
        counts = self.camera.n_blocks(self.shape, (0, 0))
        both = zip(self.blocks, counts, strict=True)
        return [blocks[:rows, :columns] for blocks, (rows, columns) in both]

    def with_blocks(self, blocks: tuple[NDArray[np.int16], ...]) -> JpegFile:
        """The same file with other coefficients, as many."""
        return replace(self, blocks=blocks, fills=b"")


@dataclass(slots=True, kw_only=True)
class _Head:
    """What the markers before the scan say."""

    quantisers: dict[int, NDArray[np.uint16]]
    huffman: dict[tuple[int, int], HuffmanTable]
    shape: tuple[int, int] = (0, 0)
    components: tuple[tuple[int, int, int, int], ...] = ()
    """Identifier, horizontal and vertical factor, table of the quantiser."""
    tables: tuple[tuple[int, int], ...] = ()
    """Tables of DC and AC of each component."""
    restart: int = 0
    jfif: bool = False
    transform: int | None = None
    """Adobe's colour transform: 0 none, 1 to luma and chroma."""


def read_jpeg(data: bytes) -> JpegFile:
    """Take a file apart.

    Raises
    ------
    UnsupportedJpegError
        The file is progressive, arithmetic, of 12 bits, CMYK, in several scans, damaged, or
        no JPEG file.
    """
    try:
        head, start = _read_head(data)
        camera, planes, sizes = _camera(head), _scan_planes(head), _padded_sizes(head)
        stop = _end_of_scan(data, start)
        flat, fills = read_scan(data[start:stop], planes, head.restart)
    except ScanError as error:
        raise UnsupportedJpegError(f"not a JPEG file that comes apart: {error}") from None
    if data[stop : stop + 2] != bytes([0xFF, _EOI]):
        raise UnsupportedJpegError("the JPEG file has several scans, or does not end")
    blocks = [own.reshape(*size, 8, 8) for own, size in zip(flat, sizes, strict=True)]
    return JpegFile(
        camera=camera, shape=head.shape, blocks=tuple(blocks), head=data[:start],
        tail=data[stop:], fills=fills,
    )  # fmt: skip


def write_jpeg(file: JpegFile) -> bytes:
    """Inverse of ``read_jpeg``.

    Raises
    ------
    UnsupportedJpegError
        The head is none of ``read_jpeg``, or the coefficients cannot be written with its tables.
    """
    try:
        head, start = _read_head(file.head)
        shapes = [(*size, 8, 8) for size in _padded_sizes(head)]
        given = [blocks.shape for blocks in file.blocks]
        if start != len(file.head) or given != shapes:
            raise ScanError(f"blocks {given} are not the head's {shapes}")
        planes = _scan_planes(head)
        flat = [blocks.reshape(-1, 64) for blocks in file.blocks]
        scan = write_scan(flat, planes, head.restart, file.fills)
    except ScanError as error:
        raise UnsupportedJpegError(f"the JPEG file cannot be written: {error}") from None
    return file.head + scan + file.tail


def _read_head(data: bytes) -> tuple[_Head, int]:
    """The head, and where the scan's data begin."""
    if data[:2] != bytes([0xFF, _SOI]):
        raise UnsupportedJpegError("not a JPEG file")
    head = _Head(quantisers={}, huffman={})
    at = 2
    while True:
        while data[at : at + 2] == b"\xff\xff":  # T.81 B.1.1.2: any number of them before a marker
            at += 1
        segment = data[at : at + 4]
        size = int.from_bytes(segment[2:])
        if len(segment) < 4 or segment[0] != 0xFF or size < 2 or at + 2 + size > len(data):
            raise UnsupportedJpegError("the JPEG file is damaged: no marker where one must be")
        body, marker = data[at + 4 : at + 2 + size], segment[1]
        at += 2 + size
        if marker in _OTHER_FRAMES:
            raise UnsupportedJpegError(
                f"the JPEG file is {_OTHER_FRAMES[marker]}; only sequential ones come apart"
            )
        try:
            if marker == _SOS:
                _read_scan_head(body, head)
                return head, at
            _read_segment(marker, body, head)
        except IndexError:
            raise UnsupportedJpegError(
                f"the JPEG file is damaged: its segment {marker:#04x} is too short"
            ) from None


def _read_segment(marker: int, body: bytes, head: _Head) -> None:
    if marker == _DQT:
        while body:
            wide, n = body[0] >> 4, 64 * (1 + (body[0] >> 4))
            if wide > 1 or len(body) <= n:
                raise ScanError("a table of its quantiser is damaged")
            steps = np.frombuffer(body[1 : 1 + n], ">u2" if wide else np.uint8)
            table = np.empty(64, np.uint16)
            table[ZIGZAG] = steps
            head.quantisers[body[0] & 15] = table.reshape(8, 8)
            body = body[1 + n :]
    elif marker == _DHT:
        while body:
            counts = tuple(body[1:17])
            n = sum(counts)
            if len(body) < 17 + n or n > 256:
                raise ScanError("a Huffman table is damaged")
            head.huffman[body[0] >> 4, body[0] & 15] = HuffmanTable(counts, body[17 : 17 + n])
            body = body[17 + n :]
    elif marker in _SEQUENTIAL:
        if body[0] != 8 or body[5] not in (1, 3):
            raise UnsupportedJpegError(
                f"the JPEG file has {body[5]} planes of {body[0]} bits; 1 or 3 of 8 come apart"
            )
        head.shape = int.from_bytes(body[1:3]), int.from_bytes(body[3:5])
        parts = [body[6 + 3 * i : 9 + 3 * i] for i in range(body[5])]
        head.components = tuple((p[0], p[1] >> 4, p[1] & 15, p[2]) for p in parts)
    elif marker == _DRI:
        head.restart = body[0] << 8 | body[1]
    elif marker == _APP0 and body[:5] == b"JFIF\0":
        head.jfif = True
    elif marker == _APP14 and body[:5] == b"Adobe":
        head.transform = body[11]


def _read_scan_head(body: bytes, head: _Head) -> None:
    n = body[0]
    parts = [body[1 + 2 * i : 3 + 2 * i] for i in range(n)]
    if [p[0] for p in parts] != [c[0] for c in head.components]:
        raise UnsupportedJpegError("the JPEG file has several scans; files of one come apart")
    head.tables = tuple((p[1] >> 4, p[1] & 15) for p in parts)
    height, width = head.shape
    if not 0 < height * width <= LARGEST_PIXELS:
        raise UnsupportedJpegError(
            f"the JPEG file is {height} x {width} pixels; 1..{LARGEST_PIXELS} come apart"
        )


def _camera(head: _Head) -> Camera:
    across = max(c[1] for c in head.components)
    down = max(c[2] for c in head.components)
    ratios = []
    for _, h, v, _ in head.components:
        if not (0 < h <= LARGEST_RATIO and 0 < v <= LARGEST_RATIO) or across % h or down % v:
            raise UnsupportedJpegError("the JPEG file's planes have uneven sampling factors")
        ratios.append((down // v, across // h))
    missing = {c[3] for c in head.components} - set(head.quantisers)
    if missing:
        raise ScanError("a table of its quantiser is missing")
    tables = np.stack([head.quantisers[c[3]] for c in head.components])
    if not tables.all():
        raise ScanError("a step of its quantiser is 0")
    return Camera(tables=tables, ratios=tuple(ratios), colour=_colour(head))


def _colour(head: _Head) -> Colour:
    """What libjpeg takes the planes for (jdapimin.c, default_decompress_parms)."""
    if len(head.components) == 1:
        return "grey"
    names = bytes(c[0] for c in head.components)
    if head.jfif:
        return "ycbcr"
    if head.transform is not None:
        return "rgb" if head.transform == 0 else "ycbcr"
    return "rgb" if names == b"RGB" else "ycbcr"


def _group_sizes(head: _Head) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Rows and columns of blocks of each plane in a group, and of groups in the picture."""
    factors = [(v, h) for _, h, v, _ in head.components]
    if not all(1 <= side <= 4 for pair in factors for side in pair):
        raise ScanError(f"samplings are {factors}, not 1..4")
    if len(factors) == 1:
        factors = [(1, 1)]  # T.81 A.2.2: a scan of one plane goes block by block
    down, across = max(f[0] for f in factors), max(f[1] for f in factors)
    height, width = head.shape
    return factors, (-(-height // (8 * down)), -(-width // (8 * across)))


def _padded_sizes(head: _Head) -> list[tuple[int, int]]:
    factors, (rows, columns) = _group_sizes(head)
    return [(rows * v, columns * h) for v, h in factors]


def _scan_planes(head: _Head) -> list[ScanPlane]:
    factors, (rows, columns) = _group_sizes(head)
    planes = []
    for (v, h), (dc, ac) in zip(factors, head.tables, strict=True):
        if (0, dc) not in head.huffman or (1, ac) not in head.huffman:
            raise ScanError("a Huffman table is missing")
        index = np.arange(rows * v * columns * h).reshape(rows, v, columns, h)
        order = index.transpose(0, 2, 1, 3).reshape(-1)
        planes.append(ScanPlane(order, v * h, head.huffman[0, dc], head.huffman[1, ac]))
    return planes


def _end_of_scan(data: bytes, start: int) -> int:
    """Where the first marker lies that is neither a stuffed byte nor a restart."""
    at = start
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise ScanError("the scan does not end")
        if data[at + 1] and not 0xD0 <= data[at + 1] <= 0xD7:
            return at
        at += 2
