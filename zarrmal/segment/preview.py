"""A picture of a slide with its objects: cells by class, rejected ones by reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .judge import Verdict
from .objects import Objects
from .reduce import reduced
from .slides import Slide

MAX_SIDE = 4096
"""Of the picture; larger slides are reduced."""
Colour = tuple[int, int, int]

CLASS_COLOURS: tuple[Colour, ...] = (
    (0, 158, 115),
    (213, 94, 0),
    (0, 114, 178),
    (204, 121, 167),
    (86, 180, 233),
    (0, 0, 0),
)
"""Okabe and Ito's, which colour-blind people tell apart; they repeat."""
REASON_COLOURS: Mapping[int, Colour] = {
    Verdict.BORDER: (120, 120, 120),
    Verdict.DEBRIS: (230, 159, 0),
    Verdict.PLATELET: (255, 0, 255),
    Verdict.WHITE_CELL: (0, 0, 255),
    Verdict.CLUMP: (255, 0, 0),
    Verdict.OVERLAPPED: (160, 0, 0),
    Verdict.FAINT: (240, 228, 66),
    Verdict.MARK: (0, 255, 255),
}
FONT_SIZE, MARGIN = 18, 8


def save_preview(
    path: Path,
    slide: Slide,
    objects: Objects,
    *,
    classes: NDArray[np.integer] | None = None,
    class_names: Sequence[str] = (),
) -> None:
    """Draw the objects over the slide: outlines of cells, boxes around what was rejected.

    Parameters
    ----------
    path
        Of a PNG or JPEG file, by its suffix.
    slide, objects
        What is drawn.
    classes
        Index of the class of each cell, in the order of ``objects.cells()``; None draws all alike.
    class_names
        For the legend.

    Raises
    ------
    OSError, ValueError
        If the file cannot be written.
    """
    factor = -(-max(slide.size) // MAX_SIDE)
    canvas = overview(slide, factor)
    cells = objects.cells()
    for k, box in enumerate(cells.boxes.tolist()):
        index = 0 if classes is None else int(classes[k])
        _draw_outline(canvas, cells.mask(k), box, factor, CLASS_COLOURS[index % len(CLASS_COLOURS)])
    picture = Image.fromarray(canvas)
    draw = ImageDraw.Draw(picture)
    for box, verdict in zip(objects.boxes.tolist(), objects.verdicts.tolist(), strict=True):
        if verdict == Verdict.CELL:
            continue
        y, x, height, width = (value // factor for value in box)
        draw.rectangle((x, y, x + width, y + height), outline=REASON_COLOURS[verdict])
    _draw_legend(draw, objects, classes, class_names)
    picture.save(path)


def overview(slide: Slide, factor: int) -> NDArray[np.uint8]:
    """The slide reduced by a factor, RGB, read strip by strip."""
    height, width = slide.size
    rows = max(slide.block[0] // factor, 1) * factor
    strips = [reduced(slide.read_8_bits(y, 0, rows, width), factor) for y in range(0, height, rows)]
    image = np.concatenate(strips)
    return np.array(image if image.ndim == 3 else np.stack([image] * 3, axis=2))


def _draw_outline(
    canvas: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    box: Sequence[int],
    factor: int,
    colour: Colour,
) -> None:
    y, x = box[0] // factor, box[1] // factor
    small = mask[::factor, ::factor]
    part = canvas[y : y + small.shape[0], x : x + small.shape[1]]
    inside = np.pad(small, 1)
    surrounded = inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    edge = (small & ~surrounded)[: part.shape[0], : part.shape[1]]
    part[edge] = colour


def _draw_legend(
    draw: ImageDraw.ImageDraw,
    objects: Objects,
    classes: NDArray[np.integer] | None,
    class_names: Sequence[str],
) -> None:
    counts = np.bincount(objects.verdicts, minlength=len(Verdict)).tolist()
    lines: list[tuple[str, Colour]] = []
    if classes is None or not class_names:
        lines.append((f"cell {counts[0]:,}", CLASS_COLOURS[0]))
    else:
        own = np.bincount(classes, minlength=len(class_names)).tolist()
        for k, name in enumerate(class_names):
            lines.append((f"{name} {own[k]:,}", CLASS_COLOURS[k % len(CLASS_COLOURS)]))
    lines += [
        (f"rejected: {v.text} {counts[v]:,}", REASON_COLOURS[v])
        for v in Verdict
        if v != Verdict.CELL and counts[v]
    ]
    font = cast(ImageFont.FreeTypeFont, ImageFont.load_default(FONT_SIZE))
    width = max(font.getlength(text) for text, _ in lines)
    height = len(lines) * (FONT_SIZE + 4)
    draw.rectangle((0, 0, width + 3 * MARGIN + FONT_SIZE, height + 2 * MARGIN), fill="white")
    for k, (text, colour) in enumerate(lines):
        y = MARGIN + k * (FONT_SIZE + 4)
        draw.rectangle((MARGIN, y + 2, MARGIN + FONT_SIZE - 4, y + FONT_SIZE - 2), fill=colour)
        draw.text((2 * MARGIN + FONT_SIZE, y), text, fill="black", font=font)
