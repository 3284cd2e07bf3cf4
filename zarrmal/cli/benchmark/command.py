"""``zarrmal benchmark``: ours beside the rivals, in one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ... import choose
from ...benchmark import (
    LossyError,
    all_rivals,
    named_rivals,
    refuse_unfit,
    run_benchmark,
    split_source,
)
from ...benchmark.plot import draw, refuse_unplottable
from ...errors import InputError
from ...sources.source import require_one_size
from .. import options as o
from ..app import app
from ..arguments import widths
from ..option_groups import CodedSourceOptions, SlideOptions, takes_groups
from ..terminal.console import print_json, progress_bars, say, say_error
from ..terminal.errors import EXIT_DAMAGE, reports_errors
from ..terminal.listener import open_cells
from .models import created, refuse_folder, reused_or_trained
from .tables import show


@app.command()
@reports_errors
@takes_groups
def benchmark(
    *,
    source: o.SourceArgument,
    model: Annotated[
        list[Path] | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="Measure this model file; may be repeated. Trains others only if a --profile or "
            "an --effort is named too.",
        ),
    ] = None,
    profile: Annotated[
        list[o.ProfileName] | None,
        typer.Option(help="Train a model of this profile; may be repeated; hybrid by default."),
    ] = None,
    effort: Annotated[
        list[o.EffortName] | None,
        typer.Option(help="Of profile hybrid; may be repeated; default by default."),
    ] = None,
    save_models: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Keep the models, the state of an interrupted training, and what other coders "
            "gave; a second run finds them there.",
        ),
    ] = None,
    unseen: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=1,
            help="Share of the slides to measure on; 1 where all models are given, and were "
            "trained on none of these slides.",
        ),
    ] = 0.25,
    minutes: o.Minutes = None,
    steps: o.Steps = None,
    archive_cells: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="hybrid: how many cells the model is for; decides the autoencoder's size.",
        ),
    ] = None,
    epochs: o.Epochs = None,
    pretrain_epochs: o.PretrainEpochs = None,
    hidden: o.Hidden = "1500,500,30",
    loss: o.LossOption = o.LossName.absolute,
    coarseness: o.Coarseness = 0.8,
    max_cells: o.MaxCells = 100_000,
    seed: o.Seed = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
    rivals: Annotated[bool, typer.Option(help="Measure other coders too.")] = True,
    rival: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Only coders whose names begin so, as in jxl; may be repeated."
        ),
    ] = None,
    lattice: o.Lattice = o.LatticeName.auto,
    slow: Annotated[bool, typer.Option("--slow", help="JPEG XL effort 10 too.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw rate against speed: a .png or .svg file."),
    ] = None,
    reading: CodedSourceOptions,
    slide: SlideOptions,
    as_json: o.Json = False,
) -> None:
    """Train on some slides, measure on the others, beside other coders; all checked lossless.

    A given --model must have been trained with the same --seed and --unseen, or on none of these
    cells (--unseen 1), or its slides are not unseen. Of one slide the right part is unseen. A
    folder of tiles, or of fields with many cells each, needs an option of slides, as --tile 2048.
    Cells of different sizes are measured at their own sizes: ours in one archive, other coders one
    cell a file, as sheets need one size.

    Example: `zarrmal benchmark cells.npz --channel red --effort fast --effort max --profile paper`
    """
    if plot is not None:
        refuse_unplottable(plot)
    refuse_folder(save_models)
    given = [choose.load_model(path) for path in model or []]
    training_options: dict[str, Any] = {}
    if profile or effort or not given:
        if unseen == 1:
            raise InputError("--unseen 1 leaves no cells to train on: give all models by --model")
        learn = choose.import_learn()
        common = {"max_cells": max_cells, "seed": seed, "device": device}
        profiles = list(dict.fromkeys(profile or [o.ProfileName.hybrid]))
        if effort and o.ProfileName.hybrid not in profiles:
            profiles.insert(0, o.ProfileName.hybrid)
        if o.ProfileName.hybrid in profiles:
            for name in dict.fromkeys(effort or [o.EffortName.default]):
                training_options[f"hybrid-{name.value}"] = learn.HybridOptions(
                    effort=name.value,
                    minutes=minutes,
                    steps=steps,
                    n_archive_cells=archive_cells,
                    validation=0.0,  # the unseen slides judge
                    **common,
                )
        if o.ProfileName.paper in profiles:
            training_options["paper"] = learn.TrainOptions(
                hidden=widths(hidden),
                epochs=epochs,
                pretrain_epochs=pretrain_epochs,
                loss=loss.value,
                coarseness=coarseness,
                **common,
            )
    with progress_bars() as progress:
        how = slide.segmentation_if_given()
        cells = open_cells(source, reading.arguments(), progress, how)
        training, unseen_cells = split_source(cells, unseen, seed)
        refuse_unfit(given, cells)
        if "paper" in training_options:
            require_one_size(cells, "profile paper")
        n_channels = cells.cell_shape[2] if len(cells.cell_shape) == 3 else 1
        others = (
            named_rivals(all_rivals(n_channels, cells.dtype), rival, slow=slow) if rivals else []
        )
        folder = created(save_models)
        trained = [
            reused_or_trained(name, options, training, folder, progress)
            for name, options in training_options.items()
        ]
        try:
            result = run_benchmark(
                training,
                unseen_cells,
                [*given, *trained],
                others,
                progress,
                cache_folder=folder,
                lattice=lattice.value,
            )
        except LossyError as error:
            say_error(f"this benchmark is void: {error}")
            raise typer.Exit(EXIT_DAMAGE) from None
    if plot is not None:
        draw(result, plot)
        say(f"drawn: {plot}")
    if as_json:
        print_json(result.to_json())
    else:
        show(result)
