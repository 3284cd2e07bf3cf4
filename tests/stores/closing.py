"""Ends what fsspec's file systems leave open: sessions, and adlfs's farewell without a loop."""

from __future__ import annotations

import inspect
import sys
import weakref
from typing import Any

import fsspec
from zarr.core.sync import sync

CLASSES = (
    ("s3fs", "S3FileSystem", "_s3"),
    ("adlfs", "AzureBlobFileSystem", "service_client"),
    ("gcsfs", "GCSFileSystem", "_session"),
    ("fsspec.implementations.http", "HTTPFileSystem", "_session"),
)


def close_file_systems() -> None:
    """Close all that were made so far; those made later with the same options are new."""
    for module, name, client in CLASSES:
        if module not in sys.modules:
            continue
        cls = getattr(sys.modules[module], name)
        for fs in list(cls._cache.values()):
            _close(fs, getattr(fs, client, None))
            _forget_farewell(fs)
        cls.clear_instance_cache()


def _close(fs: Any, client: Any) -> None:
    async def close() -> None:
        done = client.close()
        if inspect.isawaitable(done):
            await done

    if client is None:
        return
    if fs.asynchronous:  # zarr ran it, on its own loop
        sync(close())
    else:
        fsspec.asyn.sync(fs.loop, close)


def _forget_farewell(fs: Any) -> None:
    """At its end adlfs would close its client on the loop that zarr's instances do not have."""
    for farewell in list(weakref.finalize._registry):
        found = farewell.peek()
        if found is not None and found[0] is fs and found[1] is fsspec.asyn.sync:
            farewell.detach()
