"""The paper's stacked autoencoder in floating point, with tied weights.

Dong, Pan and Wu (Entropy 2019, 21(11), 1062), section 3: 2500-1500-500-30 and its mirror image. The
decoder's weights are the encoder's, transposed (Vincent et al., JMLR 11, 2010); each layer is
followed by batch normalisation with a positive gain, which folds into the integer layers'
multipliers on export. It made the tied network as good as the untied one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..quantise import WEIGHT_MAX

LATENT_LIMIT = 4.0
"""Latent values, normalised to unit variance, are clipped here; int8 then has steps of 1/32."""

PIXEL_GAIN = 4.0
"""Pixels (0..1, mean image removed) times this have a standard deviation near one."""


class PositiveNorm(nn.Module):
    """Batch normalisation whose gain is exp(log_gain), so that it never changes a sign."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(n, affine=False)
        self.log_gain = nn.Parameter(torch.zeros(n))
        self.bias = nn.Parameter(torch.zeros(n))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (cell, unit)."""
        normalised: Tensor = self.norm(x)
        return normalised * self.log_gain.exp() + self.bias

    def folded(self) -> tuple[Tensor, Tensor]:
        """Gain and bias of the equivalent affine map, as used in evaluation."""
        mean, variance = self.norm.running_mean, self.norm.running_var
        assert mean is not None
        assert variance is not None
        gain = self.log_gain.exp() / (variance + self.norm.eps).sqrt()
        return gain, self.bias - mean * gain


class StackedAutoencoder(nn.Module):
    """Tied autoencoder of one class.

    Parameters
    ----------
    mean_image
        float32 (pixel,), 0..1: mean of the training cells.
    hidden
        Widths from the first hidden layer to the latent vector, as (1500, 500, 30).
    """

    def __init__(self, mean_image: Tensor, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.widths = (len(mean_image), *hidden)
        self.register_buffer("mean_image", mean_image)
        # weights[k] belongs to widths[k] <-> widths[k + 1]; shape (widths[k], widths[k + 1]).
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(a, b) / b**0.5) for a, b in zip(self.widths, hidden)
        )
        self.encoder_norms = nn.ModuleList(PositiveNorm(n) for n in hidden)
        self.decoder_norms = nn.ModuleList(PositiveNorm(n) for n in self.widths[1:-1])
        self.pixel_bias = nn.Parameter(torch.zeros(self.widths[0]))
        # Step of each layer's integer weights; 0 while the weights are still real numbers.
        self.register_buffer("steps", torch.zeros(len(hidden)))

    def set_steps(self, coarseness: float) -> None:
        """Round the weights from now on, in steps of ``coarseness`` times their rms.

        Where int8 could not hold the largest weight the step is wider. Gradients pass the rounding
        as if it were not there (straight-through), so that training can go on.
        """
        steps = [
            torch.maximum(
                coarseness * w.detach().square().mean().sqrt(), w.detach().abs().max() / WEIGHT_MAX
            )
            for w in self.weights
        ]
        self.get_buffer("steps").copy_(torch.stack(steps).clamp(min=1e-12))

    def weight(self, k: int) -> Tensor:
        """Weight of layer k, (widths[k], widths[k + 1]), rounded once the steps are set."""
        weight: Tensor = self.weights[k]
        step = self.get_buffer("steps")[k]
        if step == 0:
            return weight
        rounded = (weight.detach() / step).round().clamp(-WEIGHT_MAX, WEIGHT_MAX) * step
        return weight + (rounded - weight).detach()

    @property
    def depth(self) -> int:
        """Layers from pixels to latent vector."""
        return len(self.weights)

    def encode(self, pixels: Tensor, depth: int | None = None) -> Tensor:
        """Hidden units after ``depth`` layers (all by default) of pixels (cell, pixel) in 0..1."""
        values = (pixels - self.get_buffer("mean_image")) * PIXEL_GAIN
        for k in range(self.depth if depth is None else depth):
            values = self.encode_layer(values, k)
        return values

    def encode_layer(self, values: Tensor, k: int) -> Tensor:
        """One layer upwards: ReLU, or the clip of the latent vector."""
        values = self.encoder_norms[k](values @ self.weight(k))
        if k == self.depth - 1:
            return values.clamp(-LATENT_LIMIT, LATENT_LIMIT)
        return functional.relu(values)

    def decode(self, latents: Tensor) -> Tensor:
        """Pixels (cell, pixel), near 0..1 but not clipped, from latents (cell, latent)."""
        values = latents
        for k in reversed(range(self.depth)):
            values = self.decode_layer(values, k)
        return values / PIXEL_GAIN + self.get_buffer("mean_image")

    def decode_layer(self, values: Tensor, k: int) -> Tensor:
        """One layer downwards; the last one has no activation."""
        values = values @ self.weight(k).T
        if k == 0:
            return values + self.pixel_bias
        return functional.relu(self.decoder_norms[k - 1](values))

    def forward(self, pixels: Tensor) -> Tensor:
        """Predicted pixels."""
        return self.decode(self.encode(pixels))

    def layer_parameters(self, k: int) -> list[nn.Parameter]:
        """What greedy pre-training of layer k trains: its weight and the norms on both sides."""
        own = [self.weights[k], *self.encoder_norms[k].parameters()]
        if k == 0:
            return [*own, self.pixel_bias]
        return [*own, *self.decoder_norms[k - 1].parameters()]
