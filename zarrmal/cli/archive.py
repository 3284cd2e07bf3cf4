"""``zarrmal archive``: write an archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import api
from ..archive import Target, WriteOptions, archive_info, write_archive
from ..archive.write import interrupted_model, refuse_place
from ..archive.write_options import default_workers
from ..sources import open_source
from . import options as o
from .app import app
from .console import err, out, pairs, print_json, progress_bars, say, told
from .tables import classifier_table, info_table
from .wishes import cluster, say_classifier, say_shipped, say_source, source_arguments, widths


@app.command()
@told
def archive(
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
            help="classifier: a file of `zarrmal train-classifier`; by default the one that ships.",
        ),
    ] = None,
    cross_fit: Annotated[
        bool,
        typer.Option(
            "--cross-fit",
            help="classifier: learn from the cells' own labels, each from other slides.",
        ),
    ] = False,
    chunk_cells: Annotated[int, typer.Option(min=1, help="Cells in a chunk.")] = 1024,
    shard_cells: Annotated[
        int | None,
        typer.Option(min=2, help="Cells in a shard: fewer, larger objects, for millions of cells."),
    ] = None,
    zarr_format: Annotated[int, typer.Option(min=2, max=3, help="3 or 2.")] = 3,
    rice: Annotated[
        o.RiceName, typer.Option(help="Rice parameter: the paper's formula, or the exact best.")
    ] = o.RiceName.mean,
    storage_option: o.StorageOption = None,
    source_option: o.SourceOption = None,
    channel: o.Channel = o.ChannelName.auto,
    size: o.Size = None,
    group_pattern: o.GroupPattern = None,
    skip_unreadable: o.SkipUnreadable = False,
    effort: Annotated[
        o.EffortName | None,
        typer.Option(help="hybrid: train a model on these cells, with this effort."),
    ] = None,
    minutes: o.Minutes = None,
    epochs: o.Epochs = None,
    hidden: o.Hidden = "1500,500,30",
    seed: o.Seed = 0,
    overwrite: o.Overwrite = False,
    resume: o.Resume = False,
    workers: o.Workers = None,
    dask: o.Dask = None,
    as_json: o.Json = False,
) -> None:
    """Write cells as an archive.

    Without --model the one that ships is used, where it can code the cells. --effort (or --profile
    paper) trains one on these cells first. --assign classifier takes the classifier that ships
    (--classifier, --labelled and --cross-fit another), and measures it where there are labels.

    An interrupted run goes on with --resume, and the same SOURCE: chunks that are stored stay.

    Example: `zarrmal archive cells/ cells.zarr --size 50 --channel red`
    """
    target = Target(url, pairs(storage_option))
    api.refuse_ways(assign.value, classifier is not None, labelled is not None, cross_fit)
    trained = api.load_classifier(classifier)
    wishes = WriteOptions(
        chunk_cells=chunk_cells,
        shard_cells=shard_cells,
        zarr_format=3 if zarr_format == 3 else 2,
        rice=rice.value,
        overwrite=overwrite,
        resume=resume,
        storage_options=target.storage_options,
        workers=workers or default_workers(),
        runner=cluster(dask),
    )
    refuse_place(target, wishes, source)
    ready = api.load_model(model) if model else interrupted_model(target, wishes)
    arguments = source_arguments(channel, size, group_pattern, skip_unreadable, source_option)
    with progress_bars() as progress:
        cells = open_source(source, progress=api.reading(progress), **arguments)
        say_source(cells)
        others = None
        if labelled is not None:
            others = open_source(labelled, **(arguments | {"storage_options": {}}))
        if ready is None and profile is o.ProfileName.hybrid and effort is None:
            ready = api.shipped_for(cells.cell_shape)
            if ready is not None:
                say_shipped(ready, cells)
        if ready is None:
            learn = api.learn_room()
            say("no --model: training one on these cells (`zarrmal train` keeps it for others)")
            if profile is o.ProfileName.paper:
                how = learn.TrainOptions(hidden=widths(hidden), epochs=epochs, seed=seed)
            else:
                effort = effort or o.EffortName.default
                how = learn.HybridOptions(effort=effort.value, minutes=minutes, seed=seed)
            place = api.training_checkpoint(target)
            ready = learn.train_any(cells, how, checkpoint=place, progress=progress).model
        assigner = api.choose_assigner(
            assign.value,
            cells,
            ready,
            others,
            progress,
            classifier=trained,
            cross_fit=cross_fit,
        )
        if assign is o.AssignName.classifier and not (trained or others or cross_fit):
            say_classifier(api.classifier_for(cells, ready))
        write_archive(cells, url, model=ready, assigner=assigner, options=wishes, progress=progress)
    report = api.classifier_report(assigner)
    info = archive_info(target)
    if as_json:
        print_json(
            info.to_json()
            | {"unreadable": list(cells.unreadable)}
            | ({"classifier": report.to_json()} if report else {})
        )
        return
    if report:
        err.print(classifier_table(report))
    out.print(info_table(info))
