"""The golden archives' cells and models, from integer arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import hybrid_models
import models
import numpy as np
from zarrmal_codecs import Model
from zarrmal_codecs.model.class_model import ClassModel
from zarrmal_codecs.model.layer import Layer

CELL = (14, 12)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One archive.

    Parameters
    ----------
    shows
        What it is there for.
    cells
        uint8 (cell, y, x[, channel]), drawn.
    labels, groups, names, splits
        Whether the cells have them.
    probable
        Whether the classes come with probabilities.
    chunk_cells, shard_cells
        Cells in a chunk, the last of which is padded, and in a shard.
    appended
        So many of the cells, the last ones, are appended to an archive of the others.
    sizes
        Height and width of each cell, beyond which it is black; None where all are whole.
    """

    shows: str
    cells: np.ndarray
    model: Model
    zarr_format: Literal[2, 3]
    labels: bool = True
    groups: bool = True
    names: bool = True
    splits: bool = False
    probable: bool = False
    chunk_cells: int = 8
    shard_cells: int | None = None
    appended: int = 0
    sizes: np.ndarray | None = None

    def columns(self) -> dict[str, Any]:
        """The columns beside the cells."""
        n_cells, names = len(self.cells), self.model.class_names
        labels = np.array([names[k % 3 % len(names)] for k in range(n_cells)])
        given: dict[str, Any] = {"labels": labels} if self.labels else {}
        if self.groups:
            given["groups"] = np.array([f"slide {k % 4}" for k in range(n_cells)])
        if self.names:
            given["names"] = np.array([f"{labels[k]}/größe {k:03d}.png" for k in range(n_cells)])
        if self.splits:
            given["splits"] = np.array(["train" if k % 3 else "test" for k in range(n_cells)])
        return given


def drawn(seed: int, n_cells: int, *channels: int) -> np.ndarray:
    """Grey levels around 128, cut off at the corners; the sixth cell is black."""
    shape = (n_cells, *CELL, *channels)
    level = 116 + models.array(seed, shape, 0, 7, "int64")
    y, x = (2 * np.arange(n) + 1 - n for n in CELL)
    bright = (y[:, None] ** 2 * CELL[1] ** 2 + x**2 * CELL[0] ** 2) // (CELL[0] * CELL[1]) // 12
    level += bright[None] if not channels else bright[None, :, :, None] + np.arange(*channels)
    cut = np.abs(y)[:, None] + np.abs(x) > sum(CELL) - 7
    level[:, cut] = 0
    level[5] = 0
    return level.astype(np.uint8)


def sizes_of(n_cells: int) -> np.ndarray:
    """Different heights and widths; the third cell is whole."""
    k = np.arange(n_cells)
    sizes = np.stack([3 + 5 * k % (CELL[0] - 2), 2 + 3 * k % (CELL[1] - 1)], axis=1)
    sizes[2] = CELL
    return sizes


def cut(cells: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The cells, black beyond their sizes."""
    (y, x), shape = np.indices(CELL), (-1, 1, 1)
    inside = (y < sizes[:, 0].reshape(shape)) & (x < sizes[:, 1].reshape(shape))
    return (cells * inside).astype(np.uint8)


def near_128(seed: int, name: str) -> ClassModel:
    """Class of profile `paper` whose two latents move the prediction a little."""
    n = CELL[0] * CELL[1]
    weight = models.array(seed, (n, 2), -1, 1, "int8")
    decoder = Layer(
        weight=weight,
        bias=np.full(n, 123, np.int32),
        shift=np.zeros(n, np.uint8),
        input="int8",
        output="uint8",
    )
    encoder = Layer(
        weight=weight.T,
        bias=np.zeros(2, np.int32),
        shift=np.full(2, 10, np.uint8),
        input="uint8",
        output="int8",
    )
    return ClassModel(name=name, networks={"decoder": (decoder,), "encoder": (encoder,)})


def near_base(seed: int, name: str, n_planes: int) -> ClassModel:
    """Class of profile `hybrid` that expects values near the base, a few grey levels wide."""
    one = hybrid_models.hybrid_class(seed, name, n_planes, n_latents=2, grid=(4, 3))
    for t in range(n_planes):
        n_out, n_in = one.steps[t].layers[2].weight.shape
        middle = [-70, *[0, 64, 0] * (n_out // 3)]  # blank, then location, scale, weight
        one = hybrid_models.with_layer(
            one,
            t,
            2,
            weight=models.array(seed + t, (n_out, n_in), -2, 2, "int8"),
            bias=np.array(middle, np.int32) << 6,
            shift=np.full(n_out, 6, np.uint8),
        )
    return one


@cache
def paper() -> Model:
    """Two classes of profile `paper`."""
    return models.model_of(CELL, near_128(91, "healthy"), near_128(92, "ill"))


@cache
def hybrid() -> Model:
    """Two classes of profile `hybrid`."""
    return hybrid_models.hybrid_model(CELL, *(near_base(k, f"type {k}", 1) for k in (93, 94)))


@cache
def colour() -> Model:
    """One class of three channels."""
    return hybrid_models.hybrid_model((*CELL, 3), near_base(95, "rgb", 3))


def cases() -> dict[str, Case]:
    """Name -> archive."""
    grey, other = drawn(71, 21), drawn(72, 19)
    return {
        "paper-3": Case(shows="profile paper, format 3, everything beside the cells",
                        cells=grey, model=paper(), zarr_format=3, probable=True),
        "paper-2": Case(shows="profile paper, format 2, everything beside the cells",
                        cells=grey, model=paper(), zarr_format=2, probable=True),
        "hybrid-3": Case(shows="profile hybrid, format 3, by label",
                         cells=other, model=hybrid(), zarr_format=3, splits=True),
        "hybrid-2": Case(shows="profile hybrid, format 2, by label",
                         cells=other, model=hybrid(), zarr_format=2, splits=True),
        "paper-appended-2": Case(shows="two segments, the last chunk of the first coded again",
                                 cells=grey, model=paper(), zarr_format=2, appended=9),
        "hybrid-appended-3": Case(shows="two segments, the last chunk of the first coded again",
                                  cells=other, model=hybrid(), zarr_format=3, appended=6),
        "hybrid-shards-3": Case(shows="shards of two chunks, and a second segment",
                                cells=other, model=hybrid(), zarr_format=3,
                                chunk_cells=4, shard_cells=8, appended=4),
        "hybrid-colour-3": Case(shows="three channels, one class, one chunk of all cells",
                                cells=drawn(73, 11, 3), model=colour(), zarr_format=3,
                                labels=False, names=False, chunk_cells=1024),
        "hybrid-sizes-3": Case(shows="cells of different sizes, and a second segment of them",
                               cells=cut(other, sizes_of(19)), model=hybrid(), zarr_format=3,
                               groups=False, names=False, sizes=sizes_of(19), appended=6),
        "hybrid-sizes-2": Case(shows="cells of different sizes, format 2",
                               cells=cut(other, sizes_of(19)), model=hybrid(), zarr_format=2,
                               groups=False, names=False, sizes=sizes_of(19)),
        "hybrid-bare-2": Case(shows="nothing beside the cells, whose classes are chosen by length",
                              cells=other, model=hybrid(), zarr_format=2,
                              labels=False, groups=False, names=False, chunk_cells=5),
    }  # fmt: skip
