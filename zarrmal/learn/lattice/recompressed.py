"""Pictures saved as JPEG once more, with other tables and samplings.

Weights that have seen one camera alone are poor for the next. So whole pictures are reduced, which
blurs the traces of their own tables, cut, and saved at many qualities; some are cut out along
ellipses, at any phase, as cells are.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from zarrmal_codecs.lattice.cell import JpegCell

from ...lattice.jpeg_file import read_jpeg
from ...lattice.known import Flags, KnownCell, picture_of
from ...lattice.series import STANDARD_CHROMA, STANDARD_LUMA, scaled_table

QUALITIES = (*range(40, 70, 10), *range(68, 92, 3), *range(92, 101))
SUBSAMPLINGS = (0, 0, 1, 2)
"""Pillow's numbers of 4:4:4, 4:2:2 and 4:2:0."""
SHARE_STANDARD = 0.5
"""Of the pictures have the standard tables; the others' steps are changed at random."""
SHARE_GREY = 0.06
SHARE_CUT = 0.4
SCALES = (0.35, 0.8)
SIDES = (90, 260)
SPREADS = (0.0, 0.15, 0.4)
LEAST_STEPS = (1, 1, 2, 4, 7)


def recompressed(cells: Sequence[KnownCell], n: int, seed: int) -> list[KnownCell]:
    """So many new pictures of whole ones; none if none of the cells is whole.

    Parameters
    ----------
    cells
        Those that are whole pictures of three channels are taken, in turn.
    n
        How many to make.
    seed
        The same seed gives the same pictures with the same version of Pillow.
    """
    least = int(SIDES[0] / SCALES[0])
    whole = [
        cell.pixels
        for cell in cells
        if cell.visible is None
        and cell.pixels.shape[2] == 3
        and min(cell.pixels.shape[:2]) >= least
    ]
    rng = np.random.default_rng(seed)
    return [_saved_again(whole[k % len(whole)], rng) for k in range(n)] if whole else []


def _saved_again(pixels: NDArray[np.uint8], rng: np.random.Generator) -> KnownCell:
    picture = Image.fromarray(pixels)
    scale = rng.uniform(*SCALES)
    picture = picture.resize(
        (int(picture.width * scale), int(picture.height * scale)), Image.Resampling.LANCZOS
    )
    width, height = (min(side, int(rng.integers(*SIDES))) for side in picture.size)
    x = int(rng.integers(0, picture.width - width + 1))
    y = int(rng.integers(0, picture.height - height + 1))
    picture = picture.crop((x, y, x + width, y + height))
    quality = int(rng.choice(QUALITIES))
    tables = [scaled_table(base, quality) for base in (STANDARD_LUMA, STANDARD_CHROMA)]
    if rng.random() >= SHARE_STANDARD:
        spread, least = rng.choice(SPREADS), int(rng.choice(LEAST_STEPS))
        factors = np.exp(rng.normal(0, spread, (2, 64)))
        tables = [
            np.clip(np.rint(own * factor), least, 255).astype(np.int64)
            for own, factor in zip(tables, factors, strict=True)
        ]
    sampling = int(rng.choice(SUBSAMPLINGS))
    stream = io.BytesIO()
    if rng.random() < SHARE_GREY:
        picture.convert("L").save(stream, "JPEG", qtables=[tables[0].tolist()])
    else:
        lists = [table.tolist() for table in tables]
        picture.save(stream, "JPEG", qtables=lists, subsampling=sampling)
    file = read_jpeg(stream.getvalue())
    counts = [blocks.shape[:2] for blocks in file.coefficients]
    jpeg = JpegCell(
        camera=file.camera,
        phase=(0, 0),
        coefficients=tuple(file.coefficients),
        coded=tuple(np.ones(count, np.bool_) for count in counts),
        is_file=True,
    )
    whole = KnownCell.of(picture_of(jpeg, file.shape), None, jpeg)
    return _cut_out(whole, rng) if rng.random() < SHARE_CUT else whole


def _cut_out(whole: KnownCell, rng: np.random.Generator) -> KnownCell:
    """A part of a picture, along an ellipse."""
    height, width = whole.pixels.shape[:2]
    camera = whole.jpeg.camera
    top, left = (int(rng.integers(0, side // 4)) for side in (height, width))
    bottom, right = (side - int(rng.integers(0, side // 4)) for side in (height, width))
    visible = _ellipse((bottom - top, right - left), rng)
    group = camera.group
    phase = top % group[0], left % group[1]
    coefficients, coded = [], []
    for blocks, ratio, (rows, columns) in zip(
        whole.jpeg.coefficients,
        camera.ratios,
        camera.n_blocks((bottom - top, right - left), phase),
        strict=True,
    ):
        row = (top - phase[0]) // ratio[0] // 8
        column = (left - phase[1]) // ratio[1] // 8
        own = blocks[row : row + rows, column : column + columns]
        coefficients.append(own)
        coded.append(np.ones(own.shape[:2], np.bool_))
    pixels = whole.pixels[top:bottom, left:right] * visible[..., None]
    jpeg = JpegCell(
        camera=camera, phase=phase, coefficients=tuple(coefficients), coded=tuple(coded)
    )
    return KnownCell.of(np.ascontiguousarray(pixels), visible, jpeg)


def _ellipse(shape: tuple[int, int], rng: np.random.Generator) -> Flags:
    """Most of a box, bool (y, x)."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    centre = rng.uniform(0.4, 0.6, 2) * shape
    radii = rng.uniform(0.35, 0.75, 2) * shape
    inside = ((y - centre[0]) / radii[0]) ** 2 + ((x - centre[1]) / radii[1]) ** 2 < 1
    return np.asarray(inside)
