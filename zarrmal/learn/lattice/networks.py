"""The small networks of the coder in floating point, rounded as it rounds them, and their losses.

In training weights are rounded to what the integers will be; gradients pass as if they were not
(straight-through), so that the rounding costs next to nothing.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs.lattice.numbers import DIAGONAL, N_DIAGONALS
from zarrmal_codecs.lattice.spatial import N_INPUTS as N_SPATIAL_INPUTS
from zarrmal_codecs.lattice.weights import LARGEST_HIDDEN, N_HIDDEN, N_OUTPUTS, N_ZONES, ZONE

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
LARGEST_WEIGHT: Final = 31
"""Of the layers' integers, of which 127 are possible: finer ones cost bytes only."""
MIN_SHIFT, MAX_SHIFT = 1, 20
BIAS_BITS: Final = {"hidden": 1, "output": 1}
"""Biases are rounded to a half of a unit, for the same reason."""


def shifts(scaled: torch.Tensor) -> torch.Tensor:
    """Of rows of weights in units of the coder, (..., row, 1)."""
    largest = scaled.abs().amax(dim=-1, keepdim=True) + 1e-9
    return torch.floor(torch.log2((LARGEST_WEIGHT + 0.49) / largest)).clamp(MIN_SHIFT, MAX_SHIFT)


