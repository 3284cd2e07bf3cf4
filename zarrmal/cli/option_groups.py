"""Options that commands take together: a command has one parameter for a group of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast, get_type_hints

import typer

from . import options as o
from .terminal.console import key_values

if TYPE_CHECKING:
    from ..segment import SegmentOptions

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """How the cells of a source are read."""

    channel: o.Channel = o.ChannelName.auto
    size: o.Size = None
    group_pattern: o.GroupPattern = None
    skip_unreadable: o.SkipUnreadable = False
    source_option: o.SourceOption = None

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of zarrmal.write, append, verify and train about the source."""
        return {
            "channel": self.channel.value,
            "size": self.size,
            "group_pattern": self.group_pattern,
            "skip_unreadable": self.skip_unreadable,
            "source_options": key_values(self.source_option, "--source-option"),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedSourceOptions(SourceOptions):
    """The same, where masks of the cells count too."""

    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER|FILE|PATTERN",
            help="Masks of the cells: a folder of images named as the cells; a pattern such as "
            "{name}_mask.png, beside them, or masks/{name}.tif; or an .npz file of packed masks. "
            "Of cells that were cut out along them they make the archive smaller (those with a "
            "background of 0 need none); beside cells with their background they are archived.",
        ),
    ] = None
    axes: Annotated[
        str | None,
        typer.Option(
            metavar="AXES",
            help="Axes of an array after its cells, such as cyx or yxc; by default from the names "
            "of its dimensions, else from their lengths. Of images: cyx takes pages as channels.",
        ),
    ] = None
    mask_channel: Annotated[
        str | None,
        typer.Option(
            "--mask-channel",
            metavar="N,N,…",
            help="Channels that are masks, by number or name; none where none is. By default as an "
            "HDF5 file says.",
        ),
    ] = None

    def arguments(self) -> dict[str, Any]:
        """See SourceOptions."""
        names = None if self.mask_channel is None else self.mask_channel.split(",")
        own = {"masks": self.masks, "axes": self.axes, "mask_channels": names}
        return SourceOptions.arguments(self) | own


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedSourceOptions(MaskedSourceOptions):
    """The same of commands that code cells."""

    infer_masks: Annotated[
        o.InferName,
        typer.Option(
            help="auto: cells of one size that were cut out on a background of 0 and then "
            "resampled, and have no masks, get some inferred from their edges, where the model "
            "codes masks."
        ),
    ] = o.InferName.auto

    def arguments(self) -> dict[str, Any]:
        """See SourceOptions."""
        return MaskedSourceOptions.arguments(self) | {"infer_masks": self.infer_masks.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class SlideOptions:
    """How a slide is segmented."""

    tile: o.TileSide = None
    splitting: o.SplittingOption = o.SplittingName.watershed
    keep_background: Annotated[
        bool,
        typer.Option(
            "--keep-background",
            help="Slides: cut out rectangles; by default only the cell is not 0.",
        ),
    ] = False
    keep_border: o.KeepBorder = None

    def segmentation(self) -> SegmentOptions:
        """For a source that is a slide."""
        from ..segment import SegmentOptions  # its libraries take as long as all else

        return SegmentOptions(
            tile=self.tile,
            splitting=self.splitting.value,
            keep_background=self.keep_background,
            keep_border=self.keep_border,
        )

    def segmentation_if_given(self) -> SegmentOptions | None:
        """None if no option was given: the source tells whether it is a slide."""
        return None if self == SlideOptions() else self.segmentation()


GROUPS = (SourceOptions, SlideOptions)


def takes_groups(command: F) -> F:
    """Show typer the options of each group in place of the parameter that takes the group."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type[SourceOptions | SlideOptions]] = {}
    options: dict[str, inspect.Parameter] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        if isinstance(hints[name], type) and issubclass(hints[name], GROUPS):
            groups[name] = hints[name]
            own = get_type_hints(hints[name], include_extras=True)
            defaults = {field.name: field.default for field in fields(hints[name])}
        else:
            own, defaults = {name: hints[name]}, {name: parameter.default}
        for option, default in defaults.items():
            options[option] = inspect.Parameter(
                option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=own[option]
            )

    @functools.wraps(command)
    def with_groups(**given: Any) -> Any:
        made = {
            name: kind(**{field.name: given.pop(field.name) for field in fields(kind)})
            for name, kind in groups.items()
        }
        return command(**given, **made)

    with_groups.__signature__ = inspect.Signature([*options.values()])  # type: ignore[attr-defined]
    with_groups.__annotations__ = {name: each.annotation for name, each in options.items()}
    return cast(F, with_groups)
