"""FIFOs, sockets and devices among files: reading one could wait for ever."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

KINDS = {
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


def special_kind(mode: int) -> str | None:
    """The kind of a file that is no regular one, from st_mode; None for files and directories."""
    return KINDS.get(stat.S_IFMT(mode))


def refuse_special(mode: int, path: Path) -> None:
    """Raise OSError for a FIFO, socket or device, from st_mode."""
    kind = special_kind(mode)
    if kind is not None:
        raise OSError(errno.EINVAL, f"is a {kind}, not a file", os.fspath(path))


class RegularFiles(LocalStore):
    """zarr's store of local files; a FIFO, socket or device among them is an error."""

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """See zarr."""
        self._refuse_special(key)
        return await super().get(key, prototype, byte_range)

    def get_sync(
        self,
        key: str,
        *,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """See zarr."""
        self._refuse_special(key)
        return super().get_sync(key, prototype=prototype, byte_range=byte_range)

    def _refuse_special(self, key: str) -> None:
        path = self.root / key
        try:
            mode = os.stat(path).st_mode
        except OSError:
            return  # zarr, which opens it next, says what is wrong
        refuse_special(mode, path)
