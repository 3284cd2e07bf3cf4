"""Sources as the verbs take them: whatever holds cells, or a slide whose cells are found first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..archive import Archive
from ..archive.format import ArchiveFacts
from ..archive.preprocessing import requested
from ..archive.read.as_source import with_stored_coefficients
from ..archive.read.silhouettes import read_silhouettes
from ..errors import InputError
from ..infer import InferMode, Rule, rule_of, with_inferred_masks
from ..infer.rule import SAMPLE_CELLS
from ..listener import Listener
from ..progress import Progress, silent
from ..sources import Channel, Source, open_source
from ..sources.slide_address import is_slide

if TYPE_CHECKING:
    from ..segment import SegmentOptions

StorageOptions = Mapping[str, Any] | None


def opened_like(
    facts: ArchiveFacts | None,
    url: str,
    source: Any,
    listener: Listener,
    options: StorageOptions,
    arguments: Mapping[str, Any],
    slide: SegmentOptions | None = None,
    infer_masks: InferMode = "off",
    rule: Rule | None = None,
) -> Source:
    """Open a source; channel and size are those of an archive, where there is one.

    Parameters
    ----------
    rule
        That the masks of the archive's cells follow, where it is known.

    Raises
    ------
    InputError
        If ``arguments`` ask for other ones.
    """
    arguments = dict(arguments)
    recorded = None if facts is None else facts.preprocessing
    channel, size = requested(
        recorded, url, channel=arguments.pop("channel", "auto"), size=arguments.pop("size", None)
    )
    # Of grey cells no channel can be picked.
    picked: Channel = "auto" if recorded is not None else channel
    cells = open_cells(
        source,
        slide=slide,
        source_options=options,
        progress=listener.progress,
        channel=picked,
        size=size,
        **arguments,
    )
    if recorded is not None and cells.cell_shape[2:] == (3,):
        cells = open_source(cells, channel=channel)
    cells = with_inferred_masks(cells, infer_masks, rule, listener.progress)
    listener.opened(cells)
    return cells


def rule_of_archive(archive: Archive) -> Rule | None:
    """What the masks of an archive's last cells have in common; None where nothing is known.

    Few cells that are appended follow it: by themselves they would not tell it (see
    zarrmal.infer.source).
    """
    rows = np.arange(max(archive.n_cells - SAMPLE_CELLS, 0), archive.n_cells)
    return rule_of(read_silhouettes(archive, rows))


def open_cells(
    source: Any,
    *,
    slide: SegmentOptions | None = None,
    source_options: StorageOptions = None,
    progress: Progress = silent,
    channel: Channel = "auto",
    size: int | None = None,
    infer_masks: InferMode = "off",
    **arguments: Any,
) -> Source:
    """Open cells for reading, or find those of a slide.

    Parameters
    ----------
    source
        What ``open_source`` takes, or a slide (see ``zarrmal.segment.open_slide``), or a folder of
        pictures that are fields, each with many cells.
    slide
        How cells are found; needed where a folder of images is a slide or holds fields.
    source_options
        fsspec's storage options of the source.
    infer_masks
        See ``write``; of slides the masks are known.
    channel, size, arguments
        See ``open_source``.

    Raises
    ------
    InputError
        As ``open_source``; or the slide holds no cells, or takes no such argument.
    """
    if slide is None and not is_slide(source):
        opened = open_source(
            source,
            channel=channel,
            size=size,
            storage_options=source_options,
            progress=reading(progress),
            **arguments,
        )
        if channel == "auto" and size is None and not arguments.get("axes"):
            opened = with_stored_coefficients(opened, source, source_options)
        return with_inferred_masks(opened, infer_masks, progress=progress)
    from ..segment.fields import open_fields_or_slide  # its libraries take as long as all else

    given = [name for name, value in arguments.items() if value and name != "skip_unreadable"]
    if unfit := sorted({*given} - {"group_pattern"}):
        raise InputError(f"{source}: is a slide, whose cells are found by zarrmal: leave out "
                         f"{', '.join(unfit)}")  # fmt: skip
    return open_fields_or_slide(
        source,
        options=slide,
        channel=channel,
        size=size,
        group_pattern=arguments.get("group_pattern"),
        storage_options=source_options,
        progress=progress,
    )


def reading(progress: Progress) -> Callable[[int, int], None]:
    """Progress of opening a source."""
    return lambda done, total: progress("reading the source", done, total)
