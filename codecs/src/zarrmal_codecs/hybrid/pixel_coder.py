"""Pixels of many cells <-> rANS streams, in NumPy: the reference of the kernel (FORMAT 6).

Each cell is a lane: all cells advance together, pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import rans
from ..constants import ACTIVATION_MAX, ACTIVATION_ZERO, FREQUENCY_TOTAL, MIDDLE_GREY, REACH
from ..model.layer import Layer
from ..model.step import Step
from ..scales import Pixels, Scales
from ..silhouette.coverage import FULL as WHOLE
from .context import (
    N_POSITION,
    PREDICTION_OFFSETS,
    Numbers,
    brightness,
    covered,
    fraction,
    own_base,
    position,
    positions,
)
from .deep_mixture import DeepMixture
from .depth import SHALLOW, Depth
from .known import Known
from .mixture import Mixture
from .tables import CAUSAL, COVERED, FULL

Ints = NDArray[np.int64]

SYMBOLS_OF_DEEP = 3
"""At most, of a pixel of depth 16: its bin, its place there, its lowest bits."""

NEAREST = ((0, -1), (-1, 0), (-1, 1), (-1, -1))
"""(y, x) of west, north, northeast, northwest."""


class Plan:
    """The steps of a class, prepared for coding. The kernel has a Plan, too.

    Parameters
    ----------
    steps
        See context.steps_of.
    has_prediction
        Whether the autoencoder's prediction is an input of the networks.
    depth
        Of the model.
    """

    def __init__(self, steps: tuple[Step, ...], has_prediction: bool, depth: Depth) -> None:
        self.steps = steps
        self.has_prediction = has_prediction
        self.depth = depth
        floats: dict[int, NDArray[np.float32]] = {}
        for step in steps:
            for layer in step.layers:  # which steps may share
                floats.setdefault(id(layer.weight), layer.weight.astype(np.float32))
        self.networks = tuple(_Network(step, floats) for step in steps)


class _Network:
    """Three layers in float32; the sums of products are integers below 2**24 (FORMAT 3.3)."""

    def __init__(self, step: Step, floats: dict[int, NDArray[np.float32]]) -> None:
        self._weights = [floats[id(layer.weight)] for layer in step.layers]
        self._layers = step.layers

    def __call__(self, inputs: Numbers, first: NDArray[np.int32]) -> Ints:
        """Outputs int64 (output, lane) of inputs (input, lane) and first sums (unit, lane)."""
        values = inputs.astype(np.float32)
        for k, layer in enumerate(self._layers):
            bias = first if k == 0 else layer.bias[:, None]
            sums = (self._weights[k] @ values).astype(np.int32) + bias
            shifted = _shift(sums, layer)
            if k == 2:
                return shifted.astype(np.int64)
            values = np.minimum(np.maximum(shifted, 0), ACTIVATION_MAX).astype(np.float32)
        raise AssertionError("unreachable")


def _shift(sums: NDArray[np.int32], layer: Layer) -> NDArray[np.int32]:
    shift = layer.shift.astype(np.int32)[:, None]
    shifted: NDArray[np.int32] = (sums + (1 << (shift - 1))) >> shift
    return shifted


class Lanes:
    """Pixels of the cells with a border of zeros, and the inputs of the networks.

    What the networks see of pixels are levels; see depth.
    """

    def __init__(self, plan: Plan, known: Known) -> None:
        n, n_planes, self.height, self.width = known.shape
        self.plan, self.depth = plan, plan.depth
        self.scales = None if plan.depth is SHALLOW else known.scales or Scales.of_bytes(n_planes)
        self.sizes = None if known.sizes is None else known.sizes.astype(np.int64).T
        heights, widths = (self.height, self.width) if self.sizes is None else self.sizes
        self.down, self.across = positions(self.height, heights), positions(self.width, widths)
        rows, columns = self.height + 2 * REACH, self.width + 2 * REACH
        kind = np.int16 if plan.depth is SHALLOW else np.int32
        self.image = np.zeros((n_planes, rows, columns, n), kind)
        """Brightness: the pixels, where the coverage is 255."""
        self.coverage = np.zeros((rows, columns, n), np.uint8)
        self._inside(self.coverage)[...] = self._whole_or(known)
        self.is_covered = known.coverage is None and self.sizes is None
        """Whether the coverage of all pixels is 255."""
        self.predicted = None
        if known.predicted is not None:
            planes = np.ascontiguousarray(known.predicted.transpose(1, 2, 3, 0))
            self.predicted = planes.astype(np.int16)
        self.first = [np.ascontiguousarray(f.T).astype(np.int32) for f in known.first]
        self.causal = [_offsets(CAUSAL[: step.n_causal]) for step in plan.steps]
        self.full = [_offsets(FULL[: step.n_full]) for step in plan.steps]
        self.covered = [_offsets(COVERED[: step.n_coverage]) for step in plan.steps]

    def _whole_or(self, known: Known) -> NDArray[np.uint8] | np.uint8:
        """Coverage (y, x, lane); without silhouettes that of the cells' rectangles."""
        if known.coverage is not None:
            return known.coverage.transpose(1, 2, 0)
        if self.sizes is None:
            return np.uint8(WHOLE)
        rows, columns = np.arange(self.height)[:, None], np.arange(self.width)[:, None]
        has = (rows < self.sizes[0])[:, None] & (columns < self.sizes[1])
        return np.where(has, np.uint8(WHOLE), np.uint8(0))

    def _inside(self, bordered: NDArray[Any]) -> NDArray[Any]:
        """View of an array (…, y, x, lane) without its border."""
        return bordered[..., REACH : REACH + self.height, REACH : REACH + self.width, :]

    def put(self, plane: int, y: int, x: int, levels: Numbers) -> None:
        """Make the pixels of all lanes known, 0 where a lane has none."""
        coverage = self.coverage[y + REACH, x + REACH]
        self.image[plane, y + REACH, x + REACH] = brightness(levels, coverage, self.depth.most)

    def levels(self, plane: int, values: Ints) -> Ints:
        """What the networks see of values of a plane, int64 (lane,)."""
        if self.scales is None:
            return values
        shift = int(self.scales.n_raw[plane])
        return np.where(values > 0, ((values - 1) >> shift) + 1, 0)

    def _own(self, plane: int, y: int, x: int, part: Numbers) -> Numbers:
        image, top, left = self.image[plane], y + REACH, x + REACH
        nearest = [image[top + dy, left + dx] for dy, dx in NEAREST]
        west, north, northeast, northwest = (covered(near, part) for near in nearest)
        middle = covered(MIDDLE_GREY, part)
        return own_base(west, north, northeast, northwest, middle, self.depth.most)

    def distribution(self, s: int, y: int, x: int, pixels: Numbers) -> Mixture | DeepMixture:
        """Distribution of the pixel of step s at (y, x), for every lane.

        Parameters
        ----------
        pixels
            (plane, lane): the levels there, of the planes of earlier steps.
        """
        inputs, base = self.inputs(s, y, x, pixels)
        outputs = self.plan.networks[s](inputs, self.first[s])
        mixture = Mixture.of(outputs, base.astype(np.int64), self.depth)
        if self.scales is None:
            return mixture
        plane = self.plan.steps[s].plane
        return DeepMixture(mixture, int(self.scales.n_raw[plane]), int(self.scales.n_bins[plane]))

    def inputs(self, s: int, y: int, x: int, pixels: Numbers) -> tuple[Numbers, Numbers]:
        """Inputs of the network of step s at (y, x), (input, lane), and the base, (lane,)."""
        step, squash = self.plan.steps[s], self.depth.squash
        image, part = self.image, fraction(self.coverage[y + REACH, x + REACH])
        base = self._own(step.plane, y, x, part)
        planes = [self.plan.steps[t].plane for t in step.earlier]
        earlier = [(pixels[plane], plane) for plane in planes]
        owns = [self._own(plane, y, x, part) for plane in planes]
        if step.follows:
            known = earlier[-1][0]
            moved = np.clip(base + known - owns[-1], 1, self.depth.most)
            base = np.where(known > 0, moved, base)
        rows, columns = self.causal[s]
        near = covered(image[step.plane, rows + y, columns + x], part)
        blank = near == 0
        parts = [np.where(blank, ACTIVATION_ZERO, ACTIVATION_ZERO + squash(near - base))]
        parts.append(ACTIVATION_ZERO * blank[: step.n_flags])
        rows, columns = self.full[s]
        for (known, plane), own in zip(earlier, owns, strict=True):
            nonzero = known > 0
            same_pixel = np.stack([0 * known, squash(known - base), squash(known - own)])
            same_pixel = np.where(nonzero, same_pixel, 0) + ACTIVATION_ZERO
            same_pixel[0] = ACTIVATION_ZERO * ~nonzero
            around = covered(image[plane, rows + y, columns + x], part)
            differences = np.where(nonzero & (around > 0), squash(around - known), 0)
            parts += [same_pixel, differences + ACTIVATION_ZERO]
        parts.append(self.depth.shade(base)[None])
        where = np.empty((N_POSITION, image.shape[-1]), np.int64)
        where[:] = position(self.down[y], self.across[x])
        parts.append(where)
        if self.plan.has_prediction:
            parts.append(self._prediction(step.plane, y, x, base))
        rows, columns = self.covered[s]
        parts.append((self.coverage[rows + y, columns + x].astype(np.int16) + 1) >> 1)
        return np.concatenate(parts), base

    def _prediction(self, plane: int, y: int, x: int, base: Numbers) -> NDArray[np.int16]:
        assert self.predicted is not None
        rows = [min(y + dy, self.height - 1) for dy, _ in PREDICTION_OFFSETS]
        columns = [min(x + dx, self.width - 1) for _, dx in PREDICTION_OFFSETS]
        differences = self.predicted[plane, rows, columns] - self.depth.grid_value(base)
        return ACTIVATION_ZERO + SHALLOW.squash(differences)

    def coding_order(self) -> Iterator[tuple[int, int, int]]:
        """(step, y, x) in the order of coding, where some cell has a pixel."""
        has = self._inside(self.coverage).any(axis=-1)
        for s in range(len(self.plan.steps)):
            for y, x in np.argwhere(has).tolist():
                yield s, y, x

    def has(self, y: int, x: int) -> NDArray[np.bool_] | bool:
        """Which lanes have a pixel at (y, x), bool (lane,); True if all do."""
        if self.is_covered:
            return True
        has: NDArray[np.bool_] = self.coverage[y + REACH, x + REACH] > 0
        return has


