"""Cells in random order, read chunk by chunk: an iterable data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import prod
from typing import Any, Literal

import numpy as np
import torch
import torch.distributed
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, get_worker_info

from ..archive.storage.store import Where
from ..errors import InputError
from .group_split import split_groups
from .handle import ArchiveHandle, Sample

Positions = NDArray[np.int64]
READ_CELLS = 1024
"""Whole chunks are read until there are so many cells: enough to decode on several cores."""
BUFFER_CELLS = 8192
BUFFER_BYTES = 128_000_000


class ShuffledCells(IterableDataset[Sample]):
    """The cells of an archive, each once an epoch, in random order.

    Chunks come in random order; their cells go through a buffer, from which random ones are taken.
    So every stored byte is read about once an epoch. An archive is sorted by class: the buffer
    should hold the cells of several chunks, to mix the classes.

    All workers of a DataLoader, and all ranks of a distributed run, together give each cell once.
    Ranks give equally many cells, or one more. Samples are those of CellDataset.

    Parameters
    ----------
    where
        A path, a URL, or a store of zarr.
    part
        "train" or "validation", which have no group in common; "all" for all cells.
    validation_share, split_seed
        See CellDataset.split.
    seed
        The same seed and epoch give the same order, for the same number of workers and ranks.
    buffer_cells
        Cells in the buffer of each worker, at least 1; by default 8,192, or fewer where these
        would take more than 128 MB.
    rank, world_size
        Of a distributed run. By default those of torch.distributed, where that is initialised,
        else 0 and 1.
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
    >>> from zarrmal.torch import ShuffledCells
    >>> cells = ShuffledCells("cells.zarr", part="train")  # doctest: +SKIP
    >>> loader = DataLoader(cells, batch_size=256, num_workers=2)  # doctest: +SKIP
    >>> for epoch in range(10):  # doctest: +SKIP
    ...     cells.set_epoch(epoch)
    ...     for pixels, labels, positions in loader:
    ...         ...
    """

    def __init__(
        self,
        where: Where,
        *,
        part: Literal["all", "train", "validation"] = "all",
        validation_share: float = 0.2,
        split_seed: int = 0,
        seed: int = 0,
        buffer_cells: int | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        transform: Callable[[torch.Tensor], Any] | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        if part not in ("all", "train", "validation"):
            raise InputError(f"the part is all, train or validation, not {part!r}")
        if buffer_cells is not None and buffer_cells < 1:
            raise InputError(f"the buffer holds at least 1 cell, not {buffer_cells}")
        if (rank is None) != (world_size is None):
            raise InputError("rank and world_size are given together, or both left out")
        if rank is not None and world_size is not None and not 0 <= rank < world_size:
            raise InputError(f"the rank is 0 to world_size - 1, not {rank} of {world_size}")
        self.handle = ArchiveHandle(where, storage_options)
        self._transform, self._seed = transform, seed
        self._given = None if rank is None or world_size is None else (rank, world_size)
        self._rank = self._current_rank(default=(0, 1))
        # In shared memory: workers that persist see the epoch that the parent sets.
        self._epoch = torch.zeros((), dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]
        self._labels, self.label_names = self.handle.labels()
        archive = self.handle.archive
        self.chunk_cells = archive.grid.chunk_cells
        fitting = BUFFER_BYTES // prod(archive.cell_shape)
        self._buffer_cells = buffer_cells or max(1, min(BUFFER_CELLS, fitting))
        self._positions: Positions = np.arange(len(self._labels))
        if part != "all":
            groups = self.handle.groups()
            parts = split_groups(len(self._labels), groups, validation_share, split_seed)
            self._positions = parts[part == "validation"]
        self.handle.close()

    @property
    def positions(self) -> Positions:
        """int64 (cell,), ascending: the cells of an epoch, over all ranks."""
        return self._positions

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iteration; without it every epoch has the same order."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        """Cells of an epoch, of this rank."""
        self._rank = self._current_rank(default=self._rank)
        start, stop = _share(len(self._positions), *self._rank)
        return stop - start

    def __getstate__(self) -> dict[str, Any]:
        # A spawned worker is no member of the distributed run.
        return self.__dict__ | {"_rank": self._current_rank(default=self._rank)}

    def __iter__(self) -> Iterator[Sample]:
        self._rank = self._current_rank(default=self._rank)
        epoch, (rank, world_size) = int(self._epoch), self._rank
        order = self._shuffled_by_chunk(np.random.default_rng((self._seed, epoch)))
        start, stop = _share(len(order), rank, world_size)
        order = order[start:stop]
        worker = get_worker_info()
        number = 0
        if worker is not None:
            number = worker.id
            start, stop = _share(len(order), worker.id, worker.num_workers)
            order = order[start:stop]
        generator = np.random.default_rng((self._seed, epoch, 1, rank, number))
        return self._samples(order, generator)

    def _current_rank(self, *, default: tuple[int, int]) -> tuple[int, int]:
        if self._given is not None:
            return self._given
        distributed = torch.distributed
        if distributed.is_available() and distributed.is_initialized():
            return distributed.get_rank(), distributed.get_world_size()
        return default

    def _shuffled_by_chunk(self, generator: np.random.Generator) -> Positions:
        """The epoch's positions: chunks in random order, within a chunk ascending."""
        chunk = self._positions // self.chunk_cells
        n_chunks = len(self._labels) // self.chunk_cells + 1
        rank = generator.permutation(n_chunks)
        order: Positions = self._positions[np.argsort(rank[chunk], kind="stable")]
        return order

    def _samples(self, order: Positions, generator: np.random.Generator) -> Iterator[Sample]:
        buffer = torch.empty(0)
        held: Positions = np.empty(0, np.int64)
        for rows in self._reads(order):
            pixels = self.handle.read(rows)
            buffer = torch.cat([buffer, pixels]) if len(held) else pixels
            held = np.concatenate([held, rows])
            n_surplus = len(held) - self._buffer_cells
            if n_surplus <= 0:
                continue
            mixed = generator.permutation(len(held))
            yield from self._taken(buffer, held, mixed[:n_surplus])
            rest = np.sort(mixed[n_surplus:])
            buffer, held = buffer[torch.from_numpy(rest)], held[rest]
        yield from self._taken(buffer, held, generator.permutation(len(held)))

    def _reads(self, order: Positions) -> Iterator[Positions]:
        """The positions in runs of whole chunks."""
        changes = np.flatnonzero(np.diff(order // self.chunk_cells)) + 1
        start = 0
        for stop in (*changes.tolist(), len(order)):
            if stop - start >= READ_CELLS or stop == len(order):
                yield order[start:stop]
                start = stop

    def _taken(
        self, buffer: torch.Tensor, held: Positions, chosen: NDArray[np.int64]
    ) -> Iterator[Sample]:
        """Samples of some cells of the buffer."""
        if not len(chosen):
            return
        # A copy: a sample that the caller keeps must not keep the buffer.
        cells = buffer[torch.from_numpy(chosen)]
        positions = held[chosen]
        labels = self._labels[positions].tolist()
        transform = self._transform
        for cell, label, position in zip(cells, labels, positions.tolist(), strict=True):
            yield (cell if transform is None else transform(cell)), label, position


def _share(n: int, k: int, n_shares: int) -> tuple[int, int]:
    """Start and stop of share ``k`` of ``n`` items; shares differ by one item at the most."""
    return k * n // n_shares, (k + 1) * n // n_shares
