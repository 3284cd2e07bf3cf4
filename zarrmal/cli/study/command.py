"""``zarrmal study``: the paper's experiment on misclassification, done again."""

from __future__ import annotations

from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from ... import choose
from ...benchmark import LossyError, refuse_unfit
from ...classify.network import CellClassifier
from ...errors import InputError
from ...sources import open_source
from .. import options as o
from ..app import app
from ..arguments import widths
from ..benchmark.models import created, refuse_folder
from ..option_groups import SourceOptions, takes_groups
from ..terminal.console import print_json, progress_bars, say, say_error
from ..terminal.errors import EXIT_DAMAGE, reports_errors
from ..terminal.listener import open_cells

QUICK_CELLS = 60


@app.command()
@reports_errors
@takes_groups
def study(
    *,
    source: o.SourceArgument,
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FOLDER",
            help="For results.json, figures and page, and all that a second run need not measure "
            "again.",
        ),
    ],
    model: Annotated[
        list[Path] | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="Take this model instead of training one of its profile; may be repeated.",
        ),
    ] = None,
    classifier: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take this classifier instead of training one."),
    ] = None,
    with_classifier: Annotated[
        bool,
        typer.Option("--with-classifier/--no-classifier", help="Mark a real one in the curves."),
    ] = True,
    cells_per_class: Annotated[
        int, typer.Option(min=2, help="Cells of a class to measure, and to train the paper's on.")
    ] = 400,
    all_cells: Annotated[
        bool,
        typer.Option("--all-cells", help="Train the paper's model on all training cells too."),
    ] = False,
    prior: Annotated[float, typer.Option(help="P(S0), the share of the first class.")] = 0.5,
    unseen: Annotated[
        float, typer.Option(min=0.01, max=0.99, help="Share of the slides to measure on.")
    ] = 0.25,
    seed: o.Seed = 0,
    effort: o.EffortOption = o.EffortName.default,
    minutes: Annotated[
        float, typer.Option(min=0.05, help="hybrid: end training after about so many minutes.")
    ] = 10.0,
    steps: o.Steps = None,
    hidden: o.Hidden = "1500,500,30",
    epochs: o.Epochs = None,
    rivals: Annotated[bool, typer.Option(help="Measure other coders too.")] = True,
    figures: Annotated[bool, typer.Option(help="Draw figures and write a page.")] = True,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Few cells, short training: only to see whether it runs."),
    ] = False,
    reading: SourceOptions,
    as_json: o.Json = False,
) -> None:
    """What misclassification costs: the experiment of Dong, Pan and Wu (2019) on real coders.

    Of RGB cells it takes the red channel, as the paper does, unless --channel names another.

    A given --model or --classifier must have been trained with the same --seed and --unseen, or
    its slides are not unseen.

    Example: `zarrmal study cells.npz -o study/`
    """
    if figures and find_spec("matplotlib") is None:
        raise InputError(
            "figures need matplotlib, which is not installed: pip install 'zarrmal[plot]', or "
            "--no-figures"
        )
    refuse_folder(output)
    given = [(path, choose.load_model(path)) for path in model or []]
    known = CellClassifier.load(classifier) if classifier is not None else None
    needs_torch = {m.profile for _, m in given} < {"paper", "hybrid"} or all_cells
    if needs_torch or (with_classifier and known is None):
        choose.import_learn()
    # Late: these rooms are large, and a mistake is reported before they are needed.
    from ...study.cache import Cache
    from ...study.cells import split_cells
    from ...study.experiment import run_study
    from ...study.measure.classifier import refuse_unfit as refuse_classifier
    from ...study.measure.rivals import study_rivals
    from ...study.model import StudyModel
    from .models import StudyOptions, study_classifier, study_models

    study_options = StudyOptions(
        hidden=widths(hidden),
        epochs=epochs,
        all_cells=all_cells,
        effort=effort.value,
        minutes=minutes,
        steps=steps,
        seed=seed,
        quick=quick,
    )
    n_cells = min(cells_per_class, QUICK_CELLS) if quick else cells_per_class
    with progress_bars() as progress:
        cells, channel = open_cells(source, reading.arguments(), progress), reading.channel
        if channel is o.ChannelName.auto and cells.cell_shape[2:] == (3,):
            cells, channel = open_source(cells, channel="red"), o.ChannelName.red
            say("the red channel alone, as in the paper; --channel takes another")
        split = split_cells(cells, cells_per_class=n_cells, unseen=unseen, seed=seed, prior=prior)
        refuse_unfit([m for _, m in given], cells)
        for path, one in given:
            fits = StudyModel(name=path.name, model=one, given=True, training="")
            fits.refuse_unfit(cells.class_names, cells.cell_shape)
        if known is not None:
            refuse_classifier(known, cells)
        folder = created(output)
        assert folder is not None
        cache, models_folder = Cache(folder / "kept"), folder / "models"
        models_folder.mkdir(exist_ok=True)
        classified = None
        if with_classifier:
            classified = study_classifier(
                known, split, cells, study_options, cache, models_folder, progress
            )
        settings: dict[str, Any] = asdict(study_options) | {
            "cells_per_class": n_cells,
            "unseen": unseen,
            "prior": prior,
            "models": [path.name for path, _ in given],
            "classifier": classifier.name if classifier else None,
            "channel": channel.value,
            "size": reading.size,
            "group_pattern": reading.group_pattern,
        }
        try:
            results = run_study(
                split,
                study_models(given, split, study_options, models_folder, progress),
                study_rivals(quick) if rivals else (),
                classified,
                cache=cache,
                seed=seed,
                quick=quick,
                settings=settings,
                progress=progress,
            )
        except LossyError as error:
            say_error(f"this study is void: {error}")
            raise typer.Exit(EXIT_DAMAGE) from None
        say(f"wrote {results.save(folder)}")
        if figures:
            from ...study.figures import draw_all
            from ...study.page import write_page

            drawn = draw_all(results, folder)
            say(f"drew {len(drawn)} figures, page {write_page(results, folder)}")
    if as_json:
        print_json(results.to_json())
    else:
        from .tables import show_study

        show_study(results)
