"""Scales of coefficients that have no network, as sums, and the loss of their distributions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs.lattice.blocks.coefficients import N_SCALE_INPUTS, SCALE_INPUTS
from zarrmal_codecs.lattice.numbers import DIAGONAL, LOG, N_DIAGONALS, N_SCALES, SCAN
from zarrmal_codecs.lattice.weights import N_HIDDEN, N_SHAPES, SCALE_SUM_BITS, PlaneWeights

from .networks import OUTPUT_UNITS, mixture_bits
from .recorded import RecordedBlocks

Array = NDArray[Any]

LOG_UNIT: Final = 12.0
"""The coder's inputs of one doubling."""
HIDDEN_UNIT: Final = 32.0
SCALE_UNIT: Final = float(OUTPUT_UNITS[2])
SUM_UNIT: Final = SCALE_UNIT * (1 << SCALE_SUM_BITS)
WEIGHT_GRAIN: Final = 32
"""Weights are whole numbers of so many parts: finer ones cost bytes only."""
BIAS_GRAIN: Final = 16
_PLACE: Final = np.argsort(SCAN)
_EARLIER: Final = torch.from_numpy(_PLACE[:, None] > _PLACE).float()
_TO_WEIGHTS: Final = {
    "bias": SUM_UNIT,
    "from_around": SUM_UNIT / LOG_UNIT,
    "from_block": SUM_UNIT / HIDDEN_UNIT,
    "from_earlier": SUM_UNIT / LOG_UNIT,
    "alone": SUM_UNIT,
}


@dataclass(frozen=True, slots=True, eq=False)
class RecordedScales:
    """What tells the scales of a plane's blocks, and what they are to tell.

    Parameters
    ----------
    around
        int8 (block, 64, 12): inputs that tell scales.
    hidden
        uint8 (block, 32): hidden units of the last diagonal's network.
    own
        uint8 (block, 64, 2): logarithms of magnitudes and of surprises.
    alone
        bool (block, 64).
    values, predicted
        float32 (block, 64): the coefficients, and their predictions, in steps.
    last
        int64 (block,).
    """

    around: NDArray[np.int8]
    hidden: NDArray[np.uint8]
    own: NDArray[np.uint8]
    alone: NDArray[np.bool_]
    values: NDArray[np.float32]
    predicted: NDArray[np.float32]
    last: NDArray[np.int64]

    @classmethod
    def of(cls, blocks: RecordedBlocks, weights: PlaneWeights) -> RecordedScales:
        """Of recorded blocks, and weights with a network of the last diagonal."""
        sizes = np.abs(blocks.values).astype(np.int64)
        sizes[:, 0] = 0
        surprises = np.floor(np.abs(blocks.distance) + 0.5).astype(np.int64)
        own = np.stack([LOG[np.minimum(x, len(LOG) - 1)] for x in (sizes, surprises)], axis=-1)
        coded = blocks.last[:, None] >= DIAGONAL
        return cls(
            around=np.ascontiguousarray(blocks.inputs[:, :, SCALE_INPUTS]),
            hidden=weights.diagonal_hidden(blocks.diagonal_inputs.astype(np.int64))
            .T.astype(np.uint8),
            own=np.where(coded[:, :, None], own, 0).astype(np.uint8),
            alone=blocks.inputs[:, :, 25] > 0,
            values=blocks.values.astype(np.float32),
            predicted=blocks.values - blocks.distance,
            last=blocks.last,
        )  # fmt: skip


class ScaleSums(torch.nn.Module):
    """The sums of a plane; weights are in octaves of the scale for octaves of the inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = torch.nn.Parameter(torch.full((N_DIAGONALS, 64), 4.5))
        self.from_around = torch.nn.Parameter(torch.zeros(64, N_SCALE_INPUTS))
        self.from_block = torch.nn.Parameter(torch.zeros(64, N_HIDDEN))
        self.from_earlier = torch.nn.Parameter(torch.zeros(64, 64, 2))
        self.alone = torch.nn.Parameter(torch.zeros(64))
        # How much larger the second scale is, the share of the first, what predictions lose.
        self.shape = torch.nn.Parameter(torch.tensor([[1.0, 0.0, 0.1]]).repeat(N_SHAPES, 1))

    def whole(self, name: str) -> torch.Tensor:
        """Weights as coarse as they are stored; gradients pass."""
        grain = BIAS_GRAIN if name in ("bias", "alone") else WEIGHT_GRAIN
        weight: torch.Tensor = getattr(self, name)
        if name == "from_earlier":
            weight = weight * _EARLIER[:, :, None]
        return weight + (torch.round(weight * grain) / grain - weight).detach()

    def forward(self, blocks: RecordedScales, some: Array) -> torch.Tensor:
        """Bits of the coefficients of some blocks (block, 64), 0 for those that are not coded."""
        last = torch.from_numpy(blocks.last[some])
        around = torch.from_numpy(blocks.around[some]).float() / LOG_UNIT
        own = torch.from_numpy(blocks.own[some]).float() / LOG_UNIT
        sums = self.whole("bias")[last] + (around * self.whole("from_around")).sum(dim=-1)
        hidden = torch.from_numpy(blocks.hidden[some]).float() / HIDDEN_UNIT
        sums = sums + hidden @ self.whole("from_block").T
        earlier = self.whole("from_earlier")
        sums = sums + own[..., 0] @ earlier[..., 0].T + own[..., 1] @ earlier[..., 1].T
        sums = sums + torch.from_numpy(blocks.alone[some]) * self.whole("alone")
        sums = sums.clamp(0, (N_SCALES - 1) / SCALE_UNIT)
        scale = sums + (torch.round(sums * SCALE_UNIT) / SCALE_UNIT - sums).detach()
        shape = self.shape[torch.round(sums.detach() * SCALE_UNIT).long() >> 2]
        values, predicted = (torch.from_numpy(x[some]) for x in (blocks.values, blocks.predicted))
        middle = predicted * (1 - shape[..., 2])
        middle = middle + (torch.round(middle * 8) / 8 - middle).detach()
        none = torch.zeros_like(scale)
        outputs = torch.stack([none, none, scale, scale + shape[..., 0], shape[..., 1]], dim=-1)
        coded = last[:, None] >= torch.from_numpy(DIAGONAL)
        return mixture_bits(outputs, values - middle) * coded

    def arrays(self) -> dict[str, Array]:
        """As ``PlaneWeights`` names them."""
        found: dict[str, Array] = {}
        for name, unit in _TO_WEIGHTS.items():
            whole = np.round(self.whole(name).detach().numpy().astype(np.float64) * unit)
            found[f"scale_{name}"] = np.clip(whole, -(1 << 15), (1 << 15) - 1).astype(np.int16)
        units = np.array([SCALE_UNIT, OUTPUT_UNITS[4], 64.0])
        shape = np.round(self.shape.detach().numpy() * units)
        return found | {"scale_shape": np.clip(shape, -128, 127).astype(np.int8)}


class ScaleTask:
    """The sums of planes, and their loss; see ``networks.Task``."""

    def __init__(self, blocks: Sequence[RecordedScales]) -> None:
        self.blocks, self.n = blocks, max(len(own.last) for own in blocks)
        self.sums = [ScaleSums() for _ in blocks]
        self.network = torch.nn.ModuleList(self.sums)

    def loss(self, index: Array) -> torch.Tensor:
        """Mean bits of the coefficients of these blocks, summed over planes."""
        losses = [
            sums(own, index % len(own.last)).sum(dim=1).mean()
            for sums, own in zip(self.sums, self.blocks, strict=True)
        ]
        return torch.stack(losses).sum()
