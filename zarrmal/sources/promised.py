"""An archive as a source: what it promises of its stored objects is checked when they are read."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from ..errors import InputError

ARCHIVE_ATTRIBUTE = "zarrmal"  # FORMAT 6


class Promises:
    """SHA-256 of stored objects, as an archive's attribute holds them (FORMAT 6); else none.

    Without them a chunk that is missing would be taken for a black one, and saved as such.

    Parameters
    ----------
    group
        An archive, or any other group.
    where
        Its address, for messages.
    """

    def __init__(self, group: zarr.Group, where: str) -> None:
        facts = group.attrs.get(ARCHIVE_ATTRIBUTE)
        digests = facts.get("digests") if isinstance(facts, Mapping) else None
        self._digests = digests if isinstance(digests, Mapping) else {}
        self._where = where
        self._seen: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def expect_arrays(self, group: zarr.Group) -> None:
        """InputError if the group lacks an array of which there are promises."""
        lost = [name for name in self._digests if not isinstance(group.get(name), zarr.Array)]
        if lost:
            raise InputError(
                f"{self._where}: `{lost[0]}` is missing: see `zarrmal verify {self._where}`"
            )

    def check(self, array: zarr.Array[Any], rows: NDArray[np.int64] | None = None) -> None:
        """Compare the objects that hold some cells of an array, or all, each of them once.

        Raises
        ------
        InputError
            If one is missing, or differs.
        """
        promised = self._digests.get(array.basename)
        if not isinstance(promised, Mapping):
            return
        n_each = (array.shards or array.chunks)[0]
        rows = np.arange(0, array.shape[0], n_each) if rows is None else rows
        for k in np.unique(rows // n_each).tolist():
            key = str(array.metadata.encode_chunk_key((k, *[0] * (array.ndim - 1))))
            name = (array.basename, key)
            with self._lock:
                if name in self._seen:
                    continue
            if key in promised and self._digest(array, key) != promised[key]:
                raise InputError(
                    f"{self._where}: chunk {key} of `{array.basename}` is missing, was changed, or "
                    f"is being written: see `zarrmal verify {self._where}`; `zarrmal extract "
                    f"--skip-damaged` saves all other cells"
                )
            with self._lock:
                self._seen.add(name)

    @staticmethod
    def _digest(array: zarr.Array[Any], key: str) -> str | None:
        path = f"{array.path}/{key}" if array.path else key
        found = sync(array.store.get(path, default_buffer_prototype()))
        return None if found is None else hashlib.sha256(found.to_bytes()).hexdigest()
