"""One row of the benchmark's table."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

UNSEEN = "unseen slides"
TRAINING = "training cells"


class LossyError(RuntimeError):
    """A coder did not return its input: the benchmark is void."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Rate and speed of one coder on one arrangement of cells.

    Parameters
    ----------
    coder
        Name with settings.
    arrangement
        "cell": one file per cell; "sheet": up to 1,000 cells in a file, side by side for image
        coders; "chunk": a Zarr chunk.
    cells
        Which cells: "unseen slides" or "training cells".
    n_cells
        How many.
    bits_per_pixel
        All stored bytes over the positions (y, x), all planes of a pixel together. Archives count
        their model unless ``model_counted`` is False.
    encode_mb_s, decode_mb_s
        Megabytes of raw pixels per second on one thread, the fastest of several repetitions: over
        all files of one cell each, over the first sheet, or over one chunk. None: not measured.
    assignment
        How the cells of an archive got their class, "labels" or "shortest"; empty for rivals.
    model_counted
        False for an archive without its model: the cost of a further cell.
    class_bits_per_pixel
        Class -> rate of its cells: in files of that class alone, or of their streams in the
        archive. Empty: not measured.
    shared_bits_per_pixel
        Bytes of an archive that belong to no cell (model, headers, metadata), over all pixels.
    """

    coder: str
    arrangement: str
    cells: str
    n_cells: int
    bits_per_pixel: float
    encode_mb_s: float | None
    decode_mb_s: float | None
    assignment: str = ""
    model_counted: bool = True
    class_bits_per_pixel: dict[str, float] = field(default_factory=dict)
    shared_bits_per_pixel: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object."""
        return asdict(self)


def count_pixels(cells: Pixels) -> int:
    """Positions (y, x) of cells (cell, y, x[, channel]); a colour pixel counts once."""
    return prod(cells.shape[:3])


def sample_rows(n_cells: int, n_samples: int) -> NDArray[np.int64]:
    """At most ``n_samples`` of n cells, evenly spaced, int64 (row,)."""
    rows: NDArray[np.int64] = np.linspace(0, n_cells - 1, min(n_samples, n_cells)).astype(np.int64)
    return rows
