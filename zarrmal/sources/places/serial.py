"""File systems of fsspec that share one file or one connection: one thread at a time may use them.

zarr reads from many threads. In a tar file each of them moves the position of the same open file,
so each gets bytes of other members: sound data look damaged. A zip file is safe: ``zipfile`` has a
lock of its own.
"""

from __future__ import annotations

import inspect
import os
import tarfile
import threading
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper
from zarr.storage import FsspecStore

SERIAL_PROTOCOLS = frozenset({"ftp", "libarchive", "tar"})
"""tar and libarchive: one open file; ftp: one connection."""

ENDS_EARLY = "the tar file is cut off, or a header in it is damaged"

_lock = threading.RLock()
"""One for all: file systems that look different may share a file, as in ``zip::tar::``."""


def _renew_lock() -> None:
    """Give a forked child a lock of its own: the parent's may be held by another thread."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew_lock)


def is_serial(url: str) -> bool:
    """A URL of a file system that only one thread at a time may use."""
    return any(link.partition("://")[0] in SERIAL_PROTOCOLS for link in url.split("::"))


class SerialFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """A file system whose methods run one at a time in the whole process.

    Parameters
    ----------
    fs
        Any synchronous file system.
    """

    cachable = False

    def __init__(self, fs: AbstractFileSystem, **options: Any) -> None:
        super().__init__(**options)
        self.fs = fs
        self.protocol, self.root_marker = fs.protocol, fs.root_marker
        self._strip_protocol, self._parent = fs._strip_protocol, fs._parent
        for name, _ in inspect.getmembers_static(AbstractFileSystem, inspect.isfunction):
            if not name.startswith("_") and name != "open":
                setattr(self, name, _locked(getattr(fs, name)))

    def _open(self, path: str, mode: str = "rb", **options: Any) -> BytesIO:
        """A file for reading, with all of its bytes: reading on would need the lock."""
        if mode != "rb":
            raise NotImplementedError(f"mode {mode!r}")
        return BytesIO(self.cat_file(path))


def _locked(method: Any) -> Any:
    is_generator = inspect.isgeneratorfunction(method)

    def run(*arguments: Any, **options: Any) -> Any:
        with _lock:
            answer = method(*arguments, **options)
            return iter(list(answer)) if is_generator else answer

    return run


def tar_ends_early(fs: SerialFileSystem) -> bool:
    """Whether a tar file lacks the block of zeros that ends one.

    ``tarfile`` reports one that is cut off within a member, but takes an incomplete or damaged
    header for the end.
    """
    tar = getattr(fs.fs, "tar", None)
    if tar is None:  # not a tar file
        return False
    with _lock:
        tar.fileobj.seek(tar.offset)
        return bool(tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE))


def serial_store(
    url: str, storage_options: Mapping[str, Any] | None, *, read_only: bool
) -> FsspecStore:
    """zarr's store of a URL for which ``is_serial``."""
    with _lock:
        fs, path = fsspec.core.url_to_fs(url, **(storage_options or {}))
    wrapper = AsyncFileSystemWrapper(SerialFileSystem(fs), asynchronous=True)
    return FsspecStore(wrapper, path=path, read_only=read_only)
