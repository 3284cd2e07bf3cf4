"""The states of a training run, class by class, in one file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from .fit import FitState, stage_optimizer, start
from .kept import Arrays, packed, read_arrays, tensors, unpack, write_arrays


class Checkpoint:
    """One file that holds the state of every class begun so far.

    Parameters
    ----------
    path
        Where; None keeps nothing.
    key
        Names the options and the cells: a file with another key is not used.
    """

    def __init__(self, path: Path | None, key: str) -> None:
        self._path, self._key = path, key
        self._arrays: Arrays = (read_arrays(path, key) if path is not None else None) or {}

    def save(self, name: str, state: FitState) -> None:
        """Remember a class's state, and the random numbers' too."""
        if self._path is None:
            return
        mine = {f"{name}/{k}": v for k, v in _pack(state).items()}
        rest = {k: v for k, v in self._arrays.items() if not k.startswith(f"{name}/")}
        self._arrays = rest | mine | {"rng": torch.get_rng_state().numpy()}
        write_arrays(self._path, self._key, self._arrays)

    def restore(
        self, name: str, pixels: torch.Tensor, hidden: tuple[int, ...], device: torch.device
    ) -> FitState:
        """The class's state, fresh if there is none."""
        state = start(pixels, hidden, device)
        prefix = f"{name}/"
        mine = {k.removeprefix(prefix): v for k, v in self._arrays.items() if k.startswith(prefix)}
        if mine:
            _unpack(state, mine, device)
            torch.set_rng_state(torch.from_numpy(self._arrays["rng"].copy()))
        return state

    def remove(self) -> None:
        """Forget it: the run is over."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _pack(state: FitState) -> Arrays:
    arrays = packed(state.network, state.optimizer)
    arrays |= {f"best/{k}": v.cpu().numpy() for k, v in (state.best or {}).items()}
    scalars = {
        "stage": state.stage,
        "epoch": state.epoch,
        "stale": state.stale,
        "best_bits": state.best_bits,
        "float_bits": state.float_bits,
    }
    return arrays | {"scalars": np.array(json.dumps(scalars))}


def _unpack(state: FitState, arrays: Arrays, device: torch.device) -> None:
    for name, value in json.loads(str(arrays["scalars"])).items():
        setattr(state, name, value)
    state.best = {k: v.to(device) for k, v in tensors(arrays, "best/").items()} or None
    state.optimizer = stage_optimizer(state.network, state.stage)
    unpack(arrays, state.network, state.optimizer)
