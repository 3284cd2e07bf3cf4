"""Learned classes: each cell moves to the group whose model codes it in fewer bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

from ...quantise import Floats
from ..data import TrainingData
from ..export import export
from ..network import HybridNetwork
from . import kmeans

ROUNDS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Fractions of the training after which cells move."""

ROUND_CELLS = 8_192
"""At most so many may move in a round; the next round takes others."""

REVIVE_UNTIL = 0.5
MIN_SHARE = 0.02
"""A group with a smaller share of its fair share of the cells has died."""

BASE64 = 4 / 3


class Reassignment:
    """Moves the training cells between groups while the network is trained.

    The codec itself decides, with the weights rounded as it would have them. So every pixel counts,
    and a cell gets the same group in training as in an archive. The cells that may move depend
    on the round alone, so that a resumed run gives the same model.

    Parameters
    ----------
    data
        The classes of its training cells are set to clusters of cells that look alike.
    n_groups
        At least 1.

    Attributes
    ----------
    rounds
        Rounds done.
    """

    def __init__(self, data: TrainingData, n_groups: int) -> None:
        assert data.cells is not None
        self._data, self._cells, self._n_groups = data, data.cells, n_groups
        self._seed = data.options.seed
        self._points = kmeans.features(data.cells, data.training.pooled.cpu().numpy())
        self.rounds = 0
        self._assign(
            np.arange(len(self._cells)), kmeans.cluster(self._points, n_groups, self._seed)
        )

    def __call__(self, network: HybridNetwork, fraction: float) -> None:
        """Let cells move, if a round is due after this fraction of the training."""
        due = sum(fraction >= share for share in ROUNDS)
        if self._n_groups == 1 or self.rounds >= due:
            return
        self.rounds = due
        stride = -(-len(self._cells) // ROUND_CELLS)
        rows = np.arange(due % stride, len(self._cells), stride)
        silhouettes = self._data.source.silhouettes(self._data.rows[rows])
        bits = bits_by_group(network, self._data, self._cells[rows], silhouettes)
        self._assign(rows, bits.argmin(axis=1))
        if fraction < REVIVE_UNTIL:
            self._revive(network, due)

    def _assign(self, rows: NDArray[np.int64], groups: NDArray[np.int64]) -> None:
        classes = self._data.training.classes
        device = classes.device
        classes[torch.from_numpy(rows).to(device)] = torch.from_numpy(groups).to(device)

    def _revive(self, network: HybridNetwork, round_number: int) -> None:
        """Give a group that has died half of the largest, and its parameters."""
        classes = self._data.training.classes.cpu().numpy()
        minimum = max(2, int(MIN_SHARE * len(classes) / self._n_groups))
        for k in range(self._n_groups):
            counts = np.bincount(classes, minlength=self._n_groups)
            largest = int(counts.argmax())
            if counts[k] >= minimum or largest == k:
                continue
            members = np.flatnonzero(classes == largest)
            halves = kmeans.cluster(self._points[members], 2, self._seed + round_number)
            classes[members[halves == 1]] = k
            network.copy_class(largest, k)
        self._assign(np.arange(len(classes)), classes)


def group_names(n: int) -> tuple[str, ...]:
    """``group-1``, ``group-2`` and so on."""
    return tuple(f"group-{k + 1}" for k in range(n))


def bits_by_group(
    network: HybridNetwork,
    data: TrainingData,
    cells: NDArray[np.uint8],
    silhouettes: Silhouettes | None,
) -> Floats:
    """Bits of each cell in each group by the codec, float64 (cell, group)."""
    model = export(network, group_names(network.n_classes), data.cell_shape, {}, masks=data.masks)
    return Coder(model).bits(cells, None, silhouettes)


def group_entropy(groups: NDArray[np.int64]) -> float:
    """Bits that storing a cell's group takes: the entropy of the group sizes."""
    counts = np.unique(groups, return_counts=True)[1]
    shares = counts / max(counts.sum(), 1)
    return float(-(shares * np.log2(shares)).sum())


def profitable_groups(network: HybridNetwork, data: TrainingData, bits: Floats) -> list[int]:
    """Groups that save more bits than they cost, the largest first.

    While that makes the total of model, cells and their groups smaller, the group whose loss costs
    least is dropped.

    Parameters
    ----------
    bits
        float64 (cell, group), of the training cells.
    """

    def total(groups: Sequence[int]) -> float:
        own_bits = bits[:, list(groups)]
        entropy = group_entropy(own_bits.argmin(axis=1))
        model = export(
            network, group_names(len(groups)), data.cell_shape, {}, groups, masks=data.masks
        )
        cell_bits = float(own_bits.min(axis=1).mean()) + entropy
        return data.n_cells * cell_bits + 8 * BASE64 * model.n_bytes

    groups = list(range(bits.shape[1]))
    smallest = total(groups)
    while len(groups) > 1:
        candidates = [[k for k in groups if k != dropped] for dropped in groups]
        totals = [total(candidate) for candidate in candidates]
        if min(totals) >= smallest:
            break
        smallest = min(totals)
        groups = candidates[totals.index(smallest)]
    counts = np.bincount(bits[:, groups].argmin(axis=1), minlength=len(groups))
    return [groups[k] for k in np.argsort(-counts, kind="stable")]
