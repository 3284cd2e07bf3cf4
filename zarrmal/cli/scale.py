"""``zarrmal scale``: what archiving many cells takes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from .. import api
from ..archive.write import default_workers
from ..benchmark.scale import ScalePoint, measure_scale
from ..errors import InputError
from . import options as o
from .app import app
from .console import out, print_json, say, told


@app.command()
@told
def scale(
    cells: Annotated[int, typer.Option(min=8, help="Of the largest archive.")] = 1_000_000,
    model: o.ModelOption = None,
    shard_cells: Annotated[
        int | None, typer.Option(min=2, help="Cells in a shard; without it, no shards.")
    ] = None,
    workers: o.Workers = None,
    folder: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER", help="Where archives are for a while."),
    ] = None,
    as_json: o.Json = False,
) -> None:
    """Time and memory of archiving drawn cells: an eighth, a quarter, a half and all of them.

    Each archive is written by a process of its own, from a source that draws cells when they are
    read, and removed. The first is also written by one thread, in alternation, as a clock may
    drift, and, where zarrmal[dask] is installed, by processes.

    Example: `zarrmal scale --cells 1000000`
    """
    ready = api.load_model(model) if model else api.shipped_for((50, 50))
    if ready is None:
        raise InputError("no model ships here: give one with --model")
    n_workers = workers or default_workers()
    sizes = [(max(1, cells // part), n_workers, False) for part in (8, 4, 2, 1)]
    compared = [(sizes[0][0], 1, False), sizes[0], (sizes[0][0], 1, False)]
    if find_spec("distributed"):
        compared.append((sizes[0][0], n_workers, True))
    points: list[ScalePoint] = []
    for point in measure_scale([*compared, *sizes], ready, shard_cells=shard_cells, folder=folder):
        say(f"{point.n_cells:,} cells, {_workers(point)}: {point.seconds:.1f} s")
        points.append(point)
    if as_json:
        print_json([point.to_json() for point in points])
        return
    table = Table("cells", "workers", "s", "MB/s", "s of drawing", "peak MB", "bits/pixel")
    for p in points:
        table.add_row(
            f"{p.n_cells:,}",
            _workers(p),
            f"{p.seconds:.1f}",
            f"{p.raw_bytes / p.seconds / 1e6:.1f}",
            f"{p.draw_seconds:.1f}",
            f"{p.peak_bytes / 1e6:.0f}",
            f"{8 * p.stored_bytes / p.raw_bytes:.3f}",
        )
    out.print(table)


def _workers(point: ScalePoint) -> str:
    kind, kinds = ("process", "processes") if point.processes else ("thread", "threads")
    return f"{point.n_workers} {kind if point.n_workers == 1 else kinds}"
