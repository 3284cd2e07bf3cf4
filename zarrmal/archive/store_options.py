"""What each file system of fsspec is told, unless the caller told it something else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

QUIRKS: dict[str, dict[str, Any]] = {
    # More than one sends a HEAD before each GET, and asks of each missing object whether it is a
    # folder: three times the requests. It only serves objects larger than any chunk of ours.
    "s3": {"max_concurrency": 1},
    # Else objects that were just written go unseen.
    "az": {"use_listings_cache": False},
}
SAME = {"s3": "s3", "s3a": "s3", "az": "az", "abfs": "az", "abfss": "az"}
"""Protocol -> its entry in QUIRKS."""


ON_A_LOOP = {*SAME, "gs", "gcs", "http", "https"}
"""Protocols whose file systems belong to one event loop: zarr's, or fsspec's own."""
CONTAINERS = {"zip", "tar", "libarchive"}
"""What holds files in a file reads that one synchronously."""


def store_options(url: str, given: Mapping[str, Any], *, for_zarr: bool = True) -> dict[str, Any]:
    """The options for a URL: the caller's, and what its file systems need beside them.

    Parameters
    ----------
    url
        Of fsspec. Where it chains protocols (``simplecache::s3://lab/cells.zarr``), ``given`` has
        one mapping a protocol, as fsspec wants it.
    given
        The caller's options; they go first.
    for_zarr
        zarr tells a file system that it is on its loop, but not a cache's one behind it.
    """
    links = url.split("::")
    options = dict(given)
    within = False
    for link in links:
        protocol = link.partition("://")[0]
        quirks = dict(QUIRKS.get(SAME.get(protocol, ""), {}))
        if len(links) == 1:
            return quirks | options
        if for_zarr and link != links[0] and protocol in ON_A_LOOP and not within:
            quirks["asynchronous"] = True
        within |= protocol in CONTAINERS
        if quirks:
            own = options.get(protocol)
            options[protocol] = quirks | (dict(own) if isinstance(own, Mapping) else {})
    return options
