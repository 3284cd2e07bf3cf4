"""Options of training the profile `paper`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ...errors import InputError

Loss = Literal["absolute", "square"]
LOSSES: tuple[Loss, ...] = get_args(Loss)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """Options of training the profile `paper`.

    Parameters
    ----------
    hidden
        Widths from the first hidden layer to the latent vector; the paper's by default.
    epochs, pretrain_epochs
        Of the whole network, and of each layer alone before. None: about 3,000 steps for the whole
        network, between 20 and 200 epochs, and a twentieth of that for a layer.
    seed
        The same seed on the same machine gives the same model bytes.
    validation
        Share of the slides (of the cells, where there are no slides) held out for early stopping.
    max_cells
        At most so many cells of a class are trained on, drawn at random.
    coarseness
        Step of the integer weights as a multiple of their rms; larger makes the model smaller
        and its prediction worse.
    loss
        "absolute" error, to which a Rice code's length is proportional, or "square", the paper's.
    device
        "auto" takes a GPU when there is one.
    """

    hidden: tuple[int, ...] = (1500, 500, 30)
    epochs: int | None = None
    pretrain_epochs: int | None = None
    seed: int = 0
    validation: float = 0.1
    max_cells: int = 100_000
    coarseness: float = 0.8
    loss: Loss = "absolute"
    device: str = "auto"

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise InputError(f"hidden sizes must be at least 1: {self.hidden}")
        if self.epochs is not None and self.epochs < 1:
            raise InputError(f"at least 1 epoch is needed, not {self.epochs}")
        if self.pretrain_epochs is not None and self.pretrain_epochs < 0:
            raise InputError(f"at least 0 epochs of pre-training, not {self.pretrain_epochs}")
        if not 0 < self.coarseness <= 4:
            raise InputError(f"coarseness must be 0 < coarseness <= 4, not {self.coarseness}")
        if self.loss not in LOSSES:
            raise InputError(f"loss must be one of {', '.join(LOSSES)}, not {self.loss!r}")
        if not 0 <= self.validation < 1:
            raise InputError(f"validation must be 0 <= share < 1, not {self.validation}")
