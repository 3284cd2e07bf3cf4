"""``zarrmal append`` and ``undo``: more cells for an archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import api
from ..archive import AppendOptions, Target, append_archive, archive_info, undo_append
from ..archive.append import archive_model, refuse_append
from ..archive.place import refuse_itself
from ..archive.write_options import default_workers
from ..sources import open_source
from . import options as o
from .app import app
from .console import out, pairs, print_json, progress_bars, say, told
from .tables import info_table
from .wishes import cluster, say_classifier, say_source, source_arguments


@app.command()
@told
def append(
    source: o.SourceArgument,
    url: o.UrlArgument,
    assign: Annotated[
        o.AssignName,
        typer.Option(help="How cells get their class; auto: labels if there, else shortest."),
    ] = o.AssignName.auto,
    classifier: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="classifier: a file of `zarrmal train-classifier`; by default the one that ships.",
        ),
    ] = None,
    storage_option: o.StorageOption = None,
    source_option: o.SourceOption = None,
    channel: o.Channel = o.ChannelName.auto,
    size: o.Size = None,
    group_pattern: o.GroupPattern = None,
    skip_unreadable: o.SkipUnreadable = False,
    resume: o.Resume = False,
    workers: o.Workers = None,
    dask: o.Dask = None,
    as_json: o.Json = False,
) -> None:
    """Add cells to an archive, coded with the model that it holds.

    Who reads meanwhile sees the archive as it was. An interrupted run goes on with --resume, and
    the same SOURCE, or is taken back with `zarrmal undo URL`.

    Example: `zarrmal append today/ cells.zarr --size 50 --channel red`
    """
    target = Target(url, pairs(storage_option))
    wishes = AppendOptions(
        resume=resume, workers=workers or default_workers(), runner=cluster(dask)
    )
    refuse_append(target, resume=resume)
    refuse_itself(source, target)
    api.refuse_ways(assign.value, classifier is not None)
    trained = api.load_classifier(classifier)
    model = archive_model(target)
    arguments = source_arguments(channel, size, group_pattern, skip_unreadable, source_option)
    with progress_bars() as progress:
        cells = open_source(source, progress=api.reading(progress), **arguments)
        say_source(cells)
        assigner = api.choose_assigner(
            assign.value, cells, model, None, progress, classifier=trained
        )
        if assign is o.AssignName.classifier and trained is None:
            say_classifier(api.classifier_for(cells, model))
        append_archive(cells, target, assigner=assigner, options=wishes, progress=progress)
    info = archive_info(target)
    if as_json:
        print_json(info.to_json() | {"unreadable": list(cells.unreadable)})
    else:
        out.print(info_table(info))


@app.command()
@told
def undo(
    url: o.UrlArgument,
    storage_option: o.StorageOption = None,
    as_json: o.Json = False,
) -> None:
    """Take back an append that was interrupted.

    Example: `zarrmal undo cells.zarr`
    """
    n_cells = undo_append(Target(url, pairs(storage_option)))
    say(f"{url}: the append of {n_cells:,} cells is taken back")
    if as_json:
        print_json({"n_cells": n_cells})