def _offsets(neighbours: tuple[tuple[int, int], ...]) -> tuple[Ints, Ints]:
    offsets = np.array(neighbours, np.int64).reshape(-1, 2) + REACH
    return offsets[:, 0], offsets[:, 1]


def _intervals(plan: Plan, pixels: Pixels, known: Known) -> Iterator[tuple[Ints, Ints]]:
    """Start and frequency of every symbol, int64 (lane,) each, in coding order.

    Lanes that have no pixel there get the frequency 2**16, which takes no bits.
    """
    lanes = Lanes(plan, known)
    values = np.ascontiguousarray(pixels.transpose(1, 2, 3, 0)).astype(np.int64)
    levels = np.stack([lanes.levels(plane, own) for plane, own in enumerate(values)])
    for s, y, x in lanes.coding_order():
        plane = plan.steps[s].plane
        mixture = lanes.distribution(s, y, x, levels[:, y, x])
        # Only now, because the network must not see the pixel that it codes.
        lanes.put(plane, y, x, levels[plane, y, x])
        has = lanes.has(y, x)
        for start, frequency in mixture.intervals(values[plane, y, x]):
            yield np.where(has, start, 0), np.where(has, frequency, FREQUENCY_TOTAL)


def encode(plan: Plan, pixels: Pixels, known: Known, prefix: NDArray[np.uint16]) -> list[bytes]:
    """One stream per cell.

    Parameters
    ----------
    pixels
        uint8 or uint16, by the depth, (cell, plane, y, x).
    prefix
        uint16 (cell, symbol, 2): start and frequency of the symbols before the pixels; a frequency
        of 0 where a cell has none.
    """
    n_prefix = prefix.shape[1]
    per_pixel = 1 if plan.depth is SHALLOW else SYMBOLS_OF_DEEP
    most = n_prefix + per_pixel * int(np.prod(pixels.shape[1:]))
    starts = np.zeros((most, len(pixels)), np.int64)
    frequencies = np.zeros((most, len(pixels)), np.int64)
    starts[:n_prefix], frequencies[:n_prefix] = prefix.T
    frequencies[:n_prefix][frequencies[:n_prefix] == 0] = FREQUENCY_TOTAL
    n = n_prefix
    for n, interval in enumerate(_intervals(plan, pixels, known), n_prefix + 1):
        starts[n - 1], frequencies[n - 1] = interval
    last = rans.last_states(pixels, known.sizes)
    return rans.encode(starts[:n], frequencies[:n], last)


