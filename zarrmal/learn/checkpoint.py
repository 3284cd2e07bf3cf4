"""Checkpoints: the states of interrupted trainings, in one file of plain arrays without pickles."""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

DIGEST = "digest"


def run_digest(*parts: object) -> str:
    """SHA-256 of the options and data of a training, which a checkpoint must match.

    Parameters
    ----------
    parts
        Arrays count with dtype, shape and content, everything else with its ``repr``.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype} {part.shape} ".encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(f"{part!r} ".encode())
    return digest.hexdigest()


class Checkpoint:
    """One .npz file with a section for each training of a run.

    A section is only loaded with the digest of options and data that it was saved with. A damaged
    file counts as empty, so that training starts anew.

    Parameters
    ----------
    path
        None stores nothing.
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._path = None if path is None else Path(path)
        self._sections = {} if self._path is None else _read(self._path)

    def load(self, section: str, digest: str) -> Arrays | None:
        """The section's arrays; None if there is no such section of this digest."""
        arrays = self._sections.get(section, {})
        return arrays if str(arrays.get(DIGEST)) == digest else None

    def save(self, section: str, digest: str, arrays: Arrays) -> None:
        """Replace a section and write the file, whole or not at all."""
        if self._path is None:
            return
        self._sections[section] = arrays | {DIGEST: np.array(digest)}
        flat: Arrays = {
            f"{name}/{key}": value
            for name, contents in self._sections.items()
            for key, value in contents.items()
        }
        with self._partial.open("wb") as file:
            np.savez(file, **flat)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        self._partial.replace(self._path)

    def remove(self) -> None:
        """Delete the file: the run is over."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._partial.unlink(missing_ok=True)

    @property
    def _partial(self) -> Path:
        assert self._path is not None
        return self._path.with_name(self._path.name + ".partial")


def _read(path: Path) -> dict[str, Arrays]:
    sections: dict[str, Arrays] = {}
    try:
        # Opened here: np.load leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            for name in arrays.files:
                section, _, key = name.partition("/")
                sections.setdefault(section, {})[key] = arrays[name]
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
        return {}
    return sections


def pack(network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Arrays:
    """Weights, optimizer and the state of torch's random numbers, on the CPU and a CUDA device."""
    arrays = {f"network/{key}": _array(value) for key, value in network.state_dict().items()}
    for index, moments in optimizer.state_dict()["state"].items():
        arrays |= {f"optimizer/{index}/{key}": _array(value) for key, value in moments.items()}
    arrays["random/cpu"] = _array(torch.get_rng_state())
    device = next(network.parameters()).device
    if device.type == "cuda":
        arrays["random/cuda"] = _array(torch.cuda.get_rng_state(device))
    return arrays


def unpack(arrays: Arrays, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Inverse of ``pack``; other arrays are ignored. Tensors go to the network's device."""
    network.load_state_dict(tensors(arrays, "network/"))
    state = optimizer.state_dict()
    for name, value in tensors(arrays, "optimizer/").items():
        index, key = name.split("/")
        state["state"].setdefault(int(index), {})[key] = value
    optimizer.load_state_dict(state)
    torch.set_rng_state(torch.from_numpy(arrays["random/cpu"].copy()))
    device = next(network.parameters()).device
    if device.type == "cuda":
        torch.cuda.set_rng_state(torch.from_numpy(arrays["random/cuda"].copy()), device)


def tensors(arrays: Arrays, prefix: str) -> dict[str, torch.Tensor]:
    """Copies of the arrays under a prefix, named without it."""
    return {
        name.removeprefix(prefix): torch.from_numpy(value.copy())
        for name, value in arrays.items()
        if name.startswith(prefix)
    }


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    return tensor.detach().cpu().numpy()
