"""``zarrmal benchmark``: ours beside the rivals, in one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from .. import api
from ..benchmark import BenchmarkResult, all_rivals, run_benchmark, split_source
from ..sources import open_source
from . import options as o
from .app import app
from .console import out, print_json, progress_bars, say, told
from .wishes import refuse_model_place, source_arguments, widths


@app.command()
@told
def benchmark(
    source: o.SourceArgument,
    model: o.ModelOption = None,
    save_model: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="Keep the model trained for this.")
    ] = None,
    unseen: Annotated[
        float, typer.Option(min=0.01, max=0.99, help="Share of the slides to measure on.")
    ] = 0.25,
    epochs: o.Epochs = None,
    pretrain_epochs: o.PretrainEpochs = None,
    max_cells: o.MaxCells = 100_000,
    loss: o.LossOption = o.LossName.absolute,
    coarseness: o.Coarseness = 0.8,
    hidden: o.Hidden = "1500,500,30",
    seed: o.Seed = 0,
    rivals: Annotated[bool, typer.Option(help="Measure other coders too.")] = True,
    slow: Annotated[bool, typer.Option("--slow", help="JPEG XL effort 10 too.")] = False,
    channel: o.Channel = o.ChannelName.auto,
    size: o.Size = None,
    group_pattern: o.GroupPattern = None,
    skip_unreadable: o.SkipUnreadable = False,
    source_option: o.SourceOption = None,
    as_json: o.Json = False,
) -> None:
    """Train on some slides, measure on the others, beside other coders; all checked lossless.

    A given --model must have been trained with the same --seed and --unseen, or its slides are
    not unseen.

    Example: `zarrmal benchmark cells.npz --channel red`
    """
    if save_model is not None:
        refuse_model_place(save_model)
    with progress_bars() as progress:
        cells = open_source(
            source,
            progress=api.reading(progress),
            **source_arguments(channel, size, group_pattern, skip_unreadable, source_option),
        )
        training, kept = split_source(cells, unseen, seed)
        if model is not None:
            ready = api.load_model(model)
        else:
            learn = api.learn_room()
            wishes = learn.TrainOptions(
                hidden=widths(hidden),
                epochs=epochs,
                pretrain_epochs=pretrain_epochs,
                max_cells=max_cells,
                loss=loss.value,
                coarseness=coarseness,
                seed=seed,
            )
            checkpoint = None
            if save_model is not None:
                checkpoint = save_model.with_name(save_model.name + ".checkpoint")
            trained = learn.train_model(training, wishes, checkpoint=checkpoint, progress=progress)
            ready = trained.model
            if save_model is not None:
                ready.save(save_model)
                say(f"model kept in {save_model}")
        others = [rival for rival in all_rivals() if rivals and (slow or not rival.slow)]
        result = run_benchmark(training, kept, ready, others, progress)
    if as_json:
        print_json(result.to_json())
    else:
        out.print(_table(result))
        say(" · ".join(f"{name} {v}" for name, v in result.versions.items()))


def _table(result: BenchmarkResult) -> Table:
    slides = ", ".join(f"{name}: {n} slides" for name, n in result.n_slides.items())
    table = Table(title=f"lossless checked; {slides}")
    for name in ("coder", "arrangement", "cells", "number"):
        table.add_column(name, justify="right" if name == "number" else "left")
    for name in ("bits/pixel", "encode MB/s", "decode MB/s"):
        table.add_column(name, justify="right")
    for m in result.measurements:
        table.add_row(
            m.coder,
            m.arrangement,
            m.cells,
            f"{m.n_cells:,}",
            f"{m.bits_per_pixel:.3f}",
            f"{m.encode_mb_s:.2f}",
            f"{m.decode_mb_s:.2f}",
        )
    return table
