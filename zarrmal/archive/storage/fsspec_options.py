"""What each file system of fsspec needs beside the caller's storage options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEFAULTS: dict[str, dict[str, Any]] = {
    # With more than one, s3fs sends a HEAD before each GET and a listing after each miss: three
    # times the requests. It only helps with objects larger than our chunks.
    "s3": {"max_concurrency": 1},
    # A stale listing hides objects that were just written.
    "az": {"use_listings_cache": False},
}
FAMILIES = {"s3": "s3", "s3a": "s3", "az": "az", "abfs": "az", "abfss": "az"}
"""Protocol -> its entry in DEFAULTS."""

ON_A_LOOP = {*FAMILIES, "gs", "gcs", "http", "https"}
"""Protocols whose file systems belong to one event loop: zarr's, or fsspec's own."""
CONTAINERS = {"zip", "tar", "libarchive"}
"""Archives of files: they read the file that holds them synchronously."""


def fsspec_options(url: str, given: Mapping[str, Any], *, for_zarr: bool = True) -> dict[str, Any]:
    """Storage options for a URL: the caller's, and what its file systems need beside them.

    Parameters
    ----------
    url
        Of fsspec. Where it chains protocols (``simplecache::s3://lab/cells.zarr``), ``given`` has
        one mapping a protocol, as fsspec wants it.
    given
        The caller's options; they go first.
    for_zarr
        zarr marks the outer file system as asynchronous, but not the one that a cache wraps.
    """
    links = url.split("::")
    options = dict(given)
    within = False
    for link in links:
        protocol = link.partition("://")[0]
        defaults = dict(DEFAULTS.get(FAMILIES.get(protocol, ""), {}))
        if len(links) == 1:
            return defaults | options
        if for_zarr and link != links[0] and protocol in ON_A_LOOP and not within:
            defaults["asynchronous"] = True
        within |= protocol in CONTAINERS
        if defaults:
            own = options.get(protocol)
            options[protocol] = defaults | (dict(own) if isinstance(own, Mapping) else {})
    return options
