"""What each part of a class's autoencoder brings, on slides that training did not see.

One network is trained for each variant, on the same cells with the same number of steps. Rates are
of pixels and latents, without masks and model, with weights and activations rounded as the codec
does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils import parametrize
from zarrmal_codecs.constants import REACH
from zarrmal_codecs.hybrid.prediction import pool

from ...progress import Progress
from ...sources import Source
from ...sources.source import require_one_size
from ..checkpoint import Checkpoint
from ..loop import fit, prepare_device
from ..selection import evenly
from .data import read_cells
from .inputs.context import PreparedCells
from .network import ContextNetwork, HybridNetwork, SmallAutoencoder
from .options import SAE_SIZES, HybridOptions, SaeSize
from .training import EVALUATION_BLOCK, HybridTraining

NO_LATENTS, SIX_LATENTS, TEN_LATENTS = SAE_SIZES
FINE_GRID = 20
SEARCHED_CELLS = 400
"""Every latent of so many cells is tried one higher and one lower."""


class _Shared(nn.Module):
    """A parameter that has the same value for all classes."""

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        """The mean of its rows, in each row."""
        return value.mean(dim=0, keepdim=True).expand_as(value)


class _LatentsOnly(SmallAutoencoder):
    """Predicts nothing."""

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Black cells."""
        return torch.zeros_like(super().decode(latents))


class _Noisy(SmallAutoencoder):
    """Trained with uniform noise in place of rounding (Ballé, Laparra and Simoncelli 2017, 3)."""

    def encode(self, pooled: torch.Tensor) -> torch.Tensor:
        """Latents, whole numbers only once trained."""
        if not self.training:
            return super().encode(pooled)
        inner = pooled - self.get_buffer("mean")
        hidden = torch.relu(self.up_gain * (inner @ self.outer) + self.up_bias)
        latents = self.latent_gain * (hidden @ self.inner) + self.latent_bias
        return latents + torch.rand_like(latents) - 0.5


class _Moved(SmallAutoencoder):
    """Has its latents changed by ``step``, (latent,), so that an encoder can search."""

    step: torch.Tensor | float = 0.0

    def encode(self, pooled: torch.Tensor) -> torch.Tensor:
        """Latents that were moved."""
        return super().encode(pooled) + self.step


def _unchanged(network: HybridNetwork) -> None:
    pass


def _hide_latents(network: HybridNetwork) -> None:
    for each in network.networks:
        assert isinstance(each, ContextNetwork)
        each.latent = None


def _share_biases(network: HybridNetwork) -> None:
    for each in network.networks:
        for name in ("bias1", "bias2", "bias3"):
            parametrize.register_parametrization(each, name, _Shared())


