"""Training one class: greedy layer-wise pre-training, then fine-tuning of the whole (torch)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, cos, pi
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs.golomb_rice import rice_bits, rice_parameter, zigzag

from .stacked import PIXEL_GAIN, StackedAutoencoder

Loss = Literal["absolute", "square"]
LOSSES: tuple[Loss, ...] = get_args(Loss)

BATCH_CELLS = 128
MIN_BATCH_CELLS = 16
MIN_BATCHES = 8  # an epoch of few cells still takes some steps
LEARNING_RATE = 3e-3
PRETRAIN_LEARNING_RATE = 1e-3
ROUNDING_LEARNING_RATE = 1e-3
WARM_UP = 0.2
WEIGHT_DECAY = 1e-4
DEFAULT_STEPS = 3_000
DEFAULT_EPOCHS = (20, 200)
EVALUATIONS = 25
PATIENCE = 8
EVALUATION_CELLS = 4_096
STATISTICS_CELLS = 2_048


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How many epochs each part takes, decided from the wish and the number of cells.

    Parameters
    ----------
    pretrain_epochs
        Of each layer alone.
    epochs
        Of the whole network in real numbers, at most: early stopping may end it before.
    rounding_epochs
        Of the whole network with rounded weights.
    coarseness
        Step of the rounded weights, as a multiple of their rms.
    loss
        See TrainOptions.
    """

    pretrain_epochs: int
    epochs: int
    rounding_epochs: int
    coarseness: float
    loss: Loss = "absolute"

    @classmethod
    def decide(
        cls,
        n_cells: int,
        epochs: int | None,
        pretrain_epochs: int | None,
        coarseness: float,
        loss: Loss,
    ) -> Schedule:
        """Where nothing is wished: about 3,000 steps, between 20 and 200 epochs."""
        if epochs is None:
            low, high = DEFAULT_EPOCHS
            steps = max(1, n_cells // batch_cells(n_cells))
            epochs = min(high, max(low, ceil(DEFAULT_STEPS / steps)))
        if pretrain_epochs is None:
            pretrain_epochs = max(1, epochs // 20)
        return cls(
            pretrain_epochs=pretrain_epochs,
            epochs=epochs,
            rounding_epochs=max(1, epochs // 4),
            coarseness=coarseness,
            loss=loss,
        )


@dataclass(slots=True, kw_only=True)
class FitState:
    """Where the training of a class stands; everything that a checkpoint has to hold."""

    network: StackedAutoencoder
    optimizer: torch.optim.AdamW
    # 0 .. depth - 1: that layer alone; depth: the whole; depth + 1: rounded; depth + 2: done
    stage: int = 0
    epoch: int = 0  # of the stage, finished
    best_bits: float = float("inf")
    best: dict[str, torch.Tensor] | None = None
    stale: int = 0  # evaluations since the best
    float_bits: float = float("nan")  # best rate in real numbers


def start(pixels: torch.Tensor, hidden: tuple[int, ...], device: torch.device) -> FitState:
    """A fresh network for these cells, float32 (cell, pixel) in 0..1."""
    network = StackedAutoencoder(pixels.mean(dim=0), hidden).to(device)
    return FitState(network=network, optimizer=stage_optimizer(network, 0))


def stage_optimizer(network: StackedAutoencoder, stage: int) -> torch.optim.AdamW:
    """A new optimizer for what the stage trains."""
    if stage < network.depth:
        return torch.optim.AdamW(
            network.layer_parameters(stage), PRETRAIN_LEARNING_RATE, weight_decay=WEIGHT_DECAY
        )
    return torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)


def run(
    state: FitState, training: torch.Tensor, validation: torch.Tensor, schedule: Schedule
) -> Iterator[tuple[int, int, str]]:
    """Train on from ``state``, which changes in place; yields (done, total, note) each epoch.

    Parameters
    ----------
    training, validation
        float32 (cell, pixel) in 0..1, on the network's device; validation may be empty, then
        the training cells take its place.
    """
    depth = state.network.depth
    lengths = [*[schedule.pretrain_epochs] * depth, schedule.epochs, schedule.rounding_epochs]
    rates = [PRETRAIN_LEARNING_RATE, LEARNING_RATE, ROUNDING_LEARNING_RATE]
    total = sum(lengths)
    judged = validation if len(validation) else training
    while state.stage < len(lengths):
        n_epochs = lengths[state.stage]
        part = max(0, state.stage - depth + 1)  # 0 layers, 1 whole, 2 rounded
        every = max(1, n_epochs // EVALUATIONS)
        while state.epoch < n_epochs and state.stale < PATIENCE:
            loss = _epoch(state, training, schedule.loss, rates[part], n_epochs if part else None)
            state.epoch += 1
            note = f"layer {state.stage + 1}, error {loss:.2f}"
            if part:
                if state.epoch % every == 0 or state.epoch == n_epochs:
                    set_statistics(state.network, training)
                    _evaluate(state, judged)
                note = f"{state.best_bits:.3f} bits/pixel" if state.best else f"error {loss:.2f}"
            yield sum(lengths[: state.stage]) + state.epoch, total, note
        _next_stage(state, part, schedule)
    state.network.eval()
    yield total, total, f"{state.best_bits:.3f} bits/pixel"


def _next_stage(state: FitState, part: int, schedule: Schedule) -> None:
    """Keep the best of the stage, and prepare for the next."""
    if state.best is not None:
        state.network.load_state_dict(state.best)
    if part == 1:
        state.float_bits = state.best_bits
        state.best_bits, state.best, state.stale = float("inf"), None, 0
        state.network.set_steps(schedule.coarseness)
    state.stage += 1
    state.epoch = 0
    state.optimizer = stage_optimizer(state.network, state.stage)


def _epoch(
    state: FitState,
    training: torch.Tensor,
    loss_name: Loss,
    learning_rate: float,
    n_epochs: int | None,
) -> float:
    """One pass; the mean (or root mean square) error, in grey levels where it is of pixels."""
    network = state.network
    network.train()
    n_batches = max(1, len(training) // batch_cells(len(training)))
    order = torch.randperm(len(training))
    losses = []
    for k, rows in enumerate(torch.tensor_split(order, n_batches)):
        if n_epochs is not None:
            fraction = (state.epoch + k / n_batches) / n_epochs
            for group in state.optimizer.param_groups:
                group["lr"] = learning_rate * one_cycle(fraction)
        batch = training[rows.to(training.device)]
        if len(batch) < 2:
            continue  # batch normalisation needs two
        loss = _loss(network, batch, state.stage, loss_name)
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        state.optimizer.step()
        losses.append(float(loss.detach()))
    mean = float(np.mean(losses)) if losses else float("nan")
    return 255 * (mean if loss_name == "absolute" else mean**0.5)


def _loss(
    network: StackedAutoencoder, pixels: torch.Tensor, stage: int, name: Loss
) -> torch.Tensor:
    """Mean error of what the stage trains to reproduce, pixels in 0..1."""
    if stage >= network.depth:
        error = network(pixels) - pixels
    else:
        with torch.no_grad():  # the layers below are already trained, and stay as they are
            below = network.encode(pixels, stage)
        error = network.decode_layer(network.encode_layer(below, stage), stage) - below
        error = error / PIXEL_GAIN if stage == 0 else error
    loss: torch.Tensor = error.abs().mean() if name == "absolute" else error.square().mean()
    return loss


def batch_cells(n_cells: int) -> int:
    """Cells in a batch."""
    return min(BATCH_CELLS, max(MIN_BATCH_CELLS, n_cells // MIN_BATCHES))


def spread(pixels: torch.Tensor, n: int) -> torch.Tensor:
    """At most n cells, evenly spread: neighbours come from the same slide."""
    rows = np.linspace(0, len(pixels) - 1, min(n, len(pixels))).astype(np.int64)
    return pixels[torch.from_numpy(rows).to(pixels.device)]


def set_statistics(network: StackedAutoencoder, training: torch.Tensor) -> None:
    """Batch normalisation's means and variances anew, from the weights as they are now.

    Running averages lag behind: with few steps by far, with many by a little.
    """
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = 1.0  # what the next batch has, and nothing else
    network.train()
    with torch.no_grad():
        network(spread(training, STATISTICS_CELLS))
    for norm in norms:
        norm.momentum = 0.1
    network.eval()


def one_cycle(fraction: float) -> float:
    """Learning rate relative to its peak: up along a cosine, then down to zero along another."""
    if fraction < WARM_UP:
        return 0.04 + 0.96 * (1 - cos(pi * fraction / WARM_UP)) / 2
    return (1 + cos(pi * (fraction - WARM_UP) / (1 - WARM_UP))) / 2


def _evaluate(state: FitState, judged: torch.Tensor) -> None:
    bits = float_bits_per_pixel(state.network, spread(judged, EVALUATION_CELLS))
    if bits < state.best_bits:
        state.best_bits, state.stale = bits, 0
        state.best = {k: v.detach().clone() for k, v in state.network.state_dict().items()}
    else:
        state.stale += 1


def float_bits_per_pixel(network: StackedAutoencoder, pixels: torch.Tensor) -> float:
    """Rate of the float model: Rice code by the paper's formula, and one byte a latent."""
    network.eval()
    with torch.no_grad():
        predicted = (network(pixels) * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    actual = (pixels * 255).round().to(torch.uint8).cpu().numpy()
    return residue_bits_per_pixel(actual, predicted) + 8 * network.widths[-1] / pixels.shape[1]


def residue_bits_per_pixel(actual: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> float:
    """Rice bits a pixel of the residue, one parameter by the paper's formula."""
    values = zigzag((actual - predicted).view(np.int8))
    parameter = rice_parameter(float(values.mean(dtype=np.float64)))
    return float(rice_bits(values)[:, parameter].sum()) / max(values.size, 1)
