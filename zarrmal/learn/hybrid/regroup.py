"""Learned classes: each cell moves to the group whose model codes it in fewer bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs.coder import Coder

from . import start
from .data import Data
from .export import export
from .fit import FitState, HybridNetwork
from .network import ContextNetwork

ROUNDS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Shares of the training after which cells move."""

ROUND_CELLS = 8_192
"""At most so many may move in a round; the next round takes others."""

RESEED_UNTIL = 0.5
LEAST_SHARE = 0.02  # of its fair share: a group with fewer cells has died
BASE64 = 4 / 3

Floats = NDArray[np.float64]


class Regroup:
    """Moves the cells of a training run; a function of ``fit.run``.

    The codec itself decides, with the weights rounded as it would have them: every pixel counts,
    and what a group is while training is what it will be while archiving. Which cells may move
    follows from the round alone, so that an interrupted run goes on to the same model.

    Parameters
    ----------
    data
        Its training cells' classes are set to the start: groups that look alike.
    n_groups
        At least 1.
    """

    def __init__(self, data: Data, n_groups: int, seed: int) -> None:
        assert data.cells is not None
        self._data, self._cells, self._n_groups, self._seed = data, data.cells, n_groups, seed
        self._points = start.features(data.cells, data.training.pooled.cpu().numpy())
        self._set(np.arange(len(self._cells)), start.split(self._points, n_groups, seed))

    def __call__(self, state: FitState, done: float) -> None:
        """Let cells move, if a round is due after this share of the training."""
        due = sum(done >= share for share in ROUNDS)
        if self._n_groups == 1 or state.rounds >= due:
            return
        state.rounds = due
        stride = -(-len(self._cells) // ROUND_CELLS)
        rows = np.arange(due % stride, len(self._cells), stride)
        self._set(rows, group_bits(state.network, self._data, self._cells[rows]).argmin(axis=1))
        if done < RESEED_UNTIL:
            self._reseed(state.network, due)

    def _set(self, rows: NDArray[np.int64], groups: NDArray[np.int64]) -> None:
        classes = self._data.training.classes
        classes[torch.from_numpy(rows).to(classes.device)] = torch.from_numpy(groups).to(
            classes.device
        )

    def _reseed(self, network: HybridNetwork, turn: int) -> None:
        """Give a group that has died half of the largest, and its parameters."""
        classes = self._data.training.classes.cpu().numpy()
        least = max(2, int(LEAST_SHARE * len(classes) / self._n_groups))
        for k in range(self._n_groups):
            counts = np.bincount(classes, minlength=self._n_groups)
            largest = int(counts.argmax())
            if counts[k] >= least or largest == k:
                continue
            mine = np.flatnonzero(classes == largest)
            halves = start.split(self._points[mine], 2, self._seed + turn)
            classes[mine[halves == 1]] = k
            _copy(network, largest, k)
        self._set(np.arange(len(classes)), classes)


def _copy(network: HybridNetwork, one: int, other: int) -> None:
    """Make a class's own parameters those of another."""
    with torch.no_grad():
        for step in network.steps:
            assert isinstance(step, ContextNetwork)
            for bias in (step.bias1, step.bias2, step.bias3):
                bias[other] = bias[one]
        if network.autoencoders:
            network.autoencoders[other].load_state_dict(network.autoencoders[one].state_dict())


def group_names(n: int) -> tuple[str, ...]:
    """``group-1``, ``group-2`` and so on."""
    return tuple(f"group-{k + 1}" for k in range(n))


def group_bits(network: HybridNetwork, data: Data, cells: NDArray[np.uint8]) -> Floats:
    """Bits of each cell in each group by the codec, float64 (cell, group)."""
    model = export(network, group_names(network.n_classes), data.cell_shape, {})
    return Coder(model).bits(cells)


def telling_bits(groups: NDArray[np.int64]) -> float:
    """What telling a cell's group takes, in bits: the entropy of how many cells each has."""
    counts = np.unique(groups, return_counts=True)[1]
    shares = counts / max(counts.sum(), 1)
    return float(-(shares * np.log2(shares)).sum())


def paying_groups(network: HybridNetwork, data: Data, bits: Floats, n_cells: int) -> list[int]:
    """Groups that save more bits than they take, the largest first.

    As long as the total of model, cells and groups told shrinks by it, the group that is missed
    least is dropped.

    Parameters
    ----------
    bits
        float64 (cell, group), of the training cells.
    n_cells
        How many the model is for.
    """

    def total(which: Sequence[int]) -> float:
        mine = bits[:, list(which)]
        told = telling_bits(mine.argmin(axis=1))
        model = export(network, group_names(len(which)), data.cell_shape, {}, which)
        return n_cells * (float(mine.min(axis=1).mean()) + told) + 8 * BASE64 * model.n_bytes

    which = list(range(bits.shape[1]))
    best = total(which)
    while len(which) > 1:
        fewer = [[k for k in which if k != gone] for gone in which]
        totals = [total(one) for one in fewer]
        if min(totals) >= best:
            break
        best = min(totals)
        which = fewer[totals.index(best)]
    counts = np.bincount(bits[:, which].argmin(axis=1), minlength=len(which))
    return [which[k] for k in np.argsort(-counts, kind="stable")]
