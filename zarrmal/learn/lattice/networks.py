"""The small networks of the coder in floating point, rounded as it rounds them, and their losses.

In training weights are rounded to what the integers will be; gradients pass as if they were not
(straight-through), so that the rounding costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs.lattice.blocks.spatial import N_INPUTS as N_SPATIAL_INPUTS
from zarrmal_codecs.lattice.numbers import DIAGONAL, N_DIAGONALS
from zarrmal_codecs.lattice.weights import LARGEST_HIDDEN, N_HIDDEN, N_ZONES, ZONE

from .recorded import RecordedBlocks, RecordedRims

Array = NDArray[Any]

INPUT_UNIT: Final = 64
"""Inputs of the coder that are 1 in training."""
HIDDEN_UNIT: Final = 32
OUTPUT_UNITS: Final = (32.0, 32.0, 8.0, 8.0, 16.0)
"""The coder's units of locations, of binary logarithms of scales, of the logit of the share."""
LOGIT_UNIT: Final = 16.0
SCALE_ZERO: Final = 5.0
"""Scales are 2**(output - 5) steps."""
FLOOR: Final = 1 / 65536
"""Least probability of a symbol."""
MIN_SHIFT, MAX_SHIFT = 1, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Grain:
    """How fine integers are. The coder could have finer ones, which cost bytes only.

    Parameters
    ----------
    largest
        Magnitude of a row's weights, at most 127.
    hidden_bits, output_bits
        Of fraction of the biases' units; negative: multiples of so many.
    """

    largest: int = 31
    hidden_bits: int = 1
    output_bits: int = 1


