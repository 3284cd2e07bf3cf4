"""The JPEG pictures that a slide is stored as: coefficients behind any rectangle of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.cell import JpegCell
from zarrmal_codecs.lattice.jpeg.picture import Camera, Colour, decode
from zarrmal_codecs.lattice.jpeg.transform import SIDE

from ...lattice.jpeg_file import JpegFile, UnsupportedJpegError, read_jpeg

Place = tuple[int, int]
"""Row and column of a tile."""

CACHE_BYTES = 64 << 20
"""Coefficients that are kept."""
EDGE = 2
"""Pixels at the edge of a rectangle whose samples of chroma may have had other neighbours."""
LEAST_SAME = 0.85
"""Share of the other pixels that the coefficients must give: seams between tiles are wrong."""
END = b"\xff\xd9"


@dataclass(slots=True)
class _Tile:
    file: JpegFile
    is_checked: bool = False


class JpegTiles:
    """JPEG pictures of one size side by side, which are taken apart when they are asked for.

    Parameters
    ----------
    side
        Rows and columns of pixels of a tile; those of the last row and column may be cut off.
    load
        The JPEG file of a tile, tables included; None where there is none.
    colour
        What the planes are where the container says otherwise than the JPEG files; None as they
        say.
    """

    def __init__(
        self,
        side: tuple[int, int],
        load: Callable[[Place], bytes | None],
        *,
        colour: Colour | None = None,
    ) -> None:
        self._side, self._load, self._colour = side, load, colour
        self._tiles: OrderedDict[Place, _Tile | None] = OrderedDict()
        self._bytes = 0

    def cell(self, y: int, x: int, pixels: NDArray[np.uint8]) -> JpegCell | None:
        """Coefficients behind a rectangle of the slide.

        Parameters
        ----------
        y, x
            Of its first pixel.
        pixels
            uint8 (row, column[, 3]): the rectangle as it was read.

        Returns
        -------
        JpegCell or None
            None where a tile is no JPEG that comes apart, tiles do not fit together, or another
            decoder than libjpeg's made the pixels.
        """
        height, width = pixels.shape[:2]
        rows = range(y // self._side[0], (y + height - 1) // self._side[0] + 1)
        columns = range(x // self._side[1], (x + width - 1) // self._side[1] + 1)
        tiles = [[self._tile((row, column)) for column in columns] for row in rows]
        known = [tile for line in tiles for tile in line if tile is not None]
        camera = known[0].file.camera if known else None
        if camera is None or len(known) < len(rows) * len(columns):
            return None
        if any(tile.file.camera != camera for tile in known):
            return None
        for n, side, group in zip((len(rows), len(columns)), self._side, camera.group, strict=True):
            if n > 1 and side % group:
                return None
        first = (y - rows[0] * self._side[0], x - columns[0] * self._side[1])
        files = [[tile.file for tile in line if tile is not None] for line in tiles]
        cell = _cut(files, self._side, camera, first, (height, width))
        if not all(tile.is_checked for tile in known):
            if not _gives(cell, pixels):
                return None
            for tile in known:
                tile.is_checked = True
        return cell

    def _tile(self, place: Place) -> _Tile | None:
        if place in self._tiles:
            self._tiles.move_to_end(place)
            return self._tiles[place]
        tile = None
        try:
            data = self._load(place)
            file = None if data is None else read_jpeg(data)
            if file is not None and self._colour is not None:
                file = replace(file, camera=replace(file.camera, colour=self._colour))
            tile = None if file is None else _Tile(file)
        except (UnsupportedJpegError, OSError, ValueError):
            pass  # reading the pixels says what is wrong; another colour may not suit the planes
        self._tiles[place] = tile
        self._bytes += _n_bytes(tile)
        while self._bytes > CACHE_BYTES and len(self._tiles) > 1:
            self._bytes -= _n_bytes(self._tiles.popitem(last=False)[1])
        return tile


def complete(data: bytes, *, tables: bytes | None = None, header: bytes | None = None) -> bytes:
    """A JPEG file from a segment of a TIFF.

    Parameters
    ----------
    data
        The segment.
    tables
        Shared by all segments: a stream of tables, which goes before the segment's own.
    header
        Shared by all segments, which then are bare parts of one scan (NDPI).
    """
    if header:
        is_restart = data[-2:-1] == b"\xff" and 0xD0 <= data[-1] <= 0xD7
        return header + (data[:-2] if is_restart else data) + END
    return tables[:-2] + data[2:] if tables else data


def _cut(
    files: list[list[JpegFile]],
    side: tuple[int, int],
    camera: Camera,
    first: tuple[int, int],
    shape: tuple[int, int],
) -> JpegCell:
    """The blocks of a rectangle that begins at pixel ``first`` of the first tile."""
    phase = (first[0] % camera.group[0], first[1] % camera.group[1])
    planes, coded = [], []
    for plane, n_blocks in enumerate(camera.n_blocks(shape, phase)):
        units = [SIDE * ratio for ratio in camera.ratios[plane]]
        start = [(a - p) // unit for a, p, unit in zip(first, phase, units, strict=True)]
        blocks = np.zeros((*n_blocks, SIDE, SIDE), np.int16)
        steps = [length // unit for length, unit in zip(side, units, strict=True)]
        for i, line in enumerate(files):
            for j, file in enumerate(line):
                own = file.blocks[plane]
                own = own[: steps[0]] if len(files) > 1 else own
                own = own[:, : steps[1]] if len(line) > 1 else own
                top, left = i * steps[0] - start[0], j * steps[1] - start[1]
                part = own[max(-top, 0) : n_blocks[0] - top, max(-left, 0) : n_blocks[1] - left]
                top, left = max(top, 0), max(left, 0)
                blocks[top : top + part.shape[0], left : left + part.shape[1]] = part
        # Blocks of a group may lie above the rectangle, or to its left.
        skipped = [p // unit for p, unit in zip(phase, units, strict=True)]
        is_inside = np.zeros(n_blocks, np.bool_)
        is_inside[skipped[0] :, skipped[1] :] = True
        planes.append(blocks * is_inside[..., np.newaxis, np.newaxis])
        coded.append(is_inside)
    return JpegCell(
        camera=camera, phase=phase, coefficients=tuple(planes), coded=tuple(coded)
    )  # fmt: skip


def _gives(cell: JpegCell, pixels: NDArray[np.uint8]) -> bool:
    """Whether the coefficients give the pixels, but for the edge and for seams."""
    shape = pixels.shape[:2]
    decoded = decode(cell.camera, cell.coefficients, (shape[0], shape[1]), cell.phase, cell.coded)
    if decoded.shape != pixels.shape:
        return False
    inner = (slice(EDGE, -EDGE), slice(EDGE, -EDGE))
    same = decoded[inner] == pixels[inner]
    return bool(same.size) and float(same.mean()) >= LEAST_SAME


def _n_bytes(tile: _Tile | None) -> int:
    return 0 if tile is None else sum(blocks.nbytes for blocks in tile.file.blocks)
