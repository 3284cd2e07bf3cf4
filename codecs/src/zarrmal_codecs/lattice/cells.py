"""Coefficients of cells ↔ one stream a cell, in NumPy: the reference of the kernel.

Each cell is a lane: all cells advance together, block by block (FORMAT-lattice 3).
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..constants import CHECK_INITIAL
from .blocks.coefficients import (
    LARGEST_VALUE,
    Lanes,
    Surroundings,
    border_of,
    last_diagonal,
    shrunk_luma,
)
from .jpeg.picture import Camera
from .jpeg.transform import MIDDLE, SIDE, dequantised, inverse_dct
from .numbers import DIAGONAL, SCAN, clipped
from .symbols.distributions import (
    DISTANCE_BITS,
    LARGEST_COEFFICIENT,
    Mixture,
    diagonal_cumulative,
    size_of,
    uniform,
)
from .symbols.streams import Streams, streams_of
from .weights import PlaneWeights, Weights

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

FULLY_VISIBLE: Final = 64
BATCH: Final = 4096
"""Blocks encoded at a time."""
_SUB: Final = 4  # symbols of a coefficient: bin, size of a distance, distance, place in the bin


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """What is known of a cell before its coefficients.

    Parameters
    ----------
    camera
        Tables, sampling, colour.
    n_blocks
        Rows and columns of blocks of each plane.
    coded
        For each plane which blocks are coded, bool (row, column); None: all.
    visible
        For each plane how much of a block is visible, in 64ths, uint8 (row, column); None: all.
    """

    camera: Camera
    n_blocks: tuple[tuple[int, int], ...]
    coded: tuple[Flags, ...] | None = None
    visible: tuple[NDArray[np.uint8], ...] | None = None

    def __post_init__(self) -> None:
        if len(self.n_blocks) != len(self.camera.ratios):
            raise ValueError(f"blocks of {len(self.n_blocks)} planes for {self.camera.ratios}")
        for arrays in (self.coded, self.visible):
            if arrays is not None and [a.shape for a in arrays] != list(self.n_blocks):
                raise ValueError(f"arrays of blocks do not have the shapes {self.n_blocks}")


Coefficients = Sequence[NDArray[np.int16]]
"""Of each plane of a cell, int16 (row, column, 8, 8); blocks that are not coded hold 0."""


class PlaneOfCells:
    """A plane of all cells: blocks one after the other, with one more that is not known."""

    def __init__(self, layouts: Sequence[Layout], plane: int, kind: PlaneWeights) -> None:
        self.weights = kind
        counts = [layout.n_blocks[plane] for layout in layouts]
        sizes = [rows * columns for rows, columns in counts]
        self.firsts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.n = n = int(self.firsts[-1])
        self.neighbours = np.full((4, n), n, np.int64)
        self.coded, self.visible = np.zeros(n, bool), np.zeros(n, np.int64)
        self.cell = np.repeat(np.arange(len(sizes)), sizes)
        self.steps = np.stack([x.camera.tables[plane].reshape(64) for x in layouts]).astype(int)
        self.samples = np.full((n + 1, SIDE, SIDE), MIDDLE, np.uint8)
        self.coefficients = np.zeros((n + 1, 64), np.int16)
        self.known = np.zeros(n + 1, bool)
        self.base = np.full(n + 1, MIDDLE, np.int64)
        self.luma: Ints | None = None
        self.other: Ints | None = None
        for i, ((rows, columns), layout) in enumerate(zip(counts, layouts, strict=True)):
            own = slice(self.firsts[i], self.firsts[i + 1])
            index = np.full((rows + 2, columns + 2), n, np.int64)
            index[1:-1, 1:-1] = np.arange(own.start, own.stop).reshape(rows, columns)
            shifted = (index[1:-1, :-2], index[:-2, 1:-1], index[:-2, :-2], index[:-2, 2:])
            self.neighbours[:, own] = np.stack(shifted).reshape(4, -1)
            self.coded[own] = True if layout.coded is None else layout.coded[plane].reshape(-1)
            share = None if layout.visible is None else layout.visible[plane].reshape(-1)
            self.visible[own] = FULLY_VISIBLE if share is None else share

    def picture(self, cell: int, n_blocks: tuple[int, int]) -> NDArray[np.uint8]:
        """Samples of a cell, uint8 (y, x)."""
        rows, columns = n_blocks
        blocks = self.samples[self.firsts[cell] : self.firsts[cell + 1]]
        blocks = blocks.reshape(rows, columns, SIDE, SIDE).transpose(0, 2, 1, 3)
        return blocks.reshape(rows * SIDE, columns * SIDE)

    def see(self, layouts: Sequence[Layout], plane: int, earlier: Sequence[PlaneOfCells]) -> None:
        """Take what earlier planes tell."""
        if not plane:
            return
        self.luma = np.zeros((self.n, 64), np.int64)
        self.other = np.zeros((self.n, 64), np.int64)
        for i, layout in enumerate(layouts):
            own = slice(self.firsts[i], self.firsts[i + 1])
            ratios, n_blocks = layout.camera.ratios, layout.n_blocks
            (down, across), (first_down, first_across) = ratios[plane], ratios[0]
            if down % first_down == 0 and across % first_across == 0:
                luma = earlier[0].picture(i, n_blocks[0])
                shrunk = (down // first_down, across // first_across)
                self.luma[own] = shrunk_luma(luma, shrunk, n_blocks[plane]).reshape(-1, 64)
            alike = ratios[plane - 1] == ratios[plane]
            if plane > 1 and alike and n_blocks[plane - 1] == n_blocks[plane]:
                before = earlier[plane - 1]
                there = slice(before.firsts[i], before.firsts[i + 1])
                other = before.coefficients[there].astype(np.int64) * before.steps[i]
                other[:, 0] -= 8 * (before.base[there] - MIDDLE)
                self.other[own] = np.where(before.known[there, None], other, 0)

    def surroundings(self, index: Ints) -> Surroundings:
        """Of the blocks ``index``."""
        near = self.neighbours[:, index]
        known = self.known[near]
        west, north, northwest, northeast = self.samples[near].astype(np.int64)
        border, base = border_of(west, north, northwest, northeast, known)
        self.base[index] = base
        coefficients = np.where(known[:, :, None], self.coefficients[near], 0).astype(np.int64)
        luma = None
        if self.luma is not None:
            luma = self.luma[index]
            sides = [np.where(k, self.luma[np.minimum(i, self.n - 1), 0], 0) for k, i in
                     zip(known[:2], near[:2], strict=True)]  # fmt: skip
            luma[:, 0] -= (sides[0] + sides[1]) >> (known[0] & known[1])
            luma = clipped(luma, -LARGEST_VALUE, LARGEST_VALUE)
        other = self.other
        if other is not None:
            other = clipped(other[index], -LARGEST_VALUE, LARGEST_VALUE)
        return Surroundings(
            border, base, known, coefficients, luma, other, self.visible[index],
            self.steps[self.cell[index]],
        )  # fmt: skip

    def lanes(self, index: Ints) -> Lanes:
        """The blocks ``index``, before their coefficients."""
        around = self.surroundings(index)
        sums = self.weights.surroundings_sums(around.border, around.luma, around.other)
        earlier = self.weights.from_earlier, self.weights.scale_from_earlier
        return Lanes(around, sums, *(weight.astype(np.int64) for weight in earlier))

    def put(self, index: Ints, coefficients: Ints) -> None:
        """The blocks ``index`` are known: (lane, 64)."""
        self.coefficients[index] = coefficients
        self.known[index] = True
        steps = self.steps[self.cell[index]]
        values = dequantised(coefficients.reshape(-1, SIDE, SIDE), steps.reshape(-1, SIDE, SIDE))
        self.samples[index] = inverse_dct(values)


def check_of(coefficients: Coefficients) -> int:
    """CRC-16 of a cell's coefficients, in the order of planes, rows and columns of blocks."""
    check = CHECK_INITIAL
    for plane in coefficients:
        check = crc_hqx(np.ascontiguousarray(plane, "<i2").tobytes(), check)
    return check


