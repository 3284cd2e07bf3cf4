"""Pictures through Pillow, and cells cut out of them: each quality, sampling and kind of tables."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...lattice.find import find_cell
from ...lattice.jpeg_file import read_jpeg
from ...lattice.series import STANDARD_CHROMA, STANDARD_LUMA, scaled_table
from ...lattice.survey import Cell, Finding, survey
from .drawn import (
    SUBSAMPLINGS,
    as_jpeg,
    draw_smear,
    odd_table,
    photographs,
    pixels_of,
    random_cell,
    smooth_table,
)
from .truth import Score

SIDE = 256
DRAWN_CELLS = 3
"""Cells cut out of each picture."""

QUALITIES = (60, 80, 92, 97)
SAMPLINGS = (*SUBSAMPLINGS, "grey")
TABLES = {"standard": None, "odd": odd_table, "smooth": smooth_table}


def measure_drawn(seed: int, n_files: int, n_cells: int) -> Iterator[dict[str, Any]]:
    """A row for each sampling, kind of tables and quality.

    Parameters
    ----------
    seed
        Decides everything.
    n_files
        Of each: drawn smears and photographs in turn.
    n_cells
        Cut out of each.
    """
    n_rows = 0
    for sampling in SAMPLINGS:
        for kind in TABLES:
            for quality in QUALITIES:
                score, covered, seconds = Score(), [0, 0, 0], 0.0
                for number in range(n_files):
                    rng = np.random.default_rng([seed, number, quality, n_rows])
                    seconds += _measure_file(
                        rng, number, n_cells, sampling, kind, quality, score, covered
                    )
                n_rows += 1
                yield (
                    {
                        "sampling": sampling, "tables": kind, "quality": quality,
                        **score.to_json(),
                        "covered_share": covered[1] / max(covered[0], 1),
                        "corrections": covered[2],
                        "milliseconds_per_cell": round(1000 * seconds / n_files / n_cells, 1),
                    }
                )  # fmt: skip


def _measure_file(
    rng: np.random.Generator,
    number: int,
    n_cells: int,
    sampling: str,
    kind: str,
    quality: int,
    score: Score,
    covered: list[int],
) -> float:
    """Add a file to the sums; seconds that the search took."""
    photos = photographs(rng, SIDE) if number % 2 else []
    picture = photos[number // 2 % len(photos)] if photos else draw_smear(rng, SIDE, SIDE)
    draw = TABLES[kind]
    tables = None
    if draw is not None:
        bases = (scaled_table(base, quality) for base in (STANDARD_LUMA, STANDARD_CHROMA))
        tables = [draw(rng, base).tolist() for base in bases]
    jpeg = as_jpeg(picture, quality=quality, tables=tables, sampling=sampling)
    pixels, file = pixels_of(jpeg), read_jpeg(jpeg)
    cuts = [random_cell(rng, SIDE, SIDE) for _ in range(n_cells)]
    cells: list[Cell] = [(cut_out(pixels, corner, mask), mask) for corner, mask in cuts]
    start = time.process_time()
    cameras = survey(cells)
    found = [find_cell(*cell, cameras) for cell in cells]
    seconds = time.process_time() - start
    for place, ((corner, mask), cell) in enumerate(zip(cuts, found, strict=True)):
        name = f"{'photograph' if photos else 'smear'} {number}, cell {place}"
        score.add(name, cell, file, corner, mask)
    finding = Finding.of(found)
    for i, n in enumerate((finding.n_visible, finding.n_covered, finding.n_corrections)):
        covered[i] += n
    return seconds


def drawn_table(rows: Sequence[dict[str, Any]]) -> str:
    """Of each sampling and kind of tables, cells found right of those compared, by quality.

    Right are phase, sampling and tables. Then the share of whole blocks with the file's values,
    or with others that decode to the same samples, and what is wrong.
    """
    qualities = sorted({row["quality"] for row in rows})
    lines = [
        f"| sampling, tables | {' | '.join(map(str, qualities))} | all | blocks equal | "
        "same samples |",
        "|" + "---|" * (len(qualities) + 4),
    ]
    kinds = list(dict.fromkeys((row["sampling"], row["tables"]) for row in rows))
    for name, own in [
        *(
            (", ".join(kind), [r for r in rows if (r["sampling"], r["tables"]) == kind])
            for kind in kinds
        ),
        ("all", list(rows)),
    ]:
        by_quality = [_right([r for r in own if r["quality"] == q]) for q in qualities]
        n_blocks = max(sum(r["whole_blocks"] for r in own), 1)
        equal, same = (sum(r[key] for r in own) / n_blocks for key in ("values_equal", "ambiguous"))
        values = [name, *by_quality, _right(own), f"{equal:.3%}", f"{same:.3%}"]
        lines.append(f"| {' | '.join(values)} |")
    lines += [
        f"{row['sampling']}, {row['tables']}, {row['quality']}: {wrong}"
        for row in rows
        for wrong in row["wrong"]
    ]
    return "\n".join(lines)


def _right(rows: Sequence[dict[str, Any]]) -> str:
    return f"{sum(r['tables_right'] for r in rows)}/{sum(r['compared'] for r in rows)}"


def cut_out(
    pixels: NDArray[np.uint8], corner: tuple[int, int], mask: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """A cell of a picture, 0 outside its mask."""
    rows, columns = (slice(c, c + n) for c, n in zip(corner, mask.shape, strict=True))
    return np.ascontiguousarray(
        pixels[rows, columns] * (mask if pixels.ndim == 2 else mask[..., None])
    )
