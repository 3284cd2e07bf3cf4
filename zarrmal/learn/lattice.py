"""Weights of the coder of JPEG coefficients, learned from cells of any cameras (torch).

First the linear predictions by least squares; then for each kind of plane two small networks, of
the coefficients and of the last diagonal, and one of rim pixels. What the networks see is what the
integer coder gives them, so training and coding cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs.lattice.blocks import (
    LARGEST_VALUE,
    N_BORDER,
    WEIGHT_BITS,
    activity_of,
    last_diagonal,
)
from zarrmal_codecs.lattice.cells import FULLY_VISIBLE, Layout, PlaneOfCells
from zarrmal_codecs.lattice.numbers import DIAGONAL, N_DIAGONALS, SCAN
from zarrmal_codecs.lattice.spatial import N_INPUTS as N_SPATIAL_INPUTS
from zarrmal_codecs.lattice.spatial import Canvas, inputs_of
from zarrmal_codecs.lattice.transform import MIDDLE
from zarrmal_codecs.lattice.weights import (
    LARGEST_HIDDEN,
    N_HIDDEN,
    N_KINDS,
    N_OUTPUTS,
    N_ZONES,
    SHAPES,
    ZONE,
    PlaneWeights,
    Weights,
)

Array = NDArray[Any]
Coefficients = Sequence[NDArray[np.int16]]

INPUT_UNIT: Final = 64
"""Inputs of the coder that are 1 in training."""
HIDDEN_UNIT: Final = 32
OUTPUT_UNITS: Final = np.array([32.0, 32.0, 8.0, 8.0, 16.0])
"""The coder's units of locations, of binary logarithms of scales, of the logit of the share."""
SCALE_ZERO: Final = 5.0
"""Scales are 2**(output - 5) steps."""
PREDICTION_BITS: Final = 8
"""Bits of fraction that are kept of the predictions' WEIGHT_BITS: the rest costs bytes only."""
FLOOR: Final = 1 / 65536
"""Least probability of a symbol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatticeOptions:
    """How to learn.

    Parameters
    ----------
    n_blocks
        Blocks of the first plane that are looked at, chosen evenly; half as many of the others.
    n_steps, n_batch
        Steps of training, and blocks of each.
    rate
        The highest learning rate of the cycle.
    seed
        Of the choice and of the networks.
    """

    n_blocks: int = 80_000
    n_steps: int = 4_500
    n_batch: int = 512
    rate: float = 8e-3
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Rims:
    """Rim pixels of a plane as the coder sees them.

    Parameters
    ----------
    inputs
        int8 (pixel, 64).
    distance
        float32 (pixel,): of the value from the base.
    """

    inputs: NDArray[np.int8]
    distance: NDArray[np.float32]

    @classmethod
    def of(cls, canvases: Sequence[Canvas], steps: NDArray[np.int64]) -> Rims:
        """Of the last of ``canvases``, whose values are the true ones; see ``inputs_of``."""
        canvas = canvases[-1]
        index = np.concatenate(canvas.turns)
        cell = np.repeat(np.arange(len(canvas.turns)), [len(turn) for turn in canvas.turns])
        inputs, base = inputs_of(canvases, index, cell, steps)
        distance = canvas.values[index] - base / 32
        return cls(inputs.astype(np.int8), distance.astype(np.float32))


def fit_weights(
    layouts: Sequence[Layout],
    cells: Sequence[Coefficients],
    rims: Sequence[Rims] = (),
    options: LatticeOptions | None = None,
) -> Weights:
    """Learn from cells of three planes; the same arguments give the same weights on a machine.

    Parameters
    ----------
    layouts, cells
        As of ``zarrmal_codecs.lattice.cells.encode``; the more cameras, the better for new ones.
    rims
        For each plane; without, rim pixels are coded by a distribution that fits all the same.
    """
    options = options or LatticeOptions()
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    earlier: list[PlaneOfCells] = []
    planes = []
    for kind in range(N_KINDS):
        blank = {name: np.zeros(shape, dtype) for name, (dtype, shape) in SHAPES.items()}
        blank |= {name: np.full_like(a, 8) for name, a in blank.items() if name.endswith("shift")}
        plane = PlaneOfCells(layouts, kind, PlaneWeights(**blank))
        plane.see(layouts, kind, earlier)
        flat = np.concatenate([cell[kind].reshape(-1, 64) for cell in cells]).astype(np.int64)
        coded = np.flatnonzero(plane.coded)
        plane.put(coded, flat[coded])
        for start in range(0, len(coded), 1 << 14):  # later planes need the bases of all blocks
            plane.surroundings(coded[start : start + (1 << 14)])
        earlier.append(plane)
        n = min(len(coded), options.n_blocks >> (kind > 0))
        chosen = np.sort(rng.choice(coded, n, replace=False))
        arrays = blank | _predictions(plane, chosen, kind)
        plane.weights = PlaneWeights(**arrays)
        recorded = _Recorded.of(plane, chosen, rng)
        arrays |= _coefficient_layers(recorded, options, rng)
        arrays |= _diagonal_layers(recorded, options, rng)
        arrays |= _spatial_layers(rims[kind] if rims else None, options, rng)
        planes.append(PlaneWeights(**arrays))
    return Weights(tuple(planes))


def _predictions(plane: PlaneOfCells, chosen: Array, kind: int) -> dict[str, Array]:
    """Least squares of each coefficient, from the surroundings and the coefficients before it."""
    firsts = np.cumsum([0, N_BORDER, 64, 64, 64])
    products = np.zeros((firsts[-1], firsts[-1]))
    for start in range(0, len(chosen), 1 << 13):
        around = plane.surroundings(chosen[start : start + (1 << 13)])
        own = plane.coefficients[chosen[start : start + (1 << 13)]] * around.steps
        own[:, 0] -= 8 * (around.base - MIDDLE)
        none = np.zeros_like(own)
        parts = (around.border, around.luma, around.other, own)
        columns = np.concatenate([none if part is None else part for part in parts], axis=1)
        noise = 1 + activity_of(around.border) / 14 + around.steps[:, 9] ** 2 / 8
        scaled = np.clip(columns, -LARGEST_VALUE, LARGEST_VALUE) / np.sqrt(noise)[:, None]
        products += scaled.T @ scaled
    solved = np.zeros((64, firsts[-1]))
    for place, j in enumerate(SCAN.tolist()):
        known = np.r_[: firsts[1 + kind], firsts[3] + SCAN[:place]]
        ridge = np.eye(len(known)) * (1e-4 * len(chosen) + 1)
        left = products[np.ix_(known, known)] + ridge
        solved[j, known] = np.linalg.solve(left, products[known, firsts[3] + j])
    largest = (1 << (15 - WEIGHT_BITS + PREDICTION_BITS)) - 1
    rounded = np.clip(np.round(solved * (1 << PREDICTION_BITS)), -largest, largest)
    whole = (rounded * (1 << (WEIGHT_BITS - PREDICTION_BITS))).astype(np.int16)
    names = ("from_border", "from_luma", "from_other", "from_earlier")
    return {
        name: np.ascontiguousarray(whole[:, a:b])
        for name, a, b in zip(names, firsts, firsts[1:], strict=False)
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Recorded:
    """What the coder's networks see of blocks, and what they are to tell."""

    inputs: NDArray[np.int8]  # (block, 64, 32)
    distance: NDArray[np.float32]  # (block, 64): of coefficients from their predictions
    diagonal_inputs: NDArray[np.int8]  # (block, 32)
    last: NDArray[np.int64]

    @classmethod
    def of(cls, plane: PlaneOfCells, chosen: Array, rng: np.random.Generator) -> _Recorded:
        parts = []
        for start in range(0, len(chosen), 1 << 12):
            index = chosen[start : start + (1 << 12)]
            lanes, own = plane.lanes(index), plane.coefficients[index].astype(np.int64)
            lanes.last = last_diagonal(own)
            diagonal_inputs = lanes.diagonal_inputs().astype(np.int8)
            inputs = np.zeros((len(index), 64, lanes.inputs(0).shape[1]), np.int8)
            distance = np.zeros((len(index), 64), np.float32)
            for j in SCAN.tolist():
                predicted = lanes.predicted(j)
                inputs[:, j] = lanes.inputs(j)
                distance[:, j] = own[:, j] - predicted / 32
                lanes.take(j, own[:, j], predicted)
            parts.append((inputs, distance, diagonal_inputs, lanes.last))
        joined = cls(*(np.concatenate(part) for part in zip(*parts, strict=True)))
        if (plane.visible[chosen] == FULLY_VISIBLE).all():
            # Whole blocks say nothing about cut ones: their share must not act as a bias.
            share = rng.integers(28, FULLY_VISIBLE + 1, len(chosen)).astype(np.int8)
            joined.inputs[:, :, 27], joined.diagonal_inputs[:, 24] = share[:, None], share
        return joined


