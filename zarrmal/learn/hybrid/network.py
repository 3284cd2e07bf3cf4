"""The networks in floating point, rounded on demand as the codec computes them in integers."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from torch import nn
from zarrmal_codecs.constants import (
    ACTIVATION_MAX,
    DEEP_LOCATION_LIMIT,
    FREQUENCY_TOTAL,
    LEVEL_BIN,
    LOCATION_LIMIT,
)
from zarrmal_codecs.hybrid.tables import KNOT

from ..quantise import WEIGHT_MAX, simulated_int8, straight_round
from .inputs.context import ContextInputs, PreparedCells
from .inputs.planes import PlaneStep, networks_of
from .options import Effort, SaeSize

ACTIVATION_SCALE = 64
LATENT_SCALE = 8  # a latent z enters the network as z / 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """How outputs of a network of some depth are to be read.

    Parameters
    ----------
    per_octave
        Indices of scales an octave; that of one level is three octaves.
    location_log2
        Of the levels of one unit of a location.
    log2_scale
        Of the levels of a scale before training.
    limit
        Of a location, in levels.
    """

    per_octave: int
    location_log2: int
    log2_scale: float
    limit: float

    @property
    def middle(self) -> int:
        """Index of the scale of one level."""
        return 3 * self.per_octave


SHALLOW_UNITS = Units(per_octave=12, location_log2=3, log2_scale=1.0, limit=LOCATION_LIMIT / 16)
DEEP_UNITS = Units(per_octave=8, location_log2=5, log2_scale=3.0, limit=DEEP_LOCATION_LIMIT / 16)


def units_of(bits: int) -> Units:
    """Those of a depth of 8 or 16 bits."""
    return SHALLOW_UNITS if bits == 8 else DEEP_UNITS


class ContextNetwork(nn.Module):
    """Three layers for one step: the classes share the weights, and have their own biases.

    Parameters
    ----------
    n_in, n_latents
        Inputs, and latents that join them.
    log2_scale
        Of the mixture's middle component before training: log2 of its width in levels.
    per_octave
        Scales of the codec an octave.
    """

    def __init__(
        self,
        n_in: int,
        effort: Effort,
        n_classes: int,
        n_latents: int,
        log2_scale: float,
        per_octave: int,
    ) -> None:
        super().__init__()
        first, second = effort.widths
        n_out = 1 + 3 * effort.n_components
        self.n_components = effort.n_components
        self.n_latents = n_latents

        def weight(n_out: int, n_in: int, gain: float) -> nn.Parameter:
            return nn.Parameter(torch.randn(n_out, n_in) * gain * sqrt(2 / n_in))

        self.weight1 = weight(first, n_in, 1.0)
        self.weight2 = weight(second, first, 1.0)
        self.weight3 = weight(n_out, second, 0.2)
        self.latent = nn.Parameter(torch.zeros(first, n_latents)) if n_latents else None
        self.bias1 = nn.Parameter(0.2 * torch.randn(1, first).repeat(n_classes, 1))
        self.bias2 = nn.Parameter(torch.full((n_classes, second), 0.1))
        out = torch.zeros(n_classes, n_out)
        out[:, 0] = -2
        middle = (effort.n_components - 1) / 2
        for m in range(effort.n_components):
            # In sixteenths: log2 of the scale is (16 out) / per_octave from that of one level.
            out[:, 2 + 3 * m] = per_octave * (log2_scale + m - middle) / 16
        self.bias3 = nn.Parameter(out)

    def first_layer(self) -> torch.Tensor:
        """Weights of inputs and latents side by side: they share a scale."""
        if self.latent is None:
            return self.weight1
        return torch.cat([self.weight1, self.latent], dim=1)

    def forward(
        self,
        inputs: torch.Tensor,
        classes: torch.Tensor,
        latents: torch.Tensor | None,
        cell: torch.Tensor,
        integer: bool,
    ) -> torch.Tensor:
        """Outputs (pixel, 1 + 3 * component) in units of 16 (see ``bits``).

        Parameters
        ----------
        inputs
            (pixel, input).
        classes, latents
            (row,) and (row, latent), of the batch's cells.
        cell
            (pixel,): index of its cell in the batch.
        integer
            Round as the codec does.
        """
        layers: list[torch.Tensor] = [self.first_layer(), self.weight2, self.weight3]
        weight1, weight2, weight3 = [simulated_int8(w) for w in layers] if integer else layers
        n_in = self.weight1.shape[1]
        cell_bias = self.bias1[classes]
        if latents is not None and self.latent is not None:
            cell_bias = cell_bias + latents / LATENT_SCALE @ weight1[:, n_in:].T
        hidden = _activation(inputs @ weight1[:, :n_in].T + cell_bias[cell], integer)
        pixel_class = classes[cell]
        hidden = _activation(hidden @ weight2.T + self.bias2[pixel_class], integer)
        out: torch.Tensor = hidden @ weight3.T + self.bias3[pixel_class]
        return out


def _activation(values: torch.Tensor, integer: bool) -> torch.Tensor:
    values = nn.functional.hardtanh(values, 0.0, ACTIVATION_MAX / ACTIVATION_SCALE)
    return straight_round(values * ACTIVATION_SCALE) / ACTIVATION_SCALE if integer else values


_KNOTS = torch.from_numpy(KNOT.astype(np.float32)) / KNOT[-1]


def _cumulative(t: torch.Tensor, integer: bool) -> torch.Tensor:
    """Cumulative logistic distribution; the codec interpolates between knots."""
    if not integer:
        return torch.sigmoid(t)
    knots = _KNOTS.to(t.device)
    position = (4 * t + 32).clamp(0, 64 - 1e-4)
    low = position.detach().floor().long()
    left = knots[low]
    out: torch.Tensor = left + (knots[low + 1] - left) * (position - low)
    return out


def bits(
    outputs: torch.Tensor,
    values: torch.Tensor,
    base: torch.Tensor,
    n_components: int,
    units: Units,
    integer: bool,
) -> torch.Tensor:
    """Code length of each level, float32 (pixel,) (FORMAT 6.3, 6.3.2)."""
    if integer:
        rounded = _as_outputs(outputs[:, 1:].reshape(-1, n_components, 3), units)
        outputs = torch.cat([outputs[:, :1], rounded.flatten(1)], dim=1)
    v = values.float()
    parts = outputs[:, 1:].reshape(-1, n_components, 3)
    moved = (2**units.location_log2 * parts[..., 0]).clamp(-units.limit, units.limit)
    middle = base.float()[:, None] + moved
    index = (16 * parts[..., 1] + units.middle).clamp(0, 127)
    slope = torch.exp2((units.middle - index) / units.per_octave)
    weight = torch.softmax(parts[..., 2], dim=1)
    above = _cumulative((v[:, None] + 0.5 - middle) * slope, integer)
    below = _cumulative((v[:, None] - 0.5 - middle) * slope, integer)
    if units is SHALLOW_UNITS:
        above = torch.where((values >= 255)[:, None], torch.ones_like(above), above)
    below = torch.where((values <= 1)[:, None], torch.zeros_like(below), below)
    inside = (weight * (above - below)).sum(dim=1)
    blank = torch.sigmoid(outputs[:, 0])
    probability = torch.where(values == 0, blank, (1 - blank) * inside)
    if units is SHALLOW_UNITS:
        return -torch.log2(probability * (1 - 256 / FREQUENCY_TOTAL) + 1 / FREQUENCY_TOTAL)
    # Both symbols of a level have a least frequency.
    least = 1 / FREQUENCY_TOTAL / LEVEL_BIN
    return -torch.log2(probability * (1 - 2 * LEVEL_BIN / FREQUENCY_TOTAL) + least)


def _as_outputs(parts: torch.Tensor, units: Units) -> torch.Tensor:
    """Locations to sixteenths of a level, scales to whole indices."""
    unit = 16 << units.location_log2
    location = straight_round(parts[..., 0] * unit) / unit
    scale = straight_round(parts[..., 1] * 16) / 16
    return torch.stack([location, scale, parts[..., 2]], dim=-1)


class SmallAutoencoder(nn.Module):
    """Pooled cell -> integer latents -> predicted cell; weights tied (FORMAT 6.4)."""

    def __init__(
        self, mean: torch.Tensor, size: SaeSize, grid: tuple[int, int], n_planes: int
    ) -> None:
        super().__init__()
        self.grid, self.n_planes = grid, n_planes
        n_grid = len(mean)
        self.register_buffer("mean", mean)
        self.outer = nn.Parameter(torch.randn(n_grid, size.n_hidden) / sqrt(n_grid))
        self.inner = nn.Parameter(torch.randn(size.n_hidden, size.n_latents) / sqrt(size.n_hidden))
        self.up_bias = nn.Parameter(torch.full((size.n_hidden,), 0.2))
        self.up_gain = nn.Parameter(torch.tensor(4.0))
        self.latent_bias = nn.Parameter(torch.zeros(size.n_latents))
        self.latent_gain = nn.Parameter(torch.tensor(4.0))
        self.down_bias = nn.Parameter(torch.full((size.n_hidden,), 0.2))
        self.down_gain = nn.Parameter(torch.tensor(0.25))
        self.grid_bias = nn.Parameter(torch.zeros(n_grid))
        self.grid_gain = nn.Parameter(torch.tensor(1.0))
        self.log_scale = nn.Parameter(torch.ones(size.n_latents))

    def encode(self, pooled: torch.Tensor) -> torch.Tensor:
        """Latents, whole numbers -127..127."""
        hidden = torch.relu(
            self.up_gain * ((pooled - self.get_buffer("mean")) @ self.outer) + self.up_bias
        )
        latents = self.latent_gain * (hidden @ self.inner) + self.latent_bias
        return straight_round(latents).clamp(-WEIGHT_MAX, WEIGHT_MAX)

    def latent_bits(self, latents: torch.Tensor) -> torch.Tensor:
        """Code length of each cell's latents, (row,)."""
        slope = torch.exp2(-self.log_scale)
        inside = torch.sigmoid((latents + 0.5) * slope) - torch.sigmoid((latents - 0.5) * slope)
        return -torch.log2(inside * (1 - 256 / FREQUENCY_TOTAL) + 1 / FREQUENCY_TOTAL).sum(dim=1)

    def decode_grid(self, latents: torch.Tensor) -> torch.Tensor:
        """The grid, (row, y * x * plane), 0..1."""
        hidden = torch.relu(self.down_gain * (latents @ self.inner.T) + self.down_bias)
        return self.grid_gain * (hidden @ self.outer.T) + self.grid_bias + self.get_buffer("mean")

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Grids of predicted cells, (row, plane, y, x), 0..255, to be interpolated."""
        grid = self.decode_grid(latents).clamp(0, 1) * 255
        return grid.view(-1, *self.grid, self.n_planes).permute(0, 3, 1, 2)


class HybridNetwork(nn.Module):
    """The context network of each step, and an autoencoder for each class.

    Parameters
    ----------
    cells
        To train on; they set the mean of each autoencoder.
    steps
        How each plane is coded.
    """

    def __init__(
        self,
        cells: PreparedCells,
        n_classes: int,
        effort: Effort,
        size: SaeSize,
        steps: tuple[PlaneStep, ...],
    ) -> None:
        super().__init__()
        self.inputs = ContextInputs(effort, steps, cells)
        self.units = units_of(cells.depth.bits)
        self.n_classes, self.size = n_classes, size
        has_prediction = size.n_latents > 0
        self.network_of = networks_of(steps)
        self.networks = nn.ModuleList()
        for network in sorted(set(self.network_of)):
            s = self.network_of.index(network)
            self.networks.append(
                ContextNetwork(
                    len(self.inputs.offsets(s, has_prediction)),
                    effort,
                    n_classes * self.network_of.count(network),
                    size.n_latents,
                    self.units.log2_scale - steps[s].follows,
                    self.units.per_octave,
                )
            )
        self.autoencoders = nn.ModuleList()
        for k in range(n_classes if has_prediction else 0):
            pooled = cells.pooled[cells.classes == k]
            mean = pooled.mean(dim=0) if len(pooled) else cells.pooled.mean(dim=0)
            self.autoencoders.append(SmallAutoencoder(mean, size, cells.grid, cells.n_planes))

    def set_cells(self, cells: PreparedCells) -> None:
        """Compute on other cells, pooled to the same grid where there are autoencoders."""
        self.inputs = ContextInputs(self.inputs.effort, self.inputs.steps, cells)

    def step(self, s: int) -> tuple[ContextNetwork, int]:
        """The network of a step, and where the biases of its classes begin there."""
        network = self.networks[self.network_of[s]]
        assert isinstance(network, ContextNetwork)
        return network, self.n_classes * self.network_of[:s].count(self.network_of[s])

    def copy_class(self, source: int, target: int) -> None:
        """Copy the parameters that are a class's own to another class."""
        with torch.no_grad():
            for s in range(len(self.inputs.steps)):
                network, first = self.step(s)
                for bias in (network.bias1, network.bias2, network.bias3):
                    bias[first + target] = bias[first + source]
            if self.autoencoders:
                state = self.autoencoders[source].state_dict()
                self.autoencoders[target].load_state_dict(state)

    def _predict(
        self, pooled: torch.Tensor, classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Latents (row, latent), their bits (row,), and predicted grids (row, plane, y, x)."""
        latents = pooled.new_zeros(len(pooled), self.size.n_latents)
        length = pooled.new_zeros(len(pooled))
        cells = self.inputs.cells
        predicted = pooled.new_zeros(len(pooled), cells.n_planes, *cells.grid)
        for k, autoencoder in enumerate(self.autoencoders):
            members = (classes == k).nonzero()[:, 0]
            if len(members):
                assert isinstance(autoencoder, SmallAutoencoder)
                code = autoencoder.encode(pooled[members])
                latents = latents.index_copy(0, members, code)
                length = length.index_copy(0, members, autoencoder.latent_bits(code))
                predicted = predicted.index_copy(0, members, autoencoder.decode(code))
        return latents, length, predicted

    def total_bits(
        self,
        rows: torch.Tensor,
        classes: torch.Tensor,
        cell: torch.Tensor,
        pixel: torch.Tensor,
        weight: torch.Tensor | float,
        integer: bool,
    ) -> torch.Tensor:
        """Bits of the drawn pixels, weighted, and of the latents of all rows.

        Parameters
        ----------
        rows, classes
            Cells of the batch, and the class of each.
        cell, pixel, weight
            Of each drawn pixel: index into rows, index into the cell, and how much it counts.
        integer
            Round weights and activations as the codec does.
        """
        latents, predicted = None, None
        total = torch.zeros((), device=rows.device)
        if self.autoencoders:
            pooled = self.inputs.cells.pooled[rows]
            latents, length, predicted = self._predict(pooled, classes)
            total = length.sum()
        for s in range(len(self.inputs.steps)):
            network, first = self.step(s)
            inputs, values, base = self.inputs(s, rows, cell, pixel, predicted)
            outputs = network(inputs, first + classes, latents, cell, integer)
            pixel_bits = bits(outputs, values, base, network.n_components, self.units, integer)
            total = total + (pixel_bits * weight).sum()
        return total
