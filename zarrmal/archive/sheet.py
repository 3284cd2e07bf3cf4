"""A contact sheet: some cells of each class in one picture, their labels beneath."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..errors import ExistsError, InputError
from ..sources.sizes import sizes_text
from .format import LABEL
from .opened import OpenArchive, shape_text
from .preprocessing import pixels_notice
from .read.cells import recover_cells
from .read.columns import read_column
from .read.sizes import read_sizes
from .storage.local import put_file

SHEET_WIDTH = 1200
TILE_EDGES = (80, 160)
"""Smallest and largest edge of a cell, in pixels of the sheet: cells are enlarged or reduced."""
GAP = 8
CAPTION, TITLE = 12, 20
"""Font sizes in pixels."""
BACKGROUND, INK, PALE, WARNING = "white", "#202020", "#707070", "#b00020"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContactSheet:
    """A picture of some cells.

    Parameters
    ----------
    image
        RGB.
    n_shown, n_lost
        Cells on it, and those of them that are damaged.
    """

    image: Image.Image
    n_shown: int
    n_lost: int

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Write a PNG file; ExistsError if there is a file, unless ``overwrite``."""
        try:
            put_file(path, self._repr_png_(), new=not overwrite)
        except FileExistsError:
            raise ExistsError(f"{path} exists already: choose another name, or --overwrite "
                              f"it") from None  # fmt: skip

    def _repr_png_(self) -> bytes:
        """For notebooks."""
        data = BytesIO()
        self.image.save(data, "PNG", optimize=True)
        return data.getvalue()


def contact_sheet(archive: OpenArchive, per_class: int) -> ContactSheet:
    """See Archive.sheet; ``archive`` is a stable state."""
    if per_class < 1:
        raise InputError(f"a sheet shows at least 1 cell of each class, not {per_class}")
    facts = archive.facts
    members = [facts.cells_of(k) for k in range(len(facts.classes))]
    shown = [_spread(cells, per_class) for cells in members]
    positions = np.concatenate([np.empty(0, np.int64), *shown])
    pixels, good = recover_cells(archive, positions)
    labels = _labels(archive)
    sizes = read_sizes(archive)
    cells = [
        cell if sizes is None else sizes.crop(cell, position)
        for cell, position in zip(pixels, positions.tolist(), strict=True)
    ]
    tiles = [_tile(cell) if ok else None for cell, ok in zip(cells, good, strict=True)]
    height, width = _tile_shape(archive.cell_shape)
    row_height = height + GAP + (CAPTION + GAP if labels is not None else 0)
    n_columns = max((SHEET_WIDTH - GAP) // (width + GAP), 1)
    footer = _footer(archive)
    sections = [(name, k) for k, name in enumerate(facts.classes) if len(members[k])]
    n_rows = [-(-len(shown[k]) // n_columns) for _, k in sections]
    total = sum(TITLE + 2 * GAP + n * row_height for n in n_rows) + GAP
    total += len(footer) * (CAPTION + GAP) + GAP
    image = Image.new("RGB", (GAP + n_columns * (width + GAP), total), BACKGROUND)
    draw = ImageDraw.Draw(image)
    done, top = 0, GAP
    for name, k in sections:
        title = f"{name}: {len(members[k]):,} cells"
        draw.text((GAP, top), title, INK, _font(TITLE))
        top += TITLE + 2 * GAP
        for i, position in enumerate(shown[k].tolist()):
            left = GAP + i % n_columns * (width + GAP)
            upper = top + i // n_columns * row_height
            tile = tiles[done + i]
            if tile is None:
                _draw_lost(draw, (left, upper, left + width - 1, upper + height - 1))
            else:
                image.paste(_scaled(tile, width, height), (left, upper))
            if labels is not None:
                text, color = _caption(labels[position], name)
                draw.text((left, upper + height + 2), _cut(text, width), color, _font(CAPTION))
        top += -(-len(shown[k]) // n_columns) * row_height
        done += len(shown[k])
    for line in footer:
        draw.text((GAP, top), line, PALE, _font(CAPTION))
        top += CAPTION + GAP
    return ContactSheet(image=image, n_shown=len(positions), n_lost=int((~good).sum()))


def _spread(cells: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """At most ``n`` of the cells, evenly spread: the same each time."""
    return cells[np.unique(np.linspace(0, len(cells) - 1, min(n, len(cells))).astype(np.int64))]


def _labels(archive: OpenArchive) -> list[str] | None:
    """The label of each cell, "?" where it is lost; None if the archive has no labels."""
    column = read_column(archive, LABEL, archive.n_cells)
    if column is None:
        return None
    names = archive.facts.label_names
    pairs = zip(column.values.tolist(), column.known.tolist(), strict=True)
    return [names[v] if known and 0 <= v < len(names) else "?" for v, known in pairs]


def _caption(label: str, class_name: str) -> tuple[str, str]:
    """The text beneath a cell and its colour: a label that is not the class stands out."""
    return label, INK if label.casefold() == class_name.casefold() else WARNING


def _tile_shape(cell_shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of a cell on the sheet."""
    edge = max(cell_shape[:2])
    smallest, largest = TILE_EDGES
    scale = -(-smallest // edge) if edge < smallest else min(largest / edge, 1)
    return max(round(cell_shape[0] * scale), 1), max(round(cell_shape[1] * scale), 1)


def _tile(pixels: NDArray[np.uint8]) -> Image.Image:
    """A cell as a picture: grey, or its first three planes as red, green and blue."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim == 3:
        planes = pixels[..., :3]
        missing = np.zeros((*planes.shape[:2], 3 - planes.shape[2]), np.uint8)
        pixels = np.concatenate([planes, missing], axis=2)
    return Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")


def _filter(width: int, native_width: int) -> Image.Resampling:
    """Enlarged pixels stay squares."""
    return Image.Resampling.NEAREST if width >= native_width else Image.Resampling.BOX


def _scaled(tile: Image.Image, width: int, height: int) -> Image.Image:
    """The picture as large as fits, with its aspect ratio."""
    if tile.width * height == tile.height * width:
        return tile.resize((width, height), _filter(width, tile.width))
    scale = min(width / tile.width, height / tile.height)
    fitted = (max(round(tile.width * scale), 1), max(round(tile.height * scale), 1))
    return tile.resize(fitted, _filter(fitted[0], tile.width))


def _draw_lost(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int]) -> None:
    left, upper, right, lower = box
    draw.rectangle(box, outline=WARNING)
    draw.line((left, upper, right, lower), WARNING)
    draw.line((left, lower, right, upper), WARNING)


def _footer(archive: OpenArchive) -> list[str]:
    """What a viewer has to know of the pixels."""
    shape = archive.cell_shape
    height, _ = _tile_shape(shape)
    sizes = read_sizes(archive)
    if sizes is None or not archive.n_cells:
        lines = [f"cells of {shape_text(shape)}, shown at {100 * height / shape[0]:.0f} %"]
    else:
        lines = [f"cells of {sizes_text(shape, sizes.values)}, each scaled to its tile"]
    if len(shape) == 3 and shape[2] not in (1, 3):
        lines[0] += "; the first planes as red, green and blue"
    notice = pixels_notice(archive.facts.preprocessing)
    return [*lines, notice] if notice else lines


def _cut(text: str, width: int) -> str:
    """The text, shortened to a width in pixels."""
    font = _font(CAPTION)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


@cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)