def bits(plan: Plan, pixels: Pixels, known: Known) -> NDArray[np.float64]:
    """Bits that the pixels of each cell take, float64 (cell,)."""
    total = np.zeros(len(pixels))
    for _, frequency in _intervals(plan, pixels, known):
        total -= np.log2(frequency / FREQUENCY_TOTAL)
    return total


def decode(plan: Plan, decoder: rans.Decoder, known: Known) -> tuple[Pixels, NDArray[np.uint8]]:
    """Pixels (cell, plane, y, x), and the status of each lane, see rans.Decoder.status."""
    lanes = Lanes(plan, known)
    n, n_planes, height, width = known.shape
    values = np.zeros((n_planes, height, width, n), np.int64)
    levels = values if lanes.scales is None else np.zeros_like(values)
    for s, y, x in lanes.coding_order():
        if decoder.short.all():  # nothing is left to decode, and a hostile cell may be large
            break
        plane = plan.steps[s].plane
        has = lanes.has(y, x)
        value = lanes.distribution(s, y, x, levels[:, y, x]).decode(decoder, has)
        values[plane, y, x] = np.where(has, value, 0)
        levels[plane, y, x] = lanes.levels(plane, values[plane, y, x])
        lanes.put(plane, y, x, levels[plane, y, x])
    pixels = np.ascontiguousarray(values.transpose(3, 0, 1, 2)).astype(plan.depth.dtype)
    return pixels, decoder.status(rans.last_states(pixels, known.sizes))
