"""Training the classifier's network: schedule, checkpoint, export."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ..classify.layer import Floats, Layer
from ..classify.normalise import normalise
from .cnn import INPUT_SIZE, Block, CellNet, varied
from .kept import packed, read_arrays, unpack, write_arrays

BATCH_CELLS = 64
PREPARED_CELLS = 256
PEAK_RATE = 3e-3
WARM_UP = 0.15
"""Share of the training in which the learning rate grows; then it sinks along a cosine."""

WEIGHT_DECAY = 2e-2
LABEL_SMOOTHING = 0.05
"""Some labels are wrong, and none should be learnt with certainty."""


@dataclass(kw_only=True)
class FitState:
    """Where training is, after a whole number of epochs."""

    network: CellNet
    optimizer: torch.optim.Optimizer
    epoch: int = 0
    seconds: float = 0.0


def images_of(cells: NDArray[np.uint8]) -> Tensor:
    """float16 (cell, plane, y, x) of uint8 (cell, y, x[, channel]), prepared."""
    n_planes = 1 + (cells.shape[3] if cells.ndim == 4 else 1)
    halves = np.empty((len(cells), INPUT_SIZE, INPUT_SIZE, n_planes), np.float16)
    for start in range(0, len(cells), PREPARED_CELLS):
        rows = slice(start, start + PREPARED_CELLS)
        halves[rows] = normalise(cells[rows], INPUT_SIZE)
    return torch.from_numpy(halves.transpose(0, 3, 1, 2))


def start(n_planes: int, n_classes: int, seed: int) -> FitState:
    """An untrained network."""
    torch.manual_seed(seed)
    network = CellNet(n_planes, n_classes).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), PEAK_RATE, weight_decay=WEIGHT_DECAY)
    return FitState(network=network, optimizer=optimizer)


def fit(
    state: FitState,
    images: Tensor,
    true: NDArray[np.uint8],
    *,
    epochs: int,
    minutes: float | None,
    seed: int,
    after_epoch: Callable[[FitState], None],
    progress: Callable[[int, int, str], None],
) -> None:
    """Train on, from where the state is.

    Parameters
    ----------
    state
        Is changed.
    images, true
        float16 (cell, plane, y, x); uint8 (cell,).
    epochs
        Passes over the cells, all in all.
    minutes
        Where given, training ends after about so many, the schedule with it: then the result
        depends on the machine's speed.
    seed
        Of each epoch's order and variations, whether or not the run was interrupted.
    after_epoch, progress
        Called after each epoch, and with done and total batches and a note.
    """
    targets = torch.from_numpy(true.astype(np.int64))
    n_batches = max(1, round(len(images) / BATCH_CELLS))
    n_steps, began = epochs * n_batches, time.monotonic() - state.seconds
    share, recent = 0.0, math.log(2)
    state.network.train()
    while state.epoch < epochs and share < 1:
        generator = np.random.default_rng([seed, state.epoch])
        torch.manual_seed(int(generator.integers(1 << 62)))
        order = generator.permutation(len(images))
        for k, rows in enumerate(np.array_split(order, n_batches)):
            step = state.epoch * n_batches + k
            share = step / n_steps
            if minutes is not None:
                share = max(share, (time.monotonic() - began) / (60 * minutes))
            if share >= 1:
                break
            for group in state.optimizer.param_groups:
                group["lr"] = PEAK_RATE * _rate(share)
            batch = varied(images[torch.from_numpy(rows)].float(), generator)
            batch = batch.contiguous(memory_format=torch.channels_last)
            loss = functional.cross_entropy(
                state.network(batch), targets[rows], label_smoothing=LABEL_SMOOTHING
            )
            state.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            state.optimizer.step()
            recent += 0.02 * (loss.item() - recent)
            progress(step + 1, n_steps, f"loss {recent:.3f}")
        state.epoch += 1
        state.seconds = time.monotonic() - began
        after_epoch(state)
    state.network.eval()


def _rate(share: float) -> float:
    if share < WARM_UP:
        return 0.04 + 0.96 * share / WARM_UP
    return 0.5 + 0.5 * math.cos(math.pi * (share - WARM_UP) / (1 - WARM_UP))


def save(path: Path, key: str, state: FitState) -> None:
    """Write a checkpoint, whole or not at all."""
    arrays = packed(state.network, state.optimizer)
    arrays["progress"] = np.array([state.epoch, state.seconds])
    write_arrays(path, key, arrays)


def restore(path: Path, key: str, state: FitState) -> bool:
    """Go on from a checkpoint, if there is one of this very run."""
    arrays = read_arrays(path, key)
    if arrays is None:
        return False
    unpack(arrays, state.network, state.optimizer)
    epoch, state.seconds = arrays["progress"].tolist()
    state.epoch = int(epoch)
    return True


def folded(network: CellNet) -> tuple[tuple[Layer, ...], Floats, Floats]:
    """Layers with their batch norm in weight and bias; weight and bias of the head."""
    layers = []
    for block in network.blocks:
        assert isinstance(block, Block)
        norm, weight = block.norm, block.convolution.weight.detach()
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
        bias = norm.bias.detach() - norm.running_mean * scale
        scaled = (weight * scale[:, None, None, None]).permute(2, 3, 1, 0)
        layers.append(
            Layer(
                weight=np.ascontiguousarray(scaled.numpy()),
                bias=bias.numpy(),
                padding=int(block.convolution.padding[0]),
                residual=block.residual,
                pool=block.pool,
            )
        )
    head = network.head
    return (
        tuple(layers),
        np.ascontiguousarray(head.weight.detach().numpy().T),
        head.bias.detach().numpy().copy(),
    )