def encode(
    weights: Weights, layouts: Sequence[Layout], cells: Sequence[Coefficients]
) -> list[bytes]:
    """One stream a cell.

    Parameters
    ----------
    weights
        The model.
    layouts
        What the decoder knows of each cell; all of the same number of planes.
    cells
        Their coefficients.

    Raises
    ------
    ValueError
        Coefficients are not those of the layouts.
    """
    if not cells:
        return []
    pairs = measure(weights, layouts, cells)
    return streams_of(pairs, [check_of(cell) for cell in cells])


def measure(
    weights: Weights, layouts: Sequence[Layout], cells: Sequence[Coefficients]
) -> list[Ints]:
    """Start and frequency of each symbol of each cell's coefficients, int64 (symbol, 2)."""
    symbols: list[tuple[Ints, Ints, Ints, Ints]] = []  # cell, key, start, frequency
    planes: list[PlaneOfCells] = []
    for p in range(n_planes_of(layouts)):
        plane = PlaneOfCells(layouts, p, weights.planes[p])
        plane.see(layouts, p, planes)
        planes.append(plane)
        flat = [checked(cell[p], layout, p) for cell, layout in zip(cells, layouts, strict=True)]
        coefficients = np.concatenate(flat).astype(np.int64)
        coded = np.flatnonzero(plane.coded)
        plane.put(coded, coefficients[coded])
        for first in range(0, len(coded), BATCH):
            index = coded[first : first + BATCH]
            for lane, place, start, frequency in _block_symbols(plane, index, coefficients[index]):
                block = index[lane]
                key = (p << 56) + (block << 16) + place
                symbols.append((plane.cell[block], key, start, frequency))
    if not symbols:  # no block is coded
        return [np.zeros((0, 2), np.int64) for _ in cells]
    cell, key, start, frequency = (np.concatenate(part) for part in zip(*symbols, strict=True))
    order = np.lexsort((key, cell))
    bounds = np.searchsorted(cell[order], np.arange(len(cells) + 1))
    pairs = np.stack([start, frequency], axis=1)
    return [pairs[order[a:b]] for a, b in zip(bounds, bounds[1:])]


