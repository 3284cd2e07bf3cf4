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

from ..classify.assignment import UNTOLD
from ..errors import ExistsError, InputError
from ..sources.sizes import Pixels, sizes_text
from .format import LABEL
from .opened import OpenArchive, shape_text
from .preprocessing import pixels_notice
from .read.cells import recover_cells
from .read.columns.sizes import read_sizes
from .read.columns.values import read_column
from .storage.local import put_file

SHEET_WIDTH = 1200
TILE_EDGES = (80, 160)
"""Smallest and largest edge of a cell, in pixels of the sheet: cells are enlarged or reduced."""
GAP = 8
SHOWN_PLANES = 3
CAPTION, TITLE = 12, 20
"""Font sizes in pixels."""
BACKGROUND, INK, PALE, WARNING = "white", "#202020", "#707070", "#b00020"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GreyLevels:
    """Values that are drawn black and white, of each of at most three planes.

    Parameters
    ----------
    black, white
        float64 (plane,): the smallest and the largest on the sheet.
    """

    black: NDArray[np.float64]
    white: NDArray[np.float64]

    @property
    def text(self) -> str:
        """``0 to 4,095 drawn as black to white``, for each plane where they differ."""
        pairs = zip(self.black.tolist(), self.white.tolist(), strict=True)
        ranges = [f"{low:,.5g} to {high:,.5g}" for low, high in pairs]
        return f"{', '.join(dict.fromkeys(ranges))} drawn as black to white"

    def as_uint8(self, cell: Pixels) -> NDArray[np.uint8]:
        """A cell, (y, x) or (y, x, channel), with its first planes only."""
        planes = cell[..., :SHOWN_PLANES] if cell.ndim == 3 else cell[..., np.newaxis]
        values = np.abs(planes) if planes.dtype.kind == "c" else planes.astype(np.float64)
        span = np.maximum(self.white - self.black, np.finfo(np.float64).tiny)
        share = np.clip(np.nan_to_num((values - self.black) / span), 0, 1)
        shown: NDArray[np.uint8] = np.rint(255 * share).astype(np.uint8)
        return shown if cell.ndim == 3 else shown[..., 0]


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
        png = BytesIO()
        self.image.save(png, "PNG", optimize=True)
        return png.getvalue()


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
    pixels = archive.channel_last(pixels)
    grey_levels = _grey_levels(pixels[good])
    cells = [
        cell if sizes is None else sizes.crop(cell, position)
        for cell, position in zip(pixels, positions.tolist(), strict=True)
    ]
    tiles = [_tile(cell, grey_levels) if ok else None for cell, ok in zip(cells, good, strict=True)]
    height, width = _tile_shape(archive.cell_shape)
    row_height = height + GAP + (CAPTION + GAP if labels is not None else 0)
    n_columns = max((SHEET_WIDTH - GAP) // (width + GAP), 1)
    footer = _footer(archive, grey_levels)
    sections = [(name, k) for k, name in enumerate(facts.classes) if len(members[k])]
    n_rows = [-(-len(shown[k]) // n_columns) for _, k in sections]
    total = sum(TITLE + 2 * GAP + n * row_height for n in n_rows) + GAP
    total += len(footer) * (CAPTION + GAP) + GAP
    image = Image.new("RGB", (GAP + n_columns * (width + GAP), total), BACKGROUND)
    draw = ImageDraw.Draw(image)
    done, top = 0, GAP
    for name, k in sections:
        title = f"{name if facts.are_classes_told else UNTOLD}: {len(members[k]):,} cells"
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
                # Without a model the only class says nothing of the label.
                text, color = _caption(labels[position], name if facts.sha256 else None)
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


def _caption(label: str, class_name: str | None) -> tuple[str, str]:
    """The text beneath a cell and its colour: a label that is not the class stands out."""
    is_expected = class_name is None or label.casefold() == class_name.casefold()
    return label, INK if is_expected else WARNING


def _tile_shape(cell_shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of a cell on the sheet."""
    edge = max(cell_shape[:2])
    smallest, largest = TILE_EDGES
    scale = -(-smallest // edge) if edge < smallest else min(largest / edge, 1)
    return max(round(cell_shape[0] * scale), 1), max(round(cell_shape[1] * scale), 1)


def _grey_levels(cells: Pixels) -> GreyLevels | None:
    """What is black and white of each plane, where pixels are not uint8; None where they are."""
    if cells.dtype == np.uint8:
        return None
    planes = cells.reshape(-1, *(cells.shape[3:] or (1,)))[:, :SHOWN_PLANES]
    values = np.abs(planes) if planes.dtype.kind == "c" else planes.astype(np.float64)
    finite = np.where(np.isfinite(values), values, 0)
    if not len(finite):
        return GreyLevels(black=np.zeros(1), white=np.ones(1))
    return GreyLevels(black=finite.min(axis=0), white=finite.max(axis=0))


def _tile(pixels: Pixels, grey_levels: GreyLevels | None = None) -> Image.Image:
    """A cell as a picture: grey, or its first three planes as red, green and blue."""
    if grey_levels is not None:
        pixels = grey_levels.as_uint8(pixels)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim == 3:
        planes = pixels[..., :SHOWN_PLANES]
        missing = np.zeros((*planes.shape[:2], SHOWN_PLANES - planes.shape[2]), np.uint8)
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


def _footer(archive: OpenArchive, grey_levels: GreyLevels | None = None) -> list[str]:
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
    if grey_levels is not None:
        lines.append(f"{archive.dtype.name}: {grey_levels.text}")
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
