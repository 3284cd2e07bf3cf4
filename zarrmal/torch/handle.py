"""An archive that each process opens for itself.

Sockets, event loops and the position in an open file do not survive a fork, and cannot be sent to
a spawned process. So a data set holds the archive's address, and a process opens it when it reads
for the first time.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import get_worker_info
from zarr.abc.store import Store
from zarr.storage import MemoryStore, StorePath

from ..archive import Archive
from ..archive.format import LABEL, SOURCE_GROUP
from ..archive.storage.store import Where

Sample = tuple[Any, int, int]
"""Pixels (or what the transform made of them), label or -1, position in the archive."""


class ArchiveHandle:
    """An archive's address, and the archive once this process has opened it.

    Parameters
    ----------
    where
        A path, a URL, a store of zarr, or a StorePath.
    storage_options
        For fsspec, with a URL.
    """

    def __init__(self, where: Where, storage_options: Mapping[str, Any] | None) -> None:
        # A path is relative to the folder of the process that names it.
        is_path = isinstance(where, os.PathLike) or (
            isinstance(where, str) and "://" not in where and "::" not in where
        )
        self._where: Where = str(Path(where).expanduser().absolute()) if is_path else where  # type: ignore[arg-type]
        self._storage_options = storage_options
        self._archive: Archive | None = None
        self._process = self._owner = os.getpid()

    @property
    def archive(self) -> Archive:
        """The archive, opened by this process."""
        if self._archive is None or self._process != os.getpid():
            where = self._where
            if os.getpid() != self._owner and _has_handles(where):
                where = pickle.loads(pickle.dumps(where))  # a store opens its own file again
            self._archive = Archive.open(where, storage_options=self._storage_options)
            self._process = os.getpid()
        return self._archive

    def close(self) -> None:
        """Forget the opened archive; the next read opens it again."""
        self._archive = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_archive": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._owner = os.getpid()  # unpickling has opened the store anew

    def labels(self) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Label of each cell, int64 (cell,), -1 without labels; and the labels' names."""
        archive = self.archive
        array = archive.array(LABEL)
        if array is None:
            return np.full(archive.n_cells, -1, np.int64), ()
        return np.asarray(array[: archive.n_cells]).astype(np.int64), archive.facts.label_names

    def groups(self) -> NDArray[np.str_] | None:
        """Group of each cell, (cell,); None if the archive has no groups."""
        array = self.archive.array(SOURCE_GROUP)
        if array is None:
            return None
        names: list[str] = np.asarray(array[: self.archive.n_cells]).tolist()
        return np.array(names, np.str_)

    @property
    def channel_first(self) -> bool:
        """Whether pixels come as (cell, channel, y, x)."""
        return self.archive.channel_first

    def pixels(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Pixels as Archive.read gives them.

        A worker of a DataLoader decodes with one thread: there are other workers.
        """
        workers = 1 if get_worker_info() is not None else None
        return self.archive.read(positions, workers=workers)

    def read(self, positions: NDArray[np.int64]) -> torch.Tensor:
        """Pixels, ``dtype`` (cell, channel, y, x)."""
        pixels = self.pixels(positions)
        if not self.channel_first:
            pixels = pixels[:, None] if pixels.ndim == 3 else np.moveaxis(pixels, 3, 1)
        return torch.from_numpy(np.ascontiguousarray(pixels))


def _has_handles(where: Where) -> bool:
    store = where.store if isinstance(where, StorePath) else where
    return isinstance(store, Store) and not isinstance(store, MemoryStore)
