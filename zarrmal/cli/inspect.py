"""``zarrmal info``, ``show``, ``verify``, ``extract``: look at an archive, get cells out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import api
from . import options as o
from .app import app
from .option_groups import MaskedSourceOptions, SlideOptions, takes_groups
from .tables import print_info, print_notice
from .terminal.console import key_values, out, print_json, progress_bars
from .terminal.errors import EXIT_DAMAGE, reports_errors

MAX_PROBLEMS = 40


@app.command()
@reports_errors
def info(
    url: o.UrlArgument, storage_option: o.StorageOption = None, as_json: o.Json = False
) -> None:
    """Show what an archive holds and where its bytes go.

    Example: `zarrmal info s3://lab/cells.zarr --storage-option anon=true`
    """
    contents = api.info(url, storage_options=key_values(storage_option))
    if as_json:
        print_json(contents.to_json())
    else:
        print_info(contents)


@app.command()
@reports_errors
def show(
    url: o.UrlArgument,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The picture, a PNG file.")
    ] = Path("sheet.png"),
    per_class: Annotated[
        int, typer.Option(metavar="N", min=1, help="Cells of each class at most.")
    ] = 24,
    overwrite: o.Overwrite = False,
    storage_option: o.StorageOption = None,
    as_json: o.Json = False,
) -> None:
    """Draw a contact sheet: cells of each class, evenly spread, with their labels beneath.

    A label that is not the predicted class is red. Exit code 1 if a cell on the sheet is damaged.

    Example: `zarrmal show cells.zarr -o sheet.png`
    """
    sheet = api.show(url, per_class=per_class, storage_options=key_values(storage_option))
    sheet.save(output, overwrite=overwrite)
    if as_json:
        print_json({"path": str(output), "n_shown": sheet.n_shown, "n_lost": sheet.n_lost})
    else:
        out.print(f"{sheet.n_shown:,} cells in {output}", markup=False)
        if sheet.n_lost:
            out.print(f"{sheet.n_lost:,} of them are damaged: see `zarrmal verify`", style="red",
                      markup=False)  # fmt: skip
    if sheet.n_lost:
        raise typer.Exit(EXIT_DAMAGE)


@app.command()
@reports_errors
@takes_groups
def verify(
    *,
    url: o.UrlArgument,
    source: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE",
            help="Compare every pixel with this source; for an archive that was appended to, once "
            "for each source, in order.",
        ),
    ] = None,
    reading: MaskedSourceOptions,
    slide: SlideOptions,
    storage_option: o.StorageOption = None,
    as_json: o.Json = False,
) -> None:
    """Check every stored byte and decode every cell. Exit code 1 if anything is wrong.

    Each damaged chunk is listed, with the cells that are lost when the others are read one by one.
    The source is resampled, and a channel picked, as when the archive was written.

    Example: `zarrmal verify cells.zarr --source cells/`
    """
    with progress_bars() as progress:
        report = api.verify(
            url,
            source or None,
            progress=progress,
            storage_options=key_values(storage_option),
            slide=slide.segmentation_if_given(),
            **reading.arguments(),
        )
    if as_json:
        print_json(report.to_json())
    elif report.problems:
        _print_problems(report.problems)
        if 0 < report.n_lost == report.n_cells:
            out.print(f"all {report.n_cells:,} cells are lost", markup=False)
        elif report.n_lost:
            out.print(f"{report.n_lost:,} of {report.n_cells:,} cells are lost; `zarrmal extract "
                      f"--skip-damaged` saves the others", markup=False)  # fmt: skip
        elif report.findings:
            out.print("no cell is lost", markup=False)
    else:
        out.print(f"{url}: {report.n_cells:,} cells and {report.n_chunks:,} chunks are sound, "
                  f"{report.comparison}", markup=False)  # fmt: skip
        print_notice(report.pixels_notice)
    if report.problems:
        raise typer.Exit(EXIT_DAMAGE)


@app.command()
@reports_errors
def extract(
    url: o.UrlArgument,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the images go.")],
    class_name: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="Only this predicted class.")
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write the masks too, as PNG files in this folder."),
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

    What was TIFF, and what no PNG holds, becomes TIFF. JPEG files that are stored as coefficients
    are JPEG files again.

    A damaged archive is refused. With --skip-damaged all else is saved, including single cells of
    damaged chunks (checked by their own CRC-16), and what is lost or not certain is listed in
    FOLDER/damaged-cells.txt; the exit code is then 1.

    Example: `zarrmal extract cells.zarr images/ --class parasitized`
    """
    with progress_bars() as progress:
        report = api.extract(
            url,
            folder,
            class_name=class_name,
            masks=masks,
            overwrite=overwrite,
            skip_damaged=skip_damaged,
            progress=progress,
            storage_options=key_values(storage_option),
        )
    if as_json:
        print_json(report.to_json() | {"folder": str(folder)})
    else:
        _print_problems(report.problems)
        if report.problems:
            out.print(f"{report.n_lost:,} cells are lost, {report.n_recovered:,} recovered out of "
                      f"damaged chunks", markup=False)  # fmt: skip
        if report.n_renamed:
            out.print(f"{report.n_renamed:,} images have another name: theirs is too long for the "
                      f"file system", markup=False)  # fmt: skip
        if report.listing is not None:
            out.print(f"listed in {report.listing}", markup=False)
        out.print(f"{report.n_cells:,} images in {folder}", markup=False)
        if report.n_numbered:
            out.print(f"{report.n_numbered:,} of them have their number in the name: others have "
                      f"the same, or one that some disks take for it", markup=False)  # fmt: skip
        if report.n_jpeg:
            out.print(f"{report.n_jpeg:,} of them are JPEG files again, {report.n_jpeg_same:,} of "
                      f"these byte for byte the original ones", markup=False)  # fmt: skip
        if masks is not None:
            out.print(f"masks of {report.n_masks_saved:,} cells in {masks}", markup=False)
        elif report.n_masks:
            out.print("the archive holds masks too: --masks FOLDER writes them", markup=False)
        print_notice(report.pixels_notice)
    if report.problems:
        raise typer.Exit(EXIT_DAMAGE)


def _print_problems(problems: tuple[str, ...]) -> None:
    for problem in problems[:MAX_PROBLEMS]:
        out.print(problem, style="red", markup=False)
    if len(problems) > MAX_PROBLEMS:
        out.print(f"… and {len(problems) - MAX_PROBLEMS:,} more: --json lists all", style="red",
                  markup=False)  # fmt: skip
