"""What an archive says of itself: its attribute, and the object with its digests (ARCHIVE 2, 4).

Sources read archives too, without the archive's own code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import zarr
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

ARCHIVE_ATTRIBUTE = "zarrmal"
DIGESTS_GROUP = "zarrmal_digests"
N_NAME = 16
"""Hexadecimal digits of the SHA-256 that name a digests array."""


def parse_archive_attribute(value: object) -> Mapping[str, Any] | None:
    """The attribute as an object, None if it is something else.

    It is stored as JSON text, because netCDF holds no nested attributes. Earlier drafts stored the
    object itself.

    Raises
    ------
    ValueError
        If it is text, but no JSON.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except RecursionError as error:
            raise ValueError("nested too deep") from error
    return value if isinstance(value, Mapping) else None


def archive_facts(group: zarr.Group) -> Mapping[str, Any] | None:
    """The attribute of an archive; None if the group is none, or if it is damaged."""
    try:
        return parse_archive_attribute(group.attrs.get(ARCHIVE_ATTRIBUTE))
    except ValueError:
        return None


def digests_key(sha256: str, zarr_format: int) -> str:
    """Key of the stored digests, below the archive: the only chunk of an array."""
    chunk = "c/0" if zarr_format == 3 else "0"
    return f"{DIGESTS_GROUP}/{sha256[:N_NAME]}/{chunk}"


def load_digests(group: zarr.Group, sha256: str) -> tuple[Mapping[str, Any] | None, str]:
    """The digests of an archive, or None and what is wrong with them.

    Parameters
    ----------
    sha256
        Of the stored bytes, by the archive's attribute.
    """
    key = digests_key(sha256, group.metadata.zarr_format)
    try:
        path = f"{group.path}/{key}".lstrip("/")
        buffer = sync(group.store.get(path, default_buffer_prototype()))
    except Exception as error:  # a bad sector, a server that fails, a damaged zip
        return None, f"{key} cannot be read: {error}"
    if buffer is None:
        return None, f"{key} is missing"
    data = buffer.to_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        return None, f"{key} was changed: its sha256 does not match"
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError) as error:
        return None, f"{key} is no JSON: {error}"
    return (tree, "") if isinstance(tree, Mapping) else (None, f"{key} holds no digests")
