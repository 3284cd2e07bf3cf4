"""``zarrmal train``: learn a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .. import api
from ..sources import open_source
from . import options as o
from .app import app
from .console import out, print_json, progress_bars, told
from .tables import hybrid_table, sizes_table, training_table
from .wishes import refuse_model_place, say_source, source_arguments, widths


@app.command()
@told
def train(
    source: o.SourceArgument,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="MODEL", help="The model file to write.")
    ],
    profile: o.Profile = o.ProfileName.hybrid,
    effort: o.EffortOption = o.EffortName.default,
    minutes: o.Minutes = None,
    steps: o.Steps = None,
    archive_cells: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="hybrid: how many cells the model is for; decides the autoencoder's size.",
        ),
    ] = None,
    validation: Annotated[
        float,
        typer.Option(min=0, max=0.9, help="hybrid: share of the slides kept out to report by."),
    ] = 0.05,
    epochs: o.Epochs = None,
    hidden: o.Hidden = "1500,500,30",
    pretrain_epochs: o.PretrainEpochs = None,
    max_cells: o.MaxCells = 100_000,
    loss: o.LossOption = o.LossName.absolute,
    coarseness: o.Coarseness = 0.8,
    seed: o.Seed = 0,
    channel: o.Channel = o.ChannelName.auto,
    size: o.Size = None,
    group_pattern: o.GroupPattern = None,
    skip_unreadable: o.SkipUnreadable = False,
    source_option: o.SourceOption = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
    as_json: o.Json = False,
) -> None:
    """Train a model on cells.

    An interrupted run goes on where it was when called again.

    Example: `zarrmal train cells/ -o cells.zmal --size 50 --channel red --group-pattern '^[^_]+'`
    """
    learn = api.learn_room()
    refuse_model_place(output)
    wishes: Any
    if profile is o.ProfileName.hybrid:
        wishes = learn.HybridOptions(
            effort=effort.value,
            minutes=minutes,
            steps=steps,
            n_archive_cells=archive_cells,
            max_cells=max_cells,
            validation=validation,
            seed=seed,
            device=device,
        )
    else:
        wishes = learn.TrainOptions(
            hidden=widths(hidden),
            epochs=epochs,
            pretrain_epochs=pretrain_epochs,
            max_cells=max_cells,
            loss=loss.value,
            coarseness=coarseness,
            seed=seed,
            device=device,
        )
    with progress_bars() as progress:
        cells = open_source(
            source,
            progress=api.reading(progress),
            **source_arguments(channel, size, group_pattern, skip_unreadable, source_option),
        )
        say_source(cells)
        result = learn.train_any(
            cells,
            wishes,
            checkpoint=output.with_name(output.name + ".checkpoint"),
            progress=progress,
        )
    result.model.save(output)
    if as_json:
        print_json(learn.as_json(result))
    else:
        out.print(repr(result.model), markup=False)
        if profile is o.ProfileName.paper:
            out.print(training_table(result))
        else:
            if result.report.trials:
                out.print(sizes_table(result))
            out.print(hybrid_table(result))
