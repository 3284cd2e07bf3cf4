"""``zarrmal append``, ``undo``, ``adopt`` and ``repack``: what changes an archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import api
from ..archive import AppendOptions
from ..archive.write.options import default_workers
from . import options as o
from .app import app
from .arguments import canvas_size, cluster_runner
from .option_groups import CodedSourceOptions, SlideOptions, takes_groups
from .tables import print_info
from .terminal.console import key_values, print_json, progress_bars, say
from .terminal.errors import reports_errors
from .terminal.listener import ConsoleListener


@app.command()
@reports_errors
@takes_groups
def append(
    *,
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
            help="classifier: a file of `zarrmal train-classifier`; by default the shipped one.",
        ),
    ] = None,
    storage_option: o.StorageOption = None,
    reading: CodedSourceOptions,
    slide: SlideOptions,
    lattice: o.Lattice = o.LatticeName.auto,
    resume: o.Resume = False,
    workers: o.Workers = None,
    dask: o.Dask = None,
    as_json: o.Json = False,
) -> None:
    """Add cells to an archive, coded with the model that it holds.

    The cells are resampled, and a channel picked, as those of the archive were. An archive of
    cells of different sizes takes others up to its canvas.

    Readers see the old archive until the append commits. Continue an interrupted run with --resume
    and the same SOURCE, or take it back with `zarrmal undo URL`.

    Example: `zarrmal append today/ cells.zarr`
    """
    storage_options = key_values(storage_option)
    options = AppendOptions(
        resume=resume,
        lattice=lattice.value,
        workers=workers or default_workers(),
        runner=cluster_runner(dask),
    )
    with progress_bars() as progress:
        listener = ConsoleListener(progress)
        info = api.append(
            source,
            url,
            assign=assign.value,
            classifier=classifier,
            options=options,
            listener=listener,
            storage_options=storage_options,
            slide=slide.segmentation_if_given(),
            **reading.arguments(),
        )
    if as_json:
        print_json(info.to_json() | {"unreadable": list(listener.unreadable)})
    else:
        print_info(info)


@app.command()
@reports_errors
def undo(
    url: o.UrlArgument,
    storage_option: o.StorageOption = None,
    as_json: o.Json = False,
) -> None:
    """Take back an append that was interrupted.

    Example: `zarrmal undo cells.zarr`
    """
    n_cells = api.undo(url, storage_options=key_values(storage_option))
    say(f"{url}: the append of {n_cells:,} cells is taken back")
    if as_json:
        print_json({"n_cells": n_cells})


@app.command()
@reports_errors
def adopt(
    url: o.UrlArgument,
    storage_option: o.StorageOption = None,
    as_json: o.Json = False,
) -> None:
    """Make an archive of arrays that another program has copied or changed.

    For a copy made with xarray, and for an archive whose attribute another program has removed or
    replaced. Every chunk is decoded and checked; pixels are not touched.

    Example: `zarrmal adopt copy.zarr`
    """
    with progress_bars() as progress:
        info = api.adopt(url, progress=progress, storage_options=key_values(storage_option))
    if as_json:
        print_json(info.to_json())
    else:
        print_info(info)


@app.command()
@reports_errors
def repack(
    url: o.UrlArgument,
    to: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Write the new archive here; the old one stays."),
    ] = None,
    storage_option: o.StorageOption = None,
    to_option: Annotated[
        list[str] | None,
        typer.Option(metavar="K=V", help="For the file system of --to; may be repeated."),
    ] = None,
    canvas: Annotated[
        str | None,
        typer.Option(
            metavar="HEIGHTxWIDTH", help="Room for larger cells than the archive takes now."
        ),
    ] = None,
    workers: o.Workers = None,
    as_json: o.Json = False,
) -> None:
    """Write an archive of many appends anew as one segment, each class whole.

    Everything is kept. The new archive is compared with the old one before it takes its place.
    After an interruption, run the command again.

    With --canvas, cells of any size up to that can be appended afterwards.

    Example: `zarrmal repack cells.zarr`
    """
    with progress_bars() as progress:
        info = api.repack(
            url,
            to,
            canvas=canvas_size(canvas),
            workers=workers,
            progress=progress,
            storage_options=key_values(storage_option),
            to_options=key_values(to_option),
        )
    if as_json:
        print_json(info.to_json())
    else:
        print_info(info)
