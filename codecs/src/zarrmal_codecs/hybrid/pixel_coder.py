"""Pixels of many cells <-> rANS streams, in NumPy: the reference of the kernel (FORMAT 4.6).

Each cell is a lane: all cells advance together, pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..constants import ACTIVATION_MAX, ACTIVATION_ZERO, FREQUENCY_TOTAL, REACH
from . import rans
from .context import (
    N_POSITION,
    PREDICTION_OFFSETS,
    Layer7,
    Numbers,
    Step,
    own_base,
    position,
    positions,
    squash,
)
from .mixture import Mixture
from .tables import CAUSAL, FULL

Ints = NDArray[np.int64]
Pixels = NDArray[np.uint8]
First = list[NDArray[np.int32]]
Sizes = NDArray[np.uint16]


class Plan:
    """The steps of a class, prepared for coding. The kernel has a Plan, too.

    Parameters
    ----------
    steps
        See context.steps_of.
    has_prediction
        Whether the autoencoder's prediction is an input of the networks.
    """

    def __init__(self, steps: tuple[Step, ...], has_prediction: bool) -> None:
        self.steps = steps
        self.has_prediction = has_prediction
        self.networks = tuple(_Network(step) for step in steps)


class _Network:
    """Three layers in float32; the sums of products are integers below 2**24 (FORMAT 3.3)."""

    def __init__(self, step: Step) -> None:
        self._weights = [layer.weight.astype(np.float32) for layer in step.layers]
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


def _shift(sums: NDArray[np.int32], layer: Layer7) -> NDArray[np.int32]:
    shift = layer.shift.astype(np.int32)[:, None]
    shifted: NDArray[np.int32] = (sums + (1 << (shift - 1))) >> shift
    return shifted


class Lanes:
    """Pixels of the cells with a border of zeros, and the inputs of the networks.

    Parameters
    ----------
    plan
        The class's plan.
    shape
        (cell, plane, y, x).
    predicted
        Predicted cells, uint8 (cell, plane, y, x), or None.
    first
        For each step the first sums, int32 (cell, unit).
    sizes
        Height and width of each cell, (cell, 2); None where all are those of ``shape``.
    """

    def __init__(
        self,
        plan: Plan,
        shape: tuple[int, int, int, int],
        predicted: Pixels | None,
        first: First,
        sizes: Sizes | None = None,
    ) -> None:
        n, n_planes, self.height, self.width = shape
        self.plan = plan
        self.sizes = None if sizes is None else sizes.astype(np.int64).T
        heights, widths = (self.height, self.width) if self.sizes is None else self.sizes
        self.down, self.across = positions(self.height, heights), positions(self.width, widths)
        rows, columns = self.height + 2 * REACH, self.width + 2 * REACH
        self.image = np.zeros((n_planes, rows, columns, n), np.int16)
        self.predicted = None
        if plan.has_prediction and predicted is not None:
            self.predicted = np.ascontiguousarray(predicted.transpose(1, 2, 3, 0)).astype(np.int16)
        self.first = [np.ascontiguousarray(f.T).astype(np.int32) for f in first]
        self.causal = [_offsets(CAUSAL[: step.n_causal]) for step in plan.steps]
        self.full = [_offsets(FULL[: step.n_full]) for step in plan.steps]

    def inside(self) -> NDArray[np.int16]:
        """View of the image without its border."""
        return self.image[:, REACH : REACH + self.height, REACH : REACH + self.width]

    def _own(self, plane: int, y: int, x: int) -> Numbers:
        image = self.image[plane]
        return own_base(
            image[y + REACH, x + REACH - 1],
            image[y + REACH - 1, x + REACH],
            image[y + REACH - 1, x + REACH + 1],
            image[y + REACH - 1, x + REACH - 1],
        )

    def distribution(self, s: int, y: int, x: int) -> Mixture:
        """Distribution of the pixel of step s at (y, x), for every lane."""
        inputs, base = self.inputs(s, y, x)
        return Mixture.of(self.plan.networks[s](inputs, self.first[s]), base.astype(np.int64))

    def inputs(self, s: int, y: int, x: int) -> tuple[Numbers, Numbers]:
        """Inputs of the network of step s at (y, x), (input, lane), and the base, (lane,)."""
        step = self.plan.steps[s]
        image = self.image
        base = self._own(step.plane, y, x)
        earlier = [(image[t.plane, y + REACH, x + REACH], t.plane) for t in self.plan.steps[:s]]
        owns = [self._own(plane, y, x) for _, plane in earlier]
        if s:
            known = earlier[-1][0]
            base = np.where(
                known > 0, np.minimum(np.maximum(base + known - owns[-1], 1), 255), base
            )
        rows, columns = self.causal[s]
        near = image[step.plane, rows + y, columns + x]
        blank = near == 0
        parts = [np.where(blank, ACTIVATION_ZERO, ACTIVATION_ZERO + squash(near - base))]
        parts.append(ACTIVATION_ZERO * blank[: step.n_flags])
        rows, columns = self.full[s]
        for (known, plane), own in zip(earlier, owns, strict=True):
            nonzero = known > 0
            same_pixel = np.stack([0 * known, squash(known - base), squash(known - own)])
            same_pixel = np.where(nonzero, same_pixel, 0) + ACTIVATION_ZERO
            same_pixel[0] = ACTIVATION_ZERO * ~nonzero
            around = image[plane, rows + y, columns + x]
            differences = np.where(nonzero & (around > 0), squash(around - known), 0)
            parts += [same_pixel, differences + ACTIVATION_ZERO]
        parts.append((base >> 1)[None])
        where = np.empty((N_POSITION, image.shape[-1]), np.int64)
        where[:] = position(self.down[y], self.across[x])
        parts.append(where)
        if self.plan.has_prediction:
            parts.append(self._prediction(step.plane, y, x, base))
        return np.concatenate(parts), base

    def _prediction(self, plane: int, y: int, x: int, base: Numbers) -> NDArray[np.int16]:
        n = self.image.shape[-1]
        if self.predicted is None:
            return np.full((len(PREDICTION_OFFSETS), n), ACTIVATION_ZERO, np.int16)
        rows = [min(y + dy, self.height - 1) for dy, _ in PREDICTION_OFFSETS]
        columns = [min(x + dx, self.width - 1) for _, dx in PREDICTION_OFFSETS]
        return ACTIVATION_ZERO + squash(self.predicted[plane, rows, columns] - base)

    def coding_order(self) -> Iterator[tuple[int, int, int]]:
        """(step, y, x) in the order of coding, where some cell has a pixel."""
        for s in range(len(self.plan.steps)):
            for y in range(self.height):
                width = self.width
                if self.sizes is not None:
                    width = int(self.sizes[1].max(where=self.sizes[0] > y, initial=0))
                for x in range(width):
                    yield s, y, x

    def has(self, y: int, x: int) -> NDArray[np.bool_] | bool:
        """Which lanes have a pixel at (y, x), bool (lane,); True if all do."""
        if self.sizes is None:
            return True
        has: NDArray[np.bool_] = (self.sizes[0] > y) & (self.sizes[1] > x)
        return has


def _offsets(neighbours: tuple[tuple[int, int], ...]) -> tuple[Ints, Ints]:
    offsets = np.array(neighbours, np.int64).reshape(-1, 2) + REACH
    return offsets[:, 0], offsets[:, 1]


def _intervals(
    plan: Plan, pixels: Pixels, sizes: Sizes | None, predicted: Pixels | None, first: First
) -> Iterator[tuple[Ints, Ints]]:
    """Start and frequency of every pixel, int64 (lane,) each, in coding order.

    Lanes that have no pixel there get the frequency 2**16, which takes no bits.
    """
    lanes = Lanes(plan, pixels.shape, predicted, first, sizes)
    inside = lanes.inside()
    values = np.ascontiguousarray(pixels.transpose(1, 2, 3, 0)).astype(np.int64)
    for s, y, x in lanes.coding_order():
        plane = plan.steps[s].plane
        value = values[plane, y, x]
        mixture = lanes.distribution(s, y, x)
        start, stop = mixture.cumulative(value), mixture.cumulative(value + 1)
        # Only now, because the network must not see the pixel that it codes.
        inside[plane, y, x] = value
        has = lanes.has(y, x)
        yield np.where(has, start, 0), np.where(has, stop - start, FREQUENCY_TOTAL)


def encode(
    plan: Plan,
    pixels: Pixels,
    sizes: Sizes | None,
    predicted: Pixels | None,
    first: First,
    prefix: NDArray[np.uint16],
) -> list[bytes]:
    """One stream per cell.

    Parameters
    ----------
    pixels, predicted
        uint8 (cell, plane, y, x); predicted may be None.
    sizes
        See Lanes.
    first
        For each step the first sums, int32 (cell, unit).
    prefix
        uint16 (cell, latent, 2): start and frequency of the symbols before the pixels.
    """
    n_latents = prefix.shape[1]
    n_symbols = n_latents + int(np.prod(pixels.shape[1:]))
    starts = np.zeros((n_symbols, len(pixels)), np.int64)
    frequencies = np.full((n_symbols, len(pixels)), FREQUENCY_TOTAL, np.int64)
    starts[:n_latents], frequencies[:n_latents] = prefix.T
    for k, interval in enumerate(_intervals(plan, pixels, sizes, predicted, first), n_latents):
        starts[k], frequencies[k] = interval
    return rans.encode(starts, frequencies, rans.last_states(pixels, sizes))


def bits(
    plan: Plan, pixels: Pixels, sizes: Sizes | None, predicted: Pixels | None, first: First
) -> NDArray[np.float64]:
    """Bits that the pixels of each cell take, float64 (cell,)."""
    total = np.zeros(len(pixels))
    for _, frequency in _intervals(plan, pixels, sizes, predicted, first):
        total -= np.log2(frequency / FREQUENCY_TOTAL)
    return total


def decode(
    plan: Plan,
    decoder: rans.Decoder,
    shape: tuple[int, int, int],
    sizes: Sizes | None,
    predicted: Pixels | None,
    first: First,
) -> tuple[Pixels, NDArray[np.uint8]]:
    """Pixels, uint8 (cell, plane, y, x), and the status of each lane, see rans.Decoder.status."""
    lanes = Lanes(plan, (len(decoder.states), *shape), predicted, first, sizes)
    inside = lanes.inside()
    for s, y, x in lanes.coding_order():
        if decoder.short.all():  # nothing is left to decode, and a hostile cell may be large
            break
        value, start, frequency = lanes.distribution(s, y, x).find(decoder.slots())
        has = lanes.has(y, x)
        decoder.advance(start, frequency, has)
        inside[plan.steps[s].plane, y, x] = np.where(has, value, 0)
    pixels = np.ascontiguousarray(inside.transpose(3, 0, 1, 2)).astype(np.uint8)
    return pixels, decoder.status(rans.last_states(pixels, sizes))
