"""Cells by their position in an archive: a map-style data set."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Subset

from ..archive.storage.store import Where
from .group_split import split_groups
from .handle import ArchiveHandle, Sample


class CellDataset(Dataset[Sample]):
    """The cells of an archive, in its order.

    A sample is ``(pixels, label, position)``: pixels uint8 (channel, y, x), where grey cells have
    one channel; the label an index into ``label_names``, -1 in an archive without labels; the
    position in the archive. A DataLoader reads the cells of a batch in one call, which decodes
    these cells alone. Each worker opens the archive itself, so workers may be forked or spawned.

    Parameters
    ----------
    where
        A path, a URL, or a store of zarr.
    transform
        Called with the pixels of each cell; its result replaces them.
    storage_options
        For fsspec, with a URL.

    Attributes
    ----------
    label_names
        Names of the labels; empty without labels.

    Examples
    --------
    >>> from torch.utils.data import DataLoader
    >>> from zarrmal.torch import CellDataset
    >>> cells = CellDataset("cells.zarr")  # doctest: +SKIP
    >>> loader = DataLoader(cells, batch_size=256, shuffle=True, num_workers=2)  # doctest: +SKIP
    """

    def __init__(
        self,
        where: Where,
        *,
        transform: Callable[[torch.Tensor], Any] | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.handle = ArchiveHandle(where, storage_options)
        self._transform = transform
        self._labels, self.label_names = self.handle.labels()
        self.handle.close()

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, position: int) -> Sample:
        return self.__getitems__([position])[0]

    def __getitems__(self, positions: Sequence[int]) -> list[Sample]:
        """The samples of a batch; only these cells are decoded.

        Raises
        ------
        IndexError
            If there is no such cell.
        """
        n_cells = len(self)
        rows = [operator.index(position) for position in positions]
        outside = [row for row in rows if not -n_cells <= row < n_cells]
        if outside:
            raise IndexError(f"cell {outside[0]}: the archive's cells are 0 to {n_cells - 1}")
        rows = [row + n_cells if row < 0 else row for row in rows]
        pixels = self.handle.read(np.array(rows, np.int64))
        transform = self._transform
        labels = self._labels[rows].tolist()
        return [
            (cell if transform is None else transform(cell), label, row)
            for cell, label, row in zip(pixels, labels, rows, strict=True)
        ]

    def split(
        self, *, validation_share: float = 0.2, seed: int = 0
    ) -> tuple[Subset[Sample], Subset[Sample]]:
        """Cells for training and cells for validation; no group has cells in both.

        Parameters
        ----------
        validation_share
            Share of the groups, 0 < share < 1. An archive without groups is split by cell.
        seed
            The same seed gives the same split.

        Raises
        ------
        InputError
            If all cells are of one group.
        """
        try:
            groups = self.handle.groups()
        finally:
            self.handle.close()
        training, validation = split_groups(len(self), groups, validation_share, seed)
        return Subset(self, training.tolist()), Subset(self, validation.tolist())
