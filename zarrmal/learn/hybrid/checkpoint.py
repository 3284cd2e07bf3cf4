"""The state of a hybrid training run in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..kept import packed, read_arrays, unpack, write_arrays
from .fit import FitState


def save(path: Path, key: str, state: FitState) -> None:
    """Write it whole or not at all."""
    arrays = packed(state.network, state.optimizer)
    arrays["progress"] = np.array([state.step, state.seconds, state.recent])
    if state.classes is not None:
        arrays["classes"] = state.classes.cpu().numpy().astype(np.uint8)
        arrays["rounds"] = np.array(state.rounds)
    arrays["rng"] = torch.get_rng_state().numpy()
    write_arrays(path, key, arrays)


def restore(path: Path, key: str, state: FitState) -> bool:
    """Go on from a file, if there is one of this very run."""
    arrays = read_arrays(path, key)
    if arrays is None:
        return False
    unpack(arrays, state.network, state.optimizer)
    step, state.seconds, state.recent = arrays["progress"].tolist()
    state.step = int(step)
    if state.classes is not None:
        state.classes.copy_(torch.from_numpy(arrays["classes"]))
        state.rounds = int(arrays["rounds"])
    torch.set_rng_state(torch.from_numpy(arrays["rng"]))
    return True
