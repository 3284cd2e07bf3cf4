"""The state of a training run as one .npz file of plain arrays: nothing in it is unpickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


def write_arrays(path: Path, key: str, arrays: Arrays) -> None:
    """Write them whole or not at all.

    Parameters
    ----------
    key
        Names the options and the cells of the run.
    """
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        np.savez(file, **arrays, key=np.array(key))  # type: ignore[arg-type]
    partial.replace(path)


def read_arrays(path: Path, key: str) -> Arrays | None:
    """What a run of the same key has written; None if there is nothing, or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as held:
            if str(held["key"]) != key:
                return None
            return {name: held[name] for name in held.files if name != "key"}
    except (OSError, ValueError, KeyError):
        return None


def packed(network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Arrays:
    """Of a network ``network/…``, of its optimizer ``optimizer/PARAMETER/…``."""
    arrays = {f"network/{k}": v.cpu().numpy() for k, v in network.state_dict().items()}
    for index, moments in optimizer.state_dict()["state"].items():
        arrays |= {f"optimizer/{index}/{k}": v.cpu().numpy() for k, v in moments.items()}
    return arrays


def unpack(arrays: Arrays, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Inverse of packed, whatever else the arrays are; each goes to the network's device."""
    network.load_state_dict(tensors(arrays, "network/"))
    tree = optimizer.state_dict()
    for name, value in tensors(arrays, "optimizer/").items():
        index, field = name.split("/")
        tree["state"].setdefault(int(index), {})[field] = value
    optimizer.load_state_dict(tree)


def tensors(arrays: Arrays, prefix: str) -> dict[str, torch.Tensor]:
    """Those under a prefix, copied, their names without it."""
    return {
        name.removeprefix(prefix): torch.from_numpy(value.copy())
        for name, value in arrays.items()
        if name.startswith(prefix)
    }
