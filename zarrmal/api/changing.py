"""Verbs that change what an archive is made of, not its cells; and undo."""

from __future__ import annotations

from ..archive import Archive, ArchiveInfo
from ..archive.storage.store import Where
from ..progress import Progress, silent
from .opening import StorageOptions


def adopt(
    url: Where, *, progress: Progress = silent, storage_options: StorageOptions = None
) -> ArchiveInfo:
    """Make an archive of arrays that another program has copied or changed; see Archive.adopt."""
    return Archive.adopt(url, progress=progress, storage_options=storage_options).info()


def repack(
    url: Where,
    to: Where | None = None,
    *,
    canvas: tuple[int, int] | None = None,
    workers: int | None = None,
    progress: Progress = silent,
    storage_options: StorageOptions = None,
    to_options: StorageOptions = None,
) -> ArchiveInfo:
    """Write an archive of many appends anew as one segment; see Archive.repack."""
    return Archive.repack(
        url,
        to,
        canvas=canvas,
        workers=workers,
        progress=progress,
        storage_options=storage_options,
        to_options=to_options,
    ).info()


def undo(url: Where, *, storage_options: StorageOptions = None) -> int:
    """Take back an interrupted append; returns the number of its cells. See Archive.undo."""
    return Archive.open(url, storage_options=storage_options).undo()
