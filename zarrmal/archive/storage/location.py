"""Where an archive is stored: a local path, or any fsspec URL. Stores of zarr: see store.py."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import fsspec
import zarr
from fsspec.implementations.local import LocalFileSystem
from zarr.errors import ContainsArrayError, GroupNotFoundError
from zarrmal_codecs import CorruptionError, ZarrmalError

from ...errors import InputError, MissingError, without_passwords
from ...sources.places.packed import DAMAGED_CONTAINER, has_packed_suffix, packed_url
from ...sources.places.serial import (
    ENDS_EARLY,
    SerialFileSystem,
    is_serial,
    serial_store,
    tar_ends_early,
)
from ...sources.places.special_files import RegularFiles
from ...sources.places.timeout import first_answer
from ..format import OWN_NAMES
from .fsspec_options import fsspec_options
from .local import DurableStore

UNREADABLE_METADATA = (ValueError, TypeError, LookupError, AttributeError, *DAMAGED_CONTAINER)
"""What zarr was seen to raise for damaged metadata documents."""
METADATA_FILES = ("zarr.json", ".zgroup", ".zarray")
GROUP_FILES = ("zarr.json", ".zgroup", ".zmetadata", ".zattrs")
"""A group's documents; without the first of its format there is no group."""
LOCAL_PROTOCOLS = ("file", "local")
VIRTUAL_PROTOCOL = "reference"
"""fsspec's references: what is written there stays in memory, and is lost with it."""
BUCKET_JOURNAL = ".zarrmal-writing"
"""How the names of journals begin that lie in an archive which fills a whole bucket."""

Mode = Literal["r", "r+", "a"]


