"""``zarrmal scale``: what archiving many cells takes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ... import choose
from ...archive.write.options import default_workers
from ...benchmark.scale import ScalePoint, Speedup, measure_scale, speedups, typical
from ...errors import InputError
from ...models import shipped_model
from .. import options as o
from ..app import app
from ..terminal.console import out, print_json, say
from ..terminal.errors import reports_errors

ROUNDS = 3


@app.command()
@reports_errors
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
    read, and removed. The first is written by one thread too, and, where zarrmal[dask] is
    installed, by processes: three rounds in turn, as a clock may drift, of which the table has
    the median.

    Example: `zarrmal scale --cells 1000000`
    """
    ready = choose.load_model(model) if model else shipped_model(1)
    if ready is None:
        raise InputError("there is no shipped model: give one with --model")
    n_workers = workers or default_workers()
    smallest, *sizes = [(max(1, cells // part), n_workers, False) for part in (8, 4, 2, 1)]
    kinds = [(smallest[0], 1, False)] if n_workers > 1 else []
    kinds.append(smallest)
    if find_spec("distributed"):
        kinds.append((smallest[0], n_workers, True))
    points: list[ScalePoint] = []
    wanted = [*(kinds * ROUNDS), *sizes]
    for point in measure_scale(wanted, ready, shard_cells=shard_cells, folder=folder):
        say(f"{point.n_cells:,} cells, {_workers(point)}: {point.seconds:.1f} s")
        points.append(point)
    ratios = speedups(points)
    if as_json:
        print_json(
            {
                "runs": [point.to_json() for point in points],
                "speedups": [speedup.to_json() for speedup in ratios],
            }
        )
        return
    table = Table("cells", "workers", "s", "MB/s", "s of drawing", "peak MB", "bits/pixel")
    for point in typical(points):
        table.add_row(
            f"{point.n_cells:,}",
            _workers(point),
            f"{point.seconds:.1f}",
            f"{point.raw_bytes / point.seconds / 1e6:.1f}",
            f"{point.draw_seconds:.1f}",
            f"{point.peak_bytes / 1e6:.0f}",
            f"{8 * point.stored_bytes / point.raw_bytes:.3f}",
        )
    out.print(table)
    for speedup in ratios:
        each = ", ".join(f"{times:.2f}" for times in speedup.times)
        out.print(f"{_workers(speedup)}: {speedup.median:.2f} times as fast as one thread ({each})")


def _workers(point: ScalePoint | Speedup) -> str:
    kind, kinds = ("process", "processes") if point.processes else ("thread", "threads")
    return f"{point.n_workers} {kind if point.n_workers == 1 else kinds}"
