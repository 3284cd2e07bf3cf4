"""An archive in a store of zarr's that the caller opened: in memory, in a zip, in Icechunk, ...

Its owner is in charge of transactions: nothing is locked, and nothing is written beside the archive
first. A run that fails leaves what it has stored; an Icechunk session is then simply not committed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import zarr
from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.core.sync import sync
from zarr.storage import LocalStore, StorePath, WrapperStore

from ...errors import InputError
from ..format import OWN_NAMES
from .location import GROUP_FILES, METADATA_FILES, Location, Mode

DOCUMENTS = ("zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata")


class WriteOnceStore(WrapperStore[Store]):
    """A store that cannot replace an object, such as a zip: documents are held until ``flush``.

    An archive's documents are stored when it is created and again at the commit.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._documents: dict[str, Buffer] = {}

    async def set(self, key: str, value: Buffer, *arguments: Any) -> None:
        """See zarr."""
        if key.rpartition("/")[2] in DOCUMENTS:
            self._documents[key] = value
        else:
            await self._store.set(key, value)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """See zarr."""
        if not await self.exists(key):
            await self.set(key, value)

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """See zarr."""
        if key in self._documents:
            return self._documents[key]
        return await self._store.get(key, prototype, byte_range)

    async def exists(self, key: str) -> bool:
        """See zarr."""
        return key in self._documents or await self._store.exists(key)

    def flush(self) -> None:
        """Store the documents, those of the group last."""
        for key in sorted(self._documents, key=lambda key: -key.count("/")):
            sync(self._store.set(key, self._documents.pop(key)))


@dataclass(frozen=True, slots=True)
class StoreLocation(Location):
    """A store, and a path in it.

    Parameters
    ----------
    store
        Any store of zarr; ``url`` is what messages call it.
    prefix
        Path of the archive's group in the store; empty for the root.
    """

    store: Store | None = field(default=None, repr=False)
    prefix: str = ""

    @property
    def is_local(self) -> bool:
        """False: what zarr keeps in a local folder is a Location."""
        return False

    @property
    def owner_commits(self) -> bool:
        """True."""
        return True

    @property
    def replaces_objects(self) -> bool:
        """Not in a zip."""
        return self._store.supports_deletes

    @property
    def _store(self) -> Store:
        assert self.store is not None
        return self.store

    def sizes(self) -> dict[str, int]:
        """See Location."""

        async def measure() -> dict[str, int]:
            keys = [key async for key in self._store.list_prefix(self._key(""))]
            return {key: await self._store.getsize(key) for key in keys}

        start = len(self._key(""))
        return {key[start:]: size for key, size in sync(measure()).items()}

    def occupied(self) -> bool:
        """See Location."""

        async def anything() -> bool:
            async for _ in self._store.list_prefix(self._key("")):
                return True
            return False

        return sync(anything())

    def holds_zarr(self) -> bool:
        """See Location."""
        return any(sync(self._store.exists(self._key(name))) for name in METADATA_FILES)

    def remove(self) -> None:
        """Delete the objects of an archive, not what else the store holds."""
        self.remove_archive()

    def remove_archive(self) -> None:
        """See Location."""
        stored = self.sizes()
        keys = [key for key in stored if key.partition("/")[0] in OWN_NAMES]
        self.delete(keys + [name for name in GROUP_FILES if name in stored])

    def delete(self, keys: Iterable[str]) -> None:
        """See Location."""
        for key in keys:
            sync(self._store.delete(self._key(key)))

    def open_group(self, mode: Mode = "r", *arguments: Any, **more: Any) -> zarr.Group:
        """See Location."""
        if mode == "r" and isinstance(self._store, WriteOnceStore):
            mode = "r+"  # zarr makes no read-only store of a zip that is open for writing
        return super(StoreLocation, self).open_group(mode, *arguments, **more)

    def _zarr_arguments(self, mode: Mode) -> dict[str, Any]:
        return {"store": self._store, "path": self.prefix}

    def xarray_arguments(self) -> dict[str, Any]:
        """See Location."""
        return {"store": StorePath(self._store, self.prefix) if self.prefix else self._store}

    def filesystem(self) -> NoReturn:
        """A store has none that we know of."""
        raise AssertionError(f"{self.url} has no file system")

    def _key(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key


Where = str | os.PathLike[str] | Store | StorePath | Location
"""What names an archive: a path, a URL, or a store of zarr, with or without a path in it."""


def locate(where: Where, storage_options: Mapping[str, Any] | None = None) -> Location:
    """The location that a caller names.

    Parameters
    ----------
    where
        A local path, a URL, a store, a StorePath. A LocalStore is the folder it stands for.
    storage_options
        For fsspec, with a URL.

    Raises
    ------
    InputError
        If it is none of these, or options come without a URL.
    """
    options = {} if storage_options is None else storage_options
    if not isinstance(options, Mapping):
        raise InputError(f"storage options are a mapping of names to values, not a "
                         f"{type(options).__name__}")  # fmt: skip
    if isinstance(where, Location):
        return where
    if isinstance(where, str | os.PathLike):
        return Location(os.fspath(where), options)
    store, prefix = (where.store, where.path) if isinstance(where, StorePath) else (where, "")
    if not isinstance(store, Store):
        raise InputError(f"an archive is a path, a URL or a store of zarr, not a "
                         f"{type(where).__name__}")  # fmt: skip
    if options:
        raise InputError("storage options are for URLs; a store has been opened with its own")
    if type(store) is LocalStore:
        return Location(str(store.root / prefix))
    sync(StorePath.open(store, path=prefix))  # a ZipStore opens its file at the first use
    name = f"the {type(store).__name__}"
    if not store.supports_deletes and not store.read_only:
        store = WriteOnceStore(store)
    return StoreLocation(name, store=store, prefix=prefix.strip("/"))
