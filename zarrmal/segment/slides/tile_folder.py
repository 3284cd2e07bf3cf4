"""A folder of tiles named column_row as one seamless slide."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ...errors import InputError
from ...sources.images.image_file import is_image_name, is_jpeg_name, read_image
from ...sources.images.unreadable import UnreadableError
from ...sources.sizes import Pixels
from .jpeg_tiles import JpegTiles, Place
from .slide import Slide, as_image, checked_shape

TILE_NAME = re.compile(r"(\d+)[_-](\d+)")


def tile_names(folder: Path) -> dict[tuple[int, int], str]:
    """(row, column) -> name of the file; empty if the folder holds other images as well."""
    tiles: dict[tuple[int, int], str] = {}
    for name in sorted(os.listdir(folder)):
        if not is_image_name(name):
            continue
        match = TILE_NAME.fullmatch(os.path.splitext(name)[0])
        if match is None:
            return {}
        place = (int(match[2]), int(match[1]))
        if place in tiles:
            raise InputError(f"{folder}: {tiles[place]} and {name} are the same tile: remove one")
        tiles[place] = name
    return tiles


class TileFolder(Slide):
    """Tiles of one size, column_row.png; those of the last column and row may be smaller.

    Columns and rows may begin anywhere.

    Parameters
    ----------
    folder
        Holds the tiles, and no other images.

    Raises
    ------
    InputError
        If the folder holds other images, a tile is missing, or one cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, tiles = folder, tile_names(folder)
        if not tiles:
            raise InputError(
                f"{folder}: is no slide: a folder of tiles holds images named column_row, such as "
                f"2_4.png, and no others; fields are segmented one by one, or all by `zarrmal "
                f"archive FOLDER URL --tile 2048`"
            )
        self._rows, self._columns = (sorted({place[k] for place in tiles}) for k in range(2))
        self._tiles = tiles
        for line, what in ((self._rows, "row"), (self._columns, "column")):
            if line[-1] - line[0] + 1 != len(line):
                gap = next(k for k in range(line[0], line[-1]) if k not in line)
                raise InputError(f"{folder}: {what} {gap} of the tiles is missing")
        for row in self._rows:
            for column in self._columns:
                if (row, column) not in tiles:
                    raise InputError(f"{folder}: the tile {column}_{row} is missing")
        first = self._image(self._rows[0], self._columns[0])
        last = self._image(self._rows[-1], self._columns[-1])
        height = first.shape[0] * (len(self._rows) - 1) + last.shape[0]
        width = first.shape[1] * (len(self._columns) - 1) + last.shape[1]
        super().__init__(
            (height, width, *first.shape[2:]),
            location=f"slide {folder}/",
            name=folder.resolve().name,
            block=(first.shape[0], first.shape[1]),
            dtype=first.dtype,
        )
        if any(map(is_jpeg_name, tiles.values())):
            self.jpeg_tiles = JpegTiles(self.block, self._file)

    def decode(self, y: int, x: int, height: int, width: int) -> Pixels:
        """See Slide.decode; blocks are tiles."""
        row, column = self._rows[y // self.block[0]], self._columns[x // self.block[1]]
        tile = self._image(row, column)
        expected = (height, width, *self.shape[2:])
        if tile.shape != expected or tile.dtype != self.dtype:
            raise InputError(
                f"{self._folder / self._tiles[row, column]}: holds {tile.dtype} of shape "
                f"{tile.shape}, by the other tiles it is {self.dtype} of {expected}"
            )
        return tile

    def _file(self, place: Place) -> bytes | None:
        name = self._tiles[self._rows[place[0]], self._columns[place[1]]]
        return (self._folder / name).read_bytes() if is_jpeg_name(name) else None

    def _image(self, row: int, column: int) -> Pixels:
        path = self._folder / self._tiles[row, column]
        try:
            pixels = read_image(str(path)).pixels
        except UnreadableError as error:
            raise InputError(f"{path}: the tile cannot be read: {error}") from error
        return as_image(pixels, checked_shape(pixels.shape, pixels.dtype, str(path)))
