"""The float twin of what the codec runs in integers, with rounding that gradients pass through."""

from __future__ import annotations

from math import sqrt

import numpy as np
import torch
from torch import nn
from zarrmal_codecs.constants import ACTIVATION_MAX, FREQUENCY_TOTAL, LOCATION_LIMIT
from zarrmal_codecs.tables import KNOT

from .options import Effort, SaeSize

ACTIVATION_SCALE = 64
LATENT_SCALE = 8  # a latent z enters the network as z / 8
MIN_LOG2, MAX_LOG2 = 2, 20  # of the integer weights' scale
SCALE_MIDDLE = 36  # index of the scale of one grey level
WEIGHT_MAX = 127


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, values: torch.Tensor) -> torch.Tensor:
        return values.round()

    @staticmethod
    def backward(ctx: object, gradient: torch.Tensor) -> torch.Tensor:
        return gradient


def rounded(values: torch.Tensor) -> torch.Tensor:
    """The nearest integers; the gradient passes as if nothing had happened."""
    out: torch.Tensor = _Round.apply(values)  # type: ignore[no-untyped-call]
    return out


def weight_log2(weight: torch.Tensor) -> torch.Tensor:
    """For each row the largest k with every |w| * 2**k at most 127."""
    largest = weight.detach().abs().amax(dim=1).clamp_min(1e-9)
    return torch.floor(torch.log2(WEIGHT_MAX / largest)).clamp(MIN_LOG2, MAX_LOG2)


def as_int8(weight: torch.Tensor) -> torch.Tensor:
    """The weight as its integer twin will have it."""
    scale = torch.exp2(weight_log2(weight))[:, None]
    return rounded(weight * scale).clamp(-WEIGHT_MAX, WEIGHT_MAX) / scale


class ContextNetwork(nn.Module):
    """Three layers for one step; weights shared by the classes, biases of each class's own."""

    def __init__(
        self, n_in: int, effort: Effort, n_classes: int, n_latents: int, seed_scale: float
    ) -> None:
        super().__init__()
        first, second = effort.widths
        n_out = 1 + 3 * effort.n_components
        self.n_components = effort.n_components
        self.n_latents = n_latents

        def weight(o: int, i: int, gain: float) -> nn.Parameter:
            return nn.Parameter(torch.randn(o, i) * gain * sqrt(2 / i))

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
            # In sixteenths: log2 of the scale is (16 out) / 12 from the scale of one grey level.
            out[:, 2 + 3 * m] = (12 * seed_scale + 12 * (m - middle)) / 16
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
            (pixel,): which row.
        integer
            Round as the codec does.
        """
        layers: list[torch.Tensor] = [self.first_layer(), self.weight2, self.weight3]
        one, two, three = [as_int8(w) for w in layers] if integer else layers
        start = self.bias1[classes]
        if latents is not None and self.latent is not None:
            start = start + latents / LATENT_SCALE @ one[:, self.weight1.shape[1] :].T
        hidden = inputs @ one[:, : self.weight1.shape[1]].T + start[cell]
        hidden = _activation(hidden, integer)
        of = classes[cell]
        hidden = _activation(hidden @ two.T + self.bias2[of], integer)
        out: torch.Tensor = hidden @ three.T + self.bias3[of]
        return out


def _activation(values: torch.Tensor, integer: bool) -> torch.Tensor:
    values = nn.functional.hardtanh(values, 0.0, ACTIVATION_MAX / ACTIVATION_SCALE)
    return rounded(values * ACTIVATION_SCALE) / ACTIVATION_SCALE if integer else values


_KNOTS = torch.from_numpy(KNOT.astype(np.float32)) / KNOT[-1]


def _cumulative(t: torch.Tensor, integer: bool) -> torch.Tensor:
    if not integer:
        return torch.sigmoid(t)
    knots = _KNOTS.to(t.device)
    at = (4 * t + 32).clamp(0, 64 - 1e-4)
    low = at.detach().floor().long()
    left = knots[low]
    out: torch.Tensor = left + (knots[low + 1] - left) * (at - low)
    return out


def bits(
    outputs: torch.Tensor,
    values: torch.Tensor,
    base: torch.Tensor,
    n_components: int,
    integer: bool,
) -> torch.Tensor:
    """Code length of each value, float32 (pixel,) (FORMAT 4.6.5)."""
    if integer:
        outputs = torch.cat(
            [outputs[:, :1], _as_outputs(outputs[:, 1:].reshape(-1, n_components, 3)).flatten(1)],
            dim=1,
        )
    v = values.float()
    parts = outputs[:, 1:].reshape(-1, n_components, 3)
    limit = LOCATION_LIMIT / 16
    middle = base.float()[:, None] + (8 * parts[..., 0]).clamp(-limit, limit)
    index = (16 * parts[..., 1] + SCALE_MIDDLE).clamp(0, 127)
    slope = torch.exp2((SCALE_MIDDLE - index) / 12)
    weight = torch.softmax(parts[..., 2], dim=1)
    above = _cumulative((v[:, None] + 0.5 - middle) * slope, integer)
    below = _cumulative((v[:, None] - 0.5 - middle) * slope, integer)
    above = torch.where((values >= 255)[:, None], torch.ones_like(above), above)
    below = torch.where((values <= 1)[:, None], torch.zeros_like(below), below)
    inside = (weight * (above - below)).sum(dim=1)
    blank = torch.sigmoid(outputs[:, 0])
    share = torch.where(values == 0, blank, (1 - blank) * inside)
    return -torch.log2(share * (1 - 256 / FREQUENCY_TOTAL) + 1 / FREQUENCY_TOTAL)


def _as_outputs(parts: torch.Tensor) -> torch.Tensor:
    """Locations to sixteenths of a grey level, scales to whole indices."""
    location = rounded(parts[..., 0] * 128) / 128
    scale = rounded(parts[..., 1] * 16) / 16
    return torch.stack([location, scale, parts[..., 2]], dim=-1)


class SmallAutoencoder(nn.Module):
    """Pooled cell -> integer latents -> predicted cell; weights tied (FORMAT 4.6.4)."""

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
        return rounded(latents).clamp(-WEIGHT_MAX, WEIGHT_MAX)

    def latent_bits(self, latents: torch.Tensor) -> torch.Tensor:
        """Code length of each cell's latents, (row,)."""
        slope = torch.exp2(-self.log_scale)
        share = torch.sigmoid((latents + 0.5) * slope) - torch.sigmoid((latents - 0.5) * slope)
        return -torch.log2(share * (1 - 256 / FREQUENCY_TOTAL) + 1 / FREQUENCY_TOTAL).sum(dim=1)

    def decode_grid(self, latents: torch.Tensor) -> torch.Tensor:
        """The grid, (row, y * x * plane), 0..1."""
        hidden = torch.relu(self.down_gain * (latents @ self.inner.T) + self.down_bias)
        return self.grid_gain * (hidden @ self.outer.T) + self.grid_bias + self.get_buffer("mean")

    def decode(self, latents: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """Predicted cells in grey levels, (row, plane, y, x)."""
        grid = self.decode_grid(latents).clamp(0, 1) * 255
        grid = grid.view(-1, *self.grid, self.n_planes).permute(0, 3, 1, 2)
        return nn.functional.interpolate(grid, size=size, mode="bilinear", align_corners=False)
