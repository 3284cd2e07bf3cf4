"""Inputs of the context network, as the codec computes them, for pixels drawn from many cells.

The integers are those of zarrmal_codecs.hybrid.pixel_coder; a test holds them equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs.constants import MIDDLE_GREY, REACH
from zarrmal_codecs.hybrid.context import (
    PREDICTION_OFFSETS,
    brightness,
    covered,
    fraction,
    own_base,
)
from zarrmal_codecs.hybrid.depth import SHALLOW, Depth
from zarrmal_codecs.hybrid.pixel_coder import NEAREST
from zarrmal_codecs.hybrid.prediction import pool
from zarrmal_codecs.hybrid.tables import CAUSAL, COVERED, FULL

from ..options import Effort
from .planes import PlaneStep

Levels = Sequence[NDArray[Any]] | NDArray[Any]

SAMPLE_RATE = 0.15
BLANK_WEIGHT = 8.0
"""Pixels with only blank neighbours are drawn 8 times more rarely, and weigh 8 times more."""

GRID = 10
BLOCK_CELLS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparedCells:
    """Cells ready to draw pixels from, one after another: their sizes may differ.

    Parameters
    ----------
    depth
        Of the levels.
    padded
        uint8, or int32 of depth 16, (value,): of each cell each plane with a border of zeros about
        it; brightness, where the cells have silhouettes.
    own_base
        Likewise (value,): of each cell each plane: prediction from the neighbours in it.
    blank_around
        bool (pixel,): blank neighbours only, in every plane.
    pooled
        float32 (cell, y * x * plane), 0..1: input of the autoencoder.
    classes
        int64 (cell,).
    sizes
        int64 (cell, 2): height and width.
    n_planes
        Of each cell.
    grid
        Height and width of ``pooled``.
    coverage
        uint8 (value,): of each cell with a border of zeros about it; None without silhouettes.
    values
        Likewise (value,): of each cell each plane; None where ``padded`` holds them.
    """

    depth: Depth
    padded: torch.Tensor
    own_base: torch.Tensor
    blank_around: torch.Tensor
    pooled: torch.Tensor
    classes: torch.Tensor
    sizes: torch.Tensor
    n_planes: int
    grid: tuple[int, int]
    coverage: torch.Tensor | None = None
    values: torch.Tensor | None = None
    areas: torch.Tensor = field(init=False)
    """int64 (cell,): pixels of each."""
    starts: torch.Tensor = field(init=False)
    """int64 (cell,): pixels of all cells before it."""
    padded_areas: torch.Tensor = field(init=False)
    padded_starts: torch.Tensor = field(init=False)
    one_size: tuple[int, int] | None = field(init=False)
    """Height and width of all cells; None where they differ."""

    def __post_init__(self) -> None:
        height, width = self.sizes[0].tolist()
        alike = bool((self.sizes == self.sizes[0]).all())
        object.__setattr__(self, "one_size", (height, width) if alike else None)
        areas = self.sizes.prod(dim=1)
        padded = (self.sizes + 2 * REACH).prod(dim=1)
        for name, value in (("", areas), ("padded_", padded)):
            object.__setattr__(self, f"{name}areas", value)
            object.__setattr__(self, f"{name}starts", value.cumsum(0) - value)

    def __len__(self) -> int:
        return len(self.classes)

    def centres(self, owner: torch.Tensor, pixel: torch.Tensor) -> torch.Tensor:
        """Index into ``coverage`` of pixels of some cells."""
        width = self.sizes[owner, 1]
        y, x = pixel // width + REACH, pixel % width + REACH
        index: torch.Tensor = self.padded_starts[owner] + y * (width + 2 * REACH) + x
        return index

    def pixels(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """All pixels of some cells that are coded: index into ``rows``, and into the cell."""
        areas = self.areas[rows]
        cell = torch.arange(len(rows), device=rows.device).repeat_interleave(areas)
        before = areas.cumsum(0) - areas
        pixel = torch.arange(len(cell), device=rows.device) - before[cell]
        if self.coverage is None:
            return cell, pixel
        has = self.coverage[self.centres(rows[cell], pixel)] > 0
        return cell[has], pixel[has]

    def sample(self, rows: torch.Tensor, rate: float) -> tuple[torch.Tensor, ...]:
        """Draw pixels of some cells at about this rate, 0 < rate <= 1.

        Returns
        -------
        tuple
            Of each pixel: index into ``rows``, index into the cell, and weight.
        """
        cell, pixel = self.pixels(rows)
        blank = self.blank_around[self.starts[rows][cell] + pixel]
        chance = torch.where(blank, rate / BLANK_WEIGHT, rate)
        if self.coverage is not None:
            chance = chance * (self.coverage[self.centres(rows[cell], pixel)] > 0)
        drawn = (torch.rand(len(blank), device=blank.device) < chance).nonzero()[:, 0]
        weight = torch.where(blank[drawn], BLANK_WEIGHT / rate, 1 / rate)
        return cell[drawn], pixel[drawn], weight


def prepare(
    cells: Levels,
    classes: NDArray[np.uint8],
    device: torch.device,
    coverage: Sequence[NDArray[np.uint8]] | NDArray[np.uint8] | None = None,
    depth: Depth = SHALLOW,
    grid: tuple[int, int] | None = None,
) -> PreparedCells:
    """Prepare cells (plane, y, x), of one size or not, of classes uint8 (cell,).

    Parameters
    ----------
    cells
        Levels, uint8 or of depth 16 int32.
    coverage
        Of each cell uint8 (y, x); None where it is 255 everywhere.
    depth
        Of the levels.
    grid
        See PreparedCells; None: that of cells of the first one's size.
    """
    grid = grid or grid_of(cells[0].shape[1:])
    has_one_size = isinstance(cells, np.ndarray)
    step = BLOCK_CELLS if has_one_size else 1
    parts: dict[str, list[NDArray[Any]]] = {}
    for start in range(0, len(cells), step):
        block = np.asarray(cells[start : start + step])
        own = None if coverage is None else np.asarray(coverage[start : start + step])
        for name, value in _prepared(block, own, depth).items():
            parts.setdefault(name, []).append(value)
        seen = depth.grid_value(block).astype(np.uint8)
        parts.setdefault("pooled", []).append(pool(seen, grid).astype(np.float32) / 255)
    tensors = {
        name: torch.from_numpy(np.concatenate(each)).to(device) for name, each in parts.items()
    }
    return PreparedCells(
        **tensors,
        depth=depth,
        classes=torch.from_numpy(classes.astype(np.int64)).to(device),
        sizes=torch.tensor([cell.shape[1:] for cell in cells], device=device),
        n_planes=cells[0].shape[0],
        grid=grid,
    )


def grid_of(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of the grid for cells (y, x, …), or for those of different sizes in it."""
    return min(GRID, shape[0]), min(GRID, shape[1])


