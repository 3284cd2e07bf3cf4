"""``zarrmal info``, ``verify``, ``extract``: look at an archive and get cells out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import api
from ..archive import Target, archive_info
from ..archive import extract_archive as extract_cells
from ..archive import verify_archive as verify_cells
from ..sources import open_source
from . import options as o
from .app import app
from .console import out, pairs, print_json, progress_bars, told
from .tables import info_table
from .wishes import source_arguments


@app.command()
@told
def info(
    url: o.UrlArgument, storage_option: o.StorageOption = None, as_json: o.Json = False
) -> None:
    """Show what an archive holds and where its bytes go.

    Example: `zarrmal info s3://lab/cells.zarr --storage-option anon=true`
    """
    found = archive_info(Target(url, pairs(storage_option)))
    if as_json:
        print_json(found.to_json())
    else:
        out.print(info_table(found))


@app.command()
@told
def verify(
    url: o.UrlArgument,
    source: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="Compare every pixel with this source.")
    ] = None,
    channel: o.Channel = o.ChannelName.auto,
    size: o.Size = None,
    group_pattern: o.GroupPattern = None,
    skip_unreadable: o.SkipUnreadable = False,
    storage_option: o.StorageOption = None,
    source_option: o.SourceOption = None,
    as_json: o.Json = False,
) -> None:
    """Re-read an archive, check every byte, decode every cell. Exit code 1 if anything is wrong.

    Give --size and --channel as when the archive was written.

    Example: `zarrmal verify cells.zarr --source cells/ --size 50 --channel red`
    """
    target = Target(url, pairs(storage_option))
    target.open()
    with progress_bars() as progress:
        arguments = source_arguments(channel, size, group_pattern, skip_unreadable, source_option)
        cells = None
        if source is not None:
            cells = open_source(source, progress=api.reading(progress), **arguments)
        report = verify_cells(target, cells, progress)
    if as_json:
        print_json(report.to_json())
    elif report.problems:
        for problem in report.problems:
            out.print(problem, style="red", markup=False)
    else:
        compared = "equal to the source" if report.compared else "not compared with a source"
        out.print(f"{url}: {report.n_cells:,} cells and {report.n_chunks:,} chunks are sound, "
                  f"{compared}", markup=False)  # fmt: skip
    if report.problems:
        raise typer.Exit(1)


@app.command()
@told
def extract(
    url: o.UrlArgument,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the images go.")],
    class_name: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="Only this predicted class.")
    ] = None,
    overwrite: o.Overwrite = False,
    storage_option: o.StorageOption = None,
    as_json: o.Json = False,
) -> None:
    """Write the cells of an archive as PNG files under their original names.

    Example: `zarrmal extract cells.zarr images/ --class parasitized`
    """
    with progress_bars() as progress:
        n = extract_cells(
            Target(url, pairs(storage_option)),
            folder,
            class_name=class_name,
            overwrite=overwrite,
            progress=progress,
        )
    if as_json:
        print_json({"n_cells": n, "folder": str(folder)})
    else:
        out.print(f"{n:,} images in {folder}", markup=False)
