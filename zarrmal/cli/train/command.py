"""``zarrmal train``: learn a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ... import choose
from ...benchmark import split_source
from ...errors import InputError
from .. import options as o
from ..app import app
from ..arguments import refuse_output, widths
from ..option_groups import CodedSourceOptions, SlideOptions, takes_groups
from ..tables import hybrid_table, sizes_table, training_table
from ..terminal.console import out, print_json, progress_bars, say
from ..terminal.errors import reports_errors
from ..terminal.listener import open_cells
from .groups import groups_table, show_groups


@app.command()
@reports_errors
@takes_groups
def train(
    *,
    source: o.SourceArgument,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="MODEL", help="The model file to write.")
    ],
    profile: o.Profile = o.ProfileName.hybrid,
    effort: o.EffortOption = o.EffortName.default,
    minutes: o.Minutes = None,
    steps: o.Steps = None,
    units: Annotated[
        str | None,
        typer.Option(
            metavar="N,N",
            help="hybrid: hidden units of the network's two layers; by default the effort's. More "
            "are slower, and may code colour a little shorter.",
        ),
    ] = None,
    sae: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=2,
            help="hybrid: autoencoder of no (0), 6 (1) or 10 latents (2); by default short trials "
            "choose.",
        ),
    ] = None,
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
    reading: CodedSourceOptions,
    slide: SlideOptions,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
    as_json: o.Json = False,
) -> None:
    """Train a model on cells.

    Call it again after an interruption: the run continues. Of a slide the cells are found first; a
    folder of tiles, or of fields with many cells each, needs an option of slides, as --tile 2048.

    Example: `zarrmal train cells/ -o cells.zmal --size 50 --channel red --group-pattern '^[^_]+'`
    """
    groups = _learned_classes(classes)
    if groups is not None and profile is not o.ProfileName.hybrid:
        raise InputError("--classes needs --profile hybrid: the paper's classes are the labels")
    learn = choose.import_learn()
    refuse_output(output)
    options: Any
    if profile is o.ProfileName.hybrid:
        options = learn.HybridOptions(
            effort=effort.value,
            widths=None if units is None else widths(units, "--units", "32,32"),
            minutes=minutes,
            steps=steps,
            sae=sae,
            n_archive_cells=archive_cells,
            max_cells=max_cells,
            classes=groups,
            validation=validation,
            seed=seed,
            device=device,
        )
    else:
        options = learn.TrainOptions(
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
        how = slide.segmentation_if_given()
        cells = open_cells(source, reading.arguments(), progress, how)
        if unseen:
            cells, _ = split_source(cells, unseen, seed)
            say(f"training on {cells.description}, the other slides are left out")
        result = learn.train_any(
            cells,
            options,
            checkpoint=output.with_name(output.name + ".checkpoint"),
            progress=progress,
        )
        result = replace(result, model=choose.with_coefficients(result.model, cells))
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


def _learned_classes(text: str) -> int | Literal["auto"] | None:
    """How many classes to learn, from ``--classes``; None: the labels."""
    if text == "labels":
        return None
    if text == "auto":
        return "auto"
    try:
        return int(text)
    except ValueError:
        raise InputError(f"--classes wants labels, auto or a number, not {text!r}") from None