@dataclass(frozen=True, slots=True)
class Location:
    """A local path or a URL.

    Parameters
    ----------
    url
        Local path, or URL of any file system that fsspec knows. ``file:`` and ``local:`` are
        stripped, as fsspec does.
    storage_options
        For fsspec: credentials, endpoints. Never printed.
    """

    url: str = field(repr=False)
    storage_options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        protocol, colon, rest = self.url.partition(":")
        local = bool(colon) and protocol in LOCAL_PROTOCOLS and "::" not in self.url
        if not self.url or (local and not rest.removeprefix("//")):
            raise InputError("the path or URL of an archive is empty")
        if local:
            object.__setattr__(self, "url", str(LocalFileSystem._strip_protocol(self.url)))
        elif self.url.startswith("~") and self.is_local:
            object.__setattr__(self, "url", os.path.expanduser(self.url))
        if self.is_local and self.storage_options:
            raise InputError(f"{self.url} is a local path: storage options are for URLs such as "
                             f"s3://…")  # fmt: skip

    @property
    def printable(self) -> str:
        """The URL without a password or a signature."""
        return without_passwords(self.url)

    @property
    def options(self) -> dict[str, Any]:
        """For zarr and xarray: the caller's options, and what the file system needs beside them."""
        return {} if self.is_local else fsspec_options(self.url, self.storage_options)

    @property
    def is_local(self) -> bool:
        """A path on this machine's file systems."""
        return "::" not in self.url and "://" not in self.url

    @property
    def owner_commits(self) -> bool:
        """Whoever owns the store is in charge of transactions: no lock, no staging."""
        return False

    @property
    def replaces_objects(self) -> bool:
        """An object that is stored can be replaced and deleted."""
        return True

    @property
    def path(self) -> Path:
        """The local path."""
        return Path(self.url)

    @property
    def real_path(self) -> Path:
        """The local path to which links lead."""
        return self.path.resolve()

    def sizes(self) -> dict[str, int]:
        """Bytes of every stored object, by its key below the archive; empty if there is none."""
        fs, root = self.filesystem()
        try:
            entries = fs.find(root, detail=True)
        except FileNotFoundError:
            return {}
        root = root.rstrip("/") + "/" if root.strip("/") else ""  # a zip file's root is empty
        sizes = {n.removeprefix(root): e["size"] for n, e in entries.items() if n.startswith(root)}
        # The folder page of a web server lists names only.
        unknown = [key for key, size in sizes.items() if size is None]
        sizes |= zip(unknown, fs.sizes([root + key for key in unknown]), strict=True)
        return {key: int(size or 0) for key, size in sizes.items()}

    def occupied(self) -> bool:
        """Something is stored there, however deep."""
        if self.is_local:
            path = self.path
            return path.is_file() or (path.is_dir() and any(path.iterdir()))

        def anything() -> bool:
            fs, root = self.filesystem()
            return any(
                not name.startswith(BUCKET_JOURNAL)
                for _, _, names in fs.walk(root)
                for name in names
            )

        return first_answer(anything, self.url)

    def holds_zarr(self) -> bool:
        """A Zarr group or array is stored there."""
        fs, root = self.filesystem()
        return any(fs.exists(f"{root.rstrip('/')}/{name}") for name in METADATA_FILES)

    def remove(self) -> None:
        """Delete everything below; first the documents that make it a Zarr group."""
        fs, root = self.filesystem()
        stored = self.sizes()
        self.delete(name for name in GROUP_FILES if name in stored)
        if fs.exists(root):
            fs.rm(root, recursive=True)

    def remove_archive(self) -> None:
        """Delete the objects of an archive; whatever else lies below stays."""
        fs, root = self.filesystem()
        stored = self.sizes()
        self.delete(name for name in GROUP_FILES if name in stored)
        keys = [key for key in stored if key.partition("/")[0] in OWN_NAMES]
        if keys:
            fs.rm([f"{root.rstrip('/')}/{key}" for key in keys])

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects by their keys below the archive, in this order."""
        fs, root = self.filesystem()
        for key in keys:
            fs.rm_file(f"{root.rstrip('/')}/{key}")

    def open_group(
        self,
        mode: Mode = "r",
        zarr_format: Literal[2, 3] | None = None,
        *,
        consolidated: bool | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> zarr.Group:
        """The Zarr group; InputError if there is none, or what is stored there would be lost.

        Format 3 is tried before format 2: zarr sends eight requests if it is asked for both.

        Parameters
        ----------
        consolidated
            None takes consolidated metadata where there are any: one object, and so one state of
            an archive during an append. False ignores them.
        attributes
            Of a group that is created: stored with its first document.
        """
        if mode != "r" and self.url.partition(":")[0] == VIRTUAL_PROTOCOL:
            raise InputError(
                f"{self.url} holds references to other files, and cannot be written to: write to a "
                f"folder or a bucket"
            )
        arguments: dict[str, Any] = {"mode": mode, "use_consolidated": consolidated}
        if attributes is not None:
            arguments["attributes"] = dict(attributes)
        formats: tuple[Literal[2, 3] | None, ...] = (3, 2)
        if mode == "a" or zarr_format:
            formats = (zarr_format,)
        if self.is_local:
            return self._open_group(formats, arguments)
        return first_answer(lambda: self._open_group(formats, arguments), self.url)

    def _open_group(
        self, formats: tuple[Literal[2, 3] | None, ...], arguments: dict[str, Any]
    ) -> zarr.Group:
        try:
            for zarr_format in formats:
                try:
                    return zarr.open_group(
                        **self._zarr_arguments(arguments["mode"]),
                        zarr_format=zarr_format,
                        **arguments,
                    )
                except (GroupNotFoundError, FileNotFoundError):
                    if zarr_format == formats[-1]:
                        raise
            raise AssertionError("there is a last format")
        except (GroupNotFoundError, FileNotFoundError):
            if arguments["mode"] == "a":
                raise
            if self.is_local and (packed := packed_url(self.path)) is not None:
                raise InputError(
                    f"{self.url} is a packed file: the archive in it is read as {packed}"
                ) from None
            if is_serial(self.url) and tar_ends_early(self.filesystem()[0]):
                raise CorruptionError(f"{self.url} is damaged: {ENDS_EARLY}") from None
            hint = ""
            if "::" not in self.url and has_packed_suffix(self.url):
                protocol = "zip" if self.url.rstrip("/").lower().endswith(".zip") else "tar"
                hint = f"; what is packed in a {protocol} file is read as {protocol}::{self.url}"
            raise MissingError(f"no Zarr group at {self.url}: check the path or URL, and that the "
                               f"bucket exists{hint}") from None  # fmt: skip
        except ContainsArrayError:
            raise InputError(
                f"{self.url} is a Zarr array, not an archive: give the group that holds it"
            ) from None
        except ZarrmalError:
            raise
        except ImportError as error:
            raise InputError(f"{self.url} cannot be opened: {error}") from error
        except UNREADABLE_METADATA as error:
            raise self._damaged_or_unknown(error) from error

    def _zarr_arguments(self, mode: Mode) -> dict[str, Any]:
        """Of zarr.open_group: which store."""
        if is_serial(self.url):
            options = fsspec_options(self.url, self.storage_options, for_zarr=False)
            return {"store": serial_store(self.url, options, read_only=mode == "r")}
        if not self.is_local:
            return {"store": self.url, "storage_options": self.options or None}
        if mode == "r":
            return {"store": RegularFiles(self.path, read_only=True)}
        return {"store": DurableStore(self.path)}

    def xarray_arguments(self) -> dict[str, Any]:
        """Of xarray.open_zarr: which store."""
        if is_serial(self.url):
            return self._zarr_arguments("r")
        return {"store": self.url, "storage_options": self.options or None}

    def filesystem(self) -> tuple[Any, str]:
        """fsspec's file system, its cache of listings emptied, and the path in it."""
        if self.is_local:
            return LocalFileSystem(), str(self.path.absolute())
        options = fsspec_options(self.url, self.storage_options, for_zarr=False)
        try:
            fs, root = fsspec.core.url_to_fs(self.url, **options)
        except (ImportError, ValueError, TypeError) as error:
            raise InputError(f"{self.url} cannot be reached: {error}") from error
        except DAMAGED_CONTAINER as error:
            raise CorruptionError(f"{self.url} is damaged: {error}") from error
        fs.invalidate_cache()
        return SerialFileSystem(fs) if is_serial(self.url) else fs, root

    def _damaged_or_unknown(self, error: Exception) -> InputError | CorruptionError:
        """CorruptionError if something is stored there; else the URL itself is wrong."""
        try:
            damaged = isinstance(error, DAMAGED_CONTAINER) or self.holds_zarr()
        except Exception:  # no such protocol, options that the file system does not take
            damaged = False
        if damaged:
            return CorruptionError(f"{self.url} is damaged: its metadata cannot be read: {error}")
        return InputError(f"{self.url} cannot be opened as a Zarr group: {error}")
