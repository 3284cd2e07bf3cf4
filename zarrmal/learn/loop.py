"""The training loop of all networks: steps, learning rate, time limit, progress, checkpoints."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from math import cos, nan, pi

import numpy as np
import torch

from ..errors import InputError
from ..progress import Progress
from .checkpoint import Arrays, Checkpoint, pack, unpack

CHECKPOINT_SECONDS = 20.0
LOSS_DECAY = 0.98
"""Weight of the earlier steps in the running mean of the loss."""


class Training(ABC):
    """What a kind of training adds to the loop: its network, batches, loss and schedule.

    Parameters
    ----------
    network, optimizer
        What is trained, and how.
    n_steps
        Optimizer steps in all.
    epoch_steps
        Steps in an epoch; a checkpoint is written between two epochs.
    clip_norm
        Largest norm of the gradient; None does not clip.

    Attributes
    ----------
    step
        Steps done.
    seconds
        Time spent in the loop up to the end of the last epoch, interrupted runs included.
    mean_loss
        Running mean; NaN before the first step.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        n_steps: int,
        epoch_steps: int = 1,
        clip_norm: float | None = None,
    ) -> None:
        self.network, self.optimizer = network, optimizer
        self.n_steps, self.epoch_steps, self.clip_norm = n_steps, epoch_steps, clip_norm
        self.step, self.seconds, self.mean_loss = 0, 0.0, nan

    @abstractmethod
    def learning_rate(self, fraction: float) -> float:
        """Learning rate after this fraction of the training, 0 <= fraction < 1."""

    @abstractmethod
    def loss(self, fraction: float) -> torch.Tensor:
        """Loss of the next batch."""

    @abstractmethod
    def note(self) -> str:
        """How well the network does, in a few words."""

    def begin_epoch(self) -> None:  # noqa: B027 (optional)
        """Draw what the batches of the epoch need."""

    def end_epoch(self) -> None:  # noqa: B027 (optional)
        """Evaluate; may change ``step`` and ``optimizer``."""

    def state(self) -> Arrays:
        """What a checkpoint has to hold besides network, optimizer, random numbers and step."""
        return {}

    def load_state(self, arrays: Arrays) -> None:  # noqa: B027 (optional)
        """Inverse of ``state``. Afterwards ``optimizer`` is the one that was saved."""


def fit(
    training: Training,
    task: str,
    progress: Progress,
    *,
    seconds: float | None = None,
    checkpoint: Checkpoint | None = None,
    section: str = "training",
    digest: str = "",
) -> None:
    """Train until the steps are done or the time is up.

    Parameters
    ----------
    training
        Changes in place; its network is left in evaluation mode.
    task, progress
        Progress is reported under this name, in thousandths, after each step.
    seconds
        Time limit. The schedule follows whichever of steps and time is nearer its end, so the
        result depends on the machine's speed.
    checkpoint, section, digest
        Where an interrupted run is resumed from and saved to. A resumed run gives the same result
        as an uninterrupted one.
    """
    checkpoint = checkpoint or Checkpoint(None)
    arrays = checkpoint.load(section, digest)
    if arrays is not None:
        _restore(training, arrays)
    began, saved = time.monotonic() - training.seconds, time.monotonic()

    def fraction() -> float:
        by_steps = training.step / training.n_steps
        by_time = 0.0 if seconds is None else (time.monotonic() - began) / seconds
        return max(by_steps, by_time)

    while fraction() < 1:
        training.network.train()
        training.begin_epoch()
        for _ in range(training.epoch_steps):
            done = fraction()
            if done >= 1:
                break
            _take_step(training, done)
            progress(task, int(1000 * done), 1000, training.note())
        training.end_epoch()
        training.seconds = time.monotonic() - began
        if time.monotonic() - saved > CHECKPOINT_SECONDS or fraction() >= 1:
            checkpoint.save(section, digest, _state(training))
            saved = time.monotonic()
    training.network.eval()
    progress(task, 1000, 1000, training.note())


def _take_step(training: Training, fraction: float) -> None:
    rate = training.learning_rate(fraction)
    for group in training.optimizer.param_groups:
        group["lr"] = rate
    loss = training.loss(fraction)
    training.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if training.clip_norm is not None:
        torch.nn.utils.clip_grad_norm_(training.network.parameters(), training.clip_norm)
    training.optimizer.step()
    value = loss.item()
    first = np.isnan(training.mean_loss)
    training.mean_loss = (
        value if first else LOSS_DECAY * training.mean_loss + (1 - LOSS_DECAY) * value
    )
    training.step += 1


def _state(training: Training) -> Arrays:
    position = np.array([training.step, training.seconds, training.mean_loss])
    own = {f"own/{key}": value for key, value in training.state().items()}
    return pack(training.network, training.optimizer) | own | {"position": position}


def _restore(training: Training, arrays: Arrays) -> None:
    step, training.seconds, training.mean_loss = arrays["position"].tolist()
    training.step = int(step)
    own = {key.removeprefix("own/"): a for key, a in arrays.items() if key.startswith("own/")}
    training.load_state(own)
    unpack(arrays, training.network, training.optimizer)


def one_cycle(
    fraction: float, *, warm_up: float, start: float, end: float = 0.0, smooth: bool = False
) -> float:
    """Learning rate relative to its peak: up to 1, then down to ``end`` along a cosine.

    Parameters
    ----------
    fraction
        Of the training, 0 <= fraction < 1.
    warm_up
        Fraction at which the peak is, 0 < warm_up < 1.
    start, end
        Relative rates, 0 <= start, end <= 1.
    smooth
        Rise along a cosine, not along a line.
    """
    if fraction >= warm_up:
        fall = 1 + cos(pi * (fraction - warm_up) / (1 - warm_up))
        return end + (1 - end) * fall / 2
    if smooth:
        return start + (1 - start) * (1 - cos(pi * fraction / warm_up)) / 2
    return start + (1 - start) * fraction / warm_up


def prepare_device(name: str) -> torch.device:
    """The device of this name, with deterministic algorithms switched on.

    Parameters
    ----------
    name
        "cpu", "cuda", "cuda:1", …; "auto" is a GPU if there is one.

    Raises
    ------
    InputError
        If the device cannot be used.
    """
    # cuBLAS reads it once, when it starts; without it torch refuses to be deterministic.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device {name!r} cannot be used: {reason}; try --device cpu") from None
