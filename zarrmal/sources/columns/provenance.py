"""Where each cell comes from: columns that a source may have, and an archive then stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .strings import STRINGS

Columns = Mapping[str, NDArray[Any]]
"""Name of PROVENANCE -> (cell,): numbers, or Strings."""

NO_COLUMNS: Columns = {}

SLIDE = "slide"
SLIDE_X, SLIDE_Y = "slide_x", "slide_y"
SLIDE_WIDTH, SLIDE_HEIGHT = "slide_width", "slide_height"
AREA, EQUIVALENT_DIAMETER = "area", "equivalent_diameter"
CUT_SHARE = "cut_share"

PROVENANCE = {
    SLIDE: "slide or field that the cell was cut out of",
    SLIDE_X: "left edge of the cell on the slide, from 0 at the left, at full resolution",
    SLIDE_Y: "upper edge of the cell on the slide, from 0 at the top, at full resolution",
    SLIDE_WIDTH: "width of the cell on the slide, at full resolution",
    SLIDE_HEIGHT: "height of the cell on the slide, at full resolution",
    AREA: "area of the cell on the slide, at full resolution",
    EQUIVALENT_DIAMETER: "diameter of a circle with the area of the cell",
    CUT_SHARE: "share of the cell beyond the border of the slide, estimated; 0 for whole cells",
}
"""Long name of each column, as in the archive."""

UNITS = {
    **dict.fromkeys((SLIDE_X, SLIDE_Y, SLIDE_WIDTH, SLIDE_HEIGHT, EQUIVALENT_DIAMETER), "pixel"),
    AREA: "pixel2",
    CUT_SHARE: "1",
}

DTYPES: Mapping[str, Any] = {
    SLIDE: STRINGS,
    **dict.fromkeys((SLIDE_X, SLIDE_Y, SLIDE_WIDTH, SLIDE_HEIGHT, AREA), np.dtype(np.int64)),
    **dict.fromkeys((EQUIVALENT_DIAMETER, CUT_SHARE), np.dtype(np.float32)),
}


def take(columns: Columns, rows: NDArray[np.int64]) -> Columns:
    """The columns of some cells."""
    return {name: values[rows] for name, values in columns.items()}


def joined(parts: Sequence[Columns]) -> Columns:
    """Columns one after the other: those that all parts have."""
    names = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: np.concatenate([part[name] for part in parts]) for name in names}