def n_planes_of(layouts: Sequence[Layout]) -> int:
    """Of all cells."""
    counts = {len(layout.n_blocks) for layout in layouts}
    if len(counts) != 1:
        raise ValueError("cells of different numbers of planes cannot be coded together")
    return counts.pop()


def checked(blocks: NDArray[np.int16], layout: Layout, plane: int) -> NDArray[np.int16]:
    """A plane's coefficients, int16 (block, 64), if they are those of the layout."""
    shape = (*layout.n_blocks[plane], SIDE, SIDE)
    if blocks.shape != shape or blocks.dtype != np.int16:
        raise ValueError(f"coefficients are {blocks.dtype} {blocks.shape}, not int16 {shape}")
    if layout.coded is not None and blocks[~layout.coded[plane]].any():
        raise ValueError("blocks that are not coded have coefficients")
    return blocks.reshape(-1, 64)


def _last_diagonals(weights: PlaneWeights, lanes: Lanes) -> tuple[Ints, Ints]:
    """Hidden units of the last diagonal's network, and cumulative frequencies."""
    hidden = weights.diagonal_hidden(lanes.diagonal_inputs())
    return hidden, diagonal_cumulative(weights.diagonal_outputs(hidden))


def _mixture(weights: PlaneWeights, lanes: Lanes, j: int, active: Ints) -> Mixture:
    """Distributions of coefficient ``j`` in some lanes."""
    predicted = lanes.predicted(j)[active]
    if DIAGONAL[j] < weights.n_networks:
        return Mixture.of(weights.outputs(j, lanes.inputs(j)[active]), predicted)
    sums = lanes.scale_sums[active, j] + lanes.alone(j)[active] * int(weights.scale_alone[j])
    return Mixture.of(*weights.scale_outputs(sums, predicted))


Symbols = tuple[Ints, Ints, Ints, Ints]
"""Lane, place in the block's order of symbols, start, frequency."""


def _block_symbols(plane: PlaneOfCells, index: Ints, coefficients: Ints) -> list[Symbols]:
    lanes = plane.lanes(index)
    everyone = np.arange(len(index))
    lanes.last = last_diagonal(coefficients)
    hidden, edges = _last_diagonals(plane.weights, lanes)
    start = edges[lanes.last, everyone]
    out = [(everyone, np.zeros_like(everyone), start, edges[lanes.last + 1, everyone] - start)]
    lanes.scale_sums = plane.weights.scale_sums(lanes.scale_inputs(), hidden, lanes.last)
    for place, j in enumerate(SCAN.tolist()):
        active = np.flatnonzero(lanes.last >= DIAGONAL[j])
        if not len(active):
            break
        values, predicted = coefficients[:, j], lanes.predicted(j)
        mixture = _mixture(plane.weights, lanes, j, active)
        _coefficient_symbols(mixture, values[active], active, _SUB * (place + 1), out)
        lanes.take(j, values, predicted)
    return out


