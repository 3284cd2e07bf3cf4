"""Training one class: greedy layer-wise pre-training, then fine-tuning of the whole network."""

from __future__ import annotations

from math import ceil, inf, nan

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs.paper.golomb_rice import rice_bits, rice_parameter, zigzag

from ..checkpoint import Arrays, tensors
from ..loop import Training, one_cycle
from ..selection import evenly
from .network import PIXEL_GAIN, StackedAutoencoder
from .options import TrainOptions

BATCH_CELLS = 128
MIN_BATCH_CELLS = 16
MIN_BATCHES = 8  # an epoch of few cells still takes some steps
LEARNING_RATE = 3e-3
PRETRAIN_LEARNING_RATE = 1e-3
ROUNDING_LEARNING_RATE = 1e-3
WEIGHT_DECAY = 1e-4
DEFAULT_STEPS = 3_000
DEFAULT_EPOCHS = (20, 200)
EVALUATIONS = 25
PATIENCE = 8
EVALUATION_CELLS = 4_096
STATISTICS_CELLS = 2_048


class StackedTraining(Training):
    """Training of one class in stages: each layer alone, the whole, the whole with rounded weights.

    Early stopping may end the last two stages.

    Parameters
    ----------
    training, validation
        float32 (cell, pixel) in 0..1, on the device to train on. Without validation cells the
        training cells are evaluated on.

    Attributes
    ----------
    stage
        0 .. depth - 1: that layer alone; depth: the whole; depth + 1: rounded; depth + 2: done.
    float_bits
        Best rate in real numbers, bits per pixel value; NaN before that stage has ended.
    """

    network: StackedAutoencoder

    def __init__(
        self, training: torch.Tensor, validation: torch.Tensor, options: TrainOptions
    ) -> None:
        network = StackedAutoencoder(training.mean(dim=0), options.hidden).to(training.device)
        epoch_steps = max(1, len(training) // batch_cells(len(training)))
        low, high = DEFAULT_EPOCHS
        epochs = options.epochs or min(high, max(low, ceil(DEFAULT_STEPS / epoch_steps)))
        pretrain_epochs = options.pretrain_epochs
        if pretrain_epochs is None:
            pretrain_epochs = max(1, epochs // 20)
        self._lengths = [*[pretrain_epochs] * network.depth, epochs, max(1, epochs // 4)]
        self.stage = 0 if pretrain_epochs else network.depth
        super().__init__(
            network,
            _stage_optimizer(network, self.stage),
            n_steps=sum(self._lengths) * epoch_steps,
            epoch_steps=epoch_steps,
        )
        self._options, self._training = options, training
        self._evaluated = validation if len(validation) else training
        self._batches: tuple[torch.Tensor, ...] = ()
        self._stale = 0  # evaluations since the best
        self._best_bits, self._best = inf, dict[str, torch.Tensor]()
        self.float_bits = nan

    @property
    def _epoch(self) -> int:
        """Epochs of the stage that are done."""
        return self.step // self.epoch_steps - sum(self._lengths[: self.stage])

    def learning_rate(self, fraction: float) -> float:
        """Constant while pre-training, one cycle for each stage of the whole network."""
        if self.stage < self.network.depth:
            return PRETRAIN_LEARNING_RATE
        peak = LEARNING_RATE if self.stage == self.network.depth else ROUNDING_LEARNING_RATE
        epoch = self._epoch + self.step % self.epoch_steps / self.epoch_steps
        return peak * one_cycle(
            epoch / self._lengths[self.stage], warm_up=0.2, start=0.04, smooth=True
        )

    def begin_epoch(self) -> None:
        """Draw the order of the cells."""
        order = torch.randperm(len(self._training))
        self._batches = torch.tensor_split(order, self.epoch_steps)

    def loss(self, fraction: float) -> torch.Tensor:
        """Mean error of what the stage trains to reproduce, pixels in 0..1."""
        rows = self._batches[self.step % self.epoch_steps]
        error = self._error(self._training[rows.to(self._training.device)])
        return error.abs().mean() if self._options.loss == "absolute" else error.square().mean()

    def _error(self, pixels: torch.Tensor) -> torch.Tensor:
        network, stage = self.network, self.stage
        if stage >= network.depth:
            error: torch.Tensor = network(pixels) - pixels
            return error
        with torch.no_grad():  # the layers below are already trained, and stay as they are
            below = network.encode(pixels, stage)
        error = network.decode_layer(network.encode_layer(below, stage), stage) - below
        return error / PIXEL_GAIN if stage == 0 else error

    def end_epoch(self) -> None:
        """Evaluate every few epochs, and go to the next stage where this one is over."""
        n_epochs = self._lengths[self.stage]
        if self.stage >= self.network.depth and (
            self._epoch % max(1, n_epochs // EVALUATIONS) == 0 or self._epoch == n_epochs
        ):
            set_statistics(self.network, self._training)
            self._evaluate()
        if self._epoch == n_epochs or self._stale == PATIENCE:
            self._begin_next_stage()

    def _evaluate(self) -> None:
        bits = float_bits_per_pixel(self.network, sample_evenly(self._evaluated, EVALUATION_CELLS))
        if bits < self._best_bits:
            self._best_bits, self._stale = bits, 0
            self._best = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        else:
            self._stale += 1

    def _begin_next_stage(self) -> None:
        """Take the best network of this stage."""
        if self._best:
            self.network.load_state_dict(self._best)
        if self.stage == self.network.depth:
            self.float_bits = self._best_bits
            self._best_bits, self._best, self._stale = inf, {}, 0
            self.network.set_steps(self._options.coarseness)
        self.stage += 1
        self.step = sum(self._lengths[: self.stage]) * self.epoch_steps
        self.mean_loss = nan
        self.optimizer = _stage_optimizer(self.network, self.stage)

    def note(self) -> str:
        """The best rate, or the error: in grey levels where it is of pixels."""
        if self._best:
            return f"{self._best_bits:.3f} bits/pixel"
        mean = self.mean_loss if self._options.loss == "absolute" else self.mean_loss**0.5
        layer = f"layer {self.stage + 1}, " if self.stage < self.network.depth else ""
        return f"{layer}error {255 * mean:.2f}"

    def state(self) -> Arrays:
        """Stage, and the best network of it."""
        best = {f"best/{key}": value.cpu().numpy() for key, value in self._best.items()}
        rates = np.array([self._best_bits, self.float_bits])
        return best | {"stage": np.array([self.stage, self._stale]), "rates": rates}

    def load_state(self, arrays: Arrays) -> None:
        """Inverse of ``state``."""
        self.stage, self._stale = arrays["stage"].tolist()
        self._best_bits, self.float_bits = arrays["rates"].tolist()
        device = self._training.device
        self._best = {key: value.to(device) for key, value in tensors(arrays, "best/").items()}
        self.optimizer = _stage_optimizer(self.network, self.stage)


def _stage_optimizer(network: StackedAutoencoder, stage: int) -> torch.optim.AdamW:
    parameters = network.layer_parameters(stage) if stage < network.depth else network.parameters()
    return torch.optim.AdamW(parameters, weight_decay=WEIGHT_DECAY)


def batch_cells(n_cells: int) -> int:
    """Cells in a batch."""
    return min(BATCH_CELLS, max(MIN_BATCH_CELLS, n_cells // MIN_BATCHES))


def sample_evenly(pixels: torch.Tensor, n: int) -> torch.Tensor:
    """At most n cells, evenly spaced: neighbours come from the same slide."""
    rows = torch.from_numpy(evenly(np.arange(len(pixels)), n))
    return pixels[rows.to(pixels.device)]


def set_statistics(network: StackedAutoencoder, training: torch.Tensor) -> None:
    """Set means and variances of batch normalisation from the weights as they are now.

    Running averages lag behind: with few steps by far, with many by a little.
    """
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = 1.0  # the statistics of the next batch alone
    network.train()
    with torch.no_grad():
        network(sample_evenly(training, STATISTICS_CELLS))
    for norm in norms:
        norm.momentum = 0.1
    network.eval()


def float_bits_per_pixel(network: StackedAutoencoder, pixels: torch.Tensor) -> float:
    """Rate of the float model: Rice code by the paper's formula, and one byte a latent."""
    network.eval()
    with torch.no_grad():
        predicted = (network(pixels) * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    actual = (pixels * 255).round().to(torch.uint8).cpu().numpy()
    return _residue_bits_per_pixel(actual, predicted) + 8 * network.widths[-1] / pixels.shape[1]


def _residue_bits_per_pixel(actual: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> float:
    """Rice bits a pixel of the residue, one parameter by the paper's formula."""
    values = zigzag((actual - predicted).view(np.int8))
    parameter = rice_parameter(float(values.mean(dtype=np.float64)))
    return float(rice_bits(values)[:, parameter].sum()) / max(values.size, 1)
