"""Masks at the size of the cells: an array beside them, or some of their channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..sizes import Pixels

MASK_KEY = "mask"
"""Key of an array of masks beside ``cells``."""
NO_PLANES = "none"
"""Says that no channel is a mask, whatever a file tells of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskArray:
    """An array of masks beside the cells.

    Parameters
    ----------
    fetch
        Reads masks by the checked indices of their cells.
    shape, dtype
        (cell, y, x) or (cell, mask, y, x); bool, or integers of which 0 is background.
    names
        Of the masks of a cell; empty where they are not known.
    """

    fetch: Callable[[NDArray[np.int64]], Pixels]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, array: NDArray[Any]) -> MaskArray:
        """That of an array in memory, or mapped."""
        return cls(fetch=array.__getitem__, shape=array.shape, dtype=array.dtype)

    @property
    def n_masks(self) -> int:
        """Masks of each cell."""
        return self.shape[1] if len(self.shape) == 4 else 1

    def check(self, cells: tuple[int, ...], location: str) -> None:
        """InputError unless there are masks of cells (cell, y, x[, channel])."""
        fits = self.dtype.kind == "b" and len(self.shape) in (3, 4) and self.n_masks
        if not fits or (self.shape[0], *self.shape[-2:]) != cells[:3]:
            raise InputError(
                f"{location}: `{MASK_KEY}` is {self.dtype} of shape {self.shape}: masks of these "
                f"cells are bool of shape {cells[:3]}, or (cell, mask, y, x) where each has "
                f"several: convert it, or give it another name"
            )

    def read(self, rows: NDArray[np.int64], location: str) -> NDArray[np.bool_]:
        """Masks of some cells, bool (cell, mask, y, x)."""
        masks = np.asarray(self.fetch(rows))
        return masks.reshape(len(rows), self.n_masks, *self.shape[-2:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Planes:
    """Which channels of an array are masks.

    Parameters
    ----------
    masks
        Numbers of the channels that are masks, ascending.
    names
        Of all channels; empty where they are not known.
    wanted
        What the caller says: numbers or names of the channels that are masks; "none" where none is.
        None takes what the file tells.
    """

    masks: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    wanted: tuple[str, ...] | None = None

    def of(self, channels: tuple[int, ...], location: str) -> Planes:
        """The planes of an array with so many channels, (channel,) or ().

        Raises
        ------
        InputError
            If there is no such channel, or all are masks.
        """
        n_channels = channels[0] if channels else 1
        names = self.names if len(self.names) == n_channels else ()
        masks = self.masks
        if self.wanted is not None:
            given = [name for name in self.wanted if name != NO_PLANES]
            masks = tuple(sorted({_number(name, names, n_channels, location) for name in given}))
        if masks and (not channels or len(masks) >= n_channels):
            raise InputError(
                f"{location}: has {n_channels} channel{'s' if n_channels > 1 else ''}, which would "
                f"all be masks: at least one is an image"
            )
        return Planes(masks=masks, names=names)

    @property
    def mask_names(self) -> tuple[str, ...]:
        """Names of the channels that are masks."""
        return tuple(self.names[k] for k in self.masks) if self.names else ()

    @property
    def image_names(self) -> tuple[str, ...]:
        """Names of the others."""
        return tuple(name for k, name in enumerate(self.names) if k not in self.masks)

    def image_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """(cell, y, x, channel) without the masks."""
        return (*shape[:3], shape[3] - len(self.masks)) if self.masks else shape

    def image_planes(self, cells: Pixels) -> Pixels:
        """Cells (cell, y, x, channel), or one (y, x, channel), without the masks."""
        if not self.masks:
            return cells
        return cells[..., _as_slice([k for k in range(cells.shape[-1]) if k not in self.masks])]

    def mask_planes(
        self, cells: Pixels, rows: NDArray[np.int64], location: str
    ) -> NDArray[np.bool_]:
        """The masks of cells (cell, y, x, channel), bool (cell, mask, y, x).

        Raises
        ------
        InputError
            If one holds something else than 0 and 1, or 0 and the largest integer.
        """
        planes = np.moveaxis(cells[..., _as_slice(self.masks)], 3, 1)
        inside = planes.max(axis=(2, 3), keepdims=True)
        values = [1, np.iinfo(planes.dtype).max] if planes.dtype.kind in "ui" else [1]
        masks: NDArray[np.bool_] = planes != 0
        odd = masks & ((planes != inside) | ~np.isin(inside, values))
        if odd.any():
            row, k = np.argwhere(odd.any(axis=(2, 3)))[0].tolist()
            value = planes[row, k][odd[row, k]][0]
            name = self.mask_names[k] if self.names else self.masks[k]
            raise InputError(
                f"{location}: channel {name} of cell {rows[row]} holds {value}, a mask holds 0 and "
                f"{' or '.join(map(str, values))}: take it as an image, with --mask-channel "
                f"{NO_PLANES} or other channels"
            )
        return masks


def _number(name: str, names: tuple[str, ...], n_channels: int, location: str) -> int:
    """Number of a channel, given by its number or its name."""
    if name in names:
        return names.index(name)
    if name.isascii() and name.isdigit() and int(name) < n_channels:
        return int(name)
    known = f", called {', '.join(names)}" if names else ""
    raise InputError(f"{location}: has no channel {name!r}: it has 0 to {n_channels - 1}{known}")


def _as_slice(numbers: Sequence[int]) -> slice | list[int]:
    """Neighbouring numbers as a slice, of which NumPy makes no copy."""
    first, last = numbers[0], numbers[-1]
    return slice(first, last + 1) if last - first + 1 == len(numbers) else list(numbers)
