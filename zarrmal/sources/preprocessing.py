"""Preprocessing of pixels: picking a channel, resampling to one size; and the record of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from zarrmal_codecs.silhouette.silhouettes import Silhouettes, cut_out

from ..errors import InputError
from .sizes import Pixels, Sizes

Channel = Literal["auto", "red", "green", "blue", "all"]
"""Channels of a cell that a source gives: one of RGB, or ("auto", "all") those that are there."""

RGB_CHANNELS = {"red": 0, "green": 1, "blue": 2}
RESAMPLING = "bilinear"
RESAMPLED = ("uint8", "int8", "uint16", "int16", "float16", "float32")
"""Dtypes that are resampled: float32 holds each of their values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreprocessingOptions:
    """The channel and the size that the caller asks for.

    Parameters
    ----------
    channel
        See Channel.
    size
        Height and width in pixels, at least 1; None keeps the size.

    Raises
    ------
    InputError
        If there is no such channel or size.
    """

    channel: Channel = "auto"
    size: int | None = None

    def __post_init__(self) -> None:
        if self.channel not in get_args(Channel):
            raise InputError(
                f"the channel must be one of {', '.join(get_args(Channel))}, not {self.channel!r}"
            )
        if self.size is not None and (type(self.size) is not int or self.size < 1):
            raise InputError(f"the size is a number of pixels, at least 1, not {self.size!r}")

    @property
    def keeps_pixels(self) -> bool:
        """Neither is a channel picked, nor are cells resampled."""
        return self.size is None and self.channel not in RGB_CHANNELS

    def cell_shape(self, shape: tuple[int, ...], location: str) -> tuple[int, ...]:
        """Shape of a preprocessed cell.

        Parameters
        ----------
        shape
            Of the original cell, (y, x) or (y, x, channel).
        location
            Begins messages.

        Raises
        ------
        InputError
            If a channel is asked for and the cell is not RGB.
        """
        height, width = shape[:2] if self.size is None else (self.size, self.size)
        if self.channel not in RGB_CHANNELS:
            return (height, width, *shape[2:])
        if shape[2:] != (3,):
            present = f"{shape[2]} channels" if shape[2:] else "grey cells"
            raise InputError(
                f"{location}: holds {present}, so there is no {self.channel} to pick: "
                "only RGB has; use channel auto"
            )
        return (height, width)

    def check_dtype(self, dtype: np.dtype[Any], location: str) -> None:
        """InputError if pixels of this dtype would have to be resampled, and cannot be.

        Parameters
        ----------
        location
            Begins the message.
        """
        if self.size is not None and dtype.name not in RESAMPLED:
            raise InputError(f"{location}: holds {dtype}, --size resamples {', '.join(RESAMPLED)}: "
                             f"leave it out, or resample them yourself")  # fmt: skip

    def apply(self, cells: Pixels, sizes: Sizes | None = None) -> Pixels:
        """Resample the cells, then pick the channel.

        Parameters
        ----------
        cells
            (cell, y, x) or (cell, y, x, channel), of a dtype that can be resampled where a size is
            asked for.
        sizes
            uint16 (cell, 2): what is resampled of each; None takes all of it.

        Returns
        -------
        NDArray
            C-contiguous; `cells` itself where nothing is to do and it is contiguous.
        """
        if self.size is not None:
            shape = (len(cells), self.size, self.size, *cells.shape[3:])
            resampled = np.empty(shape, cells.dtype)
            for index, cell in enumerate(cells):
                height, width = cell.shape[:2] if sizes is None else sizes[index].tolist()
                resampled[index] = resample(cell[:height, :width], self.size)
            cells = resampled
        if self.channel in RGB_CHANNELS:
            cells = cells[..., RGB_CHANNELS[self.channel]]
        return np.ascontiguousarray(cells)

    def silhouettes(self, cells: Sequence[Pixels] | Pixels) -> Silhouettes | None:
        """Masks of cells that were cut out before they are resampled here; None if they are not.

        Parameters
        ----------
        cells
            As for ``apply``, each of its own size.
        """
        if self.size is None:
            return None
        masks: list[NDArray[np.bool_] | None] = []
        for cell in cells:
            own = cut_out(np.asarray(cell)[np.newaxis])
            masks.append(None if own is None else own.masks[0])
        return Silhouettes(masks=masks, resampling="triangle")

    def record(self, native_sizes: Collection[tuple[int, int]]) -> Preprocessing:
        """The record of applying these options to images of some sizes, (height, width)."""
        # Resampling to the same size changes nothing.
        is_resampled = self.size is not None and set(native_sizes) != {(self.size, self.size)}
        heights, widths = zip(*native_sizes, strict=True)
        return Preprocessing(
            channel=self.channel if self.channel in RGB_CHANNELS else None,
            size=self.size if is_resampled else None,
            resampling=RESAMPLING if is_resampled else None,
            native_heights=(min(heights), max(heights)),
            native_widths=(min(widths), max(widths)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """What was done to the pixels between the original images and the cells of a source.

    Parameters
    ----------
    channel
        "red", "green" or "blue" if only that channel of RGB was taken; else None.
    size
        Height and width in pixels that cells were resampled to; None if none was resampled. After
        two resamplings, the last.
    resampling
        "bilinear"; None if no cell was resampled.
    native_heights, native_widths
        Smallest and largest height and width of the original images; None if not known.

    Raises
    ------
    InputError
        If a value is none of these.
    """

    channel: str | None = None
    size: int | None = None
    resampling: str | None = None
    native_heights: tuple[int, int] | None = None
    native_widths: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        ranges = [own for own in (self.native_heights, self.native_widths) if own is not None]
        if (
            self.channel not in (None, *RGB_CHANNELS)
            or not (self.size is None or (type(self.size) is int and self.size >= 1))
            or self.resampling != (None if self.size is None else RESAMPLING)
            or not all(len(own) == 2 and all(type(side) is int for side in own) for own in ranges)
            or not all(1 <= low <= high for low, high in ranges)
        ):
            raise InputError(f"this is no record of preprocessing: {self}")

    @property
    def changes_pixels(self) -> bool:
        """Whether the original pixels cannot be had from the cells."""
        return self.channel is not None or self.size is not None

    @property
    def summary(self) -> str:
        """What was done, in a few words; "" if the cells hold the original pixels."""
        parts = []
        if self.size is not None:
            parts.append(f"resampled ({self.resampling}) to {self.size} x {self.size} pixels")
            if self.native_heights is not None and self.native_widths is not None:
                height, width = map(_range_text, (self.native_heights, self.native_widths))
                parts[0] += f" from heights of {height} and widths of {width}"
        if self.channel is not None:
            parts.append(f"only the {self.channel} channel taken")
        return ", ".join(parts)

    def then(self, later: Preprocessing) -> Preprocessing:
        """The record of this preprocessing followed by another one."""
        return Preprocessing(
            channel=later.channel or self.channel,
            size=later.size or self.size,
            resampling=later.resampling or self.resampling,
            native_heights=self.native_heights or later.native_heights,
            native_widths=self.native_widths or later.native_widths,
        )

    @classmethod
    def merged(cls, records: Iterable[Preprocessing]) -> Preprocessing:
        """The record of cells of several sources together.

        A source with nothing done to it goes with any other one: its images have the size, and
        are grey.

        Raises
        ------
        InputError
            If different channels were taken, or the sizes differ.
        """
        records = list(records)
        channels = sorted({each.channel for each in records if each.channel is not None})
        sizes = sorted({each.size for each in records if each.size is not None})
        if len(channels) > 1 or len(sizes) > 1:
            raise InputError(
                "cells of one archive are preprocessed alike, but these are "
                + " and ".join(dict.fromkeys(each.summary or "unchanged" for each in records))
                + ": use one --channel and one --size"
            )
        return cls(
            channel=channels[0] if channels else None,
            size=sizes[0] if sizes else None,
            resampling=RESAMPLING if sizes else None,
            native_heights=_merged_range([each.native_heights for each in records]),
            native_widths=_merged_range([each.native_widths for each in records]),
        )

    def to_json(self) -> dict[str, Any]:
        """JSON-able, for the attribute of an archive."""
        return {
            "channel": self.channel,
            "size": self.size,
            "resampling": self.resampling,
            "native_heights": None if self.native_heights is None else list(self.native_heights),
            "native_widths": None if self.native_widths is None else list(self.native_widths),
        }

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Preprocessing:
        """Inverse of to_json; InputError if a value is none that to_json gives."""
        try:
            heights, widths = tree["native_heights"], tree["native_widths"]
            return cls(
                channel=tree["channel"],
                size=tree["size"],
                resampling=tree["resampling"],
                native_heights=None if heights is None else tuple(heights),
                native_widths=None if widths is None else tuple(widths),
            )
        except (LookupError, TypeError) as error:
            raise InputError(f"this is no record of preprocessing: {tree!r}") from error


def _range_text(sizes: tuple[int, int]) -> str:
    smallest, largest = sizes
    return f"{smallest}" if smallest == largest else f"{smallest} to {largest}"


def _merged_range(ranges: list[tuple[int, int] | None]) -> tuple[int, int] | None:
    """Smallest and largest of all; None if one is not known."""
    known = [each for each in ranges if each is not None]
    if len(known) < len(ranges):
        return None
    return min(low for low, _ in known), max(high for _, high in known)


def resample(cell: Pixels, size: int) -> Pixels:
    """One cell, (y, x) or (y, x, channel) of a dtype of RESAMPLED, bilinearly at size x size.

    The aspect ratio is not kept. Integers are rounded to the nearest.
    """
    is_uint8 = cell.dtype == np.uint8
    if cell.ndim == 3 and not (is_uint8 and cell.shape[2] == 3):
        # Pillow would treat the last of two or four channels as alpha, and weight by it.
        return np.stack([resample(plane, size) for plane in np.moveaxis(cell, 2, 0)], axis=2)
    own = np.ascontiguousarray(cell if is_uint8 else cell.astype(np.float32))
    resized = np.asarray(Image.fromarray(own).resize((size, size), Image.Resampling.BILINEAR))
    if cell.dtype.kind in "ui" and not is_uint8:
        limits = np.iinfo(cell.dtype)
        resized = np.clip(np.rint(resized), limits.min, limits.max)
    return resized.astype(cell.dtype, copy=False)