def _bits(outputs: torch.Tensor, distance: torch.Tensor) -> torch.Tensor:
    """Bits of values at a distance from the prediction, of outputs (..., 5)."""
    scale = torch.exp2(SCALE_ZERO - outputs[..., 2:4].clamp(0, 15.8))
    away = distance[..., None] - outputs[..., 0:2]
    sign = torch.where(away > 0, -1.0, 1.0)  # the tail that has more digits
    inside = torch.sigmoid((sign * away + 0.5) * scale) - torch.sigmoid((sign * away - 0.5) * scale)
    share = torch.sigmoid(outputs[..., 4])
    mixed = share * inside[..., 0] + (1 - share) * inside[..., 1]
    return -torch.log2(mixed * (1 - 66 * FLOOR) + FLOOR)


def _train(
    parameters: list[torch.nn.Parameter], loss: Any, n: int, options: LatticeOptions,
    rng: np.random.Generator, n_batch: int,
) -> None:  # fmt: skip
    optimiser = torch.optim.AdamW(parameters, lr=options.rate / 2, weight_decay=1e-4)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=options.rate, total_steps=max(options.n_steps, 2)
    )
    for _ in range(max(options.n_steps, 2)):
        value = loss(rng.integers(0, n, n_batch))
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        cycle.step()


