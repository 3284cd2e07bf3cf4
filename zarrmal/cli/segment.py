"""``zarrmal segment``: the cells of a slide, as a folder or an archive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from .. import api
from ..archive import Archive, WriteOptions
from ..archive.format import PREDICTED_CLASS, SOURCE_INDEX
from ..archive.write.options import default_workers
from ..errors import InputError
from ..sources import Source
from . import options as o
from .app import app
from .arguments import refuse_output
from .option_groups import SlideOptions, takes_groups
from .tables import print_info
from .terminal.console import key_values, print_json, progress_bars, say
from .terminal.errors import reports_errors
from .terminal.listener import ConsoleListener, say_source

ARCHIVE_SUFFIXES = (".zarr", ".zarr.zip")
PICTURES = (".png", ".jpg", ".jpeg")


class _Segmented(ConsoleListener):
    """Keeps the cells, for the preview."""

    source: Source

    def opened(self, source: Source) -> None:
        """See Listener."""
        super().opened(source)
        self.source = source


@app.command()
@reports_errors
@takes_groups
def segment(
    *,
    slide: Annotated[
        str,
        typer.Argument(
            metavar="SLIDE",
            help="A whole-slide file (SVS, NDPI, TIFF, OME-Zarr, others with the extra slides), a "
            "picture, or a folder of tiles named column_row; a path or a URL.",
            show_default=False,
        ),
    ],
    target: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER|URL",
            help="A folder for images, masks and a table; or an archive: a path ending in .zarr, "
            "or a URL.",
            show_default=False,
        ),
    ],
    size: o.Size = None,
    cutting: SlideOptions,
    preview: Annotated[
        Path | None,
        typer.Option(
            metavar="PICTURE",
            help="Draw cells by class and rejected objects by reason over the slide.",
        ),
    ] = None,
    channel: o.Channel = o.ChannelName.auto,
    model: o.ModelOption = None,
    storage_option: o.StorageOption = None,
    source_option: o.SourceOption = None,
    overwrite: o.Overwrite = False,
    resume: o.Resume = False,
    workers: o.Workers = None,
    as_json: o.Json = False,
) -> None:
    """Find the cells of a slide, and cut them out, each with its place on the slide.

    Cells that touch are split; debris, platelets, white cells, marks, and cells that the border
    cuts in two are left out, each with its reason. Nothing is to be set: the stain and the size of
    a cell are found from the slide.

    Example: `zarrmal segment slide.svs cells.zarr --preview overlay.png`
    """
    if preview is not None:
        if preview.suffix.lower() not in PICTURES:
            raise InputError(f"{preview}: a preview ends in {' or '.join(PICTURES)}")
        refuse_output(preview)
    options = cutting.segmentation()
    source_options = key_values(source_option, "--source-option")
    storage_options = key_values(storage_option)
    from ..segment.export import export_cells, refuse_folder
    from ..segment.preview import save_preview
    from ..segment.source import SlideSource, open_slide_cells

    classes = None
    names: tuple[str, ...] = ()
    is_archive = "://" in target or target.rstrip("/").endswith(ARCHIVE_SUFFIXES)
    if not is_archive:
        refuse_folder(Path(target), overwrite=overwrite)
    with progress_bars() as progress, _previewed_without_cells(preview):
        if is_archive:
            listener = _Segmented(progress)
            info = api.write(
                slide,
                target,
                model=model,
                options=WriteOptions(
                    overwrite=overwrite, resume=resume, workers=workers or default_workers()
                ),
                listener=listener,
                storage_options=storage_options,
                source_options=source_options,
                slide=options,
                channel=channel.value,
                size=size,
            )
            source = listener.source
            if preview is not None:
                classes, names = _classes(target, storage_options)
                if len(np.unique(classes)) < 2:  # nothing has told them apart
                    classes, names = None, ()
        else:
            info = None
            source = open_slide_cells(
                slide,
                options=options,
                channel=channel.value,
                size=size,
                storage_options=source_options,
                progress=progress,
            )
            say_source(source)
            export_cells(source, Path(target), overwrite=overwrite, progress=progress)
    assert isinstance(source, SlideSource)
    if preview is not None:
        save_preview(preview, source.slide, source.objects, classes=classes, class_names=names)
        say(f"{preview}: the preview")
    slide_bytes = source.slide.n_bytes
    if as_json:
        objects = {
            "slide": source.slide.name,
            "objects": source.objects.counts,
            "slide_bytes": slide_bytes,
        }
        print_json(objects if info is None else info.to_json() | objects)
    elif info is not None:
        print_info(info)
        if slide_bytes:
            say(
                f"the archive of all cells takes {info.stored_bytes:,} bytes, the slide itself "
                f"{slide_bytes:,}: {info.stored_bytes / slide_bytes:.2f} times as many"
            )


@contextmanager
def _previewed_without_cells(preview: Path | None) -> Iterator[None]:
    """Draw the preview of a slide without cells, too: it shows why there are none."""
    from ..segment.preview import save_preview
    from ..segment.source import NoCellsError

    try:
        yield
    except NoCellsError as error:
        if preview is not None and error.slide is not None and error.objects is not None:
            save_preview(preview, error.slide, error.objects)
            say(f"{preview}: the preview")
        raise


def _classes(
    url: str, storage_options: dict[str, object]
) -> tuple[np.ndarray[tuple[int], np.dtype[np.uint8]], tuple[str, ...]]:
    """The class of each cell in the order of the source, and the classes' names."""
    archive = Archive.open(url, storage_options=storage_options)
    dataset = archive.dataset()
    order = np.argsort(dataset[SOURCE_INDEX].values)
    return dataset[PREDICTED_CLASS].values[order], tuple(archive.facts.classes)