def _prepared(
    block: NDArray[Any], coverage: NDArray[np.uint8] | None, depth: Depth
) -> dict[str, NDArray[Any]]:
    """Flat arrays of cells of one size, levels (cell, plane, y, x)."""
    height, width = block.shape[2:]

    def bordered(values: NDArray[Any]) -> NDArray[Any]:
        border = ((0, 0),) * (values.ndim - 2) + ((REACH, REACH),) * 2
        return np.pad(values, border)

    result: dict[str, NDArray[Any]] = {}
    part: NDArray[np.int16] = np.full((1, 1, 1, 1), 256, np.int16)
    seen = block
    if coverage is not None:
        part = fraction(coverage)[:, None]
        seen = brightness(block, coverage[:, None], depth.most).astype(block.dtype)
        result |= {"coverage": bordered(coverage).ravel(), "values": block.ravel()}
    padded = bordered(seen)

    def near(y: int, x: int) -> NDArray[np.integer[Any]]:
        values = padded[:, :, REACH + y : REACH + y + height, REACH + x : REACH + x + width]
        return values if coverage is None else covered(values, part)

    west, north, northeast, northwest = (near(y, x).astype(np.int32) for y, x in NEAREST)
    own = own_base(west, north, northeast, northwest, covered(MIDDLE_GREY, part), depth.most)
    blank = np.logical_and.reduce([(near(y, x) == 0).all(axis=1) for y, x in CAUSAL[:12]])
    return result | {
        "padded": padded.ravel(),
        "own_base": own.astype(block.dtype).ravel(),
        "blank_around": blank.ravel(),
    }