class CoderLayer(torch.nn.Module):
    """A layer of the coder: rows of weights for each zone, and biases for each network.

    Parameters
    ----------
    zone
        int64 (network,): the set of weights of each network.
    n_inputs, unit_in
        Of the layer, and the coder's unit of an input of 1.
    units
        float (row,): the coder's units of an output of 1.
    largest, bits
        See Grain.
    spread
        Of the weights at the start.
    """

    def __init__(
        self, zone: NDArray[np.int64], n_inputs: int, unit_in: float, units: torch.Tensor, *,
        largest: int, bits: int, spread: float,
    ) -> None:  # fmt: skip
        super().__init__()
        n_zones, n_rows = int(zone.max()) + 1, len(units)
        self.weight = torch.nn.Parameter(torch.randn(n_zones, n_rows, n_inputs) * spread)
        self.bias = torch.nn.Parameter(torch.zeros(len(zone), n_rows))
        self.largest, self.bits = largest, bits
        self.register_buffer("units", units, persistent=False)
        self.register_buffer("to_units", (units / unit_in)[:, None], persistent=False)
        self.register_buffer("zone", torch.from_numpy(zone), persistent=False)
        self.units: torch.Tensor
        self.to_units: torch.Tensor
        self.zone: torch.Tensor

    def _whole(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights as whole numbers (zone, row, input), and their shifts (zone, row, 1)."""
        scaled = self.weight.detach() * self.to_units
        most = scaled.abs().amax(dim=-1, keepdim=True) + 1e-9
        shift = torch.floor(torch.log2((self.largest + 0.49) / most)).clamp(MIN_SHIFT, MAX_SHIFT)
        whole = torch.round(scaled * torch.exp2(shift)).clamp(-self.largest, self.largest)
        return whole, shift

    def integers(self) -> tuple[Array, Array, Array]:
        """Of zones, int8 weights (zone, row, input), uint8 shifts; of networks, int32 biases."""
        whole, shift = self._whole()
        ends = self._ends(shift) * torch.exp2(shift[..., 0][self.zone])
        return (
            whole.numpy().astype(np.int8),
            shift[..., 0].numpy().astype(np.uint8),
            torch.round(ends).numpy().astype(np.int32),
        )

    def _ends(self, shift: torch.Tensor) -> torch.Tensor:
        """Biases in the coder's units, as coarse as they are stored; (network, row)."""
        grain = torch.exp2(-shift[..., 0][self.zone].clamp_max(self.bits))
        ends = (self.bias.detach() * self.units).clamp(-2000, 2000)
        return torch.round(ends / grain) * grain

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(network, lane, row) of (network, lane, input)."""
        whole, shift = self._whole()
        rounded = whole * torch.exp2(-shift) / self.to_units
        weight = self.weight + (rounded - self.weight).detach()
        bias = self.bias + (self._ends(shift) / self.units - self.bias).detach()
        return torch.baddbmm(bias[:, None], inputs, weight[self.zone].transpose(1, 2))


class CoderNetwork(torch.nn.Module):
    """Two layers, for one or many networks at a time.

    Parameters
    ----------
    zone
        See CoderLayer; the networks of one plane after those of another.
    n_planes
        That share the weights.
    n_inputs, units
        Of the network, and of its outputs.
    grain
        See Grain.
    """

    def __init__(
        self, zone: NDArray[np.int64], n_planes: int, n_inputs: int, units: torch.Tensor,
        grain: Grain,
    ) -> None:  # fmt: skip
        super().__init__()
        self.n_planes = n_planes
        all_zones = np.tile(zone, n_planes)
        self.hidden = CoderLayer(
            all_zones, n_inputs, INPUT_UNIT, torch.full((N_HIDDEN,), float(HIDDEN_UNIT)),
            largest=grain.largest, bits=grain.hidden_bits, spread=n_inputs**-0.5,
        )  # fmt: skip
        self.output = CoderLayer(
            all_zones, N_HIDDEN, HIDDEN_UNIT, units,
            largest=grain.largest, bits=grain.output_bits, spread=0.1 * N_HIDDEN**-0.5,
        )  # fmt: skip

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(network, lane, output) of the coder's inputs, int8 (network, lane, input)."""
        values = self.hidden(inputs.float() / INPUT_UNIT).clamp(0, LARGEST_HIDDEN / HIDDEN_UNIT)
        outputs: torch.Tensor = self.output(values)
        return outputs

    def arrays(self, prefix: str) -> list[dict[str, Array]]:
        """For each plane, as ``PlaneWeights`` names them."""
        planes: list[dict[str, Array]] = [{} for _ in range(self.n_planes)]
        for name in ("hidden", "output"):
            weight, shift, bias = getattr(self, name).integers()
            of_planes = bias.reshape(self.n_planes, -1, bias.shape[1])
            for own, ends in zip(planes, of_planes, strict=True):
                parts = {"weight": weight, "shift": shift, "bias": ends}
                for part, values in parts.items():
                    whole = values[0] if len(weight) == 1 else values
                    own[f"{prefix}{name}_{part}"] = np.ascontiguousarray(whole)
        return planes


def mixture_bits(outputs: torch.Tensor, distance: torch.Tensor) -> torch.Tensor:
    """Bits of values at a distance from the prediction, of outputs (..., 5)."""
    scale = torch.exp2(SCALE_ZERO - outputs[..., 2:4].clamp(0, 15.8))
    away = distance[..., None] - outputs[..., 0:2]
    sign = torch.where(away > 0, -1.0, 1.0)  # the tail that has more digits
    inside = torch.sigmoid((sign * away + 0.5) * scale) - torch.sigmoid((sign * away - 0.5) * scale)
    share = torch.sigmoid(outputs[..., 4])
    mixed = share * inside[..., 0] + (1 - share) * inside[..., 1]
    return -torch.log2(mixed * (1 - 66 * FLOOR) + FLOOR)


class Task:
    """A network, what it learns from, and its loss.

    Attributes
    ----------
    network, n
        The network, and the number of examples of a plane.
    """

    network: CoderNetwork
    n: int

    def loss(self, index: NDArray[np.int64]) -> torch.Tensor:
        """Mean bits of these examples, summed over planes; a plane with fewer begins again."""
        raise NotImplementedError

    def arrays(self, prefix: str) -> list[dict[str, Array]]:
        """Of each plane, as ``PlaneWeights`` names them."""
        return self.network.arrays(prefix)


ONE_ZONE: Final = np.zeros(1, np.int64)


class CoefficientTask(Task):
    """Distributions of the coefficients of the first diagonals, up to the last one."""

    def __init__(self, recorded: Sequence[RecordedBlocks], grain: Grain, n_diagonals: int) -> None:
        self.recorded, self.n = recorded, max(len(own.last) for own in recorded)
        n_inputs = recorded[0].inputs.shape[2]
        self._own = np.flatnonzero(n_diagonals > DIAGONAL)
        zone = ZONE[self._own].astype(np.int64)
        self.network = CoderNetwork(
            zone, len(recorded), n_inputs, torch.tensor(OUTPUT_UNITS), grain
        )
        with torch.no_grad():
            self.network.output.bias[:, 2], self.network.output.bias[:, 3] = 3.5, 5.0
        self._diagonal = torch.from_numpy(np.tile(DIAGONAL[self._own], len(recorded)))

    def loss(self, index: NDArray[np.int64]) -> torch.Tensor:
        """See Task."""
        inputs, distance, last = [], [], []
        for own in self.recorded:
            some = index % len(own.last)
            inputs.append(own.inputs[some[:, None], self._own].transpose(1, 0, 2))
            distance.append(own.distance[some[:, None], self._own].T)
            last.append(np.broadcast_to(own.last[some], (len(self._own), len(some))))
        outputs = self.network(torch.from_numpy(np.concatenate(inputs)))
        bits = mixture_bits(outputs, torch.from_numpy(np.concatenate(distance)))
        coded = torch.from_numpy(np.concatenate(last)) >= self._diagonal[:, None]
        return (bits * coded).sum(dim=0).mean()

    def arrays(self, prefix: str) -> list[dict[str, Array]]:
        """See Task; what no coefficient uses is as small as it may be."""
        planes = super().arrays(prefix)
        for own in planes:
            for name, values in own.items():
                n = 64 if name.endswith("bias") else N_ZONES
                whole = np.full((n, *values.shape[1:]), "shift" in name, values.dtype)
                whole[self._own if n == 64 else slice(len(values))] = values
                own[name] = whole
        return planes


class DiagonalTask(Task):
    """The last diagonal."""

    def __init__(self, recorded: Sequence[RecordedBlocks], grain: Grain) -> None:
        self.recorded, self.n = recorded, max(len(own.last) for own in recorded)
        units = torch.full((N_DIAGONALS,), LOGIT_UNIT)
        n_inputs = recorded[0].diagonal_inputs.shape[1]
        self.network = CoderNetwork(ONE_ZONE, len(recorded), n_inputs, units, grain)

    def loss(self, index: NDArray[np.int64]) -> torch.Tensor:
        """See Task."""
        inputs = [own.diagonal_inputs[index % len(own.last)] for own in self.recorded]
        last = [own.last[index % len(own.last)] for own in self.recorded]
        logits = self.network(torch.from_numpy(np.stack(inputs))).flatten(0, 1)
        true = torch.from_numpy(np.concatenate(last))
        bits = torch.nn.functional.cross_entropy(logits, true) / float(np.log(2))
        return bits * len(self.recorded)


class RimTask(Task):
    """Values of rim pixels; without any the start must do."""

    def __init__(self, rims: Sequence[RecordedRims], n_planes: int, grain: Grain) -> None:
        self.rims, self.n = rims, max((len(own.distance) for own in rims), default=0)
        units = torch.tensor(OUTPUT_UNITS)
        self.network = CoderNetwork(ONE_ZONE, n_planes, N_SPATIAL_INPUTS, units, grain)
        with torch.no_grad():
            if not self.n:
                self.network.output.weight.zero_()
            self.network.output.bias[:, 2:4] = torch.tensor([6.0, 8.0])

    def loss(self, index: NDArray[np.int64]) -> torch.Tensor:
        """See Task."""
        inputs = [own.inputs[index % len(own.distance)] for own in self.rims]
        distance = [own.distance[index % len(own.distance)] for own in self.rims]
        outputs = self.network(torch.from_numpy(np.stack(inputs)))
        bits = mixture_bits(outputs, torch.from_numpy(np.stack(distance)))
        return bits.mean(dim=1).sum()
