"""``python -m zarrmal.benchmark.lattice``: what is found behind cells; see docs/lattice.md."""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import Model, ZarrmalError
from zarrmal_codecs.lattice.cell import JpegCell

from ...errors import InputError
from ...lattice.compiled import IS_AVAILABLE
from ...lattice.find import find_cell
from ...lattice.found import FoundCell
from ...lattice.jpeg_file import read_jpeg
from ...lattice.survey import Cell, Finding, survey
from ...sources import Source, open_source
from ...split import split_by_group
from .coded import file_sizes, measure_coded
from .drawn import SUBSAMPLINGS, as_jpeg, draw_smear, pixels_of
from .found import FOUND_CELLS, found_table, measure_found, source_name
from .grid import DRAWN_CELLS, drawn_table, measure_drawn
from .picture import draw_picture
from .sample import PICTURES, measure_sample, sample_table
from .truth import Score

EXIT_MISTAKE = 2


def main() -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m zarrmal.benchmark.lattice", description=__doc__
    )
    parser.add_argument("source", nargs="*", help="cells, as `zarrmal archive` takes them")
    parser.add_argument("--found", action="store_true",
                        help="one row a source, coded with what is found and without")  # fmt: skip
    parser.add_argument(
        "--fields",
        action="append",
        default=[],
        metavar="FOLDER",
        help="with --found, pictures with many cells each",
    )
    parser.add_argument("--masks", help="masks of the cells, as `zarrmal archive` takes them")
    parser.add_argument("--whole", action="store_true", help="black pixels are part of the cells")
    parser.add_argument("--cells", type=int, help="look at so many, evenly spaced")
    parser.add_argument("--truth", type=Path, metavar="CSV",
                        help="columns crop, parent, x, y: where each cell was cut out")  # fmt: skip
    parser.add_argument("--parents", type=Path, help="folder of the JPEG files that CSV names")
    parser.add_argument("--model", type=Path,
                        help="also count bits with this model's weights; what is known of JPEG "
                        "files is not searched")  # fmt: skip
    parser.add_argument("--unseen", type=float, default=0.0, metavar="SHARE",
                        help="only cells of slides (or files) that `zarrmal train-lattice "
                        "--validation SHARE` with this --seed holds out")  # fmt: skip
    parser.add_argument("--group-pattern", help="finds the slide of a cell in its file name")
    parser.add_argument("--drawn", action="store_true",
                        help="draw pictures and take photographs, instead of a source")  # fmt: skip
    parser.add_argument("--files", type=int, default=2,
                        help="with --drawn: so many of each kind")  # fmt: skip
    parser.add_argument("--sample", type=int, metavar="CASES",
                        help="with --drawn: so many at random instead, of qualities 60 to 98, "
                        "clamped pictures and those that were a JPEG before too")  # fmt: skip
    parser.add_argument("--pictures", action="append", choices=PICTURES,
                        help="with --sample: only these")  # fmt: skip
    parser.add_argument("--misses", action="store_true",
                        help="with --sample: list blocks neither equal nor alike")  # fmt: skip
    parser.add_argument("--picture", type=Path, metavar="SVG", help="draw the idea in one picture")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        if not IS_AVAILABLE:
            raise InputError("this needs numba, not installed: pip install 'zarrmal[lattice]'")
        if arguments.picture is not None:
            draw_picture(arguments.picture, arguments.seed)
            return 0
        if arguments.drawn and arguments.sample:
            _warm_up()
            cases = measure_sample(arguments.seed, arguments.sample, arguments.pictures or PICTURES)
            report = {"sample": list(_as_they_come(cases))}
        elif arguments.drawn:
            _warm_up()
            n_cells = arguments.cells or DRAWN_CELLS
            rows = measure_drawn(arguments.seed, arguments.files, n_cells)
            report = {"drawn": list(_as_they_come(rows))}
        elif arguments.found and (arguments.source or arguments.fields):
            report = {"sources": list(_as_they_come(measure_all_found(arguments)))}
        elif len(arguments.source) != 1:
            raise InputError("name one source, or several with --found; or --drawn")
        else:
            (arguments.source,) = arguments.source
            report = measure_source(arguments)
    except (InputError, OSError, ZarrmalError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return EXIT_MISTAKE
    print(
        json.dumps(report, indent=2) if arguments.json else as_text(report, misses=arguments.misses)
    )
    return 0


def _as_they_come(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The same rows, each also written to the standard error: all of them take long."""
    for row in rows:
        print(json.dumps(row), file=sys.stderr)
        yield row


def measure_all_found(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for each source."""
    model = Model.load(arguments.model) if arguments.model else None
    n_cells = arguments.cells or FOUND_CELLS
    _warm_up()
    for address in [*arguments.source, *arguments.fields]:
        if address in arguments.fields:
            from ...segment.fields import open_fields_or_slide  # its libraries take long

            source: Source = open_fields_or_slide(address)
        else:
            source = open_source(address)
        yield measure_found(source, source_name(address), model, n_cells)


def measure_source(arguments: argparse.Namespace) -> dict[str, Any]:
    """Find the cells of a source; compare with the truth, where it is known."""
    source = open_source(
        arguments.source, masks=arguments.masks, group_pattern=arguments.group_pattern
    )
    model = Model.load(arguments.model) if arguments.model else None
    rows = np.arange(source.n_cells)
    if arguments.unseen:
        groups = source.groups
        _, rows = split_by_group(source.n_cells, groups, arguments.unseen, arguments.seed)
    n_cells = min(arguments.cells or len(rows), len(rows))
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, n_cells).astype(np.int64))]
    names = [str(row) for row in rows] if source.names is None else source.names[rows].tolist()
    cells = list(read_cells(source, rows, whole=arguments.whole))
    parents = _parents(arguments.truth) if arguments.truth else {}
    if parents and arguments.parents is None:
        raise InputError("--truth names JPEG files: say with --parents where they are")
    files: Sequence[JpegCell | None] = [None] * len(rows)
    if model is not None:
        files = source.jpeg(rows) or files
    searched = [cell for cell, file in zip(cells, files, strict=True) if file is None]
    _warm_up()
    start = time.process_time()
    cameras = survey(searched)
    survey_seconds = time.process_time() - start
    start = time.process_time()
    found: list[FoundCell | None] = [None] * len(cells)
    if cameras:
        found = [
            None if file is not None else find_cell(pixels, visible, cameras)
            for (pixels, visible), file in zip(cells, files, strict=True)
        ]
    seconds = time.process_time() - start
    report = Finding.of(found).to_json()
    report["survey_seconds"] = round(survey_seconds, 2)
    report["milliseconds_per_cell"] = round(1000 * seconds / max(len(cells), 1), 1)
    if parents:
        score = Score()
        for name, (pixels, visible), cell in zip(names, cells, found, strict=True):
            parent, corner = parents[Path(name).name]
            file = read_jpeg((arguments.parents / parent).read_bytes())
            mask = np.asarray(pixels.any(axis=2)) if visible is None else visible
            score.add(name, cell, file, corner, mask)
        report["truth"] = score.to_json()
    if model is not None:
        sizes = file_sizes(arguments.source, names, files)
        report["coded"] = measure_coded(model, cells, found, files, sizes)
    return report


