"""``zarrmal archive``: write an archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import api
from ..archive import WriteOptions
from ..archive.write.options import default_workers
from ..choose import import_learn
from . import options as o
from .app import app
from .arguments import canvas_size, cluster_runner, widths
from .option_groups import CodedSourceOptions, SlideOptions, takes_groups
from .tables import classifier_table, print_info
from .terminal.console import err, key_values, print_json, progress_bars
from .terminal.errors import reports_errors
from .terminal.listener import ConsoleListener


@app.command()
@reports_errors
@takes_groups
def archive(
    *,
    source: o.SourceArgument,
    url: o.UrlArgument,
    model: o.ModelOption = None,
    profile: o.Profile = o.ProfileName.hybrid,
    assign: Annotated[
        o.AssignName,
        typer.Option(help="How cells get their class; auto: labels if there, else shortest."),
    ] = o.AssignName.auto,
    labelled: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="classifier: train one on these labelled cells."),
    ] = None,
    classifier: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="classifier: a file of `zarrmal train-classifier`; by default the shipped one.",
        ),
    ] = None,
    cross_fit: Annotated[
        bool,
        typer.Option(
            "--cross-fit",
            help="classifier: learn from the cells' own labels, each from other slides.",
        ),
    ] = False,
    chunk_cells: Annotated[
        int | None,
        typer.Option(
            min=1, help="Cells in a chunk; by default 1,024, fewer where cells are large."
        ),
    ] = None,
    shard_cells: Annotated[
        int | None,
        typer.Option(min=2, help="Cells in a shard: fewer, larger objects, for millions of cells."),
    ] = None,
    shard_index: Annotated[
        o.ShardIndexName,
        typer.Option(
            help="Where a shard's index lies: auto takes the start in Azure, else the end."
        ),
    ] = o.ShardIndexName.auto,
    canvas: Annotated[
        str | None,
        typer.Option(
            metavar="HEIGHTxWIDTH",
            help="Room for larger cells, to be appended later; by default that of the largest.",
        ),
    ] = None,
    zarr_format: Annotated[int, typer.Option(min=2, max=3, help="3 or 2.")] = 3,
    rice: Annotated[
        o.RiceName, typer.Option(help="Rice parameter: the paper's formula, or the exact best.")
    ] = o.RiceName.mean,
    storage_option: o.StorageOption = None,
    reading: CodedSourceOptions,
    slide: SlideOptions,
    effort: Annotated[
        o.EffortName | None,
        typer.Option(help="hybrid: train a model on these cells, with this effort."),
    ] = None,
    minutes: o.Minutes = None,
    epochs: o.Epochs = None,
    hidden: o.Hidden = "1500,500,30",
    seed: o.Seed = 0,
    lattice: o.Lattice = o.LatticeName.auto,
    overwrite: o.Overwrite = False,
    resume: o.Resume = False,
    workers: o.Workers = None,
    dask: o.Dask = None,
    as_json: o.Json = False,
) -> None:
    """Write cells as an archive.

    Without --model the shipped model is used, where one can code the cells; others are deflated.
    --effort (or --profile
    paper) trains one on these cells first. --assign classifier takes the shipped classifier
    (--classifier, --labelled and --cross-fit another), and measures it where there are labels.

    Images may differ in size: each is stored, and extracted, at its own.

    Of a slide the cells are found first (`zarrmal segment` shows how well). A folder of tiles named
    column_row is taken for one slide where an option of slides is given, as --tile 2048.

    Continue an interrupted run with --resume and the same SOURCE: stored chunks are reused.

    Example: `zarrmal archive cells/ cells.zarr`
    """
    storage_options = key_values(storage_option)
    options = WriteOptions(
        chunk_cells=chunk_cells,
        shard_cells=shard_cells,
        shard_index=shard_index.value,
        canvas=canvas_size(canvas),
        zarr_format=3 if zarr_format == 3 else 2,
        rice=rice.value,
        overwrite=overwrite,
        resume=resume,
        lattice=lattice.value,
        workers=workers or default_workers(),
        runner=cluster_runner(dask),
    )
    train_options = None
    if model is None and (profile is o.ProfileName.paper or effort is not None):
        learn = import_learn()
        if profile is o.ProfileName.paper:
            train_options = learn.TrainOptions(hidden=widths(hidden), epochs=epochs, seed=seed)
        else:
            assert effort is not None
            train_options = learn.HybridOptions(effort=effort.value, minutes=minutes, seed=seed)
    with progress_bars() as progress:
        listener = ConsoleListener(progress)
        info = api.write(
            source,
            url,
            model=model,
            assign=assign.value,
            classifier=classifier,
            labelled=labelled,
            cross_fit=cross_fit,
            options=options,
            train_options=train_options,
            listener=listener,
            storage_options=storage_options,
            slide=slide.segmentation_if_given(),
            **reading.arguments(),
        )
    report = listener.report
    if as_json:
        print_json(
            info.to_json()
            | {"unreadable": list(listener.unreadable)}
            | ({"classifier": report.to_json()} if report else {})
        )
        return
    if report:
        err.print(classifier_table(report))
    print_info(info)
