"""The state of a hybrid training run as one .npz file: nothing in it is unpickled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from .fit import FitState


def save(path: Path, key: str, state: FitState) -> None:
    """Write it whole or not at all."""
    arrays = {f"network/{k}": v.cpu().numpy() for k, v in state.network.state_dict().items()}
    for index, moments in state.optimizer.state_dict()["state"].items():
        arrays |= {f"optimizer/{index}/{k}": v.cpu().numpy() for k, v in moments.items()}
    arrays["progress"] = np.array([state.step, state.seconds, state.recent])
    if state.classes is not None:
        arrays["classes"] = state.classes.cpu().numpy().astype(np.uint8)
        arrays["rounds"] = np.array(state.rounds)
    arrays["key"], arrays["rng"] = np.array(key), torch.get_rng_state().numpy()
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        np.savez(file, **arrays)
    partial.replace(path)


def restore(path: Path, key: str, state: FitState) -> bool:
    """Go on from a file, if there is one of this very run."""
    try:
        with np.load(path, allow_pickle=False) as held:
            if str(held["key"]) != key:
                return False
            arrays = {name: torch.from_numpy(held[name]) for name in held.files if name != "key"}
    except (OSError, ValueError, KeyError):
        return False  # none, damaged, or of another kind: begin anew
    names = list(state.network.state_dict())
    state.network.load_state_dict({k: arrays[f"network/{k}"] for k in names})
    tree = state.optimizer.state_dict()
    tree["state"] = {
        int(index): {
            k.split("/", 2)[2]: v for k, v in arrays.items() if k.startswith(f"optimizer/{index}/")
        }
        for index in {k.split("/")[1] for k in arrays if k.startswith("optimizer/")}
    }
    state.optimizer.load_state_dict(tree)
    step, state.seconds, state.recent = arrays["progress"].tolist()
    state.step = int(step)
    if state.classes is not None:
        state.classes.copy_(arrays["classes"])
        state.rounds = int(arrays["rounds"])
    torch.set_rng_state(arrays["rng"])
    return True
