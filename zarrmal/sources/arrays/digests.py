"""An archive as a source: stored objects are compared with the archive's digests when read."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from ...errors import InputError
from ..places.packed import DAMAGED_CONTAINER
from .archive_facts import archive_facts, load_digests

BACKUP = "cells/zarrmal.json"
"""Repeats the attribute. A copy by another program inherits the attribute, not this object."""


class ArchiveDigests:
    """SHA-256 of the stored objects of an archive (ARCHIVE 4); none of other groups.

    Without this check a missing chunk would be read as black cells, and archived as such.

    Parameters
    ----------
    group
        An archive, or any other group.
    location
        Its address, for messages.

    Raises
    ------
    InputError
        If the archive's digests cannot be read.
    """

    def __init__(self, group: zarr.Group, location: str) -> None:
        facts = archive_facts(group) or {}
        digests = facts.get("digests")
        self.is_copied = False
        """Another program has stored the arrays: the digests are not of these."""
        if facts.get("backup") is True:
            backup = _stored_backup(group)
            if backup != dict(facts):
                digests = _restored_digests(group, backup, facts, location)
                self.is_copied = digests is None
        if isinstance(digests, str) and digests:
            tree, problem = load_digests(group, digests)
            if tree is None:
                raise InputError(f"{location}: the archive's digests are lost: {problem}: see "
                                 f"`zarrmal verify {location}`")  # fmt: skip
            digests = tree.get("objects")
        self._digests = digests if isinstance(digests, Mapping) else {}
        self._location = location
        self._checked: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def require_arrays(self, group: zarr.Group) -> None:
        """Raise InputError if the group lacks an array that has digests."""
        missing = [name for name in self._digests if not isinstance(group.get(name), zarr.Array)]
        if missing:
            raise InputError(
                f"{self._location}: `{missing[0]}` is missing: see `zarrmal verify "
                f"{self._location}`"
            )

    def covers(self, array: zarr.Array[Any]) -> bool:
        """Whether there are digests of the array."""
        return isinstance(self._digests.get(array.basename), Mapping)

    def check(self, array: zarr.Array[Any], rows: NDArray[np.int64] | None = None) -> None:
        """Compare the stored objects of some cells with their digests, each object once.

        Parameters
        ----------
        array
            Array of the group.
        rows
            int64 (cell,); None checks all objects.

        Raises
        ------
        InputError
            If an object is missing, or differs.
        """
        expected_digests = self._digests.get(array.basename)
        if not isinstance(expected_digests, Mapping):
            return
        object_cells = (array.shards or array.chunks)[0]
        rows = np.arange(0, array.shape[0], object_cells) if rows is None else rows
        for number in np.unique(rows // object_cells).tolist():
            key = str(array.metadata.encode_chunk_key((number, *[0] * (array.ndim - 1))))
            name = (array.basename, key)
            with self._lock:
                if name in self._checked:
                    continue
            if key in expected_digests and self._digest(array, key) != expected_digests[key]:
                raise InputError(
                    f"{self._location}: chunk {key} of `{array.basename}` is missing, was changed, "
                    f"or is being written: see `zarrmal verify {self._location}`; `zarrmal extract "
                    f"--skip-damaged` saves all other cells"
                )
            with self._lock:
                self._checked.add(name)

    def require_chunks(self, array: zarr.Array[Any], rows: NDArray[np.int64]) -> None:
        """Raise InputError if a copy lacks a chunk of some cells, which would be read as black."""
        for number in np.unique(rows // (array.shards or array.chunks)[0]).tolist():
            key = str(array.metadata.encode_chunk_key((number, *[0] * (array.ndim - 1))))
            if not sync(array.store.exists(f"{array.path}/{key}".lstrip("/"))):
                raise InputError(f"{self._location}: chunk {key} of `{array.basename}` is missing, "
                                 f"or holds black cells only: see `zarrmal verify "
                                 f"{self._location}`")  # fmt: skip

    @staticmethod
    def _digest(array: zarr.Array[Any], key: str) -> str | None:
        path = f"{array.path}/{key}" if array.path else key
        try:
            data = sync(array.store.get(path, default_buffer_prototype()))
        except DAMAGED_CONTAINER:
            return None
        return None if data is None else hashlib.sha256(data.to_bytes()).hexdigest()


def _stored_backup(group: zarr.Group) -> Mapping[str, Any] | None:
    """The backup of the attribute; None if there is none."""
    key = f"{group.path}/{BACKUP}".lstrip("/")
    try:
        data = sync(group.store.get(key, default_buffer_prototype()))
        tree = None if data is None else json.loads(data.to_bytes())
    except ValueError:  # damaged
        tree = {}
    return tree if isinstance(tree, Mapping) else None


def _restored_digests(
    group: zarr.Group, backup: Mapping[str, Any] | None, facts: Mapping[str, Any], location: str
) -> str | Mapping[str, Any] | None:
    """The digests of whichever is of these arrays, by its number of cells; None for copies."""
    if backup is None:
        return None
    names = backup.get("label_names", facts.get("label_names"))
    if names != facts.get("label_names"):
        raise InputError(
            f"{location}: it holds cells of two archives, whose labels are {names} and "
            f"{facts.get('label_names')}: give the archives themselves"
        )
    cells = group.get("cells")
    for tree in (facts, backup):
        digests = tree.get("digests")
        if isinstance(cells, zarr.Array) and tree.get("n_cells") == cells.shape[0]:
            return digests if isinstance(digests, str | Mapping) else {}
    return None
