"""``zarrmal train-classifier``: learn which class a cell has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ... import choose
from .. import options as o
from ..app import app
from ..arguments import refuse_output
from ..option_groups import SourceOptions, takes_groups
from ..tables import classifier_table
from ..terminal.console import out, print_json, progress_bars
from ..terminal.errors import reports_errors
from ..terminal.listener import open_cells


@app.command("train-classifier")
@reports_errors
@takes_groups
def train_classifier(
    *,
    source: o.SourceArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="The file to write; without it, only a report."
        ),
    ] = None,
    unseen: Annotated[
        float,
        typer.Option(
            min=0,
            max=0.9,
            help="Share of the slides kept out of everything to report on; 0 learns from all.",
        ),
    ] = 0.25,
    epochs: o.Epochs = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.05, help="End training after about so many minutes.")
    ] = None,
    seed: o.Seed = 0,
    reading: SourceOptions,
    as_json: o.Json = False,
) -> None:
    """Train a classifier on labelled cells.

    It runs without torch: `zarrmal archive … --assign classifier --classifier FILE`. Call it
    again with the same FILE after an interruption: the run continues.

    Example: `zarrmal train-classifier cells/ -o cells.zcls --channel red --group-pattern '^[^_]+'`
    """
    choose.import_learn()
    from ...learn.classifier import ClassifierOptions
    from ...learn.classifier import train_classifier as train

    if output is not None:
        refuse_output(output)
    options = ClassifierOptions(epochs=epochs, minutes=minutes, seed=seed, unseen=unseen)
    with progress_bars() as progress:
        cells = open_cells(source, reading.arguments(), progress)
        checkpoint = None if output is None else output.with_name(output.name + ".checkpoint")
        result = train(cells, options, checkpoint=checkpoint, progress=progress)
    if output is not None:
        result.classifier.save(output)
    if as_json:
        print_json(result.to_json())
        return
    table = classifier_table(result.report)
    out.print(
        f"trained on {result.n_training:,} cells, {result.epochs} epochs, {result.seconds:.0f} s; "
        f"temperature {result.classifier.temperature:.2f} set by {result.n_calibration:,} others"
        + ("" if unseen else ", which the report is on as well")
    )
    out.print(table)
