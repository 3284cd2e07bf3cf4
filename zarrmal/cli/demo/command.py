"""``zarrmal demo``: the main jobs on drawn cells and a drawn slide; needs no torch."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from ... import choose
from ...archive import Archive, ArchiveInfo
from ...benchmark import Measurement, all_rivals, measure_rival
from ...classify import LabelAssigner
from ...errors import ExistsError, InputError
from ...sources import open_source
from ...sources.synthetic import synthetic_cells
from .. import options as o
from ..app import app
from ..terminal.console import out, print_json, progress_bars, say
from ..terminal.errors import reports_errors
from . import slide as demo_slide

DEMO_CELLS = 2_000
ARCHIVE, SHEET, READ = "cells.zarr", "sheet.png", "read.py"
SHOWN = ("png:level=9", "zstd:level=19", "jpegls", "jxl:effort=9")

READER = """
import hashlib, sys, numpy, zarr
group = zarr.open(sys.argv[1], mode="r")
cells, order = group["cells"][:], group["source_index"][:]
assert "zarrmal" not in sys.modules and "torch" not in sys.modules
print(hashlib.sha256(cells[numpy.argsort(order)].tobytes()).hexdigest())
"""


LINES = """import zarr

archive = zarr.open({name!r}, mode="r")
print(archive["cells"][:].shape)
"""


@app.command()
@reports_errors
def demo(
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Keep the archives here, with pictures and programs that read them.",
        ),
    ] = None,
    seed: o.Seed = 0,
    as_json: o.Json = False,
) -> None:
    """Draw cells, archive them with the shipped model, read back with plain zarr, compare.

    Then draw a slide, find its cells, archive them, and show those of one class in a rectangle.

    Example: `zarrmal demo --keep demo/`
    """
    if keep is None:
        with tempfile.TemporaryDirectory() as name:
            _demo(Path(name), seed, as_json)
        return
    for name in (ARCHIVE, SHEET, READ, *demo_slide.KEPT):
        if (keep / name).exists():
            raise ExistsError(f"{keep / name} exists already: give the demo another folder")
    keep.mkdir(parents=True, exist_ok=True)
    archive = _demo(keep, seed, as_json)
    archive.sheet().save(keep / SHEET)
    lines = LINES.format(name=ARCHIVE)
    (keep / READ).write_text(lines)
    say(
        f"kept in {keep}: {demo_slide.SLIDE} and its cells {demo_slide.ARCHIVE}, the objects found "
        f"{demo_slide.PREVIEW}, {demo_slide.REGION} as {demo_slide.READER} draws it; the archive "
        f"{ARCHIVE}, its contact sheet {SHEET}, and {READ}:"
    )
    for line in filter(None, lines.splitlines()):
        say(f"    {line}")


def _demo(folder: Path, seed: int, as_json: bool) -> Archive:
    drawn = synthetic_cells(DEMO_CELLS, channels=1, seed=seed)
    source = open_source(drawn.cells, labels=drawn.label, groups=drawn.slide)
    path = folder / ARCHIVE
    say(f"drew {source.n_cells:,} cells of {len(np.unique(drawn.slide))} slides, "
        f"{drawn.cells.nbytes:,} bytes raw")  # fmt: skip
    with progress_bars() as progress:
        model = choose.shipped_for(source)
        if model is None:
            raise InputError("this installation lacks the shipped models: install it again")
        assigner = LabelAssigner(source, model.class_names)
        archive = Archive.write(source, path, model=model, assigner=assigner, progress=progress)
        say(f"archived as {path.name} with the shipped model: {model!r}")
        reader = subprocess.run(
            [sys.executable, "-c", READER, str(path)], capture_output=True, text=True
        )
        if reader.stdout.strip() != hashlib.sha256(drawn.cells.tobytes()).hexdigest():
            raise InputError(f"a fresh process read other pixels than were written: "
                             f"{reader.stderr.strip()[-300:]}")  # fmt: skip
        say("a fresh process with plain zarr.open read every pixel back, bit for bit")
        order = np.argsort(drawn.label, kind="stable")
        rivals = [rival for rival in all_rivals() if rival.name in SHOWN]
        rows = [
            measure_rival(rival, drawn.cells[order], arrangement, cells_name="drawn cells")
            for rival in rivals
            for arrangement in ("cell", "sheet")
        ]
    info = archive.info()
    if not as_json:
        out.print(_table(info, rows))
    slide = demo_slide.demo_slide(folder, seed)
    if as_json:
        rivals_json = [row.to_json() for row in rows]
        print_json({"archive": info.to_json(), "rivals": rivals_json, "slide": slide})
    else:
        demo_slide.print_slide(slide)
    return archive


def _table(info: ArchiveInfo, rows: list[Measurement]) -> Table:
    table = Table(title=f"{info.n_cells:,} drawn cells; zarrmal: everything that is stored")
    table.add_column("coder")
    table.add_column("arrangement")
    table.add_column("bytes", justify="right")
    table.add_column("bits/pixel", justify="right")
    n_pixels = info.raw_bytes
    for name, arrangement, n_bytes in [
        (f"zarrmal:{info.profile}, whole archive", "chunk", info.stored_bytes),
        ("  its array of cells", "", info.cells_bytes),
        ("  that without the model", "", info.cells_bytes - info.model_bytes),
    ]:
        table.add_row(name, arrangement, f"{n_bytes:,}", f"{8 * n_bytes / n_pixels:.3f}")
    for row in rows:
        n_bytes = round(row.bits_per_pixel * n_pixels / 8)
        table.add_row(row.coder, row.arrangement, f"{n_bytes:,}", f"{row.bits_per_pixel:.3f}")
    best = min(rows, key=lambda row: row.bits_per_pixel)
    ratio = info.bits_per_pixel / best.bits_per_pixel
    table.caption = (
        f"The whole archive is {ratio:.2f} times the size of the best other coder here, "
        f"{best.coder} on a {best.arrangement}. The model never saw drawn cells, and they are no "
        f"evidence about real ones: see the README."
    )
    return table
