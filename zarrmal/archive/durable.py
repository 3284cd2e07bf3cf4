"""Local files that outlast a power failure: on the disk before they have their name."""

from __future__ import annotations

import asyncio
import os
import uuid
from contextlib import suppress
from pathlib import Path

from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

PARTIAL = ".partial"
"""How the names of files end that are not whole yet; a killed run may leave one."""


class DurableStore(LocalStore):
    """zarr's store of local files, of which each is written by put_file."""

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
    """Store a file, or replace it, whole: whoever reads it, whenever, sees the old one or this one.

    Parameters
    ----------
    new
        FileExistsError if there is one. Where the file system has no hard links, such a file may
        be seen before it is whole.
    """
    new_folders = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:  # not to be taken for the file itself
        raise NotADirectoryError(error.errno, "not a folder", error.filename) from None
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}{PARTIAL}")
    try:
        _write(partial, data)
        if new:
            _link(partial, path, data)
        else:
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    for folder in (path.parent, *(folder.parent for folder in new_folders)):
        settle(folder)


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


def settle(folder: Path) -> None:
    """Have the names in a folder on the disk; without effect where a folder cannot be opened."""
    if os.name == "nt":
        return
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)