def _coefficient_symbols(
    mixture: Mixture, values: Ints, lane: Ints, place: int, out: list[Symbols]
) -> None:
    symbol = mixture.symbol_of(values)
    start = mixture.cumulative(symbol)
    out.append((lane, np.full_like(lane, place), start, mixture.cumulative(symbol + 1) - start))
    beyond = mixture.beyond(symbol)
    if beyond.any():
        distance = mixture.distance_of(values)[beyond]
        size, some = size_of(distance), lane[beyond]
        start, frequency = uniform(size, np.full_like(size, DISTANCE_BITS))
        out.append((some, np.full_like(some, place + 1), start, frequency))
        start, frequency = uniform(distance - (1 << size), size)
        out.append((some, np.full_like(some, place + 2), start, frequency))
    wide = ~beyond & (mixture.width_log2 > 0)
    if wide.any():
        within, some = (values - mixture.bin_edge(symbol))[wide], lane[wide]
        start, frequency = uniform(within, mixture.width_log2[wide])
        out.append((some, np.full_like(some, place + 3), start, frequency))


def decode(
    weights: Weights, layouts: Sequence[Layout], streams: Sequence[bytes]
) -> list[list[NDArray[np.int16]]]:
    """Inverse of ``encode``.

    Raises
    ------
    CorruptionError
        A stream ends early, or is not what ``encode`` wrote.
    """
    if not streams:
        return []
    reader = Streams(streams)
    result = read(weights, layouts, reader)
    reader.expect_end(np.array([check_of(cell) for cell in result], np.int64))
    return result


def read(
    weights: Weights, layouts: Sequence[Layout], reader: Streams
) -> list[list[NDArray[np.int16]]]:
    """The coefficients of cells, from where their streams have been read to."""
    planes: list[PlaneOfCells] = []
    for p in range(n_planes_of(layouts)):
        plane = PlaneOfCells(layouts, p, weights.planes[p])
        plane.see(layouts, p, planes)
        planes.append(plane)
        own = [np.flatnonzero(plane.coded[a:b]) + a for a, b in zip(plane.firsts, plane.firsts[1:])]
        lengths = np.array([len(blocks) for blocks in own])
        for step in range(lengths.max(initial=0)):
            if reader.are_dry:
                break
            cells = np.flatnonzero(lengths > step)
            index = np.array([own[i][step] for i in cells.tolist()], np.int64)
            plane.put(index, _decoded_blocks(plane, index, cells, reader))
    return [
        [_cut(plane, i, layout.n_blocks[p]) for p, plane in enumerate(planes)]
        for i, layout in enumerate(layouts)
    ]


def _cut(plane: PlaneOfCells, cell: int, n_blocks: tuple[int, int]) -> NDArray[np.int16]:
    blocks = plane.coefficients[plane.firsts[cell] : plane.firsts[cell + 1]]
    return blocks.reshape(*n_blocks, SIDE, SIDE)


def _decoded_blocks(plane: PlaneOfCells, index: Ints, cells: Ints, reader: Streams) -> Ints:
    lanes = plane.lanes(index)
    everyone = np.arange(len(index))
    hidden, edges = _last_diagonals(plane.weights, lanes)
    lanes.last = (edges[1:] <= reader.slots(cells)).sum(axis=0)
    start = edges[lanes.last, everyone]
    reader.advance(cells, start, edges[lanes.last + 1, everyone] - start)
    lanes.scale_sums = plane.weights.scale_sums(lanes.scale_inputs(), hidden, lanes.last)
    for j in SCAN.tolist():
        active = np.flatnonzero(lanes.last >= DIAGONAL[j])
        if not len(active):
            break
        predicted = lanes.predicted(j)
        mixture = _mixture(plane.weights, lanes, j, active)
        values = np.zeros(len(index), np.int64)
        values[active] = _decoded_values(mixture, cells[active], reader)
        lanes.take(j, values, predicted)
    return lanes.coefficients[:, :64]


def _decoded_values(mixture: Mixture, cells: Ints, reader: Streams) -> Ints:
    symbol, start, frequency = mixture.find(reader.slots(cells))
    reader.advance(cells, start, frequency)
    values = mixture.bin_edge(symbol)
    beyond = mixture.beyond(symbol)
    if beyond.any():
        some = cells[beyond]
        size = reader.uniform(some, np.full(len(some), DISTANCE_BITS))
        distance = np.ones_like(symbol)
        distance[beyond] = (1 << size) + reader.uniform(some, size)
        values = np.where(beyond, mixture.value_beyond(symbol, distance), values)
    wide = ~beyond & (mixture.width_log2 > 0)
    if wide.any():
        within = np.zeros_like(symbol)
        within[wide] = reader.uniform(cells[wide], mixture.width_log2[wide])
        values = values + within
    # A damaged stream may lead anywhere; the check at its end fails then.
    return clipped(values, -LARGEST_COEFFICIENT - 1, LARGEST_COEFFICIENT)