class CoderLayer(torch.nn.Module):
    """A layer of the coder: rows of weights for each zone, and biases for each network.

    Parameters
    ----------
    n_zones
        Sets of weights.
    zone
        int64 (network,): the set of each network.
    units
        float (row,): the coder's units of an output of 1.
    unit_in
        The coder's unit of the inputs.
    bits
        Of fraction of the biases.
    spread
        Of the weights at the start.
    """

    def __init__(
        self, n_inputs: int, units: torch.Tensor, unit_in: float, *, bits: int, spread: float,
        zone: NDArray[np.int64] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        zone = np.zeros(1, np.int64) if zone is None else zone
        n_zones, n_rows = int(zone.max()) + 1, len(units)
        self.weight = torch.nn.Parameter(torch.randn(n_zones, n_rows, n_inputs) * spread)
        self.bias = torch.nn.Parameter(torch.zeros(len(zone), n_rows))
        self.unit_in, self.bits = unit_in, bits
        self.register_buffer("units", units, persistent=False)
        self.register_buffer("zone", torch.from_numpy(zone), persistent=False)
        self.units: torch.Tensor
        self.zone: torch.Tensor

    def integers(self) -> tuple[Array, Array, Array]:
        """Of zones, int8 weights (zone, row, input), uint8 shifts; of networks, int32 biases."""
        with torch.no_grad():
            scaled = self.weight * (self.units / self.unit_in)[:, None]
            shift = shifts(scaled)
            whole = torch.round(scaled * torch.exp2(shift)).clamp(-LARGEST_WEIGHT, LARGEST_WEIGHT)
            shift = shift[..., 0][self.zone]
            grain = torch.exp2((shift - self.bits).clamp_min(0))
            ends = (self.bias * self.units).clamp(-2000, 2000) * torch.exp2(shift)
            bias = torch.round(ends / grain) * grain
            flat = shifts(scaled)[..., 0]
        return (
            whole.numpy().astype(np.int8),
            flat.numpy().astype(np.uint8),
            bias.numpy().astype(np.int32),
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(network, lane, row) of (network, lane, input)."""
        to_units = (self.units / self.unit_in)[:, None]
        scaled = self.weight * to_units
        step = torch.exp2(-shifts(scaled.detach()))
        rounded = torch.round(scaled / step).clamp(-LARGEST_WEIGHT, LARGEST_WEIGHT) * step
        weight = (scaled + (rounded - scaled).detach()) / to_units
        return torch.baddbmm(self.bias[:, None], inputs, weight[self.zone].transpose(1, 2))


class CoderNetwork(torch.nn.Module):
    """Two layers, for one or many networks at a time."""

    def __init__(
        self, n_inputs: int, units: torch.Tensor, *, zone: NDArray[np.int64] | None = None
    ) -> None:
        super().__init__()
        hidden_units = torch.full((N_HIDDEN,), float(HIDDEN_UNIT))
        self.hidden = CoderLayer(
            n_inputs, hidden_units, INPUT_UNIT, bits=BIAS_BITS["hidden"], spread=n_inputs**-0.5,
            zone=zone,
        )  # fmt: skip
        self.output = CoderLayer(
            N_HIDDEN, units, HIDDEN_UNIT, bits=BIAS_BITS["output"], spread=0.1 * N_HIDDEN**-0.5,
            zone=zone,
        )  # fmt: skip

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(network, lane, output) of the coder's inputs, int8 (network, lane, input)."""
        values = self.hidden(inputs.float() / INPUT_UNIT).clamp(0, LARGEST_HIDDEN / HIDDEN_UNIT)
        outputs: torch.Tensor = self.output(values)
        return outputs

    def arrays(self, prefix: str, *, flat: bool) -> dict[str, Array]:
        """As ``PlaneWeights`` names them; ``flat`` without the axis of zones."""
        out = {}
        for name in ("hidden", "output"):
            for part, values in zip(
                ("weight", "shift", "bias"), getattr(self, name).integers(), strict=True
            ):
                own = values[0] if flat else values
                out[f"{prefix}{name}_{part}"] = np.ascontiguousarray(own)
        return out


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
        The network, and the number of examples.
    """

    network: CoderNetwork
    n: int

    def loss(self, index: NDArray[np.int64]) -> torch.Tensor:
        """Mean bits of these examples."""
        raise NotImplementedError


class CoefficientTask(Task):
    """Distributions of the coefficients up to the last diagonal."""

    def __init__(self, recorded: RecordedBlocks) -> None:
        self.recorded, self.n = recorded, len(recorded.last)
        self.network = CoderNetwork(
            recorded.inputs.shape[2], torch.tensor(OUTPUT_UNITS), zone=ZONE.astype(np.int64)
        )
        assert self.network.hidden.weight.shape[0] == N_ZONES
        with torch.no_grad():
            self.network.output.bias[:, 2], self.network.output.bias[:, 3] = 3.5, 5.0
        self._diagonal = torch.from_numpy(DIAGONAL)

    def loss(self, index: NDArray[np.int64]) -> torch.Tensor:
        """See Task."""
        recorded = self.recorded
        outputs = self.network(torch.from_numpy(recorded.inputs[index]).transpose(0, 1))
        bits = mixture_bits(outputs, torch.from_numpy(recorded.distance[index]).T)
        coded = torch.from_numpy(recorded.last[index])[None] >= self._diagonal[:, None]
        return (bits * coded).sum(dim=0).mean()


class DiagonalTask(Task):
    """The last diagonal."""

    def __init__(self, recorded: RecordedBlocks) -> None:
        self.recorded, self.n = recorded, len(recorded.last)
        units = torch.full((N_DIAGONALS,), LOGIT_UNIT)
        self.network = CoderNetwork(recorded.diagonal_inputs.shape[1], units)

    def loss(self, index: NDArray[np.int64]) -> torch.Tensor:
        """See Task."""
        inputs = torch.from_numpy(self.recorded.diagonal_inputs[index])
        logits = self.network(inputs[None])[0]
        last = torch.from_numpy(self.recorded.last[index])
        return torch.nn.functional.cross_entropy(logits, last) / float(np.log(2))


class RimTask(Task):
    """Values of rim pixels; without any the start must do."""

    def __init__(self, rims: RecordedRims | None) -> None:
        self.rims, self.n = rims, 0 if rims is None else len(rims.distance)
        self.network = CoderNetwork(N_SPATIAL_INPUTS, torch.tensor(OUTPUT_UNITS))
        assert self.network.output.bias.shape[1] == N_OUTPUTS
        with torch.no_grad():
            if not self.n:
                self.network.output.weight.zero_()
            self.network.output.bias[0, 2:4] = torch.tensor([6.0, 8.0])

    def loss(self, index: NDArray[np.int64]) -> torch.Tensor:
        """See Task."""
        assert self.rims is not None
        outputs = self.network(torch.from_numpy(self.rims.inputs[index])[None])[0]
        return mixture_bits(outputs, torch.from_numpy(self.rims.distance[index])).mean()