class ContextInputs:
    """Inputs of the context network of each step.

    Parameters
    ----------
    effort
        Sets the neighbours that are inputs.
    steps
        How each plane is coded.
    """

    def __init__(self, effort: Effort, steps: tuple[PlaneStep, ...], cells: PreparedCells) -> None:
        device, depth = cells.own_base.device, cells.depth
        self.effort, self.steps, self.cells = effort, steps, cells
        self._causal = torch.tensor(CAUSAL[: effort.n_causal], device=device)
        self._full = torch.tensor(FULL[: effort.n_full], device=device)
        self.n_coverage = effort.n_coverage if cells.coverage is not None else 0
        self._covered = torch.tensor(COVERED[: self.n_coverage], device=device)
        self._most = depth.most
        self._squash = torch.from_numpy(depth.table.astype(np.float32)).to(device) / 64
        levels = np.arange(depth.most + 1)
        self._shade = torch.from_numpy(depth.shade(levels).astype(np.float32)).to(device) / 64 - 1
        self._grid_value = torch.from_numpy(depth.grid_value(levels)).to(device)

    def offsets(self, step: int, has_prediction: bool) -> torch.Tensor:
        """Of each input of a step: an integer f enters the network as f / 64 - offset."""
        e = self.effort
        parts = [1.0] * e.n_causal + [0.0] * e.n_flags
        parts += ([0.0, 1.0, 1.0] + [1.0] * e.n_full) * len(self.steps[step].earlier)
        parts += [1.0, 1.0, 1.0, 0.0] + [1.0] * (len(PREDICTION_OFFSETS) * has_prediction)
        parts += [1.0] * self.n_coverage
        return torch.tensor(parts)

    def __call__(
        self,
        step: int,
        rows: torch.Tensor,
        cell: torch.Tensor,
        pixel: torch.Tensor,
        predicted: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Inputs float32 (pixel, input), values and bases int64 (pixel,).

        Parameters
        ----------
        rows
            Cells of the batch.
        cell, pixel
            Of each drawn pixel: index into rows, and index into the cell.
        predicted
            Grids of the autoencoder, float32 (row, plane, y, x), 0..255, or None.
        """
        cells, e = self.cells, self.effort
        owner = rows[cell]
        height, width = cells.sizes[owner].T
        y, x = pixel // width, pixel % width
        row_length = width + 2 * REACH
        area, padded_area = cells.areas[owner], cells.padded_areas[owner]
        first_own = cells.starts[owner] * cells.n_planes + pixel
        first: torch.Tensor = cells.padded_starts[owner] * cells.n_planes
        first = first + (y + REACH) * row_length + x + REACH

        def centre(plane: int) -> torch.Tensor:
            return first + plane * padded_area

        def places(middle: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
            index: torch.Tensor = middle[:, None] + row_length[:, None] * offsets[:, 0]
            return index + offsets[:, 1]

        coverage = cells.coverage
        if coverage is not None:
            middle = cells.centres(owner, pixel)
            own = coverage[middle].int()
            part = (own + (own >> 7))[:, None]

        def around(plane: int, offsets: torch.Tensor) -> torch.Tensor:
            values: torch.Tensor = cells.padded[places(centre(plane), offsets)].int()
            return values if coverage is None else (values * part + 128) >> 8

        def value(plane: int) -> torch.Tensor:
            if cells.values is None:
                return cells.padded[centre(plane)].long()
            known: torch.Tensor = cells.values[first_own + plane * area].long()
            return known

        def expected(plane: int) -> torch.Tensor:
            values: torch.Tensor = cells.own_base[first_own + plane * area].long()
            return values

        plane = self.steps[step].plane
        base = expected(plane)
        planes = [self.steps[t].plane for t in self.steps[step].earlier]
        earlier = [(plane, value(plane)) for plane in planes]
        if self.steps[step].follows:
            last, known = earlier[-1]
            moved = (base + known - expected(last)).clamp(1, self._most)
            base = torch.where(known > 0, moved, base)
        near = around(plane, self._causal)
        blank = near == 0
        parts = [self._difference(near, base.int()[:, None]).masked_fill_(blank, 0)]
        parts.append(blank[:, : e.n_flags].float())
        for earlier_plane, known in earlier:
            missing = (known == 0)[:, None]
            errors = torch.stack([known - base, known - expected(earlier_plane)], dim=1)
            beside = around(earlier_plane, self._full)
            differences = self._difference(beside, known.int()[:, None])
            parts += [
                missing.float(),
                self._squash[errors + self._most].masked_fill_(missing, 0),
                differences.masked_fill_(missing | (beside == 0), 0),
            ]
        parts += [self._shade[base][:, None], self._position(y, x, height, width)]
        if predicted is not None:
            grids, own_base = predicted[:, plane], self._grid_value[base]
            parts.append(self._prediction(grids, cell, (y, x), (height, width), own_base))
        if coverage is not None and self.n_coverage:
            around_it = coverage[places(middle, self._covered)].int()
            parts.append(((around_it + 1) >> 1).float() / 64 - 1)
        return torch.cat(parts, dim=1), value(plane), base

    @staticmethod
    def _position(
        y: torch.Tensor, x: torch.Tensor, height: torch.Tensor, width: torch.Tensor
    ) -> torch.Tensor:
        fx, fy = (2 * x + 1) * 64 // width, (2 * y + 1) * 64 // height
        radius = ((fx - 64) ** 2 + (fy - 64) ** 2) >> 6
        return torch.stack([fx / 64 - 1, fy / 64 - 1, radius / 64], dim=1)

    def _difference(self, values: torch.Tensor, base: torch.Tensor) -> torch.Tensor:
        return self._squash[values - base + self._most]

    def _prediction(
        self,
        grids: torch.Tensor,
        cell: torch.Tensor,
        place: tuple[torch.Tensor, torch.Tensor],
        size: tuple[torch.Tensor, torch.Tensor],
        base: torch.Tensor,
    ) -> torch.Tensor:
        """What the predicted cells, float32 (row, y, x), have at some places (y, x) of cells."""
        rows, columns = (
            [_between(torch.minimum(at + d, n - 1), n, n_grid) for d in range(3)]
            for at, n, n_grid in zip(place, size, grids.shape[1:], strict=True)
        )
        parts = []
        for dy, dx in PREDICTION_OFFSETS:
            (top, bottom, lower), (left, right, further) = rows[dy], columns[dx]
            upper_value, lower_value = (
                torch.lerp(grids[cell, row, left], grids[cell, row, right], further)
                for row in (top, bottom)
            )
            d = torch.lerp(upper_value, lower_value, lower) - base
            far = d.abs()
            # S(d) without its steps, so that a gradient reaches the autoencoder.
            squashed = 2 * far.clamp(max=8) + far.clamp(max=32) / 2 + far / 8
            parts.append(torch.sign(d) * squashed / 64)
        return torch.stack(parts, dim=1)


def _between(
    at: torch.Tensor, size: torch.Tensor, n_grid: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The two rows of a grid beside a row of the cell, and the second's part (FORMAT 6.4)."""
    along = ((2 * at + 1) * n_grid * 128 // size - 128).clamp(0, (n_grid - 1) * 256)
    low = along >> 8
    return low, (low + 1).clamp(max=n_grid - 1), (along & 255) / 256
