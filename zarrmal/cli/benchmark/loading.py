"""``zarrmal benchmark-loading``: how fast cells can be loaded to train on."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ... import choose
from ...benchmark.loading import LoadingResult, measure_loading
from ...errors import InputError
from ...sources import open_source
from ...sources.source import require_codable, require_one_size
from .. import options as o
from ..app import app
from ..terminal.console import key_values, out, print_json, progress_bars
from ..terminal.errors import reports_errors

QUANTITIES = {"random_cells_s": "random batches", "epoch_cells_s": "shuffled epoch"}


@app.command("benchmark-loading")
@reports_errors
def benchmark_loading(
    source: o.SourceArgument,
    channel: o.Channel = o.ChannelName.auto,
    size: o.Size = None,
    model: o.ModelOption = None,
    folder: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER", help="Where files are for a while."),
    ] = None,
    source_option: o.SourceOption = None,
    as_json: o.Json = False,
) -> None:
    """Cells per second in training: an archive beside PNG files and Zarr with Blosc-zstd.

    Random batches of 256 cells, and a whole shuffled epoch, through torch's DataLoader without
    workers and with two; the fastest of three rounds. Needs zarrmal[torch].

    Example: `zarrmal benchmark-loading cells.npz --channel red`
    """
    storage_options = key_values(source_option, "--source-option")
    cells = open_source(source, channel=channel.value, size=size, storage_options=storage_options)
    require_codable(cells, "this benchmark")
    require_one_size(cells, "this benchmark")
    ready = choose.load_model(model) if model else choose.shipped_for(cells)
    if ready is None:
        raise InputError("there is no shipped model for these cells: give one with --model")
    assigner = choose.choose_assigner("auto", cells, ready)
    try:
        from ... import torch as _  # noqa: F401
    except ImportError as error:
        raise InputError(str(error)) from None
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix="zarrmal-loading-") as name,
        progress_bars() as progress,
    ):
        result = measure_loading(
            cells, Path(name), model=ready, assigner=assigner, progress=progress
        )
    if as_json:
        print_json(result.to_json())
        return
    table = Table("store", "workers", *QUANTITIES.values(), "in order", "MB stored")
    for speed in result.speeds:
        table.add_row(
            speed.store,
            f"{speed.workers}",
            f"{speed.random_cells_s:,.0f}",
            f"{speed.epoch_cells_s:,.0f}",
            f"{speed.order_cells_s:,.0f}",
            f"{speed.stored_bytes / 1e6:.1f}",
        )
    table.caption = "cells per second, the fastest of the rounds; all pixels were compared"
    out.print(table)
    for line in summary(result):
        out.print(line, markup=False)


def summary(result: LoadingResult) -> list[str]:
    """The archive beside the others, each at its best, and the machine."""
    lines = []
    for quantity, name in QUANTITIES.items():
        ours = result.best("zarrmal", quantity)
        speed = getattr(ours, quantity)
        ratios = [
            f"{speed / getattr(result.best(kind, quantity), quantity):.2f} times {kind}"
            for kind in ("png", "zarr")
        ]
        lines.append(f"{name}: {speed:,.0f} cells/s ({ours.store}), {' and '.join(ratios)}")
    in_order = result.best("zarrmal", "order_cells_s").order_cells_s
    epoch = result.best("zarrmal", "epoch_cells_s").epoch_cells_s
    lines.append(f"a shuffled epoch is {epoch / in_order:.2f} times as fast as reading in order")
    machine = result.machine
    load = "other processes were running" if machine["busy"] else "no other processes ran"
    lines.append(f"{machine['cpu']}, {machine['kernel']}, {machine['n_cpus']} cores; {load}")
    return lines