def _with_autoencoders(kind: type[SmallAutoencoder]) -> Callable[[HybridNetwork], None]:
    def change(network: HybridNetwork) -> None:
        for each in network.autoencoders:
            each.__class__ = kind

    return change


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A network with a part changed.

    Parameters
    ----------
    name
        In the table.
    size
        Of the autoencoder.
    change
        What is done to the network before training.
    grid
        Side of the grid that the autoencoder sees and predicts; None: the usual one.
    """

    name: str
    size: SaeSize = SIX_LATENTS
    change: Callable[[HybridNetwork], None] = _unchanged
    grid: int | None = None


VARIANTS = (
    Variant(name="6 latents, grid of 10: as it is"),
    Variant(name="no autoencoder", size=NO_LATENTS),
    Variant(name="prediction, but latents are no inputs", change=_hide_latents),
    Variant(
        name="latents, but the prediction is no input", change=_with_autoencoders(_LatentsOnly)
    ),
    Variant(name="biases of the classes the same", change=_share_biases),
    Variant(
        name="neither autoencoder nor biases of a class", size=NO_LATENTS, change=_share_biases
    ),
    Variant(name="10 latents", size=TEN_LATENTS),
    Variant(name="grid of 20", grid=FINE_GRID),
    Variant(name="trained with noise for rounding", change=_with_autoencoders(_Noisy)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablated:
    """A variant on unseen cells.

    Parameters
    ----------
    n_pixels
        (y, x) of the cells.
    bits, whole_bits
        Slide -> bits of pixels and latents of its cells, and what the first variant takes for them.
    """

    name: str
    n_steps: int
    n_cells: int
    n_pixels: int
    bits: dict[str, float]
    whole_bits: dict[str, float]

    @property
    def bits_per_pixel(self) -> float:
        """Per (y, x)."""
        return sum(self.bits.values()) / self.n_pixels

    @property
    def ratio(self) -> float:
        """Of the bits to those of the first variant."""
        return sum(self.bits.values()) / sum(self.whole_bits.values())


def ablation(
    training: Source,
    unseen: Source,
    options: HybridOptions,
    *,
    variants: tuple[Variant, ...] = VARIANTS,
    folder: Path | None = None,
    progress: Progress,
) -> list[Ablated]:
    """Train every variant, and measure it on cells that it has not seen.

    The last row is the first variant again, with an encoder that tries each latent one higher and
    one lower, on some of the cells.

    Parameters
    ----------
    options
        Of training: effort, steps, seed and device. All else is the variants' affair.
    folder
        Where checkpoints lie, so that an interrupted run goes on; None keeps none.

    Raises
    ------
    InputError
        If the cells differ in size.
    """
    for source in (training, unseen):
        require_one_size(source, "an ablation")
    device = prepare_device(options.device)
    own = replace(options, sae=SAE_SIZES.index(SIX_LATENTS), validation=0.0, classes=None)
    data, measured = (read_cells(source, own, device, progress) for source in (training, unseen))
    slides = np.zeros(unseen.n_cells, "U1") if unseen.groups is None else np.asarray(unseen.groups)
    slides = slides[measured.rows]
    effort = options.context
    n_steps = options.steps or effort.n_steps
    results: list[Ablated] = []
    whole: dict[str, float] = {}
    for number, variant in enumerate(variants, 1):
        seen = _with_grid(data.training, variant.grid)
        torch.manual_seed(options.seed)
        network = HybridNetwork(seen, len(data.names), effort, variant.size, data.steps).to(device)
        variant.change(network)
        fit(
            HybridTraining(network, seen, effort, n_steps),
            f"{number} of {len(variants)}, {variant.name}",
            progress,
            checkpoint=Checkpoint(None if folder is None else folder / f"variant{number}.npz"),
            digest=data.digest,
        )
        cells = _with_grid(measured.training, variant.grid)
        network.set_cells(cells)
        bits = {
            str(slide): _bits(network, np.flatnonzero(slides == slide))
            for slide in np.unique(slides)
        }
        whole = whole or bits
        results.append(
            Ablated(
                name=variant.name,
                n_steps=n_steps,
                n_cells=len(cells),
                n_pixels=int(cells.areas.sum()),
                bits=bits,
                whole_bits=whole,
            )
        )
        if number == 1:
            searched = _search(network, slides, n_steps)
    return [*results, searched]


def _with_grid(cells: PreparedCells, side: int | None) -> PreparedCells:
    """The same cells, pooled to another grid."""
    if side is None:
        return cells
    assert cells.one_size is not None
    height, width = cells.one_size
    if cells.values is not None:
        pixels = cells.values.view(len(cells), cells.n_planes, height, width)
    else:
        padded = (len(cells), cells.n_planes, height + 2 * REACH, width + 2 * REACH)
        pixels = cells.padded.view(padded)[..., REACH:-REACH, REACH:-REACH]
    grid = (min(side, height), min(side, width))
    seen = cells.depth.grid_value(pixels.cpu().numpy()).astype(np.uint8)
    pooled = torch.from_numpy(pool(seen, grid).astype(np.float32) / 255)
    return replace(cells, grid=grid, pooled=pooled.to(cells.pooled.device))


def _bits(network: HybridNetwork, rows: NDArray[np.int64]) -> float:
    """Of pixels and latents of some cells."""
    cells, total = network.inputs.cells, 0.0
    network.eval()
    with torch.no_grad():
        for block in torch.split(torch.from_numpy(rows), EVALUATION_BLOCK):
            own = block.to(cells.classes.device)
            cell, pixel = cells.pixels(own)
            total += float(network.total_bits(own, cells.classes[own], cell, pixel, 1.0, True))
    return total


def _by_slide(slides: NDArray[np.str_], bits: NDArray[np.float64]) -> dict[str, float]:
    return {str(slide): float(bits[slides == slide].sum()) for slide in np.unique(slides)}


def _search(network: HybridNetwork, slides: NDArray[np.str_], n_steps: int) -> Ablated:
    """A trained network, whose encoder takes each latent one higher or lower where that is less."""
    for each in network.autoencoders:
        each.__class__ = _Moved
    rows = evenly(np.arange(len(slides)), SEARCHED_CELLS)
    encoded, searched = np.zeros(len(rows)), np.zeros(len(rows))
    for i, row in enumerate(rows):
        step = torch.zeros(network.size.n_latents, device=network.inputs.cells.classes.device)
        least = encoded[i] = _moved_bits(network, row, step)
        for latent in range(len(step)):
            for move in (-1.0, 1.0):
                tried = step.clone()
                tried[latent] += move
                bits = _moved_bits(network, row, tried)
                if bits < least:
                    least, step = bits, tried
        searched[i] = least
    return Ablated(
        name="as it is, latents searched",
        n_steps=n_steps,
        n_cells=len(rows),
        n_pixels=int(network.inputs.cells.areas[rows].sum()),
        bits=_by_slide(slides[rows], searched),
        whole_bits=_by_slide(slides[rows], encoded),
    )


def _moved_bits(network: HybridNetwork, row: int, step: torch.Tensor) -> float:
    for each in network.autoencoders:
        each.step = step
    return _bits(network, np.array([row]))
