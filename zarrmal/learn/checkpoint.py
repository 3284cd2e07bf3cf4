"""The state of a training run as one .npz file of plain arrays: nothing in it is unpickled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .fit import FitState, stage_optimizer, start

Arrays = dict[str, NDArray[Any]]


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
        self._arrays: Arrays = {}
        if path is not None and path.exists():
            try:
                with np.load(path, allow_pickle=False) as held:
                    if str(held["key"]) == key:
                        self._arrays = {name: held[name] for name in held.files}
            except (OSError, ValueError, KeyError):
                self._arrays = {}  # damaged or of another kind: begin anew

    def save(self, name: str, state: FitState) -> None:
        """Remember a class's state, and the random numbers' too."""
        if self._path is None:
            return
        mine = {f"{name}/{k}": v for k, v in _pack(state).items()}
        rest = {k: v for k, v in self._arrays.items() if not k.startswith(f"{name}/")}
        rng = torch.get_rng_state().numpy()
        self._arrays = rest | mine | {"key": np.array(self._key), "rng": rng}
        partial = self._path.with_name(self._path.name + ".partial")
        with partial.open("wb") as file:
            np.savez(file, **self._arrays)  # type: ignore[arg-type]
        partial.replace(self._path)

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
    arrays = {f"network/{k}": v.cpu().numpy() for k, v in state.network.state_dict().items()}
    for k, v in (state.best or {}).items():
        arrays[f"best/{k}"] = v.cpu().numpy()
    for index, moments in state.optimizer.state_dict()["state"].items():
        for k, v in moments.items():
            arrays[f"optimizer/{index}/{k}"] = v.cpu().numpy()
    scalars = {
        "stage": state.stage,
        "epoch": state.epoch,
        "stale": state.stale,
        "best_bits": state.best_bits,
        "float_bits": state.float_bits,
    }
    return arrays | {"scalars": np.array(json.dumps(scalars))}


def _unpack(state: FitState, arrays: Arrays, device: torch.device) -> None:
    def under(prefix: str) -> dict[str, torch.Tensor]:
        return {
            k.removeprefix(prefix): torch.from_numpy(v.copy()).to(device)
            for k, v in arrays.items()
            if k.startswith(prefix)
        }

    for name, value in json.loads(str(arrays["scalars"])).items():
        setattr(state, name, value)
    state.network.load_state_dict(under("network/"))
    state.best = under("best/") or None
    state.optimizer = stage_optimizer(state.network, state.stage)
    tree = state.optimizer.state_dict()
    for k, v in under("optimizer/").items():
        index, field = k.split("/")
        tree["state"].setdefault(int(index), {})[field] = v
    state.optimizer.load_state_dict(tree)