def _parameter(*shape: int, spread: float = 0.0) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.randn(*shape) * spread)


def _tensor(values: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))


def _start(outputs: torch.nn.Parameter) -> None:
    with torch.no_grad():
        outputs[..., 2], outputs[..., 3] = 3.5, 5.0


def _coefficient_layers(
    recorded: _Recorded, options: LatticeOptions, rng: np.random.Generator
) -> dict[str, Array]:
    n_inputs = recorded.inputs.shape[2]
    zone, diagonal = torch.from_numpy(ZONE), torch.from_numpy(DIAGONAL)
    first = _parameter(N_ZONES, n_inputs, N_HIDDEN, spread=n_inputs**-0.5)
    first_bias = _parameter(64, 1, N_HIDDEN)
    second = _parameter(N_ZONES, N_HIDDEN, N_OUTPUTS, spread=0.1 * N_HIDDEN**-0.5)
    second_bias = _parameter(64, 1, N_OUTPUTS)
    _start(second_bias)

    def loss(index: Array) -> torch.Tensor:
        inputs = _tensor(recorded.inputs[index]).float().transpose(0, 1) / INPUT_UNIT
        hidden = torch.baddbmm(first_bias, inputs, first[zone])
        hidden = hidden.clamp(0, LARGEST_HIDDEN / HIDDEN_UNIT)
        outputs = torch.baddbmm(second_bias, hidden, second[zone])
        bits = _bits(outputs, _tensor(recorded.distance[index]).T)
        coded = _tensor(recorded.last[index])[None] >= diagonal[:, None]
        return (bits * coded).sum(dim=0).mean()

    parameters = [first, first_bias, second, second_bias]
    _train(parameters, loss, len(recorded.last), options, rng, options.n_batch)
    w1, b1, w2, b2 = (p.detach().numpy() for p in parameters)
    return _layers("", w1.transpose(0, 2, 1), b1[:, 0], w2.transpose(0, 2, 1), b2[:, 0],
                   OUTPUT_UNITS, ZONE)  # fmt: skip


