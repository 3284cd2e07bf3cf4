"""Local files that survive a power failure: synced to disk before they get their name."""

from __future__ import annotations

import asyncio
import os
import uuid
from contextlib import suppress
from pathlib import Path

from zarr.core.buffer import Buffer

from ...sources.places.special_files import RegularFiles

PARTIAL = ".partial"
"""Suffix of files that are being written; a killed run may leave one."""


class DurableStore(RegularFiles):
    """zarr's store of local files, each written by put_file."""

    async def set(self, key: str, value: Buffer) -> None:
        """See zarr."""
        await asyncio.to_thread(put_file, self.root / key, value.as_buffer_like())

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """See zarr."""
        with suppress(FileExistsError):
            data = value.as_buffer_like()
            await asyncio.to_thread(put_file, self.root / key, data, new=True)

    def set_sync(self, key: str, value: Buffer) -> None:
        """See zarr."""
        put_file(self.root / key, value.as_buffer_like())


def put_file(path: Path, data: bytes | bytearray | memoryview, *, new: bool = False) -> None:
    """Store or replace a file atomically: readers see the old file or the new one.

    Parameters
    ----------
    new
        Raise FileExistsError if there is one. Without hard links (exFAT, some network shares) a
        new file is visible before it is complete.
    """
    new_folders = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:  # a parent, not the file itself
        raise NotADirectoryError(error.errno, "not a folder", error.filename) from None
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}{PARTIAL}")
    try:
        _write(partial, data)
        if new:
            _link(partial, path, data)
        else:
            os.replace(partial, path)
    except OSError as error:
        if error.filename is None:  # of a full disk
            error.filename = str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)
    for folder in (path.parent, *(folder.parent for folder in new_folders)):
        sync_folder(folder)


def _write(path: Path, data: bytes | bytearray | memoryview) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _link(partial: Path, path: Path, data: bytes | bytearray | memoryview) -> None:
    try:
        os.link(partial, path)
    except FileExistsError:
        raise
    except OSError:  # exFAT, some network shares
        _write(path, data)


def sync_folder(folder: Path) -> None:
    """Sync the names in a folder to disk; without effect on Windows, which cannot open folders."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
