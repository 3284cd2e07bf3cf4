"""Streams → pixels of whole cells by the native kernel: the twin of ``pixels.decode``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptionError
from .engine import Engine
from .streams import Streams
from .transform import SIDE

if TYPE_CHECKING:
    from .pixels import Frame

Read = tuple[NDArray[np.uint8], list[NDArray[np.int16]], list[NDArray[np.bool_]]]
"""Of a cell pixels, coefficients, and which blocks have them."""


def read_whole(engine: Engine, frames: Sequence[Frame], reader: Streams) -> list[Read]:
    """Read cells from where ``reader`` is to their ends.

    Raises
    ------
    CorruptionError
        A stream ends early, or is not what ``pixels.encode`` wrote.
    """
    cameras = [frame.camera for frame in frames]
    known = {
        "shapes": np.array([(*f.shape, *f.phase) for f in frames], np.int64),
        "sizes": np.array([f.n_blocks for f in frames], np.int64),
        "ratios": np.array([camera.ratios for camera in cameras], np.uint8),
        "steps": np.stack([c.tables.reshape(-1, SIDE * SIDE) for c in cameras]),
        "kinds": np.array(
            [
                (c.colour == "ycbcr", c.fancy, *f.least)
                for c, f in zip(cameras, frames, strict=True)
            ],
            np.uint8,
        ),
        "seen": [
            None if f.visible is None else np.ascontiguousarray(f.visible).view(np.uint8)
            for f in frames
        ],
    }
    pixels, coefficients, coded, ends, checks = engine.read_pictures(known, reader)
    reader.expect_words()
    if (ends == TOO_MANY).any():
        raise CorruptionError("a cell lists more blocks or pixels than it has")
    if ends.any():
        raise CorruptionError("a cell lists blocks or pixels beyond its last")
    reader.expect_end(checks.reshape(-1).astype(np.int64))
    result, at, block = [], 0, 0
    for frame in frames:
        n_planes = len(frame.camera.ratios)
        size = frame.shape[0] * frame.shape[1] * n_planes
        own = pixels[at : at + size].reshape(*frame.shape, n_planes)
        at += size
        planes, flags = [], []
        for rows, columns in frame.n_blocks:
            stop = block + rows * columns
            planes.append(coefficients[block:stop].reshape(rows, columns, SIDE, SIDE))
            flags.append(coded[block:stop].reshape(rows, columns).view(bool))
            block = stop
        result.append((own, planes, flags))
    return result


TOO_MANY = 1
"""How the kernel says that a cell lists more than it has; 2 is beyond its last."""
