"""The training loop: all bits of residue and latents together, weights rounded at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import cos, pi

import torch
from torch import nn

from .features import SAMPLE_RATE, Looker, Pixels
from .network import ContextNetwork, SmallAutoencoder, bits
from .options import Effort, SaeSize

BATCH_PIXELS = 320_000  # of which SAMPLE_RATE are drawn
BATCH_PIXELS_COLOUR = 160_000
WARM_UP = 0.08
ROUNDING_FROM = 0.65
CLIP_NORM = 1.0
WEIGHT_DECAY = 1e-4
NOTE_DECAY = 0.98
EVALUATION_BLOCK = 16


class HybridNetwork(nn.Module):
    """The context networks of all steps, and an autoencoder a class."""

    def __init__(
        self, pixels: Pixels, n_classes: int, effort: Effort, size: SaeSize, order: tuple[int, ...]
    ) -> None:
        super().__init__()
        _, n_planes, height, width = pixels.size
        self.looker = Looker(effort, order, pixels)
        self.shape = (height, width)
        self.n_classes, self.size = n_classes, size
        has = size.n_latents > 0
        self.steps = nn.ModuleList(
            ContextNetwork(
                len(self.looker.offsets(s, has)), effort, n_classes, size.n_latents, 1.0 - (s > 0)
            )
            for s in range(n_planes)
        )
        self.autoencoders = nn.ModuleList()
        for k in range(n_classes if has else 0):
            mine = pixels.pooled[pixels.classes == k]
            mean = mine.mean(dim=0) if len(mine) else pixels.pooled.mean(dim=0)
            self.autoencoders.append(SmallAutoencoder(mean, size, pixels.grid, n_planes))

    def look_at(self, pixels: Pixels) -> None:
        """Take other cells of the same shape."""
        self.looker = Looker(self.looker.effort, self.looker.order, pixels)

    def _predict(
        self, pooled: torch.Tensor, classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Latents, their bits, and predicted cells of some rows."""
        latents = pooled.new_zeros(len(pooled), self.size.n_latents)
        length = pooled.new_zeros(len(pooled))
        predicted = pooled.new_zeros(len(pooled), len(self.steps), *self.shape)
        for k, autoencoder in enumerate(self.autoencoders):
            mine = (classes == k).nonzero()[:, 0]
            if len(mine):
                assert isinstance(autoencoder, SmallAutoencoder)
                z = autoencoder.encode(pooled[mine])
                latents = latents.index_copy(0, mine, z)
                length = length.index_copy(0, mine, autoencoder.latent_bits(z))
                predicted = predicted.index_copy(0, mine, autoencoder.decode(z, self.shape))
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
        """Bits of the drawn pixels, weighted, and of the latents of all rows."""
        latents, predicted = None, None
        total = torch.zeros((), device=rows.device)
        if self.autoencoders:
            pooled = self.looker.pixels.pooled[rows]
            latents, length, predicted = self._predict(pooled, classes)
            total = length.sum()
        for s, network in enumerate(self.steps):
            assert isinstance(network, ContextNetwork)
            inputs, values, base = self.looker(s, rows, cell, pixel, predicted)
            outputs = network(inputs, classes, latents, cell, integer)
            each = bits(outputs, values, base, network.n_components, integer)
            total = total + (each * weight).sum()
        return total


@dataclass(slots=True, eq=False)
class FitState:
    """Where training stands; all that a checkpoint has to hold, with the random numbers' state.

    Parameters
    ----------
    classes
        Each cell's, where training changes them: those of the Pixels that it trains on.
    rounds
        How often they were changed.
    """

    network: HybridNetwork
    optimizer: torch.optim.AdamW
    step: int = 0
    seconds: float = 0.0
    recent: float = float("nan")  # bits per pixel of the last batches
    classes: torch.Tensor | None = None
    rounds: int = 0


def begin(network: HybridNetwork, effort: Effort) -> FitState:
    """A fresh state."""
    optimizer = torch.optim.AdamW(
        network.parameters(), effort.learning_rate, betas=(0.9, 0.99), weight_decay=WEIGHT_DECAY
    )
    return FitState(network, optimizer)


def run(
    state: FitState,
    pixels: Pixels,
    effort: Effort,
    n_steps: int,
    seconds: float | None = None,
    regroup: Callable[[FitState, float], None] | None = None,
) -> Iterator[tuple[int, int, str]]:
    """Train on from ``state``, which changes in place; yields (done, of 1000, note) each step.

    Parameters
    ----------
    n_steps
        Batches in all.
    seconds
        End after so many, if that is sooner; rates and rounding follow what is nearer its end.
    regroup
        Called before each step with the share done, 0..1; may change the cells' classes.
    """
    n, n_planes, height, width = pixels.size
    batch = BATCH_PIXELS if n_planes == 1 else BATCH_PIXELS_COLOUR
    n_rows = min(n, max(8, batch // (height * width)))
    rate = SAMPLE_RATE if n_rows > 8 else 1.0
    network = state.network
    network.train()
    while True:
        began = time.monotonic()
        done = state.step / n_steps
        if seconds is not None:
            done = max(done, state.seconds / seconds)
        if done >= 1:
            break
        if regroup is not None:
            regroup(state, done)
        for group in state.optimizer.param_groups:
            group["lr"] = effort.learning_rate * _one_cycle(done)
        rows = torch.randint(n, (n_rows,)).to(pixels.own.device)
        cell, pixel, weight = pixels.sample(rows, rate)
        total = network.total_bits(
            rows, pixels.classes[rows], cell, pixel, weight, done >= ROUNDING_FROM
        )
        loss = total / (n_rows * height * width * n_planes)
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
        state.optimizer.step()
        found = float(loss.detach())
        state.recent = (
            found if state.recent != state.recent
            else NOTE_DECAY * state.recent + (1 - NOTE_DECAY) * found
        )  # fmt: skip
        state.step += 1
        state.seconds += time.monotonic() - began
        yield int(1000 * done), 1000, f"{state.recent * n_planes:.3f} bits/pixel"
    network.eval()
    yield 1000, 1000, f"{state.recent * n_planes:.3f} bits/pixel"


def _one_cycle(fraction: float) -> float:
    if fraction < WARM_UP:
        return 0.02 + 0.98 * fraction / WARM_UP
    return 0.002 + 0.998 * (1 + cos(pi * (fraction - WARM_UP) / (1 - WARM_UP))) / 2


def evaluate(network: HybridNetwork, pixels: Pixels, rows: torch.Tensor, *, integer: bool) -> float:
    """Bits of some cells, every pixel and latent counted, per (y, x)."""
    _, _, height, width = pixels.size
    area = height * width
    total = 0.0
    network.eval()
    with torch.no_grad():
        for block in torch.split(rows, EVALUATION_BLOCK):
            cell = torch.arange(len(block), device=rows.device).repeat_interleave(area)
            pixel = torch.arange(area, device=rows.device).repeat(len(block))
            total += float(
                network.total_bits(block, pixels.classes[block], cell, pixel, 1.0, integer)
            )
    return total / (len(rows) * area)
