"""A cheap and broad sample of pictures through Pillow: each case is drawn at random."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.jpeg.picture import decode

from ...lattice.find import find_cell
from ...lattice.jpeg_file import JpegFile, read_jpeg
from ...lattice.series import STANDARD_CHROMA, STANDARD_LUMA, scaled_table
from .drawn import (
    MORE_PHOTOGRAPHS,
    as_jpeg,
    draw_smear,
    odd_table,
    photographs,
    pixels_of,
    random_crop,
    smooth_table,
    tinted,
    turned,
    with_clamped_pixels,
)
from .grid import SIDE, cut_out
from .truth import Score

SAMPLINGS = ("grey", "4:4:4", "4:2:2", "4:2:0", "4:4:0")
TABLES = ("standard", "odd", "smooth", "twice")
PICTURES = ("smear", "photograph", "clamped")
QUALITIES = (60, 98)
GREY = 4.0
"""Mean difference between the channels of a picture up to which it is grey: its chroma would tell
no sampling."""


def measure_sample(
    seed: int, n_cases: int, pictures: Sequence[str] = PICTURES
) -> Iterator[dict[str, Any]]:
    """A row for each case, a cell each.

    Parameters
    ----------
    seed
        Decides everything, with the number of each case.
    n_cases
        So many.
    pictures
        Of PICTURES, those that are drawn.
    """
    for number in range(n_cases):
        rng = np.random.default_rng([seed, number])
        sampling, tables, kind = (str(rng.choice(names)) for names in (SAMPLINGS, TABLES, pictures))
        quality = int(rng.integers(QUALITIES[0], QUALITIES[1] + 1))
        picture = _picture(rng, kind)
        pixels, file = _through_jpeg(rng, picture, sampling, tables, quality)
        corner, mask = random_crop(rng, SIDE, SIDE)
        cell = cut_out(pixels, corner, mask)
        start = time.process_time()
        found = find_cell(cell, mask)
        seconds = time.process_time() - start
        score = Score()
        score.add(f"case {number}", found, file, corner, mask)
        yield {
            "sampling": sampling, "tables": tables, "quality": quality, "picture": kind,
            **score.to_json(), "milliseconds": round(1000 * seconds, 1),
        }  # fmt: skip


def _picture(rng: np.random.Generator, kind: str) -> NDArray[np.uint8]:
    photos = [] if kind == "smear" else photographs(rng, SIDE, MORE_PHOTOGRAPHS)
    picture = photos[rng.integers(len(photos))] if photos else draw_smear(rng, SIDE, SIDE)
    return with_clamped_pixels(picture) if kind == "clamped" else picture


def _through_jpeg(
    rng: np.random.Generator, picture: NDArray[np.uint8], sampling: str, kind: str, quality: int
) -> tuple[NDArray[np.uint8], JpegFile]:
    spread = picture.max(axis=2).astype(np.int64) - picture.min(axis=2)
    if sampling != "grey" and spread.mean() < GREY:
        picture = tinted(rng, picture)
    tables = None
    if kind in ("odd", "smooth"):
        draw = odd_table if kind == "odd" else smooth_table
        bases = (scaled_table(base, quality) for base in (STANDARD_LUMA, STANDARD_CHROMA))
        tables = [draw(rng, base).tolist() for base in bases]
    if kind == "twice":
        # On a grid of its own.
        shift = tuple(rng.integers(0, 8, 2).tolist())
        first = as_jpeg(np.roll(picture, shift, (0, 1)), quality=int(rng.integers(60, 96)))
        picture = np.roll(pixels_of(first), (-shift[0], -shift[1]), (0, 1))
    written = "4:2:2" if sampling == "4:4:0" else sampling
    jpeg = as_jpeg(picture, quality=quality, tables=tables, sampling=written)
    file = read_jpeg(jpeg)
    if sampling != "4:4:0":
        return pixels_of(jpeg), file
    file = turned(file)
    return decode(file.camera, file.coefficients, file.shape), file


def sample_table(rows: Sequence[dict[str, Any]], *, misses: bool = False) -> str:
    """Cells found right of those compared, by each property; then what is wrong.

    See ``drawn_table`` for the columns. `misses` adds each block that is neither equal nor alike.
    """
    lines = [
        "| cells | compared | found | phase, sampling right | tables right | whole blocks | "
        "equal | alike | missed |",
        "|" + "---|" * 9,
    ]
    groups = [("all", list(rows))]
    for key in ("picture", "sampling", "tables"):
        for value in dict.fromkeys(sorted(row[key] for row in rows)):
            groups.append((value, [row for row in rows if row[key] == value]))
    for name, own in groups:
        total = {
            key: sum(row[key] for row in own)
            for key in (
                *("compared", "found", "sampling_right", "tables_right"),
                *("whole_blocks", "values_equal", "ambiguous"),
            )
        }
        n_blocks = max(total["whole_blocks"], 1)
        values = [
            name,
            *(total[k] for k in ("compared", "found", "sampling_right", "tables_right")),
            total["whole_blocks"],
            f"{total['values_equal'] / n_blocks:.3%}",
            f"{total['ambiguous'] / n_blocks:.3%}",
            f"{1 - (total['values_equal'] + total['ambiguous']) / n_blocks:.3%}",
        ]
        lines.append(f"| {' | '.join(map(str, values))} |")
    lines += [
        f"{row['picture']}, {row['sampling']}, {row['tables']}, {row['quality']}: {wrong}"
        for row in rows
        for wrong in (*row["wrong"], *(row["missed"] if misses else ()))
    ]
    return "\n".join(lines)
