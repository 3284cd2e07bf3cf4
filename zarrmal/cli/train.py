"""``zarrmal train``: learn a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from .. import api
from ..benchmark import split_source
from ..errors import InputError
from ..sources import open_source
from . import options as o
from .app import app
from .console import out, print_json, progress_bars, say, told
from .group_tables import groups_table, show_groups
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
    classes: Annotated[
        str,
        typer.Option(
            metavar="labels|K|auto",
            help="hybrid: one class a label, or K groups learned without labels, or as many as "
            "make the whole smallest.",
        ),
    ] = "labels",
    unseen: Annotated[
        float,
        typer.Option(
            min=0,
            max=0.99,
            help="Leave this share of the slides out, the same that `benchmark` with this --unseen "
            "and --seed measures on.",
        ),
    ] = 0.0,
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
    groups = _learned_classes(classes)
    if groups is not None and profile is not o.ProfileName.hybrid:
        raise InputError("--classes needs --profile hybrid: the paper's classes are the labels")
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
            classes=groups,
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
        if unseen:
            cells, _ = split_source(cells, unseen, seed)
            say(f"training on {cells.description}, the other slides are left out")
        result = learn.train_any(
            cells,
            wishes,
            checkpoint=output.with_name(output.name + ".checkpoint"),
            progress=progress,
        )
    result.model.save(output)
    if as_json:
        print_json(result.to_json())
    else:
        out.print(repr(result.model), markup=False)
        if profile is o.ProfileName.paper:
            out.print(training_table(result))
        else:
            if result.report.trials:
                out.print(sizes_table(result))
            if result.report.group_trials:
                out.print(groups_table(result))
            out.print(hybrid_table(result))
            if result.report.groups:
                show_groups(result.report.groups)


def _learned_classes(wish: str) -> int | Literal["auto"] | None:
    """How many classes to learn, from ``--classes``; None: the labels."""
    if wish == "labels":
        return None
    if wish == "auto":
        return "auto"
    try:
        return int(wish)
    except ValueError:
        raise InputError(f"--classes wants labels, auto or a number, not {wish!r}") from None
