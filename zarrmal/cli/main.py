"""The command line: ``zarrmal COMMAND --help`` shows an example of each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .. import api
from ..archive import Target, WriteOptions, archive_info, write_archive
from ..archive import extract_archive as extract_cells
from ..archive import verify_archive as verify_cells
from ..archive.target import refuse_occupied
from ..errors import InputError
from ..sources import Source, open_source
from ..version import SOFTWARE
from . import options as o
from .console import out, pairs, print_json, progress_bars, say, told
from .tables import info_table, training_table

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Archive cell images in Zarr: class-wise learned, lossless, plain to read.",
)


def main() -> None:
    """Entry point of the console script."""
    app()


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(SOFTWARE)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    pass


@app.command()
@told
def train(
    source: o.SourceArgument,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="MODEL", help="The model file to write.")
    ],
    profile: o.Profile = o.ProfileName.paper,
    epochs: o.Epochs = None,
    hidden: o.Hidden = "1500,500,30",
    pretrain_epochs: o.PretrainEpochs = None,
    max_cells: o.MaxCells = 100_000,
    loss: o.LossOption = o.LossName.absolute,
    coarseness: o.Coarseness = 0.8,
    seed: o.Seed = 0,
    channel: o.Channel = o.ChannelName.auto,
    size: o.Size = None,
    group_pattern: o.GroupPattern = None,
    skip_unreadable: o.SkipUnreadable = False,
    source_option: o.SourceOption = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
    as_json: o.Json = False,
) -> None:
    """Train a model on cells, one autoencoder a class.

    An interrupted run goes on where it was when called again.

    Example: `zarrmal train cells/ -o cells.zmal --size 50 --channel red --group-pattern '^[^_]+'`
    """
    learn = api._learn()
    _refuse_model_place(output)
    wishes = learn.TrainOptions(
        hidden=_widths(hidden),
        epochs=epochs,
        pretrain_epochs=pretrain_epochs,
        max_cells=max_cells,
        loss=loss.value,
        coarseness=coarseness,
        seed=seed,
        device=device,
    )
    with progress_bars() as progress:
        cells = open_source(
            source,
            progress=api._reading(progress),
            **_source_arguments(channel, size, group_pattern, skip_unreadable, source_option),
        )
        _say_source(cells)
        result = learn.train_model(
            cells,
            wishes,
            checkpoint=output.with_name(output.name + ".checkpoint"),
            progress=progress,
        )
    result.model.save(output)
    if as_json:
        print_json(learn.as_json(result))
    else:
        out.print(repr(result.model), markup=False)
        out.print(training_table(result))


@app.command()
@told
def archive(
    source: o.SourceArgument,
    url: o.UrlArgument,
    model: o.ModelOption = None,
    profile: o.Profile = o.ProfileName.paper,
    assign: Annotated[
        o.AssignName,
        typer.Option(help="How cells get their class; auto: labels if there, else shortest."),
    ] = o.AssignName.auto,
    labelled: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="Labelled cells for the classifier to learn from."),
    ] = None,
    chunk_cells: Annotated[int, typer.Option(min=1, help="Cells in a chunk.")] = 1024,
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
    epochs: o.Epochs = None,
    hidden: o.Hidden = "1500,500,30",
    seed: o.Seed = 0,
    overwrite: o.Overwrite = False,
    as_json: o.Json = False,
) -> None:
    """Write cells as an archive. Without --model, one is trained on these cells first.

    Example: `zarrmal archive cells/ cells.zarr --size 50 --channel red`
    """
    target = Target(url, pairs(storage_option))
    refuse_occupied(target, overwrite=overwrite, source=source)
    ready = api.load_model(model) if model else None
    wishes = WriteOptions(
        chunk_cells=chunk_cells,
        zarr_format=3 if zarr_format == 3 else 2,
        rice=rice.value,
        overwrite=overwrite,
        storage_options=target.storage_options,
    )
    arguments = _source_arguments(channel, size, group_pattern, skip_unreadable, source_option)
    with progress_bars() as progress:
        cells = open_source(source, progress=api._reading(progress), **arguments)
        _say_source(cells)
        others = None
        if labelled is not None:
            others = open_source(labelled, **(arguments | {"storage_options": {}}))
        if ready is None:
            learn = api._learn()
            say("no --model: training one on these cells (`zarrmal train` keeps it for others)")
            ready = learn.train_model(
                cells,
                learn.TrainOptions(hidden=_widths(hidden), epochs=epochs, seed=seed),
                checkpoint=api._checkpoint(target),
                progress=progress,
            ).model
        assigner = api.choose_assigner(assign.value, cells, ready, others, progress)
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
        say(f"classifier on unseen {report.unseen}: {report.accuracy:.1%} right; "
            + ", ".join(f"{k} = {v:.3f}" for k, v in report.to_json()["misclassification"].items())
        )  # fmt: skip
    out.print(info_table(info))


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
        arguments = _source_arguments(channel, size, group_pattern, skip_unreadable, source_option)
        cells = None
        if source is not None:
            cells = open_source(source, progress=api._reading(progress), **arguments)
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


def _refuse_model_place(path: Path) -> None:
    """Before a long training, not after it."""
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"{path} cannot be written: its folder must exist, and it be a file")


def _source_arguments(
    channel: o.ChannelName,
    size: int | None,
    group_pattern: str | None,
    skip_unreadable: bool,
    source_option: list[str] | None,
) -> dict[str, Any]:
    return {
        "channel": channel.value,
        "size": size,
        "group_pattern": group_pattern,
        "skip_unreadable": skip_unreadable,
        "storage_options": pairs(source_option),
    }


def _widths(hidden: str) -> tuple[int, ...]:
    try:
        return tuple(int(n) for n in hidden.split(","))
    except ValueError:
        raise InputError(f"--hidden wants widths like 1500,500,30, not {hidden!r}") from None


def _say_source(cells: Source) -> None:
    say(cells.description)
    if cells.unreadable:
        say(f"left out {len(cells.unreadable)} unreadable files: "
            + "; ".join(cells.unreadable[:5]) + (" …" if len(cells.unreadable) > 5 else "")
        )  # fmt: skip
