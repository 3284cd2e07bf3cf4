"""How many bits cells take with some weights, by part, as the codec itself counts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.cells import Layout
from zarrmal_codecs.lattice.engine import Engine
from zarrmal_codecs.lattice.pixels import encode
from zarrmal_codecs.lattice.weights import Weights

from .known import KnownCell, n_pixels

PRECISION_LOG2 = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Bits:
    """Bits of some cells.

    Parameters
    ----------
    n_cells, n_pixels
        The cells, and the pixels of their boxes.
    first, second, third
        Of the coefficients of each plane.
    rest
        Rim pixels, corrections, blocks without coefficients, and the ends of the streams.
    n_blocks
        Coded blocks of the first plane.
    """

    n_cells: int = 0
    n_pixels: int = 0
    n_blocks: int = 0
    first: float = 0.0
    second: float = 0.0
    third: float = 0.0
    rest: float = 0.0

    @property
    def total(self) -> float:
        """All bits of the streams; silhouettes are not in them."""
        return self.first + self.second + self.third + self.rest

    @property
    def per_pixel(self) -> float:
        """Total for each pixel of the boxes."""
        return self.total / max(self.n_pixels, 1)

    def __add__(self, other: Bits) -> Bits:
        return Bits(
            **{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        )

    def to_json(self) -> dict[str, float]:
        """Strict JSON."""
        return asdict(self) | {"bits_per_pixel": self.per_pixel}


def bits_of(weights: Weights, cells: Sequence[KnownCell]) -> Bits:
    """Bits of the streams of cells."""
    engine, total = Engine(weights), Bits()
    for n_planes in (1, 3):
        own = [cell for cell in cells if len(cell.jpeg.coefficients) == n_planes]
        if own:
            total += _bits_of_alike(engine, own, n_planes)
    return total


def _bits_of_alike(engine: Engine, cells: Sequence[KnownCell], n_planes: int) -> Bits:
    streams = encode(
        engine,
        [cell.frame for cell in cells],
        [cell.pixels for cell in cells],
        [cell.jpeg.coefficients for cell in cells],
        [cell.jpeg.coded for cell in cells],
    )
    prepared = [cell.coded() for cell in cells]
    totals = []
    for shown in range(n_planes, 0, -1):
        layouts, kept = zip(*(_without(*own, shown) for own in prepared), strict=True)
        totals.append(_bits(engine.measure(layouts, kept)))
    up_to = [*totals[::-1], *(totals[:1] * (3 - n_planes))]
    first, second, third = np.diff([0.0, *up_to]).tolist()
    return Bits(
        n_cells=len(cells),
        n_pixels=n_pixels(cells),
        n_blocks=sum(int((layout.coded or ())[0].sum()) for layout, _ in prepared),
        first=first,
        second=second,
        third=third,
        rest=8 * sum(map(len, streams)) - totals[0],
    )


def _without(
    layout: Layout, kept: list[NDArray[np.int16]], n_planes: int
) -> tuple[Layout, list[NDArray[np.int16]]]:
    """A cell of which only the first planes have coded blocks."""
    flags = layout.coded or ()
    coded = tuple(own & (p < n_planes) for p, own in enumerate(flags))
    blocks = [own * np.int16(p < n_planes) for p, own in enumerate(kept)]
    shown = Layout(
        camera=layout.camera, n_blocks=layout.n_blocks, coded=coded, visible=layout.visible
    )
    return shown, blocks


def _bits(pairs: Sequence[NDArray[np.int64]]) -> float:
    return float(sum((PRECISION_LOG2 - np.log2(own[:, 1])).sum() for own in pairs))