def read_cells(source: Any, rows: NDArray[np.int64], *, whole: bool) -> Iterator[Cell]:
    """Pixels and masks of some cells, each at its own size."""
    for row in rows:
        index = np.array([row])
        pixels = source.read(index)[0]
        if source.sizes is not None:
            height, width = source.sizes[row].tolist()
            pixels = pixels[:height, :width]
        if pixels.ndim == 3 and pixels.shape[2] == 1:
            pixels = pixels[..., 0]
        silhouettes = source.silhouettes(index)
        visible = None if silhouettes is None else silhouettes.masks[0]
        if visible is not None and visible.shape != pixels.shape[:2]:
            visible = None
        if visible is None and whole:
            visible = np.ones(pixels.shape[:2], np.bool_)
        yield np.ascontiguousarray(pixels), visible


def _parents(path: Path) -> dict[str, tuple[str, tuple[int, int]]]:
    """Name of each crop -> its file, and its first pixel there."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    missing = {"crop", "parent", "x", "y"} - set(rows[0] if rows else ())
    if missing:
        raise InputError(f"{path}: lacks the columns {', '.join(sorted(missing))}")
    return {row["crop"]: (row["parent"], (int(row["y"]), int(row["x"]))) for row in rows}


def _warm_up() -> None:
    """Compile, so that it is not timed."""
    rng = np.random.default_rng(0)
    smear = draw_smear(rng, 96, 96)
    for sampling in SUBSAMPLINGS:
        pixels = pixels_of(as_jpeg(smear, quality=90, sampling=sampling))
        corner, mask = (8, 8), np.ones((80, 80), np.bool_)
        mask[:20, :20] = False
        find_cell(pixels[corner[0] : 88, corner[1] : 88] * mask[..., None], mask)


def as_text(report: dict[str, Any], *, misses: bool = False) -> str:
    """The report for people."""
    if "sources" in report:
        return found_table(report["sources"])
    if "drawn" in report:
        return drawn_table(report["drawn"])
    if "sample" in report:
        return sample_table(report["sample"], misses=misses)
    return "\n".join(f"{key:22} {value}" for key, value in _flat(report))


def _flat(report: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in report.items():
        if isinstance(value, dict):
            yield from ((f"  {inner}", v) for inner, v in value.items())
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield from ((key, item) for item in value)
        else:
            yield key, value


if __name__ == "__main__":
    sys.exit(main())