def _two_layers(
    n_inputs: int, n_outputs: int
) -> tuple[torch.nn.Linear, torch.nn.Linear, list[torch.nn.Parameter]]:
    first, second = torch.nn.Linear(n_inputs, N_HIDDEN), torch.nn.Linear(N_HIDDEN, n_outputs)
    return first, second, [*first.parameters(), *second.parameters()]


def _run(first: torch.nn.Linear, second: torch.nn.Linear, inputs: Array) -> torch.Tensor:
    hidden = first(_tensor(inputs).float() / INPUT_UNIT).clamp(0, LARGEST_HIDDEN / HIDDEN_UNIT)
    outputs: torch.Tensor = second(hidden)
    return outputs


def _diagonal_layers(
    recorded: _Recorded, options: LatticeOptions, rng: np.random.Generator
) -> dict[str, Array]:
    first, second, parameters = _two_layers(recorded.diagonal_inputs.shape[1], N_DIAGONALS)

    def loss(index: Array) -> torch.Tensor:
        outputs = _run(first, second, recorded.diagonal_inputs[index])
        return torch.nn.functional.cross_entropy(outputs, _tensor(recorded.last[index]))

    _train(parameters, loss, len(recorded.last), options, rng, 2 * options.n_batch)
    return _flat_layers("diagonal_", parameters, np.full(N_DIAGONALS, 16.0))


def _spatial_layers(
    rims: Rims | None, options: LatticeOptions, rng: np.random.Generator
) -> dict[str, Array]:
    first, second, parameters = _two_layers(N_SPATIAL_INPUTS, N_OUTPUTS)
    with torch.no_grad():
        second.weight *= 0.0 if rims is None else 0.3
        second.bias.copy_(torch.tensor([0.0, 0.0, 6.0, 8.0, 0.0]))
    if rims is not None and len(rims.distance):
        known = rims

        def loss(index: Array) -> torch.Tensor:
            outputs = _run(first, second, known.inputs[index])
            return _bits(outputs, _tensor(known.distance[index])).mean()

        _train(parameters, loss, len(known.distance), options, rng, 4 * options.n_batch)
    return _flat_layers("spatial_", parameters, OUTPUT_UNITS)


def _flat_layers(
    prefix: str, parameters: Sequence[torch.nn.Parameter], units: Array
) -> dict[str, Array]:
    w1, b1, w2, b2 = (p.detach().numpy()[None] for p in parameters)
    layers = _layers(prefix, w1, b1, w2, b2, units, np.zeros(1, np.int64))
    return {name: np.ascontiguousarray(values[0]) for name, values in layers.items()}


def _layers(
    prefix: str, w1: Array, b1: Array, w2: Array, b2: Array, units: Array, zone: Array
) -> dict[str, Array]:
    """Integer layers of weights (zone, unit, input) and biases (bias, unit) of these zones."""
    out = {}
    for name, weight, bias, unit, before, bits in (
        ("hidden", w1, b1, np.full(N_HIDDEN, float(HIDDEN_UNIT)), INPUT_UNIT, 2),
        ("output", w2, b2, units, HIDDEN_UNIT, 1),
    ):
        scaled = weight * unit[:, None] / before
        largest = np.abs(scaled).max(axis=2) + 1e-9
        shift = np.clip(np.floor(np.log2(127.49 / largest)), 1, 20)
        whole = np.clip(np.round(scaled * 2.0 ** shift[..., None]), -127, 127)
        # Biases are rounded to a fourth or a half of a unit: finer ones cost bytes only.
        grain = 2.0 ** np.maximum(0, shift - bits)[zone]
        ends = np.clip(bias * unit, -2000, 2000) * 2.0 ** shift[zone]
        out[f"{prefix}{name}_weight"] = whole.astype(np.int8)
        out[f"{prefix}{name}_shift"] = shift.astype(np.uint8)
        out[f"{prefix}{name}_bias"] = (np.round(ends / grain) * grain).astype(np.int32)
    return out
