"""``zarrmal info``, ``verify``, ``extract``: look at an archive and get cells out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import api
from ..archive import Target, archive_info
from ..archive import extract_archive as extract_cells
from ..archive import verify_archive as verify_cells
from ..sources import ConcatSource, open_source
from . import options as o
from .app import app
from .console import out, pairs, print_json, progress_bars, told
from .tables import info_table
from .wishes import source_arguments

TOLD_PROBLEMS = 40


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
        list[str] | None,
        typer.Option(
            metavar="SOURCE",
            help="Compare every pixel with this source; for an archive that was appended to, once "
            "for each source, in order.",
        ),
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

    Each damaged chunk is named, with the cells that are lost when the others are read one by one.
    Give --size and --channel as when the archive was written.

    Example: `zarrmal verify cells.zarr --source cells/ --size 50 --channel red`
    """
    target = Target(url, pairs(storage_option))
    target.open(consolidated=False)
    with progress_bars() as progress:
        arguments = source_arguments(channel, size, group_pattern, skip_unreadable, source_option)
        cells = None
        if source:
            reading = api.reading(progress)
            cells = ConcatSource(
                [open_source(one, progress=reading, **arguments) for one in source]
            )
        report = verify_cells(target, cells, progress)
    if as_json:
        print_json(report.to_json())
    elif report.problems:
        _say_problems(report.problems)
        if report.n_lost:
            out.print(f"{report.n_lost:,} of {report.n_cells:,} cells are lost; `zarrmal extract "
                      f"--skip-damaged` saves the others", markup=False)  # fmt: skip
        elif report.findings:
            out.print("no cell is lost", markup=False)
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
    skip_damaged: Annotated[
        bool,
        typer.Option(
            "--skip-damaged",
            help="Save all that can be had of a damaged archive; list the rest.",
        ),
    ] = False,
    storage_option: o.StorageOption = None,
    as_json: o.Json = False,
) -> None:
    """Write the cells of an archive as PNG files under their original names.

    A damaged archive is refused. With --skip-damaged everything else is saved, single cells of
    damaged chunks too (checked by a CRC-16 of their own), and what is lost or not certain is listed
    in FOLDER/damaged-cells.txt; the exit code is then 1.

    Example: `zarrmal extract cells.zarr images/ --class parasitized`
    """
    with progress_bars() as progress:
        report = extract_cells(
            Target(url, pairs(storage_option)),
            folder,
            class_name=class_name,
            overwrite=overwrite,
            skip_damaged=skip_damaged,
            progress=progress,
        )
    if as_json:
        print_json(report.to_json() | {"folder": str(folder)})
    else:
        _say_problems(report.problems)
        if report.problems:
            out.print(f"{report.n_lost:,} cells are lost, {report.n_recovered:,} recovered out of "
                      f"damaged chunks", markup=False)  # fmt: skip
        if report.n_renamed:
            out.print(f"{report.n_renamed:,} images have another name: theirs is too long for the "
                      f"file system", markup=False)  # fmt: skip
        if report.listing is not None:
            out.print(f"which ones: {report.listing}", markup=False)
        out.print(f"{report.n_cells:,} images in {folder}", markup=False)
    if report.problems:
        raise typer.Exit(1)


def _say_problems(problems: tuple[str, ...]) -> None:
    for problem in problems[:TOLD_PROBLEMS]:
        out.print(problem, style="red", markup=False)
    if len(problems) > TOLD_PROBLEMS:
        out.print(f"… and {len(problems) - TOLD_PROBLEMS:,} more: --json tells all", style="red",
                  markup=False)  # fmt: skip
