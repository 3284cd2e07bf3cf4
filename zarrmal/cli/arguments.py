"""From options to the arguments of the library."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..archive import Runner
from ..errors import InputError
from . import options as o
from .terminal.console import key_values

if TYPE_CHECKING:
    from ..segment import SegmentOptions


def refuse_output(path: Path) -> None:
    """InputError if the file cannot be written: before a long training, not after it."""
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"{path} cannot be written: its folder must exist, and it be a file")


def source_arguments(
    channel: o.ChannelName,
    size: int | None,
    group_pattern: str | None,
    skip_unreadable: bool,
    source_option: list[str] | None,
    masks: Path | None = None,
    axes: str | None = None,
    mask_channel: str | None = None,
    infer_masks: o.InferName | None = None,
) -> dict[str, Any]:
    """Keyword arguments of zarrmal.write, append, verify and train about the source.

    Parameters
    ----------
    infer_masks
        None for commands that do not code cells.
    """
    return ({} if infer_masks is None else {"infer_masks": infer_masks.value}) | {
        "channel": channel.value,
        "size": size,
        "group_pattern": group_pattern,
        "skip_unreadable": skip_unreadable,
        "masks": masks,
        "axes": axes,
        "mask_channels": None if mask_channel is None else mask_channel.split(","),
        "source_options": key_values(source_option, "--source-option"),
    }


def slide_options(
    tile: int | None, splitting: o.SplittingName, keep_background: bool, keep_border: bool
) -> SegmentOptions:
    """How a slide is segmented."""
    from ..segment import SegmentOptions  # its libraries take as long as all else

    return SegmentOptions(
        tile=tile,
        splitting=splitting.value,
        keep_background=keep_background,
        keep_border=keep_border,
    )


def slide_options_if_given(
    tile: int | None, splitting: o.SplittingName, keep_background: bool, keep_border: bool
) -> SegmentOptions | None:
    """The same; None if none was given, so that the source tells whether it is a slide."""
    given = tile is not None or splitting is not o.SplittingName.watershed
    if not (given or keep_background or keep_border):
        return None
    return slide_options(tile, splitting, keep_background, keep_border)


def widths(text: str, option: str = "--hidden", example: str = "1500,500,30") -> tuple[int, ...]:
    """Widths of the hidden layers from ``1500,500,30``."""
    try:
        return tuple(int(n) for n in text.split(","))
    except ValueError:
        raise InputError(f"{option} wants widths like {example}, not {text!r}") from None


def canvas_size(canvas: str | None) -> tuple[int, int] | None:
    """Height and width from ``400x300``, or ``400`` for both."""
    if canvas is None:
        return None
    match = re.fullmatch(r"(\d+)(?:[x×](\d+))?", canvas)
    if match is None:
        raise InputError(f"--canvas wants a height and a width like 400x300, or one number for "
                         f"both, not {canvas!r}")  # fmt: skip
    return int(match[1]), int(match[2] or match[1])


def cluster_runner(address: str | None) -> Runner | None:
    """The runner of a dask cluster, if its address is given."""
    if address is None:
        return None
    if find_spec("distributed") is None:
        raise InputError("--dask needs dask.distributed: pip install 'zarrmal[dask]'")
    from ..archive.write.cluster import ClusterRunner

    return ClusterRunner.connect(address)
