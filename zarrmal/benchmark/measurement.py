"""One row of the benchmark's table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..sources import Source

Pixels = NDArray[np.unsignedinteger[Any]]
Cells = Pixels | Sequence[Pixels]
"""uint8 or uint16 (cell, y, x[, channel]); or one array a cell, where sizes differ."""

Arrangement = Literal["cell", "sheet"]
"""Of rivals; see Measurement."""

UNSEEN = "unseen slides"
TRAINING = "training cells"
MAX_SINGLE_CELLS = 1000
"""One file per cell is slow for some coders and needs no large sample."""


class LossyError(RuntimeError):
    """A coder did not return its input: the benchmark is void."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlideSums:
    """Of some cells of each slide: slide -> pixels, and slide -> bytes."""

    pixels: dict[str, int]
    n_bytes: dict[str, float]

    @classmethod
    def of(
        cls, pixels: NDArray[np.int64], n_bytes: NDArray[Any], slides: NDArray[Any]
    ) -> SlideSums:
        """Of each cell's pixels, bytes and slide, (cell,)."""
        return cls(pixels=_sums_by(slides, pixels), n_bytes=_sums_by(slides, n_bytes))

    @property
    def bits_per_pixel(self) -> float:
        """Over all of them."""
        return 8 * sum(self.n_bytes.values()) / sum(self.pixels.values())


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
        All stored bytes over the positions (y, x) of the cells at their own sizes, all planes of a
        pixel together. Archives count their model unless ``model_counted`` is False.
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
    slides
        A rival's arrangement -> pixels and bytes of each slide: under "cell" of those cells that
        single_cells selects, under "sheet" of all. An archive has both, its cells' streams, and
        what belongs to no cell in proportion to pixels. A rival's sheets hold cells of several
        slides; their bytes are divided as the slides' cells take them in sheets of their own.
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
    slides: dict[str, SlideSums] = field(default_factory=dict)

    @property
    def single_cells_bits_per_pixel(self) -> float | None:
        """Rate over the cells that single_cells selects; None where it was not measured."""
        single = self.slides.get("cell")
        return single.bits_per_pixel if single is not None else None

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> Measurement:
        """Inverse of ``to_json``; TypeError or AttributeError for another object."""
        slides = {name: SlideSums(**sums) for name, sums in tree["slides"].items()}
        return cls(**tree | {"slides": slides})


def pixels_by_cell(cells: Source) -> NDArray[np.int64]:
    """Positions (y, x) of each cell at its own size, int64 (cell,)."""
    if cells.sizes is None:
        return np.full(cells.n_cells, prod(cells.cell_shape[:2]), np.int64)
    n_pixels: NDArray[np.int64] = cells.sizes.astype(np.int64).prod(axis=1)
    return n_pixels


def class_order(cells: Source) -> NDArray[np.int64]:
    """All cells, class by class where there are labels, int64 (row,)."""
    if cells.labels is None:
        return np.arange(cells.n_cells)
    return np.argsort(cells.labels, kind="stable").astype(np.int64)


def single_cells(cells: Source) -> NDArray[np.int64]:
    """The cells that are measured one per file, int64 (row,): evenly spaced, class by class."""
    return class_order(cells)[sample_rows(cells.n_cells, MAX_SINGLE_CELLS)]


def slides_of(cells: Source, rows: NDArray[np.int64]) -> NDArray[Any]:
    """Slide of each of these cells, (row,); all "" where slides are not known."""
    if cells.groups is None:
        return np.full(len(rows), "")
    return np.array(np.asarray(cells.groups)[rows].tolist(), str)


def _sums_by(slides: NDArray[Any], values: NDArray[Any]) -> dict[str, Any]:
    names, index = np.unique(slides, return_inverse=True)
    sums = np.zeros(len(names), values.dtype)
    np.add.at(sums, index, values)
    return dict(zip(names.tolist(), sums.tolist(), strict=True))


def sample_rows(n_cells: int, n_samples: int) -> NDArray[np.int64]:
    """At most ``n_samples`` of n cells, evenly spaced, int64 (row,)."""
    rows: NDArray[np.int64] = np.linspace(0, n_cells - 1, min(n_samples, n_cells)).astype(np.int64)
    return rows
