"""Streams → pixels of whole cells by the native kernel: the twin of ``pixels.decode``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptionError
from .engine import Engine
from .frame import Frame
from .jpeg.transform import SIDE
from .place import Place
from .symbols.streams import Streams

Read = tuple[NDArray[np.uint8], list[NDArray[np.int16]], list[NDArray[np.bool_]]]
"""Of a cell pixels, coefficients, and which blocks have them."""
Seen = tuple[NDArray[np.uint8], NDArray[np.uint16], NDArray[np.uint8]]
"""Of cells' masks the lattice points, their rows and columns, and spacings; 0: all is visible."""


def read_whole(engine: Engine, frames: Sequence[Frame], reader: Streams) -> list[Read]:
    """Read cells from where ``reader`` is to their ends.

    Raises
    ------
    CorruptionError
        A stream ends early, or is not what ``pixels.encode`` wrote.
    """
    shapes = np.array([frame.shape for frame in frames], np.int64)
    n_planes = len(frames[0].camera.ratios)
    masks = [np.zeros((0, 0), bool) if f.visible is None else f.visible for f in frames]
    seen = (
        np.concatenate([mask.reshape(-1) for mask in masks]).view(np.uint8),
        np.array([mask.shape for mask in masks], np.uint16),
        np.array([f.visible is not None for f in frames], np.uint8),
    )
    stops = (shapes.prod(axis=1) * n_planes).cumsum()
    starts = np.append(0, stops[:-1])
    pixels = np.zeros(stops[-1], np.uint8)
    rows = np.stack([starts, shapes[:, 1] * n_planes], axis=1)
    coefficients, coded = read_into(pixels, rows, engine, frames, shapes, seen, reader)
    result, block = [], 0
    for frame, start, end in zip(frames, starts.tolist(), stops.tolist(), strict=True):
        planes, flags = [], []
        for n_rows, n_columns in frame.n_blocks:
            stop = block + n_rows * n_columns
            planes.append(coefficients[block:stop].reshape(n_rows, n_columns, SIDE, SIDE))
            flags.append(coded[block:stop].reshape(n_rows, n_columns).view(bool))
            block = stop
        result.append((pixels[start:end].reshape(*frame.shape, n_planes), planes, flags))
    return result


def read_into(
    pixels: NDArray[np.uint8],
    rows: NDArray[np.int64],
    engine: Engine,
    places: Sequence[Place | Frame],
    shapes: NDArray[np.int64],
    seen: Seen,
    reader: Streams,
) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """Read cells likewise; coefficients (block, 64), and whether each block has them (block, 1).

    Parameters
    ----------
    pixels
        uint8 (item,), C-contiguous, which get the cells' pixels, channels last.
    rows
        int64 (cell, 2): item at which each cell's first row begins, and items to its next.
    places
        Of the cells, all of the same number of planes.
    shapes
        int64 (cell, 2): heights and widths.
    """
    numbers: dict[int, int] = {}
    cells = np.array(
        [
            (*shape, *p.phase, p.is_file, *p.least, numbers.setdefault(id(p.camera), len(numbers)))
            for p, shape in zip(places, shapes.tolist(), strict=True)
        ],
        np.int64,
    )
    cameras = list({id(place.camera): place.camera for place in places}.values())
    known: dict[str, Any] = {
        "cells": cells,
        "ratios": np.array([camera.ratios for camera in cameras], np.uint8),
        "steps": np.stack([camera.tables.reshape(-1, SIDE * SIDE) for camera in cameras]),
        "kinds": np.array([(c.colour == "ycbcr", c.fancy) for c in cameras], np.uint8),
        "points": seen[0],
        "lattices": seen[1],
        "spacings": seen[2],
        "pixels": pixels,
        "rows": rows,
    }
    coefficients, coded, ends, checks = engine.read_pictures(known, reader)
    reader.expect_words()
    if (ends == TOO_MANY).any():
        raise CorruptionError("a cell lists more blocks or pixels than it has")
    if ends.any():
        raise CorruptionError("a cell lists blocks or pixels beyond its last")
    reader.expect_end(checks.reshape(-1).astype(np.int64))
    return coefficients, coded


TOO_MANY = 1
"""How the kernel says that a cell lists more than it has; 2 is beyond its last."""
